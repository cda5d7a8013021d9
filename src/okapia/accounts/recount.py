"""Recounting the ledger from its raw rows, by nothing but sums: it shares no rule with what wrote them."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, not_, or_, select
from sqlalchemy import Integer as Whole

from okapia.accounts.pools import Kind, Pool
from okapia.database.tables import billing, credit_entries, open_holds

_e = credit_entries.c
_FILLED = (Pool.INCLUDED, Pool.TOP_UP, Pool.GRACE)


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Something that must never be in an account's rows."""

    user_id: str
    fact: str


def check(connection: Connection) -> list[Discrepancy]:
    """Recount every account; gives what does not add up, which is nothing.

    Reads all entries, some seconds for a million.
    """
    checks = (_sums, _below_zero, _malformed, _holds, _charged_twice)
    return [found for recounted in checks for found in recounted(connection)]


def _sums(connection: Connection) -> Iterator[Discrepancy]:
    """Compare what each account says is left with the sums of its entries."""
    query = select(_e.user_id, _e.pool, func.sum(_e.credits)).group_by(_e.user_id, _e.pool)
    sums = {(user_id, pool): int(total) for user_id, pool, total in connection.execute(query)}
    for row in connection.execute(select(billing)).mappings():
        for pool in _FILLED:
            counted = sums.pop((row["user_id"], pool), 0)
            if row[pool] != counted:
                yield Discrepancy(
                    row["user_id"], f"{pool}: {row[pool]} left, its entries add up to {counted}"
                )
    for (user_id, pool), counted in sums.items():
        if counted or pool != Pool.UNLIMITED:
            yield Discrepancy(user_id, f"{pool}: entries of {counted} credits, and no such pool")


def _below_zero(connection: Connection) -> Iterator[Discrepancy]:
    """Find the entries after which a pool had less than nothing."""
    running = func.sum(_e.credits).over(partition_by=(_e.user_id, _e.pool), order_by=_e.number)
    steps = select(_e.user_id, _e.pool, _e.number, running.label("left")).subquery()
    query = select(steps).where(steps.c.left < 0)
    for user_id, pool, number, left in connection.execute(query):
        yield Discrepancy(user_id, f"{pool}: {left} left after entry {number}")


def _malformed(connection: Connection) -> Iterator[Discrepancy]:
    """Find entries whose credits and images do not fit their kind."""
    price = case((_e.pool == Pool.UNLIMITED, 0), else_=_e.images)
    fits = or_(
        and_(_e.kind == Kind.GRANT, _e.credits >= 0, _e.images == 0),
        and_(_e.kind == Kind.EXPIRE, _e.credits < 0, _e.images == 0),
        and_(_e.kind == Kind.HOLD, _e.credits == -price, _e.images > 0),
        and_(_e.kind == Kind.SETTLE, _e.credits == 0, _e.images > 0),
        and_(_e.kind == Kind.REFUND, _e.credits == price, _e.images > 0),
    )
    for row in connection.execute(select(credit_entries).where(not_(fits))):
        yield Discrepancy(
            row.user_id, f"entry {row.number}: {row.kind} of {row.credits} credits, {row.images} images"
        )


def _holds(connection: Connection) -> Iterator[Discrepancy]:
    """Compare what was held with what was settled, refunded and is still open."""
    held, ended = _images(Kind.HOLD), _images(Kind.SETTLE) + _images(Kind.REFUND)
    query = (
        select(_e.user_id, _e.reference, _e.pool, (held - ended).label("open"))
        .where(_e.kind.in_([Kind.HOLD, Kind.SETTLE, Kind.REFUND]))
        .group_by(_e.user_id, _e.reference, _e.pool)
        .having(held != ended)
    )
    counted = {(row.user_id, row.reference, row.pool): int(row.open) for row in connection.execute(query)}
    for hold in connection.execute(select(open_holds)):
        pools = {Pool.INCLUDED: hold.included, Pool.TOP_UP: hold.top_up, Pool.GRACE: hold.grace}
        pools[Pool.UNLIMITED] = hold.images - sum(pools.values())
        for pool, images in pools.items():
            found = counted.pop((hold.user_id, hold.reference, pool), 0)
            if found != images:
                yield Discrepancy(
                    hold.user_id, f"hold {hold.reference}, {pool}: {images} open, by its entries {found}"
                )
    for (user_id, reference, pool), images in counted.items():
        yield Discrepancy(user_id, f"hold {reference}, {pool}: {images} neither settled, refunded nor open")


def _charged_twice(connection: Connection) -> Iterator[Discrepancy]:
    """Find references of which more than one attempt was settled."""
    reference = func.rtrim(_e.reference, "0123456789")  # without the number of the attempt
    query = (
        select(_e.user_id, reference.label("reference"))
        .where(_e.kind == Kind.SETTLE)
        .group_by(_e.user_id, reference)
        .having(func.count(_e.reference.distinct()) > 1)
    )
    for user_id, attempts in connection.execute(query):
        yield Discrepancy(user_id, f"hold {attempts.removesuffix('#')}: charged more than once")


def _images(kind: Kind) -> ColumnElement[int]:
    return func.sum(case((_e.kind == kind, _e.images), else_=literal(0, Whole)))
