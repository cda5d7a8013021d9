"""The recount: it finds whatever is wrong in the rows of a ledger."""

import pytest
from sqlalchemy import delete, insert, update

from okapia.accounts.pools import Kind, Pool
from okapia.accounts.recount import check
from okapia.database.engine import Database
from okapia.database.tables import billing, credit_entries, open_holds
from tests.unit.accounts.bank import FOX, OPENED, Bank


class Cooked:
    """A ledger that is wrong in one way."""

    def __init__(self, database: Database) -> None:
        self.bank = Bank(database)
        self.bank.open("small")
        self.bank.spend(4, reference="call 1")
        self.bank.hold(2, reference="call 2")

    def add(self, kind: Kind, pool: Pool, reference: str, moved: int, images: int) -> None:
        row = {"user_id": FOX, "kind": kind, "pool": pool, "reference": reference, "credits": moved}
        with self.bank.database.write() as connection:
            connection.execute(insert(credit_entries).values(**row, images=images, at=OPENED))

    def facts(self) -> list[str]:
        with self.bank.database.read() as connection:
            return [found.fact for found in check(connection) if found.user_id == FOX]


@pytest.fixture
def cooked(database: Database) -> Cooked:
    return Cooked(database)


def test_a_recount_finds_nothing_where_nothing_is_wrong(cooked: Cooked) -> None:
    assert cooked.facts() == []


def test_a_recount_finds_a_balance_that_is_not_the_sum(cooked: Cooked) -> None:
    with cooked.bank.database.write() as connection:
        connection.execute(update(billing).where(billing.c.user_id == FOX).values(included=9))

    assert cooked.facts() == ["included: 9 left, its entries add up to 4"]


def test_a_recount_finds_a_pool_that_was_overdrawn_for_a_moment(cooked: Cooked) -> None:
    cooked.add(Kind.EXPIRE, Pool.TOP_UP, "a", -3, 0)
    cooked.add(Kind.GRANT, Pool.TOP_UP, "b", 3, 0)

    assert cooked.facts() == ["top_up: -3 left after entry 5"]


def test_a_recount_finds_a_hold_that_nobody_closed(cooked: Cooked) -> None:
    with cooked.bank.database.write() as connection:
        connection.execute(delete(open_holds))

    assert cooked.facts() == ["hold call 2#1, included: 2 neither settled, refunded nor open"]


def test_a_recount_finds_an_open_hold_without_entries(cooked: Cooked) -> None:
    with cooked.bank.database.write() as connection:
        connection.execute(update(open_holds).values(images=7))

    assert cooked.facts() == ["hold call 2#1, unlimited: 5 open, by its entries 0"]


def test_a_recount_finds_what_was_charged_twice(cooked: Cooked) -> None:
    cooked.add(Kind.HOLD, Pool.UNLIMITED, "call 1#2", 0, 4)
    cooked.add(Kind.SETTLE, Pool.UNLIMITED, "call 1#2", 0, 4)

    assert cooked.facts() == ["hold call 1: charged more than once"]


def test_a_recount_finds_credits_that_do_not_fit_the_images(cooked: Cooked) -> None:
    cooked.add(Kind.REFUND, Pool.UNLIMITED, "call 2#1", 1, 1)

    assert any("refund of 1 credits, 1 images" in fact for fact in cooked.facts())


def test_a_recount_finds_entries_of_nobodys_account(database: Database) -> None:
    cooked = Cooked(database)
    with database.write() as connection:
        connection.execute(delete(billing).where(billing.c.user_id == FOX))

    assert cooked.facts() == ["included: entries of 4 credits, and no such pool"]
