"""What trail cameras say of a capture, in the picture's strip or in its file."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

COLDEST_C: Final = -60
HOTTEST_C: Final = 65
"""Temperatures beyond these are misread or a sensor's fault; the sun on the camera's case counts."""


class MoonPhase(StrEnum):
    """The eight phases by name, from new moon to new moon."""

    NEW_MOON = "new_moon"
    WAXING_CRESCENT = "waxing_crescent"
    FIRST_QUARTER = "first_quarter"
    WAXING_GIBBOUS = "waxing_gibbous"
    FULL_MOON = "full_moon"
    WANING_GIBBOUS = "waning_gibbous"
    LAST_QUARTER = "last_quarter"
    WANING_CRESCENT = "waning_crescent"


@dataclass(frozen=True, slots=True)
class BurstSequence:
    """The place of a picture, from 1, among those of one trigger."""

    current: int
    total: int


class TimeSource(StrEnum):
    """Where in the file the time of capture stands."""

    EXIF = "exif"
    MAKER_NOTE = "maker_note"
