"""Info strips through the client, read by the real application."""

import datetime as dt
from pathlib import Path

import pytest

from okapia.client import BadImage, Okapia
from tests.unit.dialects.test_animaldetect import jpeg


def test_the_strip_of_a_real_picture_is_typed(okapia: Okapia, shared_data: Path) -> None:
    text = okapia.scan_text(shared_data / "camera-traps" / "ena24_4383.jpg")

    assert (text.date, text.time) == (dt.date(2015, 9, 8), dt.time(5, 55, 40))
    assert text.temperature is not None
    assert (text.temperature.value, text.temperature.unit) == (18, "C")
    assert text.burst_sequence is not None
    assert (text.burst_sequence.current, text.burst_sequence.total) == (9, 10)
    assert text.camera_brand == "reconyx"


def test_a_picture_without_a_strip_has_no_date(okapia: Okapia) -> None:
    text = okapia.scan_text(jpeg())

    assert (text.date, text.time, text.burst_sequence) == (None, None, None)


def test_a_url_that_the_server_may_not_fetch_is_an_error(okapia: Okapia) -> None:
    with pytest.raises(BadImage):
        okapia.scan_text_url("http://127.0.0.1/fox.jpg")
