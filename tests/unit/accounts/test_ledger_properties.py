"""Whatever happens in whatever order, and by how many at once: no pool below zero, no image paid twice."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select, text

from okapia.accounts.ledger import Hold
from okapia.accounts.plans import MAX_CREDITS
from okapia.accounts.pools import Kind
from okapia.database.engine import Database
from okapia.database.tables import credit_entries
from okapia.domain.refusals import CreditsSpent
from tests.ledger_books import assert_balanced
from tests.unit.accounts.bank import FOX, SMALL, Bank

REFERENCES = st.sampled_from(["call", "call 1", "call#1", "call#2"])
PROCESSES = st.sampled_from(["a", "b"])

numbers = count()


class Spending(RuleBasedStateMachine):
    """One account, two processes, and what should come of it, told more simply."""

    held = Bundle("held")

    def __init__(self, database: Database) -> None:
        super().__init__()
        number = next(numbers)
        self.user = f"usr_{number}"
        self.bank = Bank(database, instance_id=f"run_a{number}")
        self.banks = {"a": self.bank, "b": self.bank.another(f"run_b{number}")}
        self.bank.open("small", user_id=self.user)
        self.open: dict[str, tuple[Hold, str]] = {}
        self.paid: dict[str, int] = {}

    @property
    def available(self) -> int:
        return self.bank.balance(self.user).account.available

    @rule(target=held, reference=REFERENCES, images=st.integers(1, 12), process=PROCESSES)
    def hold(self, reference: str, images: int, process: str) -> Hold | MultipleResults[Hold]:
        bank, before = self.banks[process], self.available
        is_new = reference not in self.open and reference not in self.paid
        if is_new and images > before:
            with pytest.raises(CreditsSpent) as refused:
                bank.hold(images, reference=reference, user_id=self.user)
            assert (refused.value.needed, refused.value.available) == (images, before)
            return multiple()
        hold = bank.hold(images, reference=reference, user_id=self.user)
        assert hold.is_paid == (reference in self.paid)
        assert self.available == (before - images if is_new and before < MAX_CREDITS else before)
        if reference in self.open:
            assert hold == self.open[reference][0]
        if not hold.is_paid:
            self.open[reference] = (hold, process)
        return hold

    @rule(hold=held, done=st.integers(0, 12), process=PROCESSES)
    def close(self, hold: Hold, done: int, process: str) -> None:
        done = min(done, hold.images)
        left = self.banks[process].close(hold, done=done)
        assert left == self.available
        if self.open.get(hold.reference, (None, ""))[0] == hold:
            del self.open[hold.reference]
            if done:
                self.paid[hold.reference] = done

    @rule(process=PROCESSES)
    def release(self, process: str) -> None:
        theirs = [reference for reference, (_, owner) in self.open.items() if owner == process]
        assert self.bank.release(self.banks[process].instance_id) == len(theirs)
        for reference in theirs:
            del self.open[reference]

    @rule(amount=st.integers(1, 5), number=st.integers(1, 3))
    def grant(self, amount: int, number: int) -> None:
        self.bank.grant(amount, reference=f"call {amount}#{number}", user_id=self.user)

    @rule(plan=st.sampled_from(list(SMALL)))
    def change_plan(self, plan: str) -> None:
        with self.bank.database.write() as connection:
            self.bank.ledger.change_plan(connection, self.user, plan=plan)

    @rule(hours=st.sampled_from([1, 24 * 3, 24 * 8, 24 * 40]))
    def wait(self, hours: int) -> None:
        self.bank.clock.now += timedelta(hours=hours)

    @invariant()
    def each_call_was_charged_once(self) -> None:
        settled = select(credit_entries.c.reference, func.sum(credit_entries.c.images)).where(
            credit_entries.c.user_id == self.user, credit_entries.c.kind == Kind.SETTLE
        )
        with self.bank.database.read() as connection:
            rows = connection.execute(settled.group_by(credit_entries.c.reference)).all()
        assert sorted((reference.rpartition("#")[0], int(images)) for reference, images in rows) == sorted(
            self.paid.items()
        )

    @invariant()
    def nothing_is_below_zero(self) -> None:
        balance = self.bank.balance(self.user)
        assert min(balance.included_used, balance.grace_used, balance.grace_remaining) >= 0

    def teardown(self) -> None:
        assert_balanced(self.bank.database)


def test_no_order_of_events_breaks_the_ledger(database: Database) -> None:
    class Here(Spending):
        def __init__(self) -> None:
            super().__init__(database)

    few = settings(max_examples=30, stateful_step_count=20, suppress_health_check=list(HealthCheck))

    run_state_machine_as_test(Here, settings=few)


# --- many at once -----------------------------------------------------------------------

THREADS = 8


def at_once(work: Callable[[int], object]) -> None:
    """Do something in several threads; fails when one of them does."""
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(work, number) for number in range(THREADS)]:
            done.result()


def settled_images(bank: Bank) -> int:
    return sum(images for kind, _, _, images in bank.entries() if kind is Kind.SETTLE)


def test_threads_that_race_for_the_last_credits_spend_no_more_than_there_are(bank: Bank) -> None:
    bank.open("bare")
    bank.grant(20)
    refused = []

    def call(thread: int) -> None:
        for number in range(5):
            try:
                bank.spend(1, reference=f"call {thread} {number}")
            except CreditsSpent as error:
                refused.append(error)

    at_once(call)

    assert settled_images(bank) == 30
    assert len(refused) == THREADS * 5 - 30


def test_one_reference_in_many_threads_is_charged_once(bank: Bank) -> None:
    bank.open("small")

    at_once(lambda _: [bank.spend(2, reference=f"call {number}") for number in range(4)])

    assert settled_images(bank) == 8
    assert bank.balance().account.left.included == 2


def test_a_grant_in_many_threads_is_made_once(bank: Bank) -> None:
    bank.open("small")

    at_once(lambda _: bank.grant(7))

    assert bank.balance().account.left.top_up == 7


def test_the_first_calls_after_a_month_begin_one_period(bank: Bank) -> None:
    bank.open("small")
    bank.clock.now += timedelta(days=40)

    at_once(lambda thread: bank.spend(1, reference=f"call {thread}"))

    assert bank.balance().account.left.included == 2


@pytest.mark.parametrize("seed", range(3))
def test_holds_that_are_closed_and_released_at_once_end_one_way(bank: Bank, seed: int) -> None:
    bank.open("large")
    references = [f"call {number}" for number in range(20)]
    holds = [bank.hold(2, reference=reference) for reference in references]

    def end(thread: int) -> None:
        order = random.Random(f"{seed} {thread}").sample(holds, len(holds))  # noqa: S311 - no secret
        if thread % 4 == 0:
            bank.release("run_here")
        for hold in order:
            bank.close(hold, done=1)

    at_once(end)

    assert bank.release("run_here") == 0
    assert bank.balance().account.left.included == 100 - settled_images(bank)


def test_a_hold_that_is_taken_over_while_it_is_being_released_stays(bank: Bank) -> None:
    bank.open("small")
    bank.another("run_dead").hold(4)

    with ThreadPoolExecutor(1) as pool:
        with bank.database.write() as connection:
            mine = bank.ledger.hold(connection, FOX, images=4, reference="call 1")
            released = pool.submit(bank.release, "run_dead")
            wait_for_a_waiter(bank.database)
        assert released.result() == 0

    assert bank.close(mine, done=4) == 11


def wait_for_a_waiter(database: Database) -> None:
    """Return when somebody waits for a row; SQLite has no readers that a writer could surprise."""
    waiters = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    while not database.is_sqlite:
        with database.read() as connection:
            if connection.execute(waiters).scalar_one():
                return


def test_several_accounts_do_not_wait_for_each_other_for_ever(bank: Bank) -> None:
    users = [f"usr_{number}" for number in range(4)]
    for user in users:
        bank.open("large", user_id=user)

    def call(thread: int) -> None:
        dying = bank.another(f"run_{thread % 2}")
        for number in range(4):
            dying.hold(1, reference=f"{thread} {number}", user_id=users[(thread + number) % 4])
        bank.release(f"run_{thread % 2}")

    at_once(call)

    for process in ("run_0", "run_1"):
        bank.release(process)
    assert [bank.balance(user).account.left.included for user in users] == [100] * 4
