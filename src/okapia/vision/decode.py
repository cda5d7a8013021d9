"""Encoded bytes -> upright RGB pixels, no larger than the reader needs.

JPEG is decoded by libjpeg-turbo (this is the only file that knows simplejpeg), shrunk in
eighths while it is decoded: the inverse cosine transform of a smaller picture costs less, and
averages instead of aliasing. Everything else goes through Pillow (`okapia.vision.raster`).
Whichever decodes a file also judges it: the verdict and the pixels are never two opinions.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import ceil
from typing import Final, Self

import numpy as np
import simplejpeg
from PIL import ImageFile

from okapia.domain.errors import BadImage, EmptyImage, OkapiaError, TruncatedImage
from okapia.domain.types import BBox, ImageInfo, Size
from okapia.vision import raster
from okapia.vision.budget import Crowded, DecodeBudget, bytes_per_pixel
from okapia.vision.exif import read_capture
from okapia.vision.geometry import cover_px, upright
from okapia.vision.header import FORMATS, SOS, check_scans, check_size, open_header
from okapia.vision.resample import Pixels

_EOI: Final = b"\xff\xd9"

_HARMLESS: Final = re.compile(r"extraneous bytes|unknown JFIF|Unknown Adobe|bad ICC", re.IGNORECASE)
"""libjpeg's warnings about markers, not about picture data (its jerror.h)."""


class Truncated(StrEnum):
    """What becomes of a picture whose data is incomplete or corrupt."""

    USE = "use"
    REFUSE = "refuse"


class Scaling(StrEnum):
    """FAST shrinks a JPEG while decoding; EXACT always decodes the full size."""

    FAST = "fast"
    EXACT = "exact"


@dataclass(frozen=True, slots=True)
class DecodePolicy:
    """How bytes become pixels.

    Attributes:
        max_pixels: width x height above which a picture is refused from its header.
        formats: some of `FORMATS`, to read no others.
        budget: counts the pictures that are in memory at once, of all who have this policy.
        crowded: what becomes of a picture that the budget has no room for now.
    """

    max_pixels: int = 120_000_000
    truncated: Truncated = Truncated.USE
    scaling: Scaling = Scaling.FAST
    formats: tuple[str, ...] = FORMATS
    budget: DecodeBudget = field(default_factory=DecodeBudget)
    crowded: Crowded = Crowded.WAIT

    def in_haste(self) -> Self:
        """Give the policy for pictures that somebody waits for: they wait for no room in memory."""
        return replace(self, crowded=Crowded.REFUSE)


