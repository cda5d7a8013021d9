"""What somebody has used: calls of the day and of the month, by the ledger."""

from datetime import UTC, datetime, timedelta

import pytest

from okapia.accounts.limits import RateLimits
from okapia.accounts.usage import Usage, usage_of
from okapia.accounts.windows import MemoryWindows
from okapia.domain.callers import Bucket, Caller, Rates, Role
from okapia.domain.refusals import RateState
from tests.unit.accounts.bank import FOX, SMALL, Bank

PLAN = SMALL["large"]
CALLER = Caller(FOX, "fox", role=Role.USER, scopes=frozenset(), plan=PLAN, rates=Rates(60), key_id="key_1")


@pytest.fixture
def rates(bank: Bank) -> RateLimits:
    return RateLimits(MemoryWindows(clock=bank.clock), clock=bank.clock)


def usage(bank: Bank, rates: RateLimits) -> Usage:
    with bank.database.read() as connection:
        return usage_of(connection, CALLER, ledger=bank.ledger, rates=rates, clock=bank.clock)


def test_calls_are_counted_by_day_and_month_in_utc(bank: Bank, rates: RateLimits) -> None:
    bank.open("large")
    for time in ("2026-02-01T00:00:00", "2026-02-13T23:59:59", "2026-02-14T00:00:00", "2026-02-14T12:00:00"):
        bank.clock.now = datetime.fromisoformat(time).replace(tzinfo=UTC)
        bank.spend(3, reference=time)

    used = usage(bank, rates)

    assert (used.calls_today, used.calls_this_month) == (2, 4)


def test_a_call_that_two_pools_paid_for_is_one_call(bank: Bank, rates: RateLimits) -> None:
    bank.open("large")

    bank.spend(104, reference="call 1")

    assert usage(bank, rates).calls_today == 1


def test_a_call_of_last_month_is_not_of_this(bank: Bank, rates: RateLimits) -> None:
    bank.open("large")
    bank.spend(1, reference="call 1")
    bank.clock.now += timedelta(days=1)

    used = usage(bank, rates)

    assert (used.calls_today, used.calls_this_month) == (0, 0)
    assert used.balance.included_used == 1


def test_usage_says_how_many_pictures_may_be_sent_this_minute(bank: Bank, rates: RateLimits) -> None:
    bank.open("large")
    rates.admit(CALLER, Bucket.INFERENCE)

    rate = usage(bank, rates).rate

    assert rate == RateState(Bucket.INFERENCE, 60, 59, bank.clock() + timedelta(minutes=1))
