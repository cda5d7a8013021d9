"""What the camera wrote into the file: time, make, place, orientation.

EXIF in the field is often broken. Each value is read on its own, and one that cannot be read
is None: a picture is never lost for its metadata.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from okapia.domain.types import CaptureMetadata

MAX_TEXT: Final = 200
"""Characters kept of a make, model or serial number; a hostile file may hold megabytes."""

_CAMERA_SERIAL: Final = 0xC62F
"""DNG's CameraSerialNumber, which some cameras write in place of EXIF's BodySerialNumber."""

_TIME_LENGTH: Final = len("2024:01:21 15:19:15")

Tags = Mapping[int, object]


def read_capture(image: Image.Image) -> CaptureMetadata:
    """Capture metadata of an opened picture, its pixels not needed; broken values are None.

    `image` needs its file still open, as it is before `load()`. EXIF that a PNG holds behind
    its pixels is not read.
    """
    try:
        # Not `image.getexif()`: a PNG's would decode every pixel to look for EXIF behind them.
        exif = Image.Image.getexif(image)
    # Pillow's readers raise an open set of errors on broken EXIF (struct, Syntax, Value, Key,
    # Type, OS, ZeroDivision...); none of them may cost the picture.
    except Exception:  # noqa: BLE001 - a marked boundary, see above
        return CaptureMetadata()
    camera = _directory(exif, ExifTags.IFD.Exif)
    latitude, longitude = _position(_directory(exif, ExifTags.IFD.GPSInfo))
    return CaptureMetadata(
        captured_at=_captured_at(exif, camera),
        camera_make=_text(exif, ExifTags.Base.Make),
        camera_model=_text(exif, ExifTags.Base.Model),
        camera_serial=_text(camera, ExifTags.Base.BodySerialNumber) or _text(exif, _CAMERA_SERIAL),
        latitude=latitude,
        longitude=longitude,
        orientation=_orientation(exif),
    )


def _directory(exif: Image.Exif, tag: ExifTags.IFD) -> Tags:
    """One of EXIF's sub-directories, its values decoded only when they are asked for.

    `Exif.get_ifd` decodes every tag, the maker's note too: 0.35 ms of a 0.1 ms header.
    """
    try:
        offset = exif.get(tag)
        if not isinstance(offset, int):
            return {}
        directory = ImageFileDirectory_v2(exif.head, group=tag)
        exif.fp.seek(offset)
        directory.load(exif.fp)
    except Exception:  # noqa: BLE001 - a marked boundary: a broken directory is an absent one
        return {}
    return directory


def _value(tags: Tags, tag: int) -> object:
    try:
        value = tags.get(tag)
    except Exception:  # noqa: BLE001 - a marked boundary: values are decoded here, see `_directory`
        return None
    # Sub-directories give single values as tuples of one.
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value


def _text(tags: Tags, tag: int) -> str | None:
    value = _value(tags, tag)
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if not isinstance(value, str):
        return None
    # Fixed fields are padded with NUL or filled with what was in the camera's memory behind it.
    visible = "".join(c for c in value.split("\0", 1)[0][:MAX_TEXT] if c.isprintable())
    return visible.strip() or None


def _captured_at(exif: Tags, camera: Tags) -> datetime | None:
    """Time of exposure, else of digitisation, else of the file's last change."""
    times = (
        _time(_text(camera, ExifTags.Base.DateTimeOriginal)),
        _time(_text(camera, ExifTags.Base.DateTimeDigitized)),
        _time(_text(exif, ExifTags.Base.DateTime)),
    )
    return next((time for time in times if time is not None), None)


def _time(text: str | None) -> datetime | None:
    """Read EXIF's `2024:01:21 15:19:15`, also with `-`, `/` or `T` as some cameras write it."""
    if text is None:
        return None
    plain = text[:_TIME_LENGTH].replace("-", ":").replace("/", ":").replace("T", " ")
    try:
        # Cameras record no time zone (see `CaptureMetadata.captured_at`).
        return datetime.strptime(plain, "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - naive by contract
    except ValueError:
        return None


def _orientation(exif: Tags) -> int:
    value = _value(exif, ExifTags.Base.Orientation)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _position(gps: Tags) -> tuple[float | None, float | None]:
    """(latitude, longitude); both or neither.

    Exactly 0, 0 is what cameras write without a fix, and a coordinate without its
    hemisphere could be anywhere: neither is a position.
    """
    latitude = _degrees(gps, ExifTags.GPS.GPSLatitude, signs={"N": 1, "S": -1}, limit=90)
    longitude = _degrees(gps, ExifTags.GPS.GPSLongitude, signs={"E": 1, "W": -1}, limit=180)
    if latitude is None or longitude is None or latitude == longitude == 0:
        return None, None
    return latitude, longitude


def _degrees(gps: Tags, tag: int, *, signs: Mapping[str, int], limit: float) -> float | None:
    reference = _text(gps, tag - 1)  # every coordinate's hemisphere is the tag before it
    sign = signs.get((reference or "")[:1].upper())
    parts = _value(gps, tag)
    if sign is None or not isinstance(parts, tuple) or len(parts) != 3:
        return None
    try:
        degrees = float(parts[0]) + float(parts[1]) / 60 + float(parts[2]) / 3600
    except (TypeError, ValueError, ArithmeticError):
        return None
    return sign * degrees if math.isfinite(degrees) and 0 <= degrees <= limit else None