class Picture:
    """One encoded picture, decoded as far as it was asked for; the largest decode is kept.

    Pixels it gives are read-only where they are the kept ones. A picture belongs to one
    thread at a time; different pictures share nothing.
    """

    def __init__(self, data: bytes, header: ImageFile.ImageFile, policy: DecodePolicy) -> None:
        """Wrap what `open` has read; use that."""
        self._data = data
        self._policy = policy
        self._stored: Size = header.size
        self._is_plain_jpeg = header.format in ("JPEG", "MPO") and _turbo_reads(data, header)
        self._info = _read_info(data, header)
        self._decoded: Pixels | None = None
        self._eighths = 0

    @classmethod
    def open(cls, data: bytes, policy: DecodePolicy | None = None) -> Self:
        """Read the header; no pixel is decoded yet.

        Raises:
            EmptyImage: there are no bytes.
            UnsupportedFormat: the content is none of the policy's formats, whatever the file is called.
            TooManyPixels: the header announces more than the policy's `max_pixels`, or than its budget holds.
            BadImage: the header is damaged.
        """
        policy = policy or DecodePolicy()
        if not data:
            raise EmptyImage
        with _as_bad_image("header"):
            header = open_header(data, policy.formats)
            check_size(header, max_pixels=policy.max_pixels)
            check_scans(data, header)
            picture = cls(data, header, policy)
            check_size(header, max_pixels=policy.budget.max_bytes // picture._bytes_per_pixel)
            return picture

    @property
    def info(self) -> ImageInfo:
        """Facts about the file; `decoded_fraction` is 1 until pixels were decoded.

        For a damaged file it is the fraction of rows that hold picture data, and always below
        1. A *progressive* JPEG cut after its first scan covers every row, at a lower quality
        that cannot be measured: it reads as "all rows but one".
        """
        return self._info

    def in_memory(self) -> AbstractContextManager[None]:
        """Count the picture towards the policy's budget while a block runs, in which it is decoded.

        Raises:
            ServerBusy: there is no room now, and the policy refuses then.
        """
        width, height = self._stored
        return self._policy.budget.hold(width * height * self._bytes_per_pixel, self._policy.crowded)

    def pixels(self, at_least: Size) -> Pixels:
        """The whole picture, both sides at least `at_least` where the original has as many pixels.

        It is decoded no larger than that needs. What `crop` has decoded larger is given as it is.
        With `Scaling.EXACT`, and for all but plain JPEG, it is the full size.

        Raises:
            TruncatedImage: the data is incomplete, and the policy refuses that.
            BadImage: nothing can be decoded.
        """
        return self._decode(self._eighths_for(at_least))

    def crop(self, bbox: BBox, *, side: int) -> Pixels:
        """The part under `bbox`, its longer side at least `side` px where the original has as many.

        The pixels that the box touches, at least one; a copy. Decodes again, larger, only when
        the kept pixels do not suffice.

        Raises:
            TruncatedImage: as `pixels`.
            BadImage: as `pixels`.
        """
        width, height = self._upright_size
        longer = max(bbox.width * width, bbox.height * height, 1.0)
        enough = min(side / longer, 1.0)
        whole = self._decode(self._eighths_for((ceil(width * enough), ceil(height * enough))))
        left, top, right, bottom = cover_px(bbox, (whole.shape[1], whole.shape[0]))
        return whole[top:bottom, left:right].copy()

    @property
    def _bytes_per_pixel(self) -> int:
        return bytes_per_pixel(self._info.format, is_plain_jpeg=self._is_plain_jpeg)

    @property
    def _upright_size(self) -> Size:
        return self._info.width, self._info.height

    def _eighths_for(self, wanted: Size) -> int:
        """Least n so that n/8 of the picture is at least `wanted` (upright) on both sides."""
        if self._policy.scaling is Scaling.EXACT or not self._is_plain_jpeg:
            return 8
        width, height = self._upright_size
        fitting = (
            n for n in range(1, 8) if _scaled(width, n) >= wanted[0] and _scaled(height, n) >= wanted[1]
        )
        return next(fitting, 8)

    def _decode(self, eighths: int) -> Pixels:
        if self._decoded is None or eighths > self._eighths:
            with _as_bad_image(f"{self._info.format} data"):
                pixels, fraction = self._decode_upright(eighths)
            self._info = replace(self._info, decoded_fraction=fraction)
            if fraction < 1 and self._policy.truncated is Truncated.REFUSE:
                raise TruncatedImage(decoded_fraction=fraction)
            pixels.setflags(write=False)
            self._decoded, self._eighths = pixels, eighths
        return self._decoded

    def _decode_upright(self, eighths: int) -> tuple[Pixels, float]:
        """Pixels and the fraction of their rows that hold data."""
        if self._is_plain_jpeg:
            width, height = self._stored
            stored, fraction = _decode_jpeg(self._data, (_scaled(width, eighths), _scaled(height, eighths)))
            return upright(stored, self._info.capture.orientation), fraction
        image, fraction = raster.load(lambda: open_header(self._data, self._policy.formats))
        # Pillow turns a TIFF itself, and then drops the tag, but only when it loads it whole.
        capture = read_capture(image) if self._info.format == "TIFF" else self._info.capture
        return upright(raster.to_rgb(image), capture.orientation), fraction


def _read_info(data: bytes, header: ImageFile.ImageFile) -> ImageInfo:
    capture = read_capture(header)
    width, height = header.size
    # Pillow announces a TIFF's size as it will be when upright, every other format's as stored.
    if capture.orientation >= 5 and header.format != "TIFF":
        width, height = height, width
    return ImageInfo(width, height, header.format or "", len(data), capture=capture)


def _turbo_reads(data: bytes, header: ImageFile.ImageFile) -> bool:
    """Whether simplejpeg gives RGB of this: not of CMYK, rare subsamplings, odd bytes in the header.

    It refuses a file whose header has a flaw, however harmless, even when it is not strict
    (1.9.0): such a file is Pillow's.
    """
    if header.mode not in ("RGB", "L"):
        return False
    try:
        simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return False
    return True


def _scaled(length: int, eighths: int) -> int:
    """Pixels that libjpeg makes of `length` at a scale of `eighths`/8."""
    return ceil(length * eighths / 8)


def _decode_jpeg(data: bytes, size: Size) -> tuple[Pixels, float]:
    """Pixels as stored, of the least scale that has `size`, and the fraction of rows with data."""
    try:
        return _turbo(data, size, strict=True), 1.0
    except ValueError as warning:  # simplejpeg raises libjpeg's first warning
        pixels = _turbo(data, size, strict=False)
        if _is_whole(data, str(warning)):
            return pixels, 1.0
    # libjpeg leaves zero coefficients where data is missing: mid-grey.
    return pixels, _some(raster.rows_with_data(pixels, np.array([128, 128, 128], dtype=np.uint8)))


def _turbo(data: bytes, size: Size, *, strict: bool) -> Pixels:
    pixels: Pixels = simplejpeg.decode_jpeg(
        data, "RGB", min_width=size[0], min_height=size[1], min_factor=1, strict=strict
    )
    return pixels


def _is_whole(data: bytes, warning: str) -> bool:
    """Whether all picture data is there in spite of libjpeg's `warning`.

    Only the first warning is known. So after a harmless one the end marker behind the last scan
    has to tell that the file was not cut; and without an end marker the data has to decode
    silently once it has one.
    """
    if _HARMLESS.search(warning):
        return data.rfind(_EOI) > data.rfind(SOS)
    if "Premature end of JPEG file" not in warning:
        return False
    try:
        _turbo(data + _EOI, (1, 1), strict=True)
    except ValueError:
        return False
    return True


def _some(fraction: float) -> float:
    if fraction == 0:
        raise BadImage("no row of the JPEG data can be decoded")
    return fraction


@contextmanager
def _as_bad_image(what: str) -> Iterator[None]:
    """Translate whatever a decoder raises.

    A marked boundary: on hostile bytes Pillow and libjpeg raise an open set of errors (OSError,
    ValueError, SyntaxError, NotImplementedError, struct.error, MemoryError, ...), and each means
    the same: these bytes are no picture.
    """
    try:
        yield
    except OkapiaError:
        raise
    except Exception as error:
        raise BadImage(f"the {what} cannot be decoded: {error}") from error
