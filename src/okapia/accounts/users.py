"""The people of a server: who they are, what they may do at most, and whether they still may."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from okapia.accounts.audit import Audit
from okapia.accounts.ledger import Ledger
from okapia.database.tables import billing, users
from okapia.domain.callers import LOCAL_USER_ID, Role
from okapia.domain.clock import Clock, utc_now
from okapia.domain.errors import InvalidRequest, NotFound
from okapia.domain.refusals import NameTaken, WrongState

MAX_NAME = 64

# The local user owns what a server without accounts does.
_IS_PERSON = users.c.id != LOCAL_USER_ID
_PEOPLE = (
    select(users, billing.c.plan).join_from(users, billing, billing.c.user_id == users.c.id).where(_IS_PERSON)
)
_ACTIVE_ADMINS = (
    select(users.c.id)
    .where(_IS_PERSON, users.c.role == Role.ADMIN.value, users.c.disabled_at.is_(None))
    .order_by(users.c.id)
)


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account.

    Attributes:
        plan: the name of the plan that says what the account may use.
        disabled_at: since when neither password nor keys nor tokens work; None while they do.
    """

    id: str
    name: str
    role: Role
    plan: str
    has_password: bool
    created_at: datetime
    disabled_at: datetime | None


def trimmed(name: str) -> str:
    """Give a name without spaces at its ends.

    Raises:
        InvalidRequest: it is empty, longer than `MAX_NAME`, or has characters that cannot be printed.
    """
    name = unicodedata.normalize("NFC", name.strip())
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidRequest(
            f"expected a name of 1 to {MAX_NAME} printable characters, got {len(name)}", param="name"
        )
    return name


def folded(name: str) -> str:
    """Give a user's name as it is kept: `Ada` and `ada` are one person; raises as `trimmed` does."""
    return trimmed(trimmed(name).casefold())


class Users:
    """Adds people and changes what they may; each change is one entry in the audit log."""

    def __init__(self, *, ledger: Ledger, audit: Audit, clock: Clock = utc_now) -> None:
        self._ledger = ledger
        self._audit = audit
        self._clock = clock

    def add(
        self,
        connection: Connection,
        name: str,
        *,
        role: Role,
        plan: str,
        password_hash: str | None,
        actor: str,
        request_id: str | None = None,
    ) -> User:
        """Add a person with an account on `plan`; without a password they have keys only.

        Raises:
            NameTaken: somebody is called that, in whatever case.
            InvalidRequest: the name is none, or there is no such plan.
        """
        name = folded(name)
        user_id = f"usr_{uuid4().hex}"
        row = {"id": user_id, "name": name, "role": role.value, "password_hash": password_hash}
        try:
            connection.execute(insert(users).values(**row, created_at=self._clock()))
        except IntegrityError as error:
            raise NameTaken(f"the name {name!r} is taken", param="name") from error
        self._ledger.open_account(connection, user_id, plan=plan)
        self._audit.record(
            connection,
            actor=actor,
            action="user.add",
            subject=f"user {name}",
            details={"role": role.value, "plan": plan},
            request_id=request_id,
        )
        return self.by_name(connection, name)

    def by_name(self, connection: Connection, name: str) -> User:
        """Give a person, disabled or not; raises `NotFound`."""
        row = connection.execute(_PEOPLE.where(users.c.name == folded(name))).one_or_none()
        if row is None:
            raise NotFound(f"nobody is called {folded(name)!r}")
        return _user(row)

    def everybody(self, connection: Connection) -> list[User]:
        """Give all people, disabled or not, by name."""
        return [_user(row) for row in connection.execute(_PEOPLE.order_by(users.c.name))]

    def has_people(self, connection: Connection) -> bool:
        """Say whether anybody has an account, disabled or not."""
        return connection.execute(select(users.c.id).where(_IS_PERSON).limit(1)).first() is not None

    def set_password(
        self,
        connection: Connection,
        name: str,
        *,
        password_hash: str,
        actor: str,
        request_id: str | None = None,
    ) -> User:
        """Give a person another password, which ends all their tokens; raises `NotFound`."""
        user = self.by_name(connection, name)
        values = {"password_hash": password_hash, "token_generation": users.c.token_generation + 1}
        connection.execute(update(users).where(users.c.id == user.id).values(values))
        self._record(connection, "user.password", user, actor=actor, request_id=request_id)
        return self.by_name(connection, name)

    def log_out(
        self, connection: Connection, name: str, *, actor: str, request_id: str | None = None
    ) -> User:
        """End all tokens of a person; password and keys stay. Raises `NotFound`."""
        user = self.by_name(connection, name)
        values = {"token_generation": users.c.token_generation + 1}
        connection.execute(update(users).where(users.c.id == user.id).values(values))
        self._record(connection, "user.logout", user, actor=actor, request_id=request_id)
        return user

    def disable(
        self, connection: Connection, name: str, *, actor: str, request_id: str | None = None
    ) -> User:
        """Shut a person out: keys and password rest until `enable`, tokens end for good.

        Raises:
            NotFound: nobody is called that.
            WrongState: it is the last admin who is not disabled.
        """
        # Two admins who disable each other at once: the second waits here, and then sees one admin only.
        admins = list(connection.scalars(_ACTIVE_ADMINS.with_for_update()))
        user = self.by_name(connection, name)
        if user.disabled_at is not None:
            return user
        if admins == [user.id]:
            raise WrongState(f"{user.name} is the last admin; make another one before you disable this one")
        values = {"disabled_at": self._clock(), "token_generation": users.c.token_generation + 1}
        connection.execute(update(users).where(users.c.id == user.id).values(values))
        self._record(connection, "user.disable", user, actor=actor, request_id=request_id)
        return self.by_name(connection, name)

    def enable(self, connection: Connection, name: str, *, actor: str, request_id: str | None = None) -> User:
        """Let a person in again; raises `NotFound`."""
        user = self.by_name(connection, name)
        if user.disabled_at is None:
            return user
        connection.execute(update(users).where(users.c.id == user.id).values(disabled_at=None))
        self._record(connection, "user.enable", user, actor=actor, request_id=request_id)
        return self.by_name(connection, name)

    def _record(
        self, connection: Connection, action: str, user: User, *, actor: str, request_id: str | None
    ) -> None:
        self._audit.record(
            connection, actor=actor, action=action, subject=f"user {user.name}", request_id=request_id
        )


def _user(row: Row[tuple[object, ...]]) -> User:
    return User(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        plan=row.plan,
        has_password=row.password_hash is not None,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )
