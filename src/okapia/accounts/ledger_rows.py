"""The rows of the ledger: accounts in `billing`, their entries, and the holds that are open.

Statements are built once, as constants: building one costs more than running it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Row, String, bindparam, delete, func, insert, select, update

from okapia.accounts.account import Account
from okapia.accounts.pools import Entry, Kind, Pool, Pools
from okapia.database.tables import billing, credit_entries, open_holds

_USER = bindparam("of_user", type_=String)
_REFERENCE = bindparam("of_reference", type_=String)
_INSTANCE = bindparam("of_instance", type_=String)

_OF_ACCOUNT = billing.c.user_id == _USER
_ACCOUNT = select(billing).where(_OF_ACCOUNT)
_LOCKED_ACCOUNT = _ACCOUNT.with_for_update()
_ADD_ACCOUNT = insert(billing)
_CHANGE_ACCOUNT = update(billing).where(_OF_ACCOUNT)
_CHANGE_LEFT = _CHANGE_ACCOUNT.values({pool: bindparam(pool) for pool in ("included", "top_up", "grace")})

_OF_USER = credit_entries.c.user_id == _USER
_IS_GRANT = credit_entries.c.kind == Kind.GRANT.value
_ADD_ENTRIES = insert(credit_entries)
_ENTRIES = select(
    credit_entries.c.kind, credit_entries.c.pool, credit_entries.c.credits, credit_entries.c.images
).where(_OF_USER, credit_entries.c.reference == _REFERENCE)
_OPENED_AT = select(func.min(credit_entries.c.at)).where(_OF_USER, _IS_GRANT)
_GRANTED = (
    select(credit_entries.c.pool, func.sum(credit_entries.c.credits))
    .where(_OF_USER, _IS_GRANT, credit_entries.c.at >= bindparam("since"))
    .group_by(credit_entries.c.pool)
)

_OF_HOLD = (open_holds.c.user_id == _USER) & (open_holds.c.reference == _REFERENCE)
_OF_INSTANCE = open_holds.c.instance_id == _INSTANCE
_ADD_HOLD = insert(open_holds)
_TAKE_OVER_HOLD = update(open_holds).where(_OF_HOLD).values(instance_id=_INSTANCE)
_CLOSE_HOLD = delete(open_holds).where(_OF_HOLD).returning(open_holds)
_RELEASE_HOLD = delete(open_holds).where(_OF_HOLD, _OF_INSTANCE).returning(open_holds)
_HOLDS_OF_INSTANCE = (
    select(open_holds.c.user_id, open_holds.c.reference)
    .where(_OF_INSTANCE)
    .order_by(open_holds.c.user_id, open_holds.c.reference)
)


@dataclass(frozen=True, slots=True)
class OpenHold:
    """A hold that is neither settled nor refunded.

    Attributes:
        reference: of its entries.
        period_started_at: start of the period in which it was drawn.
        instance_id: the process that will close it.
    """

    user_id: str
    reference: str
    drawn: Pools
    key_id: str | None
    instance_id: str
    period_started_at: datetime


# --- accounts ---------------------------------------------------------------------------


def find_account(connection: Connection, user_id: str) -> Row[tuple[object, ...]] | None:
    return connection.execute(_ACCOUNT, {"of_user": user_id}).first()


def lock_account(connection: Connection, user_id: str) -> Row[tuple[object, ...]] | None:
    """Give the row of an account; nobody else changes it until this transaction ends."""
    return connection.execute(_LOCKED_ACCOUNT, {"of_user": user_id}).first()


def add_account(connection: Connection, user_id: str, account: Account) -> None:
    connection.execute(_ADD_ACCOUNT, [{"user_id": user_id} | _columns(account)])


def change_account(connection: Connection, user_id: str, *, before: Account, after: Account) -> None:
    if after == before:
        return
    if after == replace(before, left=after.left):
        # What nearly every call changes costs half as much alone.
        connection.execute(_CHANGE_LEFT, {"of_user": user_id} | _left(after))
    else:
        connection.execute(_CHANGE_ACCOUNT, {"of_user": user_id} | _columns(after))


def _columns(account: Account) -> dict[str, object]:
    return _left(account) | {
        "plan": account.plan.name,
        "period_started_at": account.period.starts_at,
        "period_ends_at": account.period.ends_at,
        "grace_expires_at": account.grace_ends_at,
    }


def _left(account: Account) -> dict[str, object]:
    left = account.left
    return {"included": left.included, "top_up": left.top_up, "grace": left.grace}


# --- entries ----------------------------------------------------------------------------


def add_entries(
    connection: Connection, user_id: str, entries: Iterable[Entry], *, at: datetime, key_id: str | None = None
) -> None:
    rows = [
        {
            "user_id": user_id,
            "kind": entry.kind.value,
            "pool": entry.pool.value,
            "reference": entry.reference,
            "credits": entry.credits,
            "images": entry.images,
            "key_id": key_id,
            "at": at,
            "note": entry.note,
        }
        for entry in entries
    ]
    if rows:
        connection.execute(_ADD_ENTRIES, rows)


def entries_of(connection: Connection, user_id: str, reference: str) -> list[Entry]:
    """Give the entries of one reference, without their notes."""
    rows = connection.execute(_ENTRIES, {"of_user": user_id, "of_reference": reference})
    return [Entry(Kind(kind), Pool(pool), reference, moved, images) for kind, pool, moved, images in rows]


def opened_at(connection: Connection, user_id: str) -> datetime:
    """Give the time of an account's first entry."""
    at: datetime = connection.execute(_OPENED_AT, {"of_user": user_id}).scalar_one()
    return at


