"""API keys as their owners manage them: making, listing, rotating and revoking.

What a key looks like stands in `okapia.accounts.key_text`, what it is worth on a call in
`okapia.accounts.credentials`.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, Select, func, insert, or_, select, update

from okapia.accounts.audit import Audit
from okapia.accounts.key_text import PREFIX, KeyText
from okapia.accounts.users import User, trimmed
from okapia.database.tables import api_keys, users
from okapia.domain.callers import Rates, Role, Scope
from okapia.domain.clock import Clock, utc_now
from okapia.domain.errors import InvalidRequest, NotFound
from okapia.domain.refusals import WrongState

OVERLAP = timedelta(hours=24)
"""How long a rotated key goes on working, unless said otherwise: time to put the new one everywhere."""

MAX_KEYS = 100
"""Working keys of one user: each has rates of its own, so that many keys would be none."""

_PLANS_RATES = Rates()
_KEYS = select(api_keys, users.c.name.label("user_name")).join_from(api_keys, users)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What may be known of a key after it was made.

    Attributes:
        last_four: the last characters of the key, by which people tell theirs apart.
        rates: its own; where it has none, the plan's count.
        revoked_at: from when it is refused; lies ahead while a rotated key still works.
        last_used_at: to the minute.
    """

    id: str
    user_id: str
    user_name: str
    name: str
    last_four: str
    scopes: frozenset[Scope]
    rates: Rates
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @property
    def prefix(self) -> str:
        """How the key begins, which is no secret."""
        return f"{PREFIX}{self.id}"

    def shown(self) -> dict[str, object]:
        """Give what may be shown of it, by the names of its fields over HTTP."""
        return {
            "id": self.id,
            "name": self.name,
            "user": self.user_name,
            "prefix": self.prefix,
            "last_four": self.last_four,
            "scopes": sorted(self.scopes),
            "rates": asdict(self.rates),
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "revoked_at": self.revoked_at,
            "last_used_at": self.last_used_at,
        }

    @property
    def ends_at(self) -> datetime | None:
        """When it stops or stopped working; None for never."""
        return min((at for at in (self.expires_at, self.revoked_at) if at is not None), default=None)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: the only moment at which its text is known."""

    key: ApiKey
    text: str = field(repr=False)


class ApiKeys:
    """The keys of all users; each change is one entry in the audit log."""

    def __init__(self, *, audit: Audit, clock: Clock = utc_now) -> None:
        self._audit = audit
        self._clock = clock

    def mint(
        self,
        connection: Connection,
        user: User,
        *,
        name: str,
        scopes: Collection[Scope] | None = None,
        expires_at: datetime | None = None,
        rates: Rates = _PLANS_RATES,
        actor: str,
        request_id: str | None = None,
    ) -> NewKey:
        """Make a key for a user.

        Args:
            scopes: what it may do; None for all that the user's role may do today.
            rates: calls a minute of its own, 1 or more.

        Raises:
            InvalidRequest: the name is none, a scope is not in the role, a rate is none, or the key would
                have ended already.
            WrongState: the user is disabled, or has `MAX_KEYS` working keys.
        """
        now = self._clock()
        if expires_at is not None and expires_at <= now:
            raise InvalidRequest(f"expected an end after {now:%Y-%m-%d %H:%M} UTC", param="expires_at")
        _check_rates(rates)
        self._check_room(connection, user, now)
        granted = _granted(user.role, scopes)
        made = self._insert(
            connection, user.id, name=trimmed(name), scopes=granted, rates=rates, expires_at=expires_at
        )
        details = _details(made.key)
        self._record(connection, "key.create", made.key, details, actor=actor, request_id=request_id)
        return made

    def find(self, connection: Connection, key_id: str) -> ApiKey:
        """Give a key, ended or not; raises `NotFound`."""
        return _one(connection, _KEYS.where(api_keys.c.id == key_id))

    def all(self, connection: Connection, *, user_id: str | None = None) -> list[ApiKey]:
        """Give the keys of everybody or of one user, ended ones too, the newest first."""
        query = _KEYS.order_by(api_keys.c.created_at.desc(), api_keys.c.id)
        if user_id is not None:
            query = query.where(api_keys.c.user_id == user_id)
        return [_key(row) for row in connection.execute(query)]

    def revoke(
        self, connection: Connection, key_id: str, *, actor: str, request_id: str | None = None
    ) -> ApiKey:
        """End a key now; nothing changes for one that was revoked before. Raises `NotFound`."""
        key = self._locked(connection, key_id)
        now = self._clock()
        if key.revoked_at is not None and key.revoked_at <= now:
            return key
        self._end(connection, key, at=now)
        self._record(connection, "key.revoke", key, {}, actor=actor, request_id=request_id)
        return self.find(connection, key_id)

    def rotate(
        self,
        connection: Connection,
        key_id: str,
        *,
        overlap: timedelta = OVERLAP,
        actor: str,
        request_id: str | None = None,
    ) -> NewKey:
        """Make a key like another one, which ends after `overlap`; the new one is to live as long as it was.

        Raises:
            NotFound: there is no such key.
            WrongState: it has ended, or was rotated before.
        """
        old = self._locked(connection, key_id)
        now = self._clock()
        if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
            raise WrongState(f"key {old.id} was rotated or has ended; create a new one")
        made = self._insert(
            connection,
            old.user_id,
            name=old.name,
            scopes=old.scopes,
            rates=old.rates,
            expires_at=None if old.expires_at is None else now + (old.expires_at - old.created_at),
        )
        self._end(connection, old, at=now + overlap)
        details = _details(made.key) | {"new_key": made.key.id, "ends_at": (now + overlap).isoformat()}
        self._record(connection, "key.rotate", old, details, actor=actor, request_id=request_id)
        return made

    def _check_room(self, connection: Connection, user: User, now: datetime) -> None:
        if user.disabled_at is not None:
            raise WrongState(f"{user.name} is disabled; enable the user first")
        ends = (api_keys.c.expires_at, api_keys.c.revoked_at)
        working = [or_(end.is_(None), end > now) for end in ends]
        count = select(func.count()).select_from(api_keys).where(api_keys.c.user_id == user.id, *working)
        if connection.execute(count).scalar_one() >= MAX_KEYS:
            raise WrongState(f"{user.name} has {MAX_KEYS} working keys; revoke one first")

    def _insert(
        self,
        connection: Connection,
        user_id: str,
        *,
        name: str,
        scopes: Collection[Scope],
        rates: Rates,
        expires_at: datetime | None,
    ) -> NewKey:
        text = KeyText.new()
        row = {
            "id": text.id,
            "user_id": user_id,
            "name": name,
            "secret_hash": text.secret_hash,
            "last_four": text.text[-4:],
            "scopes": sorted(scope.value for scope in scopes),
            "rates": _set_rates(rates),
            "created_at": self._clock(),
            "expires_at": expires_at,
        }
        connection.execute(insert(api_keys).values(row))
        return NewKey(self.find(connection, text.id), text.text)

    def _locked(self, connection: Connection, key_id: str) -> ApiKey:
        # Of two who rotate at once, the second sees what the first did.
        return _one(connection, _KEYS.where(api_keys.c.id == key_id).with_for_update(of=api_keys))

    def _end(self, connection: Connection, key: ApiKey, *, at: datetime) -> None:
        connection.execute(update(api_keys).where(api_keys.c.id == key.id).values(revoked_at=at))

    def _record(
        self,
        connection: Connection,
        action: str,
        key: ApiKey,
        details: Mapping[str, object],
        *,
        actor: str,
        request_id: str | None,
    ) -> None:
        self._audit.record(
            connection,
            actor=actor,
            action=action,
            subject=f"key {key.id}",
            details={"user": key.user_name, "name": key.name, **details},
            request_id=request_id,
        )


def _granted(role: Role, scopes: Collection[Scope] | None) -> frozenset[Scope]:
    if scopes is None:
        return role.scopes
    outside = sorted(scope.value for scope in set(scopes) - role.scopes)
    if outside:
        raise InvalidRequest(f"a {role.value} has no scope {', '.join(outside)}", param="scopes")
    if not scopes:
        raise InvalidRequest("expected one scope or more, got none", param="scopes")
    return frozenset(scopes)


def _check_rates(rates: Rates) -> None:
    for bucket, rate in _set_rates(rates).items():
        if rate < 1:
            raise InvalidRequest(f"expected 1 or more {bucket} calls a minute, got {rate}", param="rates")


def _set_rates(rates: Rates) -> dict[str, int]:
    return {bucket: rate for bucket, rate in asdict(rates).items() if rate is not None}


def _details(key: ApiKey) -> dict[str, object]:
    return {
        "scopes": sorted(key.scopes),
        "rates": _set_rates(key.rates),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
    }


def _one(connection: Connection, query: Select[tuple[object, ...]]) -> ApiKey:
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("there is no such key")
    return _key(row)


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    return ApiKey(
        id=row.id,
        user_id=row.user_id,
        user_name=row.user_name,
        name=row.name,
        last_four=row.last_four,
        scopes=frozenset(map(Scope, row.scopes)),
        rates=Rates(**row.rates),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
