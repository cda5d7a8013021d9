"""Reads uploads as they arrive: multipart, JSON with base64, or the image itself as the body.

One streaming reader for all dialects. Bytes and parts are counted before anything is parsed,
and nothing is spooled to disk (decision 0013).
"""

import base64
import binascii
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field

import multipart
import orjson
from starlette.requests import Request

from okapia.domain.errors import InvalidRequest, PayloadTooLarge, UnsupportedMediaType
from okapia.web.context import Limits

ACCEPTED = "multipart/form-data, application/json or an image type"


@dataclass(frozen=True, slots=True)
class UploadedImage:
    """An encoded image as it was sent.

    Attributes:
        name: the client's file name; never used as a path.
        content_type: what the client says that it is; empty when it does not.
    """

    name: str
    data: bytes
    content_type: str = ""


@dataclass(slots=True)
class Upload:
    """The images of a request and its other fields, as text (form) or JSON values."""

    images: list[UploadedImage] = field(default_factory=list)
    fields: dict[str, object] = field(default_factory=dict)

    def one_image(self, param: str) -> UploadedImage:
        """Give the only image.

        Raises:
            InvalidRequest: there is none, or more than one.
        """
        if len(self.images) != 1:
            raise InvalidRequest(
                f"expected one image in the field {param!r}, got {len(self.images)}", param=param
            )
        return self.images[0]


async def read_upload(request: Request, *, param: str, limits: Limits, also: Collection[str] = ()) -> Upload:
    """Read a request's body.

    Args:
        param: name of the image field, in multipart and in JSON.
        also: further names of image fields in multipart.

    Raises:
        PayloadTooLarge: more bytes than `limits` allow, of the body or of its pictures.
        UnsupportedMediaType: the body is of none of the accepted types.
        InvalidRequest: the body is not what its type says; the message names the part.
    """
    upload = await _read(request, (param, *also), limits)
    if sum(len(image.data) for image in upload.images) > limits.max_image_bytes:
        raise PayloadTooLarge(max_bytes=limits.max_image_bytes)
    return upload


async def _read(request: Request, params: Sequence[str], limits: Limits) -> Upload:
    """Read a body of whatever type it says it is."""
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    chunks = request.stream()
    if kind == "multipart/form-data":
        return await _read_multipart(chunks, content_type, params=params, limits=limits)
    if kind == "application/json":
        return _from_json(b"".join([chunk async for chunk in chunks]), param=params[0])
    if kind.startswith("image/") or kind == "application/octet-stream":
        return Upload([UploadedImage("image", b"".join([chunk async for chunk in chunks]), kind)])
    raise UnsupportedMediaType(expected=ACCEPTED, actual=kind)


async def _read_multipart(
    chunks: AsyncIterator[bytes], content_type: str, *, params: Collection[str], limits: Limits
) -> Upload:
    upload = Upload()
    _, options = multipart.parse_options_header(content_type)
    try:
        parser = multipart.PushMultipartParser(
            options.get("boundary", ""), max_segment_count=limits.max_parts
        )
        with parser:
            parts = _Parts(upload, params=params, max_field_bytes=limits.max_field_bytes)
            async for chunk in chunks:
                for event in parser.parse(chunk):
                    parts.take(event)
    except multipart.MultipartError as error:
        raise InvalidRequest(f"the multipart body is malformed: {error}", param=next(iter(params))) from error
    return upload


class _Parts:
    """Collects the parser's events into an upload."""

    def __init__(self, upload: Upload, *, params: Collection[str], max_field_bytes: int) -> None:
        self._upload = upload
        self._params = params
        self._max_field_bytes = max_field_bytes
        self._part: multipart.MultipartSegment | None = None
        self._data: list[bytes] = []
        self._size = 0

    def take(self, event: "multipart.MultipartSegment | bytes | bytearray | None") -> None:
        """A segment opens a part, bytes are its content, None closes it."""
        if isinstance(event, multipart.MultipartSegment):
            self._part, self._data, self._size = event, [], 0
        elif event is None:
            self._finish()
        else:
            self._size += len(event)
            if (
                self._part is not None
                and self._part.name not in self._params
                and self._size > self._max_field_bytes
            ):
                raise InvalidRequest(
                    f"the field {self._part.name!r} is longer than {self._max_field_bytes:,} bytes",
                    param=self._part.name,
                )
            self._data.append(bytes(event))

    def _finish(self) -> None:
        if self._part is None:
            return
        data = b"".join(self._data)
        name = self._part.name
        if name in self._params:
            kind = self._part.content_type or ""
            self._upload.images.append(UploadedImage(self._part.filename or "image", data, kind))
        elif name in self._upload.fields:
            raise InvalidRequest(f"the field {name!r} came twice", param=name)
        else:
            self._upload.fields[name] = data.decode("utf-8", errors="replace")
        self._part = None


def _from_json(body: bytes, *, param: str) -> Upload:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRequest(f"expected a JSON object, got {type(document).__name__}")
    encoded = document.pop(param, None)
    if encoded is None:
        return Upload([], document)
    if not isinstance(encoded, list):
        return Upload([UploadedImage("image", decode_base64(encoded, param=param))], document)
    images = [
        UploadedImage(f"image-{place}", decode_base64(one, param=f"{param}[{place}]"))
        for place, one in enumerate(encoded)
    ]
    return Upload(images, document)


def decode_base64(encoded: object, *, param: str) -> bytes:
    """Decode base64, with or without a data-URL prefix.

    Raises:
        InvalidRequest: of `param`, when it is none.
    """
    if not isinstance(encoded, str):
        raise InvalidRequest(f"{param}: expected a base64 string, got {type(encoded).__name__}", param=param)
    payload = encoded.partition(",")[2] if encoded.startswith("data:") else encoded
    try:
        return base64.b64decode("".join(payload.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(f"{param}: not base64: {error}", param=param) from error
