"""Times and spans as people type them: `90d`, `24h`, `2027-06-30`, `2027-06-30T18:00:00Z`."""

import re
from datetime import UTC, datetime, timedelta

from okapia.domain.errors import InvalidRequest

# Five digits: any such number of weeks, from today, is a time that a calendar has.
_SPAN = re.compile(r"(\d{1,5})\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_span(text: str, *, param: str) -> timedelta:
    """Read a number of minutes, hours, days or weeks; `0` is none at all. Raises `InvalidRequest`."""
    span = _span(text)
    if span is None:
        raise InvalidRequest(f"{param}: expected a span as 30m, 24h, 90d or 2w, got {text!r}", param=param)
    return span


def parse_end(text: str, *, param: str, now: datetime) -> datetime:
    """Read a time, or a span from now on; times without a zone are in UTC. Raises `InvalidRequest`."""
    span = _span(text)
    return _time(text, param=param) if span is None else now + span


def parse_begin(text: str, *, param: str, now: datetime) -> datetime:
    """Read a time, or a span back from now; times without a zone are in UTC. Raises `InvalidRequest`."""
    span = _span(text)
    return _time(text, param=param) if span is None else now - span


def _span(text: str) -> timedelta | None:
    text = text.strip()
    if text == "0":
        return timedelta(0)
    match = _SPAN.fullmatch(text)
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None


def _time(text: str, *, param: str) -> datetime:
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidRequest(
            f"{param}: expected a span as 90d or a date as 2027-06-30, got {text!r}", param=param
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)
