"""The time, as an argument: whoever needs it takes a `Clock`, and tests bring their own."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the time now, with its time zone."""


def utc_now() -> datetime:
    """Give the time now, in UTC."""
    return datetime.now(UTC)
