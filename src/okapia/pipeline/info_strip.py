"""What a camera prints along the edges of its pictures: the text of an info strip -> its values.

Only what the text says: what a strip draws (the moon, the battery, some makers' logos) stays unread.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from okapia.domain.capture import BurstSequence, MoonPhase
from okapia.pipeline.camera_names import find_camera
from okapia.pipeline.strip_clock import DateBasis, find_date, find_time
from okapia.pipeline.strip_weather import (
    Measurement,
    find_humidity,
    find_moon_phase,
    find_pressure,
    find_temperatures,
)


@dataclass(frozen=True, slots=True)
class InfoStrip:
    """The values of an info strip; None where the text does not say.

    Attributes:
        raw_text: the text as it was read, one line for each printed line.
        date_basis: how the order of day and month is known; None without a date.
        time: of the camera's clock.
        temperature: the first that is printed.
        temperature_alt: the same in the other unit, where both are printed.
        camera_brand: lower case.
        camera_model: upper case.
    """

    raw_text: str
    date: dt.date | None = None
    date_basis: DateBasis | None = None
    time: dt.time | None = None
    temperature: Measurement | None = None
    temperature_alt: Measurement | None = None
    humidity: Measurement | None = None
    pressure: Measurement | None = None
    moon_phase: MoonPhase | None = None
    camera_brand: str | None = None
    camera_model: str | None = None
    burst_sequence: BurstSequence | None = None


def parse_info_strip(rows: Sequence[str], *, captured_on: dt.date | None = None) -> InfoStrip:
    """Find the values in an info strip's text. No text makes this raise.

    Args:
        rows: the printed lines, top to bottom.
        captured_on: the date that the file itself holds; it only chooses between 3 April and 4 March.
    """
    text = _plain("\n".join(rows))
    camera = find_camera(text)
    printed, text = find_date(text, captured_on=captured_on)
    time, text = find_time(text)
    temperature, other = find_temperatures(text)
    return InfoStrip(
        raw_text="\n".join(rows),
        date=printed.day if printed else None,
        date_basis=printed.basis if printed else None,
        time=time,
        temperature=temperature,
        temperature_alt=other,
        humidity=find_humidity(text),
        pressure=find_pressure(text),
        moon_phase=find_moon_phase(text),
        camera_brand=camera.brand,
        camera_model=camera.model,
        burst_sequence=_find_burst(text),
    )


_BURST: Final = re.compile(
    r"(?<![\w/.-])(?:[MTE] ?)?(\d{1,2}) ?(?:/|OF) ?(\d{1,2})(?![\w/])", re.ASCII | re.IGNORECASE
)
"""The letter is what triggered: motion, the timer or something from outside (Reconyx)."""


def _find_burst(text: str) -> BurstSequence | None:
    found = ((int(match[1]), int(match[2])) for match in _BURST.finditer(text))
    return next((BurstSequence(*burst) for burst in found if 1 <= burst[0] <= burst[1]), None)


_SIGNS: Final = str.maketrans({"º": "°", "˚": "°", "\N{MINUS SIGN}": "-", "\N{EN DASH}": "-"})

_DRAWN: Final = frozenset({"No", "So"})
"""Unicode's circled digits and symbols: what becomes of a drawn moon, flash or battery."""

_NUMBERS: Final = re.compile(r"(?<![A-Za-z\d])[\dOoIl|]+(?:[:/.-][\dOoIl|]+)+", re.ASCII)
"""Dates, clocks and fractions, with the letters that digits are misread as."""

_DIGITS: Final = str.maketrans("OoIl|", "00111")


def _plain(text: str) -> str:
    """Write each sign in one way, full-width colons and ℃ too, and letters among digits as digits."""
    kept = "".join(" " if _is_drawn(letter) else letter for letter in text.translate(_SIGNS))
    plain = unicodedata.normalize("NFKC", kept)
    plain = re.sub(r"(?<=\d)o(?= ?[CF]\b)", "°", plain)
    plain = re.sub(r"(?<=\d)O+\b", lambda match: "0" * len(match[0]), plain)
    return _NUMBERS.sub(_as_digits, plain)


def _as_digits(match: re.Match[str]) -> str:
    has_digit = any(letter.isdigit() for letter in match[0])
    return match[0].translate(_DIGITS) if has_digit else match[0]


def _is_drawn(letter: str) -> bool:
    return letter not in "°℃℉" and unicodedata.category(letter) in _DRAWN
