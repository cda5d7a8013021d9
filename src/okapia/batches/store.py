"""Batches as people see them: asked for, looked at, halted and ended."""

from datetime import datetime

from sqlalchemy import Connection, delete, func, select, tuple_, update

from okapia.batches.batch import Batch, State
from okapia.batches.rows import AT_ONCE, add, advance, batch_of, held, move
from okapia.database.tables import batch_tasks as tasks
from okapia.database.tables import batches
from okapia.domain.clock import Clock, utc_now

Place = tuple[datetime, str]
"""Where a page ends: a batch's `created_at` and id."""


class BatchStore:
    """The batches of each user; what belongs to somebody else is as if it were not there."""

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._clock = clock

    def add(self, connection: Connection, batch: Batch) -> None:
        """Take a new batch, whose pictures are still to be listed."""
        add(connection, batch)

    def get(self, connection: Connection, user_id: str, batch_id: str) -> Batch | None:
        """Give a user's batch."""
        mine = select(batches).where(batches.c.id == batch_id, batches.c.user_id == user_id)
        row = connection.execute(mine).one_or_none()
        return batch_of(row) if row is not None else None

    def find(self, connection: Connection, batch_id: str) -> Batch | None:
        """Give a batch of whomever; for who shows a signed URL."""
        row = connection.execute(select(batches).where(batches.c.id == batch_id)).one_or_none()
        return batch_of(row) if row is not None else None

    def page(
        self, connection: Connection, user_id: str, *, before: Place | None = None, limit: int = 50
    ) -> list[Batch]:
        """Give a user's batches, the newest first."""
        mine = select(batches).where(batches.c.user_id == user_id)
        if before is not None:
            mine = mine.where(tuple_(batches.c.created_at, batches.c.id) < tuple_(*before))
        newest = mine.order_by(batches.c.created_at.desc(), batches.c.id.desc()).limit(limit)
        return [batch_of(row) for row in connection.execute(newest)]

    def active(self, connection: Connection, user_id: str) -> int:
        """Say how many of a user's batches have not ended."""
        ended = [state.value for state in State if state.is_final]
        mine = (batches.c.user_id == user_id, batches.c.state.not_in(ended))
        return int(connection.execute(select(func.count()).select_from(batches).where(*mine)).scalar_one())

    def ended_before(self, connection: Connection, moment: datetime) -> list[str]:
        """Give the ids of batches, of whomever, that ended before then."""
        ended = select(batches.c.id).where(batches.c.finished_at < moment)
        return [row.id for row in connection.execute(ended)]

    def forget(self, connection: Connection, batch_id: str) -> None:
        """Delete a batch and its tasks; its files are the caller's."""
        connection.execute(delete(tasks).where(tasks.c.batch_id == batch_id))
        connection.execute(delete(batches).where(batches.c.id == batch_id))

    def halt(self, connection: Connection, batch_id: str, to: State, *, message: str = "") -> Batch | None:
        """Pause a batch: no task of it is begun, those under way are finished. None when it cannot be."""
        moved = move(connection, to, batches.c.id == batch_id, {"message": message})
        return moved[0] if moved else None

    def resume(
        self, connection: Connection, batch_id: str, *, sealed_secret: bytes | None = None
    ) -> Batch | None:
        """Go on with a halted batch, with another secret if one is given; None when it is not halted.

        What stood in the way of its tasks counts no more.
        """
        halted = (State.PAUSED, State.NEEDS_CREDENTIALS)
        batch = held(connection, batch_id)
        if batch is None or batch.state not in halted:
            return None
        if sealed_secret is not None:
            connection.execute(
                update(batches).where(batches.c.id == batch_id).values(sealed_secret=sealed_secret)
            )
        is_open = (tasks.c.batch_id == batch_id, tasks.c.free_at.is_not(None))
        connection.execute(
            update(tasks).where(*is_open, tasks.c.instance_id.is_(None)).values(attempts=0, free_at=AT_ONCE)
        )
        return advance(connection, batch)

    def end(self, connection: Connection, batch_id: str, to: State, *, message: str = "") -> Batch | None:
        """Cancel or fail a batch, which forgets its secret; None when it has ended already."""
        values = {"message": message, "finished_at": self._clock(), "sealed_secret": None}
        moved = move(connection, to, batches.c.id == batch_id, values)
        return moved[0] if moved else None
