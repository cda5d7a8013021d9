"""The date and the time of day that a camera printed on its picture.

`03-04-2015` can be read in two ways. Where nothing else tells, the month stands first, whatever the sign
between the numbers. So it does on all 17 real strips that show the order, those of Bushnell (dashes),
Browning (slashes), Covert, Ltl Acorn and ScoutGuard (dots); none has the day first.
"""

import re
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from typing import Final

_YEAR = r"(?P<year>(?:19[7-9]|20\d)\d)"
_SHORT_YEAR = r"(?P<year>\d\d)"
_GAP = r" ?[-/.] ?"
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_ENDINGS = "UARY|RUARY|CH|IL|E|Y|UST|T|TEMBER|OBER|EMBER"
_MONTH_NAME = rf"(?P<name>{'|'.join(_MONTHS)})(?:{_ENDINGS})?"
_DAY = r"(?P<day>\d{1,2})"

# A date is no part of a longer chain of numbers; but readers lose the space before a time: 2010-11-064:04:00.
_START = r"(?<!\d)(?<!\d[-/.])"
_END = r"(?=\D|$|\d{1,2}:\d\d)(?![-/.]\d)"

_DATES: Final = tuple(
    re.compile(_START + form + _END, re.ASCII | re.IGNORECASE)
    for form in (
        rf"{_YEAR}{_GAP}(?P<month>\d{{1,2}}){_GAP}{_DAY}",
        rf"{_DAY}[-/. ]{{0,2}}{_MONTH_NAME}[-/., ]{{0,2}}{_YEAR}",
        rf"{_MONTH_NAME}[-/. ]{{0,2}}{_DAY}(?:ST|ND|RD|TH)?[-/., ]{{1,2}}{_YEAR}",
        rf"(?P<first>\d{{1,2}}){_GAP}(?P<second>\d{{1,2}}){_GAP}{_YEAR}",
        rf"(?P<first>\d{{1,2}})(?P<gap>[-/.])(?P<second>\d{{1,2}})(?P=gap){_SHORT_YEAR}",
    )
)
"""The surer a form is, the earlier it stands."""

_TIME: Final = re.compile(
    r"(?<![\d:])(?P<hour>\d{1,2}):(?P<minute>\d\d)"
    # 15:1445 has lost a colon; 16:1135°F has not.
    r"(?::(?P<second>\d\d)|(?P<stuck>[0-5]\d)(?!\d| ?°| ?[CF]\b)|(?![\d:]))"
    # The letter of the trigger may follow without a space: 6:35:10 PMM 5/5.
    r"(?: ?(?P<half>[AP])\.?M\.?(?=M|T|[^A-Z]|$))?",
    re.ASCII | re.IGNORECASE,
)


class DateBasis(StrEnum):
    """How the order of day and month is known."""

    WRITTEN = "written"
    EXIF = "exif"
    MONTH_FIRST = "month_first"


@dataclass(frozen=True, slots=True)
class PrintedDate:
    """A date, and why it is read so.

    Attributes:
        basis: `written` when it can be read in one way only, `exif` when the file's own date is one of the
            two, `month_first` when nothing tells and the month was taken to stand first.
    """

    day: date
    basis: DateBasis


def find_date(text: str, *, captured_on: date | None = None) -> tuple[PrintedDate | None, str]:
    """Give the first date, and the text with it blanked.

    Args:
        captured_on: what the file itself says; it only decides between two readings.
    """
    for form in _DATES:
        for match in form.finditer(text):
            if found := _read_date(match, captured_on):
                return found, _without(text, match)
    return None, text


def find_time(text: str) -> tuple[time | None, str]:
    """Give the first time of day, 12-hour clocks converted, and the text with it blanked."""
    for match in _TIME.finditer(text):
        if found := _read_time(match):
            return found, _without(text, match)
    return None, text


def _read_date(match: re.Match[str], captured_on: date | None) -> PrintedDate | None:
    parts = match.groupdict()
    year = int(parts["year"]) + (2000 if len(parts["year"]) == 2 else 0)
    if "first" in parts:
        return _in_some_order(year, int(parts["first"]), int(parts["second"]), captured_on)
    name = parts.get("name")
    month = _MONTHS.index(name.upper()) + 1 if name else int(parts["month"])
    day = _day(year, month, int(parts["day"]))
    return PrintedDate(day, DateBasis.WRITTEN) if day else None


def _in_some_order(year: int, first: int, second: int, captured_on: date | None) -> PrintedDate | None:
    month_first, day_first = _day(year, first, second), _day(year, second, first)
    if month_first is None or day_first is None or month_first == day_first:
        only = month_first or day_first
        return PrintedDate(only, DateBasis.WRITTEN) if only else None
    if captured_on and captured_on in {month_first, day_first}:
        return PrintedDate(captured_on, DateBasis.EXIF)
    return PrintedDate(month_first, DateBasis.MONTH_FIRST)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _read_time(match: re.Match[str]) -> time | None:
    hour = int(match["hour"])
    half = (match["half"] or "").upper()
    if half and hour <= 12:
        hour = hour % 12 + (12 if half == "P" else 0)
    try:
        return time(hour, int(match["minute"]), int(match["second"] or match["stuck"] or 0))
    except ValueError:
        return None


def _without(text: str, match: re.Match[str]) -> str:
    return text[: match.start()] + " " * (match.end() - match.start()) + text[match.end() :]
