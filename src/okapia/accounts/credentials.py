"""What a call's credentials are worth: one indexed SELECT says who asks, and what they may.

Nothing is remembered between calls: a key that is revoked or a user who is disabled is refused at once.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hmac import compare_digest

from sqlalchemy import Connection, Row, bindparam, or_, select, update

from okapia.accounts.key_text import KeyText
from okapia.accounts.tokens import Claims
from okapia.database.tables import api_keys, billing, users
from okapia.domain.callers import Caller, Plan, Role, Scope
from okapia.domain.clock import Clock, utc_now
from okapia.domain.errors import InvalidSettings
from okapia.domain.refusals import InvalidCredentials

_USE_NOTED_EVERY = timedelta(minutes=1)

_USER = (
    users.c.id.label("user_id"),
    users.c.name,
    users.c.role,
    users.c.disabled_at,
    users.c.token_generation,
    billing.c.plan,
)
_BY_TOKEN = (
    select(*_USER)
    .join_from(users, billing, billing.c.user_id == users.c.id)
    .where(users.c.id == bindparam("user_id"))
)
_BY_KEY = (
    select(
        *_USER,
        api_keys.c.id.label("key_id"),
        api_keys.c.secret_hash,
        api_keys.c.scopes,
        api_keys.c.rates,
        api_keys.c.expires_at,
        api_keys.c.revoked_at,
        api_keys.c.last_used_at,
    )
    .join_from(api_keys, users)
    .join(billing, billing.c.user_id == users.c.id)
    .where(api_keys.c.id == bindparam("key_id"))
)
_NOTE_USE = (
    update(api_keys)
    .where(
        api_keys.c.id == bindparam("key_id"),
        or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < bindparam("at")),
    )
    .values(last_used_at=bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class Login:
    """What there is to compare a person's password with."""

    claims: Claims
    password_hash: str = field(repr=False)


class Credentials:
    """Reads users and keys for the calls; safe to use from several threads.

    `of_key` and `of_token` raise `InvalidSettings` for an account on a plan that is not there any more.
    """

    def __init__(self, *, plans: Mapping[str, Plan], clock: Clock = utc_now) -> None:
        self._plans = plans
        self._clock = clock
        self._used: dict[str, datetime] = {}
        self._used_lock = threading.Lock()

    def of_key(self, connection: Connection, text: str) -> Caller:
        """Tell whose key this is.

        Raises:
            MistypedKey: it is none that was ever given; the database was not asked.
            InvalidCredentials: it is unknown, expired or revoked, or its user disabled.
        """
        key = KeyText.parse(text)
        row = connection.execute(_BY_KEY, {"key_id": key.id}).one_or_none()
        if row is None or not compare_digest(row.secret_hash, key.secret_hash):
            raise InvalidCredentials
        now = self._clock()
        ends = (row.expires_at, row.revoked_at)
        if row.disabled_at is not None or any(end is not None and end <= now for end in ends):
            raise InvalidCredentials
        if row.last_used_at is None or now - row.last_used_at >= _USE_NOTED_EVERY:
            with self._used_lock:
                self._used[key.id] = now
        return self._caller_of_key(row)

    def of_token(self, connection: Connection, claims: Claims) -> Caller:
        """Tell whose token says this.

        Raises:
            InvalidCredentials: its user is disabled, or has another password since.
        """
        row = connection.execute(_BY_TOKEN, {"user_id": claims.user_id}).one_or_none()
        if row is None or row.disabled_at is not None or row.token_generation != claims.generation:
            raise InvalidCredentials
        role, plan = Role(row.role), self._plan(row.plan)
        return Caller(row.user_id, row.name, role=role, scopes=role.scopes, plan=plan, rates=plan.rates)

    def login(self, connection: Connection, name: str) -> Login | None:
        """Give what a password is compared with; None for nobody, the disabled, and people without one.

        Args:
            name: as `okapia.accounts.users.folded` gives it.
        """
        of_name = select(users).where(users.c.name == name, users.c.disabled_at.is_(None))
        row = connection.execute(of_name).one_or_none()
        if row is None or row.password_hash is None:
            return None
        return Login(Claims(row.id, row.token_generation), row.password_hash)

    def renew_hash(self, connection: Connection, login: Login, password_hash: str) -> None:
        """Keep a newer hash of the same password, unless it was changed meanwhile; tokens stay good."""
        unchanged = (users.c.id == login.claims.user_id, users.c.password_hash == login.password_hash)
        connection.execute(update(users).where(*unchanged).values(password_hash=password_hash))

    def take_uses(self) -> dict[str, datetime]:
        """Give which keys were used when since the last time, each at most once a minute.

        Calls only remember this: none of them waits for a writer.
        """
        with self._used_lock:
            used, self._used = self._used, {}
        return used

    def note_uses(self, connection: Connection, uses: Mapping[str, datetime]) -> None:
        """Write when keys were last used; what another process wrote later stands."""
        connection.execute(_NOTE_USE, [{"key_id": key_id, "at": at} for key_id, at in uses.items()])

    def _caller_of_key(self, row: Row[*tuple[object, ...]]) -> Caller:
        role, plan = Role(row.role), self._plan(row.plan)
        return Caller(
            user_id=row.user_id,
            name=row.name,
            role=role,
            scopes=role.scopes & frozenset(map(Scope, row.scopes)),
            plan=plan,
            rates=replace(plan.rates, **row.rates),
            key_id=row.key_id,
        )

    def _plan(self, name: str) -> Plan:
        plan = self._plans.get(name)
        if plan is None:
            raise InvalidSettings(f"plans: an account is on the plan {name!r}, which is not there any more")
        return plan
