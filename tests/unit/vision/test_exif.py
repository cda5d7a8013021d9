"""What the camera wrote is read, and what it wrote wrongly costs nothing."""

import struct
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from okapia.domain.types import CaptureMetadata
from okapia.vision.decode import Picture
from tests.unit.vision.pictures import encode, exif_with

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

TILE = Image.new("RGB", (8, 8))
ORIGINAL, DIGITIZED, SERIAL = 0x9003, 0x9004, 0xA431
NORTH: dict[int, object] = {1: "N", 2: (52.0, 30.0, 36.0), 3: "E", 4: (13.0, 15.0, 0.0)}


def capture_of(exif: Image.Exif | bytes, kind: str = "JPEG") -> CaptureMetadata:
    written = exif.tobytes() if isinstance(exif, Image.Exif) else exif
    return Picture.open(encode(TILE, kind, exif=written)).info.capture


def camera(tags: dict[int, object], **first: object) -> Image.Exif:
    exif = exif_with(**first)
    exif[ExifTags.IFD.Exif] = tags
    return exif


def gps(tags: dict[int, object]) -> Image.Exif:
    exif = exif_with()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(tags)
    return exif


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_format_that_carries_exif_is_read(kind: str) -> None:
    exif = camera(
        {ORIGINAL: "2024:01:21 15:19:15", SERIAL: "H600HF03128910"},
        make="RECONYX",
        model="HF2 PRO",
        orientation=3,
    )

    capture = capture_of(exif, kind)

    assert capture == CaptureMetadata(
        captured_at=datetime(2024, 1, 21, 15, 19, 15),  # noqa: DTZ001 - camera time has no zone
        camera_make="RECONYX",
        camera_model="HF2 PRO",
        camera_serial="H600HF03128910",
        orientation=3,
    )


def test_a_picture_without_exif_has_no_capture_metadata() -> None:
    assert Picture.open(encode(TILE, "JPEG")).info.capture == CaptureMetadata()


@pytest.mark.parametrize(
    ("tags", "changed", "day"),
    [
        ({ORIGINAL: "2024:01:01 00:00:00", DIGITIZED: "2024:01:02 00:00:00"}, "2024:01:03 00:00:00", 1),
        ({DIGITIZED: "2024:01:02 00:00:00"}, "2024:01:03 00:00:00", 2),
        ({}, "2024:01:03 00:00:00", 3),
        ({ORIGINAL: "0000:00:00 00:00:00"}, "2024:01:03 00:00:00", 3),
        ({ORIGINAL: "    :  :     :  :  "}, "2024:01:03 00:00:00", 3),
        ({ORIGINAL: "2024-01-04T05:06:07Z"}, "2024:01:03 00:00:00", 4),
        ({ORIGINAL: "2024/01/05 05:06:07"}, "2024:01:03 00:00:00", 5),
        ({ORIGINAL: "2024:01:06 05:06:07.123"}, "2024:01:03 00:00:00", 6),
    ],
    ids=["original", "digitized", "changed", "zeros", "blanks", "iso", "slashes", "fraction"],
)
def test_the_time_is_the_first_that_can_be_read(tags: dict[int, object], changed: str, day: int) -> None:
    captured_at = capture_of(camera(tags, changed=changed)).captured_at

    assert captured_at is not None
    assert captured_at.day == day


def test_text_ends_at_its_first_nul_and_holds_no_control_characters() -> None:
    capture = capture_of(exif_with(make="\0\0\0\0", model=" Bush\x07nell \0left over from memory"))

    assert (capture.camera_make, capture.camera_model) == (None, "Bushnell")


def test_a_megabyte_of_model_name_is_cut() -> None:
    assert len(capture_of(exif_with(model="x" * 50_000)).camera_model or "") == 200


@pytest.mark.parametrize("value", [0, 9, 65_535])
def test_an_impossible_orientation_is_upright(value: int) -> None:
    assert capture_of(exif_with(orientation=value)).orientation == 1


@pytest.mark.parametrize(("south", "west"), [("N", "E"), ("S", "E"), ("N", "W"), ("S", "W")])
def test_a_position_has_the_signs_of_its_hemispheres(south: str, west: str) -> None:
    capture = capture_of(gps(NORTH | {1: south, 3: west}))

    assert capture.latitude == pytest.approx(52.51 * (1 if south == "N" else -1))
    assert capture.longitude == pytest.approx(13.25 * (1 if west == "E" else -1))


@pytest.mark.parametrize(
    "broken",
    [
        {1: ""},
        {3: "X"},
        {2: (IFDRational(1, 0), 0.0, 0.0)},
        {2: (91.0, 0.0, 0.0)},
        {4: (180.0, 0.0, 1.0)},
        {4: (13.0,)},
        {2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)},
    ],
    ids=["no hemisphere", "odd one", "0/0", "above 90", "above 180", "one part", "no fix"],
)
def test_half_a_position_is_none(broken: dict[int, object]) -> None:
    capture = capture_of(gps(NORTH | broken))

    assert (capture.latitude, capture.longitude) == (None, None)


def test_a_directory_that_points_nowhere_costs_only_itself() -> None:
    exif = exif_with(make="RECONYX").tobytes()
    count = struct.unpack_from("<H", exif, 14)[0]
    entry = struct.pack("<HHII", ExifTags.IFD.Exif, 4, 1, 0xFFFFFF00)
    # The extra entry takes the place of the end mark; Pillow reads what it can.
    broken = (
        exif[:14]
        + struct.pack("<H", count + 1)
        + exif[16 : 16 + 12 * count]
        + entry
        + exif[16 + 12 * count :]
    )

    assert capture_of(broken).captured_at is None


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_random_exif_is_never_an_error(body: bytes) -> None:
    for head in (b"Exif\0\0II*\0\x08\0\0\0", b"Exif\0\0MM\0*\0\0\0\x08", b"Exif\0\0", b""):
        assert 1 <= capture_of(head + body).orientation <= 8


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(14, 400), st.integers(0, 255)), max_size=8))
def test_flipped_bytes_in_exif_are_never_an_error(places: list[tuple[int, int]]) -> None:
    exif = camera({ORIGINAL: "2024:01:21 15:19:15"}, make="RECONYX", model="HF2", orientation=6)
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(NORTH)
    body = bytearray(exif.tobytes())
    for place, value in places:
        body[place % len(body)] = value

    assert 1 <= capture_of(bytes(body)).orientation <= 8


def test_a_real_trail_camera_is_read(shared_data: Path) -> None:
    picture = Picture.open((shared_data / "camera-traps/human.jpg").read_bytes())

    capture = picture.info.capture

    assert capture.captured_at == datetime(2024, 1, 21, 15, 19, 15)  # noqa: DTZ001 - as above
    assert (capture.camera_make, capture.camera_model) == (None, "E8")
