"""From an encoded picture to the values of its info strip: real pictures, and what they say by eye."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from okapia.domain.capture import BurstSequence
from okapia.domain.errors import BadImage, EmptyImage, TooManyPixels, TruncatedImage, UnsupportedFormat
from okapia.models.text_reader import TextReader
from okapia.pipeline.info_strip import InfoStrip
from okapia.pipeline.strip_clock import DateBasis
from okapia.pipeline.strip_reading import read_info_strip
from okapia.pipeline.strip_weather import Measurement, Unit
from okapia.vision.decode import DecodePolicy, Picture, Truncated
from tests.unit.vision.pictures import encode


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader()


def printed(when: str, basis: DateBasis = DateBasis.WRITTEN) -> InfoStrip:
    clock = datetime.fromisoformat(when)
    return InfoStrip("", date=clock.date(), date_basis=basis, time=clock.time())


def reconyx(when: str, degrees: Measurement, burst: BurstSequence, *, model: str | None = None) -> InfoStrip:
    return replace(
        printed(when), temperature=degrees, burst_sequence=burst, camera_brand="reconyx", camera_model=model
    )


def bushnell(when: str, degrees: Measurement, other: Measurement) -> InfoStrip:
    return replace(printed(when), temperature=degrees, temperature_alt=other, camera_brand="bushnell")


def c(degrees: int) -> Measurement:
    return Measurement(degrees, Unit.CELSIUS)


def f(degrees: int) -> Measurement:
    return Measurement(degrees, Unit.FAHRENHEIT)


HYPERFIRE = "HC550 HYPERFIRE"
COVERT = replace(printed("2010-08-04 08:43:15", DateBasis.EXIF), camera_brand="covert")
COVERT_WITHOUT_EXIF = replace(COVERT, date_basis=DateBasis.MONTH_FIRST)

TRUTH = {
    "camera-traps/african_elephants.jpg": COVERT,
    "camera-traps/african_elephants_bw.jpg": COVERT_WITHOUT_EXIF,
    "camera-traps/american_black_bear.jpg": reconyx("2010-11-06 04:04:00", f(34), BurstSequence(1, 3)),
    "camera-traps/blank.jpg": reconyx("2016-09-25 18:35:10", f(71), BurstSequence(5, 5), model=HYPERFIRE),
    "camera-traps/domestic_cattle.jpg": reconyx("2014-09-26 14:21:04", f(61), BurstSequence(2, 3)),
    "camera-traps/ena24_2480.jpg": reconyx("2016-05-17 21:32:34", f(68), BurstSequence(4, 5)),
    "camera-traps/ena24_2968.jpg": bushnell("2015-03-03 06:10:52", f(35), c(1)),
    "camera-traps/ena24_4383.jpg": reconyx("2015-09-08 05:55:40", c(18), BurstSequence(9, 10)),
    "camera-traps/ena24_5899.jpg": reconyx("2016-05-25 08:22:38", c(18), BurstSequence(2, 5)),
    "camera-traps/ena24_596.jpg": reconyx("2015-06-30 06:20:04", c(20), BurstSequence(4, 5)),
    "camera-traps/ena24_7951.jpg": bushnell("2015-06-30 16:13:26", f(84), c(28)),
    "camera-traps/ena24_9455.jpg": reconyx("2015-10-18 18:16:33", c(7), BurstSequence(4, 5)),
    "camera-traps/human.jpg": replace(
        printed("2024-01-21 15:19:15"), temperature=c(5), temperature_alt=f(41)
    ),
    "camera-traps/vehicle.jpg": reconyx("2015-11-30 15:55:56", f(48), BurstSequence(1, 5), model=HYPERFIRE),
    "edge-cases/african_elephants_cmyk.jpg": COVERT_WITHOUT_EXIF,
    "edge-cases/african_elephants_with_exif_orientation.jpg": COVERT,
}


@pytest.mark.parametrize(("name", "truth"), TRUTH.items(), ids=TRUTH.keys())
def test_a_real_picture_gives_what_its_strip_says(
    reader: TextReader, shared_data: Path, name: str, truth: InfoStrip
) -> None:
    strip = read_info_strip((shared_data / name).read_bytes(), reader)

    assert replace(strip, raw_text="") == truth


@pytest.mark.parametrize("name", ["african_elephants", "blank", "domestic_cattle", "human", "vehicle"])
def test_the_strip_agrees_with_the_files_own_time(reader: TextReader, shared_data: Path, name: str) -> None:
    data = (shared_data / "camera-traps" / f"{name}.jpg").read_bytes()
    taken = Picture.open(data).info.capture.captured_at

    strip = read_info_strip(data, reader)

    assert strip.date is not None
    assert strip.time is not None
    assert datetime.combine(strip.date, strip.time) == taken


def test_rows_of_the_raw_text_are_those_of_the_strip(reader: TextReader, shared_data: Path) -> None:
    data = (shared_data / "camera-traps" / "ena24_4383.jpg").read_bytes()

    upper, lower = read_info_strip(data, reader).raw_text.split("\n")

    assert upper.startswith("2015-09-08")
    assert upper.endswith("18°C")
    assert lower == "NRC89 RECONYX"


@pytest.mark.parametrize("width", [1024, 800])
def test_a_small_copy_of_a_picture_is_read_too(reader: TextReader, shared_data: Path, width: int) -> None:
    image = Image.open(shared_data / "camera-traps" / "ena24_7951.jpg")
    small = image.resize((width, round(width * image.height / image.width)))

    strip = read_info_strip(encode(small, "JPEG", quality=85), reader)

    assert replace(strip, raw_text="") == TRUTH["camera-traps/ena24_7951.jpg"]


def test_a_strip_that_was_cut_out_is_read_whole(reader: TextReader, shared_data: Path) -> None:
    image = Image.open(shared_data / "camera-traps" / "ena24_7951.jpg")
    cut = image.crop((0, round(image.height * 0.93), image.width, image.height))

    strip = read_info_strip(encode(cut, "PNG"), reader)

    assert replace(strip, raw_text="") == TRUTH["camera-traps/ena24_7951.jpg"]


def test_a_strip_that_the_file_has_lost_gives_no_values(reader: TextReader, shared_data: Path) -> None:
    data = (shared_data / "edge-cases" / "african_elephants_truncated_file.jpg").read_bytes()

    assert read_info_strip(data, reader) == InfoStrip("")
    with pytest.raises(TruncatedImage):
        read_info_strip(data, reader, DecodePolicy(truncated=Truncated.REFUSE))


@pytest.mark.parametrize("size", [(1, 1), (3000, 1), (1, 3000), (40, 30)])
def test_a_picture_of_any_shape_is_read(reader: TextReader, size: tuple[int, int]) -> None:
    data = encode(Image.new("RGB", size, "grey"), "PNG")

    assert read_info_strip(data, reader) == InfoStrip("")


def test_bad_pictures_are_refused_as_everywhere(reader: TextReader, shared_data: Path) -> None:
    with pytest.raises(EmptyImage):
        read_info_strip(b"", reader)
    with pytest.raises(UnsupportedFormat):
        read_info_strip((shared_data / "edge-cases" / "not_an_image.pdf").read_bytes(), reader)
    with pytest.raises(TooManyPixels):
        read_info_strip(encode(np.zeros((10, 10, 3), np.uint8), "PNG"), reader, DecodePolicy(max_pixels=99))
    with pytest.raises(BadImage):
        read_info_strip(b"\xff\xd8\xff\xe0 and no more", reader)
