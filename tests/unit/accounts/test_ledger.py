"""Credits: held, then settled or refunded, and never twice; each test ends with a recount of the rows."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from okapia.accounts.ledger import MAX_REFERENCE, Hold, Ledger
from okapia.accounts.plans import MAX_CREDITS
from okapia.accounts.pools import Kind, Pool, Pools
from okapia.database.tables import credit_entries, open_holds
from okapia.domain.errors import InvalidRequest
from okapia.domain.refusals import CreditsSpent
from tests.unit.accounts.bank import FOX, SMALL, Bank

# --- holding and closing ----------------------------------------------------------------


def test_an_account_opens_with_what_its_plan_includes(bank: Bank) -> None:
    balance = bank.open("small")

    assert balance.account.left == Pools(included=10)
    assert (balance.included_total, balance.included_used) == (10, 0)
    assert (balance.grace_limit, balance.grace_used, balance.grace_remaining) == (5, 0, 5)
    assert balance.account.available == 15
    assert balance.account.period.ends_at == datetime(2026, 2, 28, 9, 30, tzinfo=UTC)


def test_opening_an_account_again_changes_nothing(bank: Bank) -> None:
    bank.open("small")
    bank.spend(3, reference="call 1")

    with bank.database.write() as connection:
        bank.ledger.open_account(connection, FOX, plan="large")

    assert bank.balance().account.left == Pools(included=7)
    assert bank.balance().account.plan.name == "small"


def test_what_was_done_is_kept_and_the_rest_goes_back(bank: Bank) -> None:
    bank.open("small")

    left = bank.close(bank.hold(4), done=3)

    assert left == 12
    assert bank.entries()[1:] == [
        (Kind.HOLD, Pool.INCLUDED, -4, 4),
        (Kind.SETTLE, Pool.INCLUDED, 0, 3),
        (Kind.REFUND, Pool.INCLUDED, 1, 1),
    ]


def test_an_open_hold_is_spent_already(bank: Bank) -> None:
    bank.open("bare")
    bank.hold(8)

    with pytest.raises(CreditsSpent) as refused:
        bank.hold(3, reference="call 2")

    assert (refused.value.needed, refused.value.available) == (3, 2)


def test_closing_again_changes_nothing(bank: Bank) -> None:
    bank.open("small")
    hold = bank.hold(4)
    bank.close(hold, done=3)

    left = bank.close(hold, done=0)

    assert left == 12


def test_thousands_of_images_are_one_hold_with_one_entry(bank: Bank) -> None:
    bank.open("small")
    bank.grant(MAX_CREDITS)

    bank.close(bank.hold(2_000_000), done=1_999_999)

    assert bank.entries()[-4:] == [
        (Kind.HOLD, Pool.TOP_UP, -1_999_990, 1_999_990),
        (Kind.SETTLE, Pool.INCLUDED, 0, 10),
        (Kind.SETTLE, Pool.TOP_UP, 0, 1_999_989),
        (Kind.REFUND, Pool.TOP_UP, 1, 1),
    ]


@pytest.mark.parametrize("done", [-1, 5])
def test_more_images_than_were_held_cannot_be_done(bank: Bank, done: int) -> None:
    bank.open("small")
    hold = bank.hold(4)

    with pytest.raises(ValueError, match="expected 0 to 4 images"):
        bank.close(hold, done=done)


def test_a_call_of_no_images_is_not_held(bank: Bank) -> None:
    bank.open("small")

    with pytest.raises(ValueError, match="at least 1 image"):
        bank.hold(0)


# --- the same reference again -----------------------------------------------------------


def test_a_reference_that_is_held_gives_the_same_hold(bank: Bank) -> None:
    bank.open("small")
    first = bank.hold(4)

    again = bank.hold(4)

    assert again == first
    assert bank.balance().account.left == Pools(included=6)


def test_a_reference_that_was_settled_is_paid(bank: Bank) -> None:
    bank.open("small")
    bank.close(bank.hold(4), done=3)

    again = bank.hold(4)

    assert again.is_paid
    assert bank.close(again, done=4) == 12


def test_a_reference_that_was_refunded_in_full_may_be_held_and_settled_again(bank: Bank) -> None:
    bank.open("small")
    bank.close(bank.hold(4), done=0)
    bank.close(bank.hold(4), done=0)

    third = bank.hold(4)

    assert (third.attempt, third.is_paid) == (3, False)
    assert bank.close(third, done=4) == 11
    assert bank.hold(4).is_paid


def test_an_attempt_that_was_refunded_cannot_close_the_next_one(bank: Bank) -> None:
    bank.open("small")
    late = bank.hold(4)
    bank.close(late, done=0)
    bank.hold(4)

    bank.close(late, done=4)

    assert bank.hold(4).attempt == 2
    assert not bank.hold(4).is_paid


def test_references_that_look_like_attempts_are_told_apart(bank: Bank) -> None:
    bank.open("small")
    bank.grant(1, reference="call#1")
    bank.close(bank.hold(2, reference="call"), done=0)
    bank.spend(2, reference="call")

    other = bank.hold(2, reference="call#2")

    assert (other.attempt, other.is_paid) == (1, False)


def test_the_same_reference_in_two_accounts_is_two_calls(bank: Bank) -> None:
    bank.open("small")
    bank.open("small", user_id="usr_owl")
    bank.spend(4, reference="call 1")

    assert not bank.hold(4, reference="call 1", user_id="usr_owl").is_paid


@pytest.mark.parametrize("reference", ["", "x" * (MAX_REFERENCE + 1)], ids=["empty", "too long"])
def test_references_have_a_length(bank: Bank, reference: str) -> None:
    bank.open("small")

    with pytest.raises(InvalidRequest, match="expected a reference of 1 to 240 characters"):
        bank.hold(reference=reference)


def test_the_longest_reference_fits(bank: Bank) -> None:
    bank.open("small")

    assert bank.spend(1, reference="x" * MAX_REFERENCE) == 14


# --- processes that die -----------------------------------------------------------------


def test_holds_of_a_dead_process_are_refunded(bank: Bank) -> None:
    bank.open("small")
    bank.open("small", user_id="usr_owl")
    dead = bank.another("run_dead")
    dead.hold(4)
    dead.hold(2, user_id="usr_owl")
    mine = bank.hold(1, reference="call 2")

    released = bank.release("run_dead")

    assert released == 2
    assert bank.balance().account.left == Pools(included=9)
    assert bank.close(mine, done=1) == 14
    assert bank.release("run_dead") == 0


def test_a_hold_that_a_living_process_took_over_is_not_refunded(bank: Bank) -> None:
    bank.open("small")
    bank.another("run_dead").hold(4)
    mine = bank.hold(4)

    released = bank.release("run_dead")

    assert released == 0
    assert bank.close(mine, done=4) == 11


def test_who_was_thought_dead_and_closes_late_is_not_charged(bank: Bank) -> None:
    bank.open("small")
    sleeper = bank.another("run_sleeper")
    hold = sleeper.hold(4)
    bank.release("run_sleeper")

    left = sleeper.close(hold, done=4)

    assert left == 15


# --- the rows themselves ----------------------------------------------------------------


def test_a_transaction_that_fails_leaves_no_trace(bank: Bank) -> None:
    bank.open("small")
    before = bank.entries()

    with pytest.raises(ValueError, match="expected 0 to 4"), bank.database.write() as connection:
        bank.ledger.close(connection, bank.ledger.hold(connection, FOX, images=4, reference="call 1"), done=5)

    assert bank.entries() == before
    assert bank.balance().account.left == Pools(included=10)


def test_entries_cannot_be_changed(bank: Bank) -> None:
    bank.open("small")

    with pytest.raises(DBAPIError, match="append-only"), bank.database.write() as connection:
        connection.execute(update(credit_entries).values(credits=1000))


def test_the_key_of_a_call_stands_in_all_its_entries(bank: Bank) -> None:
    bank.open("small")
    bank.close(bank.hold(4), done=3)

    with bank.database.read() as connection:
        query = credit_entries.select().order_by(credit_entries.c.number)
        keys = [row.key_id for row in connection.execute(query)]

    assert keys == [None, "key_1", "key_1", "key_1"]


def test_a_ledger_names_its_process_in_every_open_hold(bank: Bank) -> None:
    bank.open("small")
    bank.hold(4)

    with bank.database.read() as connection:
        row = connection.execute(open_holds.select()).one()

    assert (row.instance_id, row.key_id, row.images, row.included) == ("run_here", "key_1", 4, 4)


def test_a_hold_says_under_which_reference_its_entries_are(bank: Bank) -> None:
    bank.open("small")

    hold = bank.hold(reference="call 9")

    assert hold == Hold(FOX, "call 9", 1, is_paid=False)
    assert hold.entry_reference == "call 9#1"


def test_ledgers_share_nothing_but_the_database(bank: Bank) -> None:
    bank.open("small")
    other = Ledger(plans=SMALL, instance_id="run_other", clock=bank.clock)
    hold = bank.hold(4)

    with bank.database.write() as connection:
        left = other.close(connection, hold, done=4)

    assert left == 11
