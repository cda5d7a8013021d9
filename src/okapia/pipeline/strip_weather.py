"""Temperature, humidity, pressure and moon phase as cameras print them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from okapia.domain.capture import COLDEST_C, HOTTEST_C, MoonPhase


class Unit(StrEnum):
    """Units of what is measured, as answers write them."""

    CELSIUS = "C"
    FAHRENHEIT = "F"
    PERCENT = "%"
    INCHES_OF_MERCURY = "inHg"
    MILLIMETRES_OF_MERCURY = "mmHg"
    HECTOPASCAL = "hPa"
    KILOPASCAL = "kPa"
    MILLIBAR = "mbar"


@dataclass(frozen=True, slots=True)
class Measurement:
    """A value as it is printed, with its unit; an `int` where no fraction is printed."""

    value: float
    unit: Unit


_NUMBER_STARTS: Final = r"(?<![\w.,:/-])"

_TEMPERATURE: Final = re.compile(
    # Two may touch: 35°F1°C.
    rf"(?:{_NUMBER_STARTS}|(?<=[\d°][CF]))(?P<value>-?\d{{1,3}})"
    r" ?(?P<degree>[°'`*^]{0,2}) ?(?P<unit>[CF])(?![A-Za-z])",
    re.ASCII,
)

_PRESSURES: Final[Mapping[Unit, re.Pattern[str]]] = {
    unit: re.compile(
        rf"{_NUMBER_STARTS}(\d{{2,4}}(?:[.,]\d{{1,2}})?) ?{name}(?![A-Z]{{2}})", re.ASCII | re.IGNORECASE
    )
    for unit, name in {
        Unit.INCHES_OF_MERCURY: "[I1L]N ?HG",
        Unit.MILLIMETRES_OF_MERCURY: "MM ?HG",
        Unit.HECTOPASCAL: "HPA",
        Unit.KILOPASCAL: "KPA",
        Unit.MILLIBAR: "MB(?:AR)?",
    }.items()
}

_HUMIDITY_NAME: Final = r"(?:RH|HUM|HUMIDITY)"
_HUMIDITY: Final = re.compile(
    rf"\b{_HUMIDITY_NAME}[ :]{{0,2}}(\d{{1,3}}) ?%|{_NUMBER_STARTS}(\d{{1,3}}) ?% ?{_HUMIDITY_NAME}\b",
    re.ASCII | re.IGNORECASE,
)

_OTHER_NAMES: Final = {MoonPhase.LAST_QUARTER: "(?:LAST|THIRD|3RD) ?QUARTER"}
_MOON_PHASES: Final[Mapping[MoonPhase, re.Pattern[str]]] = {
    phase: re.compile(_OTHER_NAMES.get(phase, phase.replace("_", " ?")), re.IGNORECASE) for phase in MoonPhase
}


def find_temperatures(text: str) -> tuple[Measurement | None, Measurement | None]:
    """Give the first temperature and the first in the other unit."""
    found = [measured for match in _TEMPERATURE.finditer(text) if (measured := _temperature(match))]
    first = next(iter(found), None)
    return first, next((other for other in found if first and other.unit is not first.unit), None)


def find_humidity(text: str) -> Measurement | None:
    """Give the relative humidity; a percentage without that word is the battery's as often as not."""
    match = _HUMIDITY.search(text)
    value = int(match[1] or match[2]) if match else None
    return Measurement(value, Unit.PERCENT) if value is not None and value <= 100 else None


def find_pressure(text: str) -> Measurement | None:
    """Give the air pressure."""
    for unit, pattern in _PRESSURES.items():
        if match := pattern.search(text):
            return Measurement(_number(match[1]), unit)
    return None


def find_moon_phase(text: str) -> MoonPhase | None:
    """Give the phase that is named; one that is drawn is none."""
    return next((phase for phase, pattern in _MOON_PHASES.items() if pattern.search(text)), None)


def _temperature(match: re.Match[str]) -> Measurement | None:
    unit = Unit(match["unit"])
    written = int(match["value"])
    if _is_possible(written, unit):
        return Measurement(written, unit)
    misread = [value for value in _misread(match) if _is_possible(value, unit)]
    return Measurement(misread[0], unit) if len(misread) == 1 else None


def _misread(match: re.Match[str]) -> Iterator[int]:
    """Give what an impossible number can have been.

    A degree sign is read as 0 (670F), a drawn thermometer as 8 (832C), a drawn moon, less often, as 1 (171F).
    """
    value = match["value"]
    ends_in_sign = value.endswith("0") and not match["degree"]
    if ends_in_sign:
        yield int(value[:-1])
    if value.startswith("8") or (value.startswith("1") and not ends_in_sign):
        yield int(value[1:])


def _is_possible(value: int, unit: Unit) -> bool:
    celsius = value if unit is Unit.CELSIUS else (value - 32) / 1.8
    return COLDEST_C <= celsius <= HOTTEST_C


def _number(text: str) -> float:
    plain = text.replace(",", ".")
    return float(plain) if "." in plain else int(plain)
