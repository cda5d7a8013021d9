"""What a caller asks: the form as it arrives, the parameters of all ages, and how the answer is wanted."""

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, Literal

import multipart
from fastapi.exceptions import HTTPException
from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from starlette.requests import Request

from okapia.domain.errors import InvalidRequest
from okapia.domain.types import People
from okapia.service import NamedImage
from okapia.web.context import Context

MAX_IMAGES = 8
MAX_IMAGE_BYTES = 5 * 1024 * 1024
"""Exactly so many still pass."""
MAX_BODY_BYTES = MAX_IMAGES * MAX_IMAGE_BYTES

IMAGE_TYPES = ("image/jpeg", "image/png", "application/octet-stream")
"""What a part has to say that it is; parts that say something else are passed over."""

RESERVED = frozenset({"detection_result", "classification_result", "failures"})
"""Names of the answer's own parts, which no picture gets."""

LEAST = 0.01
LEAST_DRAWN = 0.2
"""Microsoft's code, where a call says nothing; its README has 0.1 and 0.8."""

_MULTIPART = "multipart/form-data"
_JSON = "application/json"
_NO_BODY = "No image(s) were sent, or content length cannot be determined."
_NO_IMAGES = f"No image(s) of accepted types ({', '.join(IMAGE_TYPES)}) received."
_TOO_MANY = f"Too many images. Maximum number of images that can be processed in one call is {MAX_IMAGES}."

Confidence = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


def _is_true(text: object) -> bool:
    return str(text).lower() == "true"


class Parameters(BaseModel):
    """What can be said in the query, or else in the form.

    Attributes:
        confidence: of the older age: for the boxes that are listed and for those that are drawn.
        classification: a classifier that was never built; its names are checked, as they were.
        render: true only for `true` in whatever case.
        people: how people appear in drawn copies (ours).
        failures: whether one bad picture fails the call; None for what is set (ours).
    """

    confidence: Confidence | None = None
    min_confidence: Confidence | None = None
    min_rendering_confidence: Confidence | None = None
    render: Annotated[bool, BeforeValidator(_is_true)] = False
    classification: Literal["serengeti", "caltech"] | None = None
    people: People = People.BLUR
    failures: Literal["strict", "per_image"] | None = None

    @property
    def least(self) -> float:
        """What the confidence of a listed box exceeds."""
        return _first(self.min_confidence, self.confidence, LEAST)

    @property
    def least_drawn(self) -> float:
        """What the confidence of a drawn box exceeds, which is listed as well."""
        return max(self.least, _first(self.min_rendering_confidence, self.confidence, LEAST_DRAWN))

    @property
    def is_of_last_age(self) -> bool:
        """Whether a program of the last age asks, which knows no `classification_result`."""
        is_older = self.confidence is not None or self.classification is not None
        return not is_older and (self.min_confidence, self.min_rendering_confidence) != (None, None)


@dataclass(frozen=True, slots=True)
class Asked:
    """A checked call.

    Attributes:
        images: the encoded pictures by the keys that they have in the answer, which are no paths.
        is_strict: whether one bad picture fails the call.
        takes_json: whether the answer is to be one JSON document.
    """

    images: dict[str, bytes]
    parameters: Parameters
    is_strict: bool
    takes_json: bool

    @property
    def named(self) -> list[NamedImage]:
        return [NamedImage(key, partial(bytes, data)) for key, data in self.images.items()]


async def read_asked(request: Request, context: Context) -> Asked:
    """Read and check a call.

    Raises:
        HTTPException: 411 without a declared length, 413 for too many or too large pictures.
        InvalidRequest: there is no picture, a parameter is out of range, or the form is malformed.
        PayloadTooLarge, BodyTooSlow: as it arrives.
    """
    if request.headers.get("content-length", "0") == "0":
        raise HTTPException(HTTPStatus.LENGTH_REQUIRED, _NO_BODY)
    form = await _read(request, context)
    parameters = _parameters({**form.fields, **request.query_params})
    is_strict = (parameters.failures or context.microsoft_failures) == "strict"
    return Asked(form.images, parameters, is_strict, prefers_json(request.headers.get("accept", "*/*")))


def prefers_json(accept: str) -> bool:
    """Say whether JSON is wanted rather than a form; who takes both alike gets the form, as always."""
    qualities = dict(map(_quality, accept.split(",")))
    return _acceptance(_JSON, qualities) > _acceptance(_MULTIPART, qualities)


