"""What the camera wrote into the file: time, make, place, orientation, exposure, weather.

EXIF in the field is often broken. Each value is read on its own, and one that cannot be read
is None: a picture is never lost for its metadata.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational, ImageFileDirectory_v2

from okapia.domain.capture import TimeSource
from okapia.domain.types import CaptureMetadata
from okapia.vision.maker_note import MakerNote, read_maker_note

MAX_TEXT: Final = 200
"""Characters kept of a make, model or serial number; a hostile file may hold megabytes."""

_CAMERA_SERIAL: Final = 0xC62F
"""DNG's CameraSerialNumber, which some cameras write in place of EXIF's BodySerialNumber."""

_TIME_LENGTH: Final = len("2024:01:21 15:19:15")

Tags = Mapping[int, object]


MAX_EXIF_BYTES = 262_144
"""EXIF that is larger is not read: a JPEG's fits in 65,536 bytes, and ten megabytes of numbers in a PNG's
take seconds to decode."""


def read_capture(image: Image.Image) -> CaptureMetadata:
    """Capture metadata of an opened picture, its pixels not needed; broken values are None.

    `image` needs its file still open, as it is before `load()`. EXIF that a PNG holds behind
    its pixels is not read.
    """
    if len(image.info.get("exif", b"")) > MAX_EXIF_BYTES:
        return CaptureMetadata()
    try:
        # Not `image.getexif()`: a PNG's would decode every pixel to look for EXIF behind them.
        exif = Image.Image.getexif(image)
    # Pillow's readers raise an open set of errors on broken EXIF (struct, Syntax, Value, Key,
    # Type, OS, ZeroDivision...); none of them may cost the picture.
    except Exception:  # noqa: BLE001 - a marked boundary, see above
        return CaptureMetadata()
    camera = _directory(exif, ExifTags.IFD.Exif)
    latitude, longitude = _position(_directory(exif, ExifTags.IFD.GPSInfo))
    note = _maker_note(camera)
    captured_at, source = _captured_at(exif, camera, note)
    return CaptureMetadata(
        captured_at=captured_at,
        captured_at_source=source,
        camera_make=_text(exif, ExifTags.Base.Make),
        camera_model=_text(exif, ExifTags.Base.Model),
        camera_serial=_serial(exif, camera, note),
        latitude=latitude,
        longitude=longitude,
        orientation=_orientation(exif),
        exposure_time=_number(camera, ExifTags.Base.ExposureTime),
        iso=_iso(camera),
        f_number=_number(camera, ExifTags.Base.FNumber),
        focal_length=_number(camera, ExifTags.Base.FocalLength),
        flash=_flash(camera),
        temperature=note.temperature,
        moon_phase=note.moon_phase,
        sequence=note.sequence,
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
    return _visible(value) if isinstance(value, str) else None


def _visible(value: str) -> str | None:
    # Fixed fields are padded with NUL or filled with what was in the camera's memory behind it.
    visible = "".join(c for c in value.split("\0", 1)[0][:MAX_TEXT] if c.isprintable())
    return visible.strip() or None


def _maker_note(camera: Tags) -> MakerNote:
    value = _value(camera, ExifTags.Base.MakerNote)
    return read_maker_note(value) if isinstance(value, bytes) else MakerNote()


def _captured_at(
    exif: Tags, camera: Tags, note: MakerNote
) -> tuple[datetime, TimeSource] | tuple[None, None]:
    """EXIF's time, else the maker's, which ExifTool calls the less reliable."""
    if written := next(_times(exif, camera), None):
        return written, TimeSource.EXIF
    return (note.captured_at, TimeSource.MAKER_NOTE) if note.captured_at else (None, None)


def _times(exif: Tags, camera: Tags) -> Iterator[datetime]:
    """Time of exposure, of digitisation, of the file's last change, as far as they can be read."""
    for tags, tag in (
        (camera, ExifTags.Base.DateTimeOriginal),
        (camera, ExifTags.Base.DateTimeDigitized),
        (exif, ExifTags.Base.DateTime),
    ):
        if time := _time(_text(tags, tag)):
            yield time


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


def _serial(exif: Tags, camera: Tags, note: MakerNote) -> str | None:
    return (
        _text(camera, ExifTags.Base.BodySerialNumber)
        or _text(exif, _CAMERA_SERIAL)
        or (_visible(note.serial) if note.serial else None)
    )


def _orientation(exif: Tags) -> int:
    value = _value(exif, ExifTags.Base.Orientation)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _number(tags: Tags, tag: int) -> float | None:
    """A number above 0: cameras write 0 for what they do not know."""
    value = _value(tags, tag)
    if not isinstance(value, (int, float, IFDRational)):
        return None
    try:
        number = float(value)
    except ArithmeticError:
        return None
    return number if math.isfinite(number) and number > 0 else None


def _iso(camera: Tags) -> int | None:
    value = _value(camera, ExifTags.Base.ISOSpeedRatings)
    # EXIF allows several; the first is the one that was used.
    first = value[0] if isinstance(value, tuple) and value else value
    return first if isinstance(first, int) and first > 0 else None


def _flash(camera: Tags) -> bool | None:
    """Whether it fired, the lowest bit of EXIF's Flash."""
    value = _value(camera, ExifTags.Base.Flash)
    return bool(value & 1) if isinstance(value, int) else None


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
