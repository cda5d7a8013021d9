"""Billing periods: calendar months from the day of the opening."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.accounts.periods import Period, period_at

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("now", "start", "end"),
    [
        ("2026-01-31", "2026-01-31", "2026-02-28"),
        ("2026-02-27", "2026-01-31", "2026-02-28"),
        ("2026-02-28", "2026-02-28", "2026-03-31"),
        ("2026-12-31", "2026-12-31", "2027-01-31"),
        ("2028-02-29", "2028-02-29", "2028-03-31"),
        ("2026-01-30", "2026-01-31", "2026-02-28"),
    ],
    ids=["opening", "first month", "short month", "new year", "leap year", "a clock that is behind"],
)
def test_periods_begin_on_the_day_of_the_opening(now: str, start: str, end: str) -> None:
    opened, asked, starts_at, ends_at = (
        datetime.fromisoformat(f"{day}T09:30:00+00:00") for day in ("2026-01-31", now, start, end)
    )

    assert period_at(opened, asked) == Period(starts_at, ends_at)


@given(opened=MOMENTS, later=st.timedeltas(timedelta(0), timedelta(days=4000)))
def test_every_moment_is_in_its_period_and_periods_are_seamless(opened: datetime, later: timedelta) -> None:
    now = opened + later

    period = period_at(opened, now)

    assert period.starts_at <= now < period.ends_at
    assert timedelta(days=28) <= period.ends_at - period.starts_at <= timedelta(days=31)
    assert period_at(opened, period.ends_at).starts_at == period.ends_at


def test_the_zone_of_a_time_makes_no_difference() -> None:
    opened = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
    now = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)

    elsewhere = period_at(opened.astimezone(timezone(timedelta(hours=3))), now)

    assert elsewhere == period_at(opened, now)
