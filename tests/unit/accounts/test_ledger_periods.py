"""Months, grants and plans: what is added to accounts, and what they lose in time."""

from datetime import UTC, datetime

import pytest

from okapia.accounts.plans import MAX_CREDITS
from okapia.accounts.pools import Kind, Pool, Pools
from okapia.domain.callers import Plan
from okapia.domain.errors import InvalidRequest, InvalidSettings, NotFound
from tests.unit.accounts.bank import FOX, SMALL, Bank

# --- periods ----------------------------------------------------------------------------


def test_a_new_period_takes_what_is_left_and_gives_the_plans_credits(bank: Bank) -> None:
    bank.open("small")
    bank.grant(3)
    bank.spend(4, reference="call 1")
    bank.clock.now = datetime(2026, 3, 1, tzinfo=UTC)

    bank.spend(1, reference="call 2")

    assert bank.balance().account.left == Pools(included=9, top_up=3)
    assert bank.entries()[4:6] == [(Kind.EXPIRE, Pool.INCLUDED, -6, 0), (Kind.GRANT, Pool.INCLUDED, 10, 0)]


def test_looking_shows_the_new_period_and_writes_nothing(bank: Bank) -> None:
    bank.open("small")
    bank.spend(4, reference="call 1")
    bank.clock.now = datetime(2026, 4, 15, tzinfo=UTC)
    before = bank.entries()

    balance = bank.balance()

    assert (balance.included_total, balance.included_used) == (10, 0)
    assert balance.account.period.ends_at == datetime(2026, 4, 30, 9, 30, tzinfo=UTC)
    assert bank.entries() == before


def test_periods_in_which_nobody_called_leave_no_entries(bank: Bank) -> None:
    bank.open("small")
    bank.clock.now = datetime(2027, 7, 15, tzinfo=UTC)

    bank.spend(1, reference="call 1")

    assert [kind for kind, *_ in bank.entries()] == [
        Kind.GRANT,
        Kind.EXPIRE,
        Kind.GRANT,
        Kind.HOLD,
        Kind.SETTLE,
    ]


def test_the_day_of_the_opening_comes_back_after_a_short_month(bank: Bank) -> None:
    bank.open("small")
    for month in (3, 4, 5):
        bank.clock.now = datetime(2026, month, 15, tzinfo=UTC)
        bank.spend(1, reference=f"call {month}")

    ends_at = bank.balance().account.period.ends_at

    assert ends_at == datetime(2026, 5, 31, 9, 30, tzinfo=UTC)


def test_a_refund_into_an_earlier_period_does_not_bring_its_credits_back(bank: Bank) -> None:
    bank.open("small")
    bank.grant(3)
    hold = bank.hold(12)
    bank.clock.now = datetime(2026, 3, 1, tzinfo=UTC)

    bank.close(hold, done=0)

    assert bank.balance().account.left == Pools(included=10, top_up=3)
    assert bank.entries()[-3:] == [
        (Kind.REFUND, Pool.INCLUDED, 10, 10),
        (Kind.REFUND, Pool.TOP_UP, 2, 2),
        (Kind.EXPIRE, Pool.INCLUDED, -10, 0),
    ]


def test_grace_may_be_opened_again_in_the_next_period(bank: Bank) -> None:
    bank.open("small")
    bank.spend(15, reference="call 1")
    bank.clock.now = datetime(2026, 3, 1, tzinfo=UTC)

    assert bank.spend(14, reference="call 2") == 1


# --- granting and plans -----------------------------------------------------------------


def test_top_up_credits_outlive_periods(bank: Bank) -> None:
    bank.open("bare")
    bank.grant(3)
    bank.clock.now = datetime(2030, 1, 1, tzinfo=UTC)

    assert bank.spend(12, reference="call 1") == 1


def test_a_grant_is_made_once_for_a_reference(bank: Bank) -> None:
    bank.open("small")
    bank.grant(3, reference="invoice 7")

    balance = bank.grant(3, reference="invoice 7")

    assert balance.account.left.top_up == 3


def test_a_grant_of_another_amount_needs_another_reference(bank: Bank) -> None:
    bank.open("small")
    bank.grant(3, reference="invoice 7")

    with pytest.raises(InvalidRequest, match="'invoice 7' was used for 3 credits, got 4"):
        bank.grant(4, reference="invoice 7")


@pytest.mark.parametrize("amount", [0, -1])
def test_a_grant_below_one_is_refused(bank: Bank, amount: int) -> None:
    bank.open("small")

    with pytest.raises(InvalidRequest, match=f"at least 1 credit, got {amount}"):
        bank.grant(amount)


def test_a_note_has_a_length(bank: Bank) -> None:
    bank.open("small")

    with pytest.raises(InvalidRequest, match="at most 255"), bank.database.write() as connection:
        bank.ledger.grant(connection, FOX, amount=1, reference="invoice 1", note="x" * 256)


def test_an_account_holds_no_more_than_json_can_say(bank: Bank) -> None:
    bank.open("small")
    bank.grant(MAX_CREDITS)

    with pytest.raises(InvalidRequest, match="at most 9007199254740991"):
        bank.grant(1, reference="invoice 2")

    assert bank.balance().account.available == MAX_CREDITS


def test_a_larger_plan_gives_the_difference_at_once_and_only_once(bank: Bank) -> None:
    bank.open("small")
    bank.spend(4, reference="call 1")

    for plan in ("large", "small", "large"):
        balance = bank.change_plan(plan)

    assert (balance.included_total, balance.included_used) == (100, 4)
    assert balance.account.plan.name == "large"


def test_a_smaller_plan_gives_less_from_the_next_period_on(bank: Bank) -> None:
    bank.open("large")
    before = bank.change_plan("small")
    bank.clock.now = datetime(2026, 3, 1, tzinfo=UTC)

    after = bank.balance()

    assert (before.included_total, after.included_total) == (100, 10)


def test_a_plan_without_end_can_be_left_again(bank: Bank) -> None:
    bank.open("unlimited")
    hold = bank.hold(50)

    bank.change_plan("small")

    assert bank.close(hold, done=20) == 15


def test_an_unknown_plan_is_refused_with_the_names_there_are(bank: Bank) -> None:
    with pytest.raises(InvalidRequest, match="unlimited, small, large, bare, got 'huge'"):
        bank.open("huge")


def test_an_account_on_a_plan_that_was_removed_says_so(bank: Bank) -> None:
    bank.open("small")
    later = Bank(bank.database, clock=bank.clock, plans={"large": SMALL["large"]})

    with pytest.raises(InvalidSettings, match="'small', which is not there any more"):
        later.hold()


def test_a_plan_that_is_enlarged_by_setting_counts_from_the_next_period(bank: Bank) -> None:
    bank.open("small")
    bank.spend(4, reference="call 1")
    later = Bank(bank.database, clock=bank.clock, plans={"small": Plan("small", included=50)})

    balance = later.balance()

    assert (balance.included_total, balance.included_used) == (10, 4)


def test_a_user_without_an_account_is_not_found(bank: Bank) -> None:
    with pytest.raises(NotFound):
        bank.hold(user_id="usr_nobody")
