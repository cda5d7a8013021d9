"""Which processes run on this database, so that the work of dead ones is taken up by others."""

import os
import socket
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psutil
from sqlalchemy import Row, delete, insert, select, update

from okapia.database.engine import Database
from okapia.database.tables import instances
from okapia.domain.clock import Clock, utc_now

SEEN_EVERY_S = 10
DEAD_AFTER = timedelta(seconds=60)
"""Silence after which a process of another host counts as dead; on the same host its pid tells at once."""


class Instance:
    """This process, as the others see it: `beat` every `SEEN_EVERY_S` seconds, `leave` at the end."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock
        self.id = f"run_{uuid4().hex}"
        self._host = socket.gethostname()
        self._arrive()

    def beat(self) -> None:
        """Say that this process is alive, again where others took it for dead."""
        mine = update(instances).where(instances.c.id == self.id)
        with self._database.write_soon() as connection:
            is_known = connection.execute(mine.values(seen_at=self._clock())).rowcount
        if not is_known:
            self._arrive()

    def leave(self) -> None:
        """Say that this process ends, and holds nothing any more."""
        self.bury(self.id)

    def dead(self) -> list[str]:
        """Give the ids of processes that ended without leaving; `bury` each when its work is taken up."""
        with self._database.read() as connection:
            rows = connection.execute(select(instances).where(instances.c.id != self.id)).all()
        return [row.id for row in rows if self._is_dead(row)]

    def bury(self, instance_id: str) -> None:
        """Forget a process."""
        with self._database.write() as connection:
            connection.execute(delete(instances).where(instances.c.id == instance_id))

    def _arrive(self) -> None:
        pid = os.getpid()
        row = {"id": self.id, "host": self._host, "pid": pid, "process_started_at": _started_at(pid)}
        with self._database.write() as connection:
            connection.execute(insert(instances).values(**row, seen_at=self._clock()))

    def _is_dead(self, row: "Row[tuple[object, ...]]") -> bool:
        if row.seen_at + DEAD_AFTER < self._clock():
            return True
        return bool(row.host == self._host and not _is_same(_started_at(row.pid), row.process_started_at))


def _is_same(found: datetime | None, noted: datetime) -> bool:
    """Tell a process by its start: a pid is given out again, and the start is counted from the boot."""
    return found is not None and abs(found - noted) < timedelta(seconds=2)


def _started_at(pid: int) -> datetime | None:
    """Give the start of a process, to the second; None when there is none of that number."""
    try:
        return datetime.fromtimestamp(int(psutil.Process(pid).create_time()), UTC)
    except psutil.NoSuchProcess:
        return None
