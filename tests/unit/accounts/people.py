"""Two people with accounts, and a clock that stands still, for the tests of what they may."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from okapia.accounts.audit import Audit
from okapia.accounts.credentials import Credentials
from okapia.accounts.keys import ApiKeys, NewKey
from okapia.accounts.ledger import Ledger
from okapia.accounts.plans import PLANS
from okapia.accounts.users import User, Users
from okapia.database.engine import Database
from okapia.domain.callers import Rates, Role, Scope

HASH = "a hash"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PASSWORD = "okapi in the dark"  # noqa: S105 - of nobody


@dataclass(slots=True)
class StoppedClock:
    """Goes on when told to."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def go(self, **span: float) -> None:
        self.now += timedelta(**span)


class Office:
    """The stores of one database, with a clock of their own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = StoppedClock()
        self.audit = Audit(clock=self.clock)
        ledger = Ledger(plans=PLANS, instance_id="here", clock=self.clock)
        self.users = Users(ledger=ledger, audit=self.audit, clock=self.clock)
        self.keys = ApiKeys(audit=self.audit, clock=self.clock)
        self.credentials = Credentials(plans=PLANS, clock=self.clock)

    def add(
        self,
        name: str,
        *,
        role: Role = Role.USER,
        plan: str = "unlimited",
        password_hash: str | None = None,
    ) -> User:
        with self.database.write() as connection:
            return self.users.add(
                connection, name, role=role, plan=plan, password_hash=password_hash, actor="test"
            )

    def mint(
        self,
        user: User,
        *,
        scopes: Collection[Scope] | None = None,
        expires_at: datetime | None = None,
        rates: Rates = Rates(),  # noqa: B008 - frozen
    ) -> NewKey:
        with self.database.write() as connection:
            return self.keys.mint(
                connection,
                user,
                name="a key",
                scopes=scopes,
                expires_at=expires_at,
                rates=rates,
                actor="test",
            )

    def disable(self, name: str) -> User:
        with self.database.write() as connection:
            return self.users.disable(connection, name, actor="test")

    def enable(self, name: str) -> User:
        with self.database.write() as connection:
            return self.users.enable(connection, name, actor="test")

    def change_password(self, name: str, password_hash: str = HASH) -> User:
        with self.database.write() as connection:
            return self.users.set_password(connection, name, password_hash=password_hash, actor="test")

    def log_out(self, name: str) -> User:
        with self.database.write() as connection:
            return self.users.log_out(connection, name, actor="test")

    def everybody(self) -> list[User]:
        with self.database.read() as connection:
            return self.users.everybody(connection)

    def actions(self) -> list[tuple[str, str]]:
        """Action and subject of each entry in the log, the oldest first."""
        with self.database.read() as connection:
            entries = self.audit.entries(connection, limit=100)
        return [(entry.action, entry.subject) for entry in reversed(entries)]
