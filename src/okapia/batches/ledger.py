"""The ledger of batches: the only truth about which pictures are done, whoever does them.

A worker claims a task, which is a lease with a fencing token; it writes the results to a file of its own, and
then commits. The commit is one transaction that records the file and counts the pictures, and it is refused
when the lease has gone to somebody else. So every shard counts once, however many workers had it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, select, update

from okapia.batches.batch import (
    WORKED_ON,
    Batch,
    Counts,
    Kind,
    Lease,
    LeaseLost,
    Progress,
    ShardFile,
    State,
    Verdict,
)
from okapia.batches.items import Item, pack
from okapia.batches.rows import AT_ONCE, advance, counts_of, file_of, held, move
from okapia.database.tables import batch_tasks as tasks
from okapia.database.tables import batches
from okapia.domain.clock import Clock, utc_now

LEASE = timedelta(seconds=60)
"""Silence after which a task is given to somebody else; workers renew theirs three times as often."""

_ROWS_AT_ONCE = 16

_NO_VALUES: Mapping[str, object] = {}


class BatchLedger:
    """The tasks of all batches, worked off by processes that share the database."""

    def __init__(self, *, instance_id: str, lease: timedelta = LEASE, clock: Clock = utc_now) -> None:
        """Lease tasks as the process `instance_id` (`okapia.database.instances`)."""
        self.lease = lease
        self._instance_id = instance_id
        self._clock = clock

    def claim(self, connection: Connection, *, worker: str = "") -> Lease | None:
        """Take the task whose turn it is; None when none is free. Urgent batches first, then older ones.

        Args:
            worker: whose batches are meant (`Batch.worked_by`); empty for those that are anybody's.
        """
        active = select(batches.c.id, batches.c.user_id).where(
            batches.c.state.in_([state.value for state in WORKED_ON]), batches.c.worked_by == worker
        )
        for batch in connection.execute(active.order_by(batches.c.priority, batches.c.created_at)):
            taken = self._take(connection, batch.id)
            if taken is not None:
                return _lease(taken, user_id=batch.user_id)
        return None

    def renew(self, connection: Connection, lease: Lease) -> bool:
        """Keep a task for another `lease`; False when it is somebody else's now, or its batch canceled."""
        is_canceled = select(batches.c.id).where(
            batches.c.id == lease.batch_id, batches.c.state == State.CANCELED.value
        )
        kept = update(tasks).where(_is_held(lease), ~is_canceled.exists())
        return connection.execute(kept.values(free_at=self._clock() + self.lease)).rowcount == 1

    def give_back(self, connection: Connection, lease: Lease, *, pause: timedelta = timedelta()) -> None:
        """Let a task be begun again after a pause; nothing when it is this worker's no more."""
        freed = update(tasks).where(_is_held(lease))
        free_at = self._clock() + pause if pause else AT_ONCE
        connection.execute(freed.values(free_at=free_at, instance_id=None))

    def add_shards(
        self, connection: Connection, lease: Lease, shards: Iterable[Sequence[Item]], *, first: int
    ) -> None:
        """Write down shards while the pictures are listed; nobody is given them before `commit_listing`.

        Args:
            first: number of the first of them. 0 forgets those that an earlier, broken listing wrote.

        Raises:
            LeaseLost: the listing is somebody else's now.
        """
        self._check_held(connection, lease)
        if first == 0:
            of_batch = (tasks.c.batch_id == lease.batch_id, tasks.c.kind == Kind.SHARD.value)
            connection.execute(delete(tasks).where(*of_batch))
        rows = [
            {"number": number, "images": len(items), "items": pack(items)}
            for number, items in enumerate(shards, first)
        ]
        if rows:
            same = {"batch_id": lease.batch_id, "kind": Kind.SHARD.value}
            connection.execute(insert(tasks), [{**same, **row} for row in rows])

    def commit_listing(self, connection: Connection, lease: Lease) -> Batch:
        """End the listing: its shards may be worked on, or merged at once when there is none.

        Raises:
            LeaseLost: the listing is somebody else's now.
        """
        self._finish(connection, lease)
        mine = (tasks.c.batch_id == lease.batch_id, tasks.c.kind == Kind.SHARD.value)
        images = connection.execute(select(func.coalesce(func.sum(tasks.c.images), 0)).where(*mine))
        connection.execute(update(tasks).where(*mine).values(free_at=AT_ONCE))
        connection.execute(
            update(batches).where(batches.c.id == lease.batch_id).values(images=images.scalar_one())
        )
        return self._go_on(connection, lease)

    def commit_shard(self, connection: Connection, lease: Lease, file: ShardFile, counts: Counts) -> Batch:
        """Record a shard's results; after the last one the batch is merged.

        Raises:
            LeaseLost: the shard is somebody else's now; the file counts for nothing.
            ValueError: the counts are not those of the shard's pictures.
        """
        if counts.total != lease.images:
            raise ValueError(f"expected counts of {lease.images} pictures, got {counts.total}")
        values = {verdict.value: getattr(counts, verdict.value) for verdict in Verdict}
        kept = {"file": file.name, "file_sha256": file.sha256, "file_bytes": file.n_bytes}
        self._finish(connection, lease, {**values, **kept})
        return self._go_on(connection, lease)

    def commit_merge(
        self, connection: Connection, lease: Lease, outputs: Sequence[Mapping[str, object]]
    ) -> Batch:
        """End the batch, whose outputs are made; a cancellation that came first stands.

        Raises:
            LeaseLost: the merge is somebody else's now, or the batch was canceled.
        """
        self._finish(connection, lease)
        values = {"finished_at": self._clock(), "sealed_secret": None, "outputs": list(outputs)}
        ended = move(connection, State.COMPLETED, batches.c.id == lease.batch_id, values)
        if not ended:
            raise LeaseLost
        return ended[0]

    def release(self, connection: Connection, instance_id: str) -> int:
        """Free what a dead process had leased, at once; gives how many tasks that were."""
        lost = update(tasks).where(tasks.c.instance_id == instance_id, tasks.c.finished_at.is_(None))
        return connection.execute(lost.values(free_at=AT_ONCE, instance_id=None)).rowcount

    def progress(self, connection: Connection, batch_id: str) -> Progress:
        """Add up the shards of a batch."""
        mine = (tasks.c.batch_id == batch_id, tasks.c.kind == Kind.SHARD.value)
        sums = [
            func.coalesce(func.sum(tasks.c[verdict.value]), 0).label(verdict.value) for verdict in Verdict
        ]
        numbers = (func.count().label("shards"), func.count(tasks.c.finished_at).label("shards_done"))
        row = connection.execute(select(*sums, *numbers).where(*mine)).one()
        return Progress(counts_of(row), row.shards, row.shards_done)

    def listed(self, connection: Connection, batch_id: str) -> Iterator[bytes]:
        """Give the pictures of each finished shard as they were listed, packed, in the order of `files`."""
        rows = connection.execute(
            select(tasks.c["items"]).where(*_finished_shards(batch_id)).order_by(tasks.c.number)
        )
        return (row.items for row in rows.yield_per(_ROWS_AT_ONCE))

    def recent(self, connection: Connection, batch_id: str, *, since: datetime) -> int:
        """Give how many pictures ended since then."""
        mine = (tasks.c.batch_id == batch_id, tasks.c.kind == Kind.SHARD.value)
        images = select(func.coalesce(func.sum(tasks.c.images), 0)).where(*mine, tasks.c.finished_at >= since)
        return int(connection.execute(images).scalar_one())

    def files(self, connection: Connection, batch_id: str) -> list[tuple[ShardFile, Counts]]:
        """Give what the finished shards recorded, in the order of the listing."""
        rows = connection.execute(select(tasks).where(*_finished_shards(batch_id)).order_by(tasks.c.number))
        return [(file_of(row), counts_of(row)) for row in rows]

    def _take(self, connection: Connection, batch_id: str) -> Row[*tuple[object, ...]] | None:
        now = self._clock()
        turn = (
            select(tasks.c.id)
            .where(tasks.c.batch_id == batch_id, tasks.c.free_at <= now)
            .order_by(tasks.c.free_at, tasks.c.number)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        leased = {
            "free_at": now + self.lease,
            "token": tasks.c.token + 1,
            "attempts": tasks.c.attempts + 1,
            "instance_id": self._instance_id,
        }
        taken = update(tasks).where(tasks.c.id == turn).values(leased).returning(tasks)
        return connection.execute(taken).one_or_none()

    def _check_held(self, connection: Connection, lease: Lease) -> None:
        held = select(tasks.c.id).where(_is_held(lease)).with_for_update()
        if connection.execute(held).one_or_none() is None:
            raise LeaseLost

    def _finish(
        self, connection: Connection, lease: Lease, values: Mapping[str, object] = _NO_VALUES
    ) -> None:
        """End a task."""
        ended = {"finished_at": self._clock(), "free_at": None, "instance_id": None, **values}
        if connection.execute(update(tasks).where(_is_held(lease)).values(ended)).rowcount != 1:
            raise LeaseLost

    def _go_on(self, connection: Connection, lease: Lease) -> Batch:
        """Bring the batch of an ended task to its next state, unless somebody halted or ended it."""
        # Whoever commits for a batch waits here for the others: one of them sees that it was the last.
        batch = held(connection, lease.batch_id)
        if batch is None or batch.state.is_final:
            raise LeaseLost  # what a batch cost was settled when it ended
        return advance(connection, batch) if batch.state in WORKED_ON else batch


def _finished_shards(batch_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        tasks.c.batch_id == batch_id,
        tasks.c.kind == Kind.SHARD.value,
        tasks.c.finished_at.is_not(None),
    )


def _is_held(lease: Lease) -> ColumnElement[bool]:
    """Say that a task is still leased as it was: a worker that was frozen may come back."""
    return and_(tasks.c.id == lease.task_id, tasks.c.token == lease.token, tasks.c.finished_at.is_(None))


def _lease(row: Row[*tuple[object, ...]], *, user_id: str) -> Lease:
    return Lease(
        task_id=row.id,
        batch_id=row.batch_id,
        user_id=user_id,
        kind=Kind(row.kind),
        number=row.number,
        token=row.token,
        attempts=row.attempts,
        images=row.images,
        items=row.items,
        ends_at=row.free_at,
    )
