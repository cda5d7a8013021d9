"""Which credits a call is paid with, and where they go back to."""

from datetime import UTC, datetime, timedelta

import pytest

from okapia.accounts.plans import MAX_CREDITS
from okapia.accounts.pools import Kind, Pool, Pools
from okapia.domain.callers import LOCAL_USER_ID
from okapia.domain.refusals import CreditsSpent
from tests.unit.accounts.bank import OPENED, Bank


def test_included_credits_go_first_then_top_up_then_grace(bank: Bank) -> None:
    bank.open("small")
    bank.grant(3)

    bank.hold(15)

    assert bank.entries()[2:] == [
        (Kind.GRANT, Pool.GRACE, 5, 0),
        (Kind.HOLD, Pool.INCLUDED, -10, 10),
        (Kind.HOLD, Pool.TOP_UP, -3, 3),
        (Kind.HOLD, Pool.GRACE, -2, 2),
    ]


def test_a_refund_goes_back_in_reverse_order(bank: Bank) -> None:
    bank.open("small")
    bank.grant(3)

    bank.close(bank.hold(15), done=11)

    assert bank.balance().account.left == Pools(top_up=2, grace=5)


def test_when_all_are_spent_calls_are_refused_and_nothing_changes(bank: Bank) -> None:
    bank.open("small")

    with pytest.raises(CreditsSpent) as refused:
        bank.hold(16)

    assert (refused.value.needed, refused.value.available) == (16, 15)
    assert bank.balance().account.grace_ends_at is None
    assert bank.spend(15, reference="call 2") == 0


def test_the_first_grace_credit_sets_the_day_on_which_they_end(bank: Bank) -> None:
    bank.open("small")

    bank.spend(11, reference="call 1")

    balance = bank.balance()
    assert balance.account.grace_ends_at == OPENED + timedelta(days=7)
    assert (balance.grace_used, balance.grace_remaining) == (1, 4)


def test_grace_credits_are_gone_after_their_days_and_do_not_open_again(bank: Bank) -> None:
    bank.open("small")
    bank.spend(11, reference="call 1")
    bank.clock.now += timedelta(days=7)

    with pytest.raises(CreditsSpent) as refused:
        bank.hold(1, reference="call 2")

    assert refused.value.available == 0
    assert bank.balance().grace_remaining == 0


def test_a_refund_of_grace_after_its_days_is_lost(bank: Bank) -> None:
    bank.open("small")
    hold = bank.hold(11)
    bank.clock.now += timedelta(days=8)

    left = bank.close(hold, done=0)

    assert left == 10
    assert bank.entries()[-2:] == [(Kind.REFUND, Pool.GRACE, 1, 1), (Kind.EXPIRE, Pool.GRACE, -1, 0)]


def test_grace_ends_with_the_period_at_the_latest(bank: Bank) -> None:
    bank.open("small")
    bank.clock.now = datetime(2026, 2, 27, tzinfo=UTC)

    bank.spend(11, reference="call 1")

    assert bank.balance().account.grace_ends_at == datetime(2026, 2, 28, 9, 30, tzinfo=UTC)


def test_an_unlimited_account_is_never_refused_and_still_counted(bank: Bank) -> None:
    bank.open("unlimited")

    left = bank.close(bank.hold(10**9), done=10**9 - 1)

    assert left == MAX_CREDITS
    assert bank.entries()[1:] == [
        (Kind.HOLD, Pool.UNLIMITED, 0, 10**9),
        (Kind.SETTLE, Pool.UNLIMITED, 0, 10**9 - 1),
        (Kind.REFUND, Pool.UNLIMITED, 0, 1),
    ]


def test_the_local_user_has_an_account_from_the_first_migration_on(bank: Bank) -> None:
    bank.close(bank.hold(2, user_id=LOCAL_USER_ID), done=2)

    assert bank.hold(2, user_id=LOCAL_USER_ID).is_paid
    assert bank.balance(LOCAL_USER_ID).account.period.ends_at == datetime(2026, 2, 28, 9, 30, tzinfo=UTC)