def _acceptance(kind: str, qualities: dict[str, float]) -> float:
    """Give the quality of the narrowest range that has `kind` (RFC 9110, 12.5.1); 0 where none has."""
    ranges = (kind, f"{kind.partition('/')[0]}/*", "*/*")
    return next((qualities[one] for one in ranges if one in qualities), 0.0)


def _quality(item: str) -> tuple[str, float]:
    kind, parameters = multipart.parse_options_header(item.strip())
    try:
        return kind, float(parameters.get("q", "1"))
    except ValueError:
        return kind, 0.0


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)


def _parameters(given: dict[str, str]) -> Parameters:
    try:
        return Parameters.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise InvalidRequest(
            f"{name}: {first['msg']}, got {str(first['input'])[:40]!r}", param=name
        ) from error


class _Form:
    """The pictures and the text of a form, collected from a parser's events.

    Forms that are refused are read to their end all the same: programs that are still sending when the answer
    comes do not see it. What is too much is not kept.
    """

    def __init__(self, *, keys: Literal["field", "filename"], max_field_bytes: int) -> None:
        self.images: dict[str, bytes] = {}
        self.fields: dict[str, str] = {}
        self.refusal: str | None = None
        self._keys = keys
        self._max_field_bytes = max_field_bytes
        self._part: multipart.MultipartSegment | None = None
        self._data: list[bytes] = []

    def take(self, event: "multipart.MultipartSegment | bytes | bytearray | None") -> None:
        """A segment opens a part, bytes are its content, None closes it."""
        if isinstance(event, multipart.MultipartSegment):
            self._part, self._data = event, []
        elif self._part is None:
            return
        elif event is None:
            self._finish(self._part)
        elif self.refusal is None:
            self._add(self._part, bytes(event))

    def _add(self, part: multipart.MultipartSegment, data: bytes) -> None:
        if _is_image(part):
            self._data.append(data)
            if part.bytes_received > MAX_IMAGE_BYTES:
                self.refusal = f"The image {self._name(part)!r} is larger than {MAX_IMAGE_BYTES:,} bytes."
        elif _is_field(part):
            self._data.append(data)
            if part.bytes_received > self._max_field_bytes:
                message = f"the field {part.name!r} is longer than {self._max_field_bytes:,} bytes"
                raise InvalidRequest(message, param=part.name)

    def _finish(self, part: multipart.MultipartSegment) -> None:
        data, self._data = b"".join(self._data), []
        if _is_image(part) and len(self.images) == MAX_IMAGES:
            self.refusal = self.refusal or _TOO_MANY
        elif _is_image(part):
            self.images[self._key(part)] = data
        elif _is_field(part):
            self.fields[part.name] = data.decode(errors="replace")

    def _key(self, part: multipart.MultipartSegment) -> str:
        """Give the picture's name; the second of one name gets ` (2)` behind it, and so on."""
        name, taken = self._name(part), RESERVED | self.images.keys()
        numbered = (f"{name} ({number})" for number in range(2, MAX_IMAGES + len(RESERVED) + 2))
        return next(key for key in (name, *numbered) if key not in taken)

    def _name(self, part: multipart.MultipartSegment) -> str:
        filename = part.filename if self._keys == "filename" else ""
        return filename or part.name or "image"


def _is_image(part: multipart.MultipartSegment) -> bool:
    return part.content_type in IMAGE_TYPES


def _is_field(part: multipart.MultipartSegment) -> bool:
    return part.filename is None and part.content_type in {None, "text/plain"}


async def _read(request: Request, context: Context) -> _Form:
    kind, options = multipart.parse_options_header(request.headers.get("content-type", ""))
    if kind != _MULTIPART:
        raise InvalidRequest(_NO_IMAGES)
    limits = context.limits
    form = _Form(keys=context.microsoft_image_keys, max_field_bytes=limits.max_field_bytes)
    try:
        with multipart.PushMultipartParser(
            options.get("boundary", ""), max_segment_count=limits.max_parts
        ) as parser:
            async for chunk in request.stream():
                for event in parser.parse(chunk):
                    form.take(event)
    except multipart.MultipartError as error:
        raise InvalidRequest(f"the multipart body is malformed: {error}") from error
    if form.refusal is not None:
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, form.refusal)
    if not form.images:
        raise InvalidRequest(_NO_IMAGES)
    return form
