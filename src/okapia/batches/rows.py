"""Batches as rows of their tables, and the one statement that moves a batch from state to state."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from okapia.batches.batch import Batch, Counts, Kind, ShardFile, State, Verdict
from okapia.batches.items import pack
from okapia.database.tables import batch_tasks as tasks
from okapia.database.tables import batches

_NOTHING = pack([])

AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
"""When a task may be taken that nobody has: before any time that a clock may go back to."""

_MEANS = {Kind.LIST: State.LISTING, Kind.SHARD: State.RUNNING, Kind.MERGE: State.MERGING}

AnyRow = Row[*tuple[object, ...]]


def add(connection: Connection, batch: Batch) -> None:
    """Write a new batch down, and the task to list its pictures."""
    row = {
        "id": batch.id,
        "user_id": batch.user_id,
        "key_id": batch.key_id,
        "state": batch.state.value,
        "message": batch.message,
        "request": dict(batch.request),
        "priority": batch.priority,
        "sealed_secret": batch.sealed_secret,
        "worked_by": batch.worked_by,
        "created_at": batch.created_at,
    }
    connection.execute(insert(batches).values(row))
    _add_task(connection, batch.id, Kind.LIST)


def move(
    connection: Connection, to: State, only: ColumnElement[bool], values: Mapping[str, object]
) -> list[Batch]:
    """Bring batches into a state, those for which `only` holds and which may come there; gives them."""
    before = batches.c.state.in_([state.value for state in to.before])
    moved = update(batches).where(before, only).values(state=to.value, **values).returning(batches)
    return [batch_of(row) for row in connection.execute(moved)]


def held(connection: Connection, batch_id: str) -> Batch | None:
    """Give a batch, which nobody else changes until the transaction ends."""
    row = connection.execute(select(batches).where(batches.c.id == batch_id).with_for_update()).one_or_none()
    return batch_of(row) if row is not None else None


def advance(connection: Connection, batch: Batch) -> Batch:
    """Bring a batch to the state that its tasks are in, in the transaction that holds it and changed them."""
    to = _due(connection, batch.id)
    if to is None:
        _add_task(connection, batch.id, Kind.MERGE)
        to = State.MERGING
    moved = move(connection, to, batches.c.id == batch.id, {"message": ""})
    return moved[0] if moved else batch


def batch_of(row: AnyRow) -> Batch:
    """Read a batch's row."""
    return Batch(
        id=row.id,
        user_id=row.user_id,
        state=State(row.state),
        created_at=row.created_at,
        request=row.request,
        key_id=row.key_id,
        priority=row.priority,
        sealed_secret=row.sealed_secret,
        worked_by=row.worked_by,
        outputs=row.outputs or (),
        images=row.images,
        message=row.message,
        finished_at=row.finished_at,
    )


def counts_of(row: AnyRow) -> Counts:
    """Read how pictures ended."""
    return Counts.of({verdict: getattr(row, verdict.value) for verdict in Verdict})


def file_of(row: AnyRow) -> ShardFile:
    """Read what a shard's commit recorded."""
    return ShardFile(row.file, row.file_sha256, row.file_bytes)


def _due(connection: Connection, batch_id: str) -> State | None:
    """Say which state open tasks mean; None when there is none, and nothing has been merged.

    Those of one kind are open at a time: shards wait, without `free_at`, until they are all listed.
    """
    # Not "is null", which would read every task that has ended.
    is_open = (tasks.c.batch_id == batch_id, tasks.c.free_at >= AT_ONCE)
    kind = connection.execute(select(tasks.c.kind).where(*is_open).limit(1)).scalar_one_or_none()
    return _MEANS[Kind(kind)] if kind is not None else None


def _add_task(connection: Connection, batch_id: str, kind: Kind) -> None:
    row = {"batch_id": batch_id, "kind": kind.value, "number": 0, "items": _NOTHING, "free_at": AT_ONCE}
    connection.execute(insert(tasks).values(row))
