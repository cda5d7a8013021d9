"""Billing periods: calendar months, counted from the moment an account was opened."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Period:
    """From `starts_at`, inclusive, to `ends_at`, which is the start of the next."""

    starts_at: datetime
    ends_at: datetime


def period_at(opened_at: datetime, now: datetime) -> Period:
    """Give the period of an account that `now` is in.

    All begin on the day of the opening at its time of day, in UTC; on the last day of months that are too
    short. A time before the opening counts to the first period.
    """
    opened, now = opened_at.astimezone(UTC), now.astimezone(UTC)
    months = (now.year - opened.year) * 12 + now.month - opened.month
    if _later(opened, months) > now:
        months -= 1
    months = max(months, 0)
    return Period(_later(opened, months), _later(opened, months + 1))


def _later(start: datetime, months: int) -> datetime:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return start.replace(year=year, month=month + 1, day=min(start.day, monthrange(year, month + 1)[1]))
