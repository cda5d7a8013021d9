"""What a call to mlapi asks for, and the picture that came with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from urllib.parse import parse_qsl

import orjson
from anyio import CapacityLimiter, to_thread
from starlette.requests import Request

from okapia.domain.errors import InvalidRequest, PayloadTooLarge
from okapia.domain.models import ModelChoice
from okapia.service import FACES, OBJECTS, Models
from okapia.web.bodies import bounded
from okapia.web.context import Context, Limits
from okapia.web.uploads import Upload, UploadedImage, read_upload

MAX_BODY_BYTES = 5 * 1024 * 1024
"""Of a whole request, as in Flask; of a picture that is fetched as well."""

MAX_LOGIN_BYTES = 16_384

_ENDINGS = frozenset({"jpg", "jpeg", "png"})
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
"""Those of flask-restful's `inputs.boolean`, in whatever case."""

_NO_STREAM = (
    "`stream` asks for the frames of a ZoneMinder event, which this server does not fetch; "
    "send the picture as the multipart field `file` (zm_detect.py --file), or name it in `url`"
)


class Kind(StrEnum):
    """What is looked for; ends the name of the copy with boxes."""

    OBJECT = "object"
    FACE = "face"

    @property
    def profile(self) -> str:
        return FACES if self is Kind.FACE else OBJECTS


class Shape(StrEnum):
    """The form of the answer."""

    LEGACY = "legacy"
    ZM_DETECT = "zm_detect"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call's query asks for. `download` is read and, as in mlapi, does nothing."""

    kind: Kind
    has_gender: bool
    deletes: bool
    shape: Shape

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Check a query.

        Raises:
            InvalidRequest: a value is none of those there are.
        """
        kind, shape = query.get("type") or Kind.OBJECT, query.get("response_format") or Shape.LEGACY
        if kind not in {*Kind}:
            raise InvalidRequest(f"Invalid Model:{kind}; expected object or face", param="type")
        if shape not in {*Shape}:
            message = f"response_format: expected legacy or zm_detect, got {shape!r}"
            raise InvalidRequest(message, param="response_format")
        _boolean(query, "download")
        gender, deletes = _boolean(query, "gender"), _boolean(query, "delete")
        return cls(Kind(kind), gender and kind == Kind.FACE, deletes, Shape(shape))

    def choice(self, models: Models) -> ModelChoice:
        """Give the models that answer; genders are guessed only where that is asked."""
        choice = models.choice(self.kind.profile)
        return choice.alone if self.kind is Kind.FACE and not self.has_gender else choice


async def json_object(request: Request, limits: Limits) -> dict[str, object] | None:
    """Read a JSON object of a few bytes; None when the body is none, or does not say so."""
    if _media_type(request) != "application/json":
        return None
    body = Request(request.scope, bounded(request, max_bytes=MAX_LOGIN_BYTES, max_s=limits.max_body_s))
    try:
        document = orjson.loads(await body.body())
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


async def sent_image(context: Context, request: Request, fetches: CapacityLimiter) -> UploadedImage:
    """Give the picture that was sent, else the one that `url` leads to.

    Raises:
        InvalidRequest: there is neither, or the file's name does not end as one of a picture.
        BadImage: the URL may not be fetched, or cannot be.
    """
    upload = await _upload(request, context.limits)
    if upload.images:
        image = upload.one_image("file")
        ending_of(image.name)
        return image
    url = upload.fields.get("url") or request.query_params.get("url")
    if url:
        return await to_thread.run_sync(_fetched, context, str(url), limiter=fetches)
    if "stream" in upload.fields:
        raise InvalidRequest(_NO_STREAM, param="stream")
    raise InvalidRequest(
        "could not determine file type: expected a picture in `file`, or a `url`", param="file"
    )


async def _upload(request: Request, limits: Limits) -> Upload:
    """Read a body; one of no type that has pictures or fields in it is as good as none."""
    match _media_type(request):
        case "multipart/form-data" | "application/json":
            return await read_upload(request, param="file", limits=limits)
        case "application/x-www-form-urlencoded":
            return Upload(fields=_form(await request.body(), limits))
        case _:
            return Upload()


def _form(body: bytes, limits: Limits) -> dict[str, object]:
    try:
        return dict(parse_qsl(body.decode(errors="replace"), max_num_fields=limits.max_parts))
    except ValueError as error:
        raise InvalidRequest(f"expected at most {limits.max_parts} fields in the form") from error


def _fetched(context: Context, url: str) -> UploadedImage:
    """Fetch a picture, as far as the settings let callers have that; blocks."""
    if not url.lower().startswith(("http://", "https://")):
        raise InvalidRequest(f"url: expected an http or https URL, got {url[:100]!r}", param="url")
    data = context.read_source(url)
    if len(data) > MAX_BODY_BYTES:
        raise PayloadTooLarge(max_bytes=MAX_BODY_BYTES)
    return UploadedImage("image.png" if data.startswith(b"\x89PNG") else "image.jpg", data)


def ending_of(name: str) -> str:
    """Give what a file's name ends in.

    Raises:
        InvalidRequest: pictures' names do not end so.
    """
    _, dot, ending = name.rpartition(".")
    if not dot or ending.lower() not in _ENDINGS:
        message = f"Bad file type {name[:100]}: expected a name that ends in .jpg, .jpeg or .png"
        raise InvalidRequest(message, param="file")
    return ending.lower()


def _boolean(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name, "false")
    value = _BOOLEANS.get(text.lower())
    if value is None:
        raise InvalidRequest(f"{name}: expected true or false, got {text[:100]!r}", param=name)
    return value


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
