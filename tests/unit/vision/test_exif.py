"""What the camera wrote is read, and what it wrote wrongly costs nothing."""

import struct
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from okapia.domain.capture import BurstSequence, MoonPhase, TimeSource
from okapia.domain.types import CaptureMetadata
from okapia.vision.decode import Picture
from okapia.vision.exif import MAX_EXIF_BYTES, read_capture
from tests.unit.vision.pictures import encode, exif_with
from tests.unit.vision.reconyx import reconyx_note

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

TILE = Image.new("RGB", (8, 8))
ORIGINAL, DIGITIZED, SERIAL = 0x9003, 0x9004, 0xA431
EXPOSURE, F_NUMBER, ISO, FLASH, FOCAL_LENGTH, NOTE = 0x829A, 0x829D, 0x8827, 0x9209, 0x920A, 0x927C
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
        captured_at_source=TimeSource.EXIF,
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


def test_the_exposure_is_read() -> None:
    exposure: dict[int, object] = {EXPOSURE: IFDRational(1, 60), F_NUMBER: IFDRational(28, 10)}

    capture = capture_of(camera(exposure | {ISO: 400, FOCAL_LENGTH: IFDRational(6, 1)}))

    assert capture.exposure_time == pytest.approx(1 / 60)
    assert (capture.iso, capture.f_number, capture.focal_length) == (400, 2.8, 6.0)


def test_of_several_sensitivities_the_first_counts() -> None:
    assert capture_of(camera({ISO: (200, 400)})).iso == 200


@pytest.mark.parametrize("unknown", [IFDRational(0, 1), IFDRational(1, 0), IFDRational(0, 0), "1/60", (1, 2)])
def test_an_exposure_that_is_not_known_is_none(unknown: object) -> None:
    capture = capture_of(camera({EXPOSURE: unknown, F_NUMBER: unknown, FOCAL_LENGTH: unknown, ISO: 0}))

    assert (capture.exposure_time, capture.f_number) == (None, None)
    assert (capture.focal_length, capture.iso) == (None, None)


@pytest.mark.parametrize("mode", [0x00, 0x18, 0x20], ids=["plain", "auto", "no flash"])
def test_the_flash_fired_or_did_not(mode: int) -> None:
    fired = [capture_of(camera({FLASH: mode | bit})).flash for bit in (0, 1)]

    assert fired == [False, True]


def test_a_maker_note_fills_what_exif_does_not_say() -> None:
    capture = capture_of(camera({NOTE: reconyx_note()}))

    assert capture == CaptureMetadata(
        captured_at=datetime(2015, 5, 7, 8, 8, 31),  # noqa: DTZ001 - as above
        captured_at_source=TimeSource.MAKER_NOTE,
        camera_serial="H500DE01120343",
        temperature=-5.0,
        moon_phase=MoonPhase.WAXING_GIBBOUS,
        sequence=BurstSequence(2, 5),
    )


def test_what_exif_says_wins_over_the_maker_note() -> None:
    capture = capture_of(camera({NOTE: reconyx_note(), ORIGINAL: "2024:01:21 15:19:15", SERIAL: "A1"}))

    assert capture.captured_at == datetime(2024, 1, 21, 15, 19, 15)  # noqa: DTZ001 - as above
    assert (capture.captured_at_source, capture.camera_serial) == (TimeSource.EXIF, "A1")


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
@given(st.lists(st.tuples(st.integers(14, 600), st.integers(0, 255)), max_size=8))
def test_flipped_bytes_in_exif_are_never_an_error(places: list[tuple[int, int]]) -> None:
    tags: dict[int, object] = {ORIGINAL: "2024:01:21 15:19:15", EXPOSURE: 0.5, ISO: 400, FLASH: 1}
    note = reconyx_note("HyperFire 2")
    exif = camera(tags | {NOTE: note}, make="RECONYX", model="HF2", orientation=6)
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
    assert capture.exposure_time == pytest.approx(4 / 133)
    assert (capture.iso, capture.f_number, capture.focal_length, capture.flash) == (121, 2.8, 6.0, False)


REAL = {
    "american_black_bear": (1, MoonPhase.NEW_MOON, BurstSequence(1, 3), TimeSource.MAKER_NOTE),
    "blank": (21, MoonPhase.LAST_QUARTER, BurstSequence(5, 5), TimeSource.EXIF),
    "domestic_cattle": (16, MoonPhase.WAXING_CRESCENT, BurstSequence(2, 3), TimeSource.EXIF),
    "vehicle": (9, MoonPhase.WANING_GIBBOUS, BurstSequence(1, 5), TimeSource.EXIF),
}
"""What ExifTool 12.57 says of the pictures; the moon was so on those days."""


@pytest.mark.parametrize("name", REAL)
def test_a_real_reconyx_tells_its_weather_and_sequence(shared_data: Path, name: str) -> None:
    capture = Picture.open((shared_data / f"camera-traps/{name}.jpg").read_bytes()).info.capture

    told = (capture.temperature, capture.moon_phase, capture.sequence, capture.captured_at_source)
    assert told == REAL[name]


def test_a_real_reconyx_without_exif_time_has_that_of_its_maker_note(shared_data: Path) -> None:
    picture = Picture.open((shared_data / "camera-traps/american_black_bear.jpg").read_bytes())

    capture = picture.info.capture

    assert capture.captured_at == datetime(2010, 11, 6, 4, 4)  # noqa: DTZ001 - as above
    assert (capture.camera_make, capture.camera_serial) == (None, "P800BD05003063")


def test_exif_as_large_as_a_picture_is_not_read() -> None:
    picture = Image.new("RGB", (8, 8))
    picture.info["exif"] = b"Exif\x00\x00" + bytes(MAX_EXIF_BYTES)

    assert read_capture(picture) == CaptureMetadata()