def granted_since(connection: Connection, user_id: str, since: datetime) -> dict[Pool, int]:
    rows = connection.execute(_GRANTED, {"of_user": user_id, "since": since})
    return {Pool(pool): int(total) for pool, total in rows}


# --- open holds -------------------------------------------------------------------------


def add_hold(connection: Connection, hold: OpenHold, *, at: datetime) -> None:
    row = {
        "user_id": hold.user_id,
        "reference": hold.reference,
        "images": hold.drawn.total,
        "included": hold.drawn.included,
        "top_up": hold.drawn.top_up,
        "grace": hold.drawn.grace,
        "key_id": hold.key_id,
        "instance_id": hold.instance_id,
        "period_started_at": hold.period_started_at,
        "at": at,
    }
    connection.execute(_ADD_HOLD, [row])


def take_over_hold(connection: Connection, user_id: str, reference: str, *, instance_id: str) -> None:
    key = {"of_user": user_id, "of_reference": reference}
    connection.execute(_TAKE_OVER_HOLD, key | {"of_instance": instance_id})


def delete_hold(
    connection: Connection, user_id: str, reference: str, *, instance_id: str | None = None
) -> OpenHold | None:
    """Take a hold out, so that the caller closes it; None when it is not there, or another process's."""
    key = {"of_user": user_id, "of_reference": reference}
    if instance_id is None:
        row = connection.execute(_CLOSE_HOLD, key).first()
    else:
        row = connection.execute(_RELEASE_HOLD, key | {"of_instance": instance_id}).first()
    return None if row is None else _open_hold(row)


def holds_of(connection: Connection, instance_id: str) -> list[tuple[str, str]]:
    """Give user and reference of a process's holds, in the order in which accounts are to be locked."""
    rows = connection.execute(_HOLDS_OF_INSTANCE, {"of_instance": instance_id})
    return [(user_id, reference) for user_id, reference in rows]


def _open_hold(row: Row[tuple[object, ...]]) -> OpenHold:
    drawn = Pools(row.included, row.top_up, row.grace, row.images - row.included - row.top_up - row.grace)
    return OpenHold(
        user_id=row.user_id,
        reference=row.reference,
        drawn=drawn,
        key_id=row.key_id,
        instance_id=row.instance_id,
        period_started_at=row.period_started_at,
    )
