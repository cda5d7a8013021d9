"""A ledger with a clock of its own, in which every step is one transaction."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import insert, select

from okapia.accounts.account import Balance
from okapia.accounts.ledger import Hold, Ledger
from okapia.accounts.pools import Kind, Pool
from okapia.database.engine import Database
from okapia.database.tables import credit_entries, users
from okapia.domain.callers import Plan
from tests.unit.accounts.people import StoppedClock

OPENED = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
FOX = "usr_fox"

SMALL = {
    plan.name: plan
    for plan in (
        Plan("unlimited"),
        Plan("small", included=10, grace=5, grace_days=7),
        Plan("large", included=100, grace=5, grace_days=7),
        Plan("bare", included=10),
    )
}


class Bank:
    """The ledger of one database, as one process has it."""

    def __init__(
        self,
        database: Database,
        *,
        instance_id: str = "run_here",
        clock: StoppedClock | None = None,
        plans: Mapping[str, Plan] = SMALL,
    ) -> None:
        self.database = database
        self.instance_id = instance_id
        self.clock = clock or StoppedClock(OPENED)
        self.ledger = Ledger(plans=plans, instance_id=instance_id, clock=self.clock)

    def another(self, instance_id: str) -> "Bank":
        """The same bank, as another process has it."""
        return Bank(self.database, instance_id=instance_id, clock=self.clock)

    def open(self, plan: str = "small", *, user_id: str = FOX) -> Balance:
        with self.database.write() as connection:
            row = {"id": user_id, "name": user_id, "role": "user", "created_at": self.clock()}
            connection.execute(insert(users).values(row))
            self.ledger.open_account(connection, user_id, plan=plan)
        return self.balance(user_id)

    def balance(self, user_id: str = FOX) -> Balance:
        with self.database.read() as connection:
            return self.ledger.balance(connection, user_id)

    def grant(self, amount: int, *, reference: str = "invoice 1", user_id: str = FOX) -> Balance:
        with self.database.write() as connection:
            return self.ledger.grant(connection, user_id, amount=amount, reference=reference)

    def change_plan(self, plan: str) -> Balance:
        with self.database.write() as connection:
            return self.ledger.change_plan(connection, FOX, plan=plan)

    def hold(self, images: int = 1, *, reference: str = "call 1", user_id: str = FOX) -> Hold:
        with self.database.write() as connection:
            return self.ledger.hold(connection, user_id, images=images, reference=reference, key_id="key_1")

    def close(self, hold: Hold, *, done: int) -> int:
        with self.database.write() as connection:
            return self.ledger.close(connection, hold, done=done)

    def spend(self, images: int, *, reference: str) -> int:
        """Hold and settle; gives what is left."""
        return self.close(self.hold(images, reference=reference), done=images)

    def release(self, instance_id: str) -> int:
        with self.database.write() as connection:
            return self.ledger.release(connection, instance_id)

    def entries(self, user_id: str = FOX) -> list[tuple[Kind, Pool, int, int]]:
        """Kind, pool, credits and images of each entry, the oldest first."""
        columns = credit_entries.c
        query = select(columns.kind, columns.pool, columns.credits, columns.images)
        query = query.where(columns.user_id == user_id).order_by(columns.number)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return [(Kind(kind), Pool(pool), moved, images) for kind, pool, moved, images in rows]
