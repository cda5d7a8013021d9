"""Works tasks of batches off: lists pictures, analyses shards, puts results together; one task at a time."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from threading import Event, Thread
from typing import TypeVar

import structlog

from okapia.batches.batch import SHARD_IMAGES, Batch, Kind, Lease, LeaseLost, ShardFile, State
from okapia.batches.closing import BatchClosing
from okapia.batches.items import unpack
from okapia.batches.ledger import LEASE, BatchLedger
from okapia.batches.results import MOST_FILE_BYTES
from okapia.batches.selection import Selection
from okapia.batches.shard import Analyse, Interrupted, work_off
from okapia.batches.source import CredentialsNeeded, Source, SourceGone
from okapia.batches.store import BatchStore
from okapia.database.engine import Database
from okapia.domain.errors import InvalidRequest
from okapia.domain.refusals import CreditsSpent
from okapia.domain.storage_errors import DatabaseUnavailable, StorageError
from okapia.storage.blobs import BlobStore

T = TypeVar("T")

_log = structlog.get_logger(__name__)

_SHARDS_AT_ONCE = 64
"""Shards that one transaction writes down while pictures are listed."""

_MOST_PAUSE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Trade:
    """What a worker can do, given by those who know pictures and formats.

    Attributes:
        open_source: gives the place that a batch's pictures come from.
        selection: says which of them it is about.
        analyse: gives what analyses pictures with the models and options of a batch.
        finish: puts the files of a finished batch together into its outputs.
    """

    open_source: Callable[[Batch], Source]
    selection: Callable[[Batch], Selection]
    analyse: Callable[[Batch], Analyse]
    finish: Callable[[Batch, list[ShardFile]], None]


class BatchWorker:
    """Claims tasks and ends them; any number of workers share a database."""

    def __init__(
        self,
        database: Database,
        *,
        ledger: BatchLedger,
        store: BatchStore,
        closing: BatchClosing,
        blobs: BlobStore,
        trade: Trade,
    ) -> None:
        """Keep the files of shards in `blobs`, which all workers and whoever merges can reach."""
        self._database = database
        self._ledger = ledger
        self._store = store
        self._closing = closing
        self._blobs = blobs
        self._trade = trade

    def run_next(self) -> bool:
        """Work off the task whose turn it is; False when none is free."""
        with self._database.write() as connection:
            lease = self._ledger.claim(connection)
            batch = self._store.get(connection, lease.user_id, lease.batch_id) if lease else None
        if lease is None or batch is None:
            return False
        with self._kept(lease):
            self._attempt(lease, batch)
        return True

    def _attempt(self, lease: Lease, batch: Batch) -> None:
        """Do a task; whatever stands in its way is said where its owner sees it."""
        try:
            self._work(lease, batch)
        except LeaseLost:
            _log.info("lease_lost", batch=lease.batch_id, task=lease.number)
        except Interrupted as error:
            self._interrupt(lease, error.failure.code, error.failure.message)
        except (SourceGone, CredentialsNeeded, StorageError) as error:
            self._interrupt(lease, error.code, str(error))
        except CreditsSpent as error:
            self._halt(lease, State.PAUSED, str(error))
        except InvalidRequest as error:
            self._end(lease, str(error))

    def _work(self, lease: Lease, batch: Batch) -> None:
        match lease.kind:
            case Kind.LIST:
                self._list(lease, batch)
            case Kind.SHARD:
                self._analyse(lease, batch)
            case Kind.MERGE:
                self._merge(lease, batch)

    def _list(self, lease: Lease, batch: Batch) -> None:
        """Write the batch's shards down, and hold a credit for each picture."""
        found = self._trade.selection(batch).of(self._trade.open_source(batch).items())
        first = 0
        for shards in _chunks(_chunks(found, SHARD_IMAGES), _SHARDS_AT_ONCE):
            with self._database.write() as connection:
                self._ledger.add_shards(connection, lease, shards, first=first)
            first += len(shards)
        with self._database.write() as connection:
            if first == 0:
                self._ledger.add_shards(connection, lease, [], first=0)
            self._closing.commit_listing(connection, lease, key_id=batch.key_id)

    def _analyse(self, lease: Lease, batch: Batch) -> None:
        """Make the file of a shard, and have it count."""
        result = work_off(unpack(lease.items), self._trade.open_source(batch), self._trade.analyse(batch))
        file = ShardFile(f"batches/{batch.id}/{lease.file_stem}.parquet", result.sha256, len(result.data))
        self._blobs.put(file.name, [result.data], max_bytes=MOST_FILE_BYTES)
        try:
            with self._database.write() as connection:
                self._ledger.commit_shard(connection, lease, file, result.counts)
        except LeaseLost:
            self._blobs.delete(file.name)
            raise

    def _merge(self, lease: Lease, batch: Batch) -> None:
        """Make the outputs, and settle what the batch cost."""
        with self._database.read() as connection:
            files = [file for file, _ in self._ledger.files(connection, batch.id)]
        self._trade.finish(batch, files)
        with self._database.write() as connection:
            self._closing.commit_merge(connection, lease)

    def _interrupt(self, lease: Lease, code: str, message: str) -> None:
        """Let a task be tried again later, or when somebody has given other credentials."""
        _log.warning("task_interrupted", batch=lease.batch_id, task=lease.number, code=code)
        if code == CredentialsNeeded.code:
            self._halt(lease, State.NEEDS_CREDENTIALS, message)
            return
        pause = min(timedelta(seconds=5 * 2 ** min(lease.attempts, 10)), _MOST_PAUSE)
        with self._database.write() as connection:
            self._ledger.give_back(connection, lease, pause=pause)

    def _halt(self, lease: Lease, to: State, message: str) -> None:
        with self._database.write() as connection:
            self._ledger.give_back(connection, lease)
            self._store.halt(connection, lease.batch_id, to, message=message)

    def _end(self, lease: Lease, message: str) -> None:
        """Fail a batch whose request cannot be carried out."""
        with self._database.write() as connection:
            self._ledger.give_back(connection, lease)
            self._closing.end(connection, lease.batch_id, State.FAILED, message=message)

    @contextmanager
    def _kept(self, lease: Lease) -> Iterator[None]:
        """Renew a lease as long as the block takes."""
        is_over = Event()
        thread = Thread(target=self._renew, args=(lease, is_over), name="okapia-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _renew(self, lease: Lease, is_over: Event) -> None:
        while not is_over.wait(LEASE.total_seconds() / 3):
            try:
                with self._database.write_soon() as connection:
                    is_mine = self._ledger.renew(connection, lease)
            except DatabaseUnavailable:
                continue
            if not is_mine:
                return


def _chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk
