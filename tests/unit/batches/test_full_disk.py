"""Disks that are full: of the database, of the files of shards. Nothing is lost, and it goes on with room."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection

from okapia.batches.batch import Counts, State
from okapia.batches.folder_source import FolderSource
from okapia.database.engine import Database
from okapia.domain.storage_errors import DatabaseUnavailable
from okapia.storage.folder_blobs import FolderBlobs
from tests.databases import SqliteTemplate
from tests.unit.batches.floor import Floor
from tests.unit.batches.test_worker import Workshop

PICTURES = 600


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    root = tmp_path / "survey"
    root.mkdir()
    for number in range(PICTURES):
        (root / f"{number:04d} of a camera with a long name in a reserve far away.jpg").write_bytes(b"x")
    return root


@contextmanager
def without_room(database: Database) -> Iterator[None]:
    """Let the file of a database grow no more."""

    def bound(connection: DBAPIConnection, *_: object) -> None:
        connection.cursor().execute("PRAGMA max_page_count = 1")  # what it has, for it cannot have less

    event.listen(database.engine, "checkout", bound)
    try:
        yield
    finally:
        event.remove(database.engine, "checkout", bound)
        database.engine.dispose()


class FullDisk(FolderBlobs):
    """A disk without room."""

    def put(self, key: str, chunks: Iterable[bytes], *, max_bytes: int) -> int:
        def full() -> Iterator[bytes]:
            yield from chunks
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return super().put(key, full(), max_bytes=max_bytes)


def test_a_database_without_room_loses_nothing(survey: Path, tmp_path: Path) -> None:
    with SqliteTemplate(tmp_path).copy() as database:
        floor = Floor(database)
        work = Workshop(floor, survey, FolderBlobs(tmp_path / "blobs"), FolderSource(survey, max_bytes=100))
        batch = floor.submit()

        with without_room(database), pytest.raises(DatabaseUnavailable, match="full"):
            work.run()
        stuck = floor.now(batch)
        floor.watch.pass_by(timedelta(hours=1))
        work.run()

        assert stuck.state is State.LISTING
        assert floor.now(batch).state is State.COMPLETED
        assert work.counts(batch) == Counts(done=PICTURES)


def test_a_disk_without_room_for_a_shard_loses_nothing(floor: Floor, survey: Path, tmp_path: Path) -> None:
    full, source = FullDisk(tmp_path / "blobs"), FolderSource(survey, max_bytes=100)
    work = Workshop(floor, survey, full, source)
    batch = floor.submit()

    work.run()
    stuck, left = floor.now(batch), [*full.keys("")]
    work.blobs = FolderBlobs(tmp_path / "blobs")
    floor.watch.pass_by(timedelta(hours=1))
    work.run()

    assert (stuck.state, left) == (State.RUNNING, [])
    assert floor.now(batch).state is State.COMPLETED
    assert work.counts(batch) == Counts(done=PICTURES)
