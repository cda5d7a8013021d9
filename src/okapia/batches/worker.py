"""Works tasks of batches off: lists pictures, analyses shards, puts results together; one task at a time."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from threading import Event, Thread
from typing import TypeVar

import structlog

from okapia.batches.batch import SHARD_IMAGES, Batch, Kind, Lease, LeaseLost, ShardFile, State
from okapia.batches.closing import BatchClosing
from okapia.batches.ledger import BatchLedger
from okapia.batches.results import MOST_FILE_BYTES, ShardDamaged
from okapia.batches.selection import Selection
from okapia.batches.shard import Interrupted, ShardResult
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

MOST_ATTEMPTS = 10
"""Times that a task is begun before its batch is halted: its pictures may be what ends the workers."""

_LOOK = "the log says why; resume the batch when that is mended"


@dataclass(frozen=True, slots=True)
class Trade:
    """What a worker can do, given by those who know pictures and formats.

    Attributes:
        open_source: gives the place that a batch's pictures come from.
        selection: says which of them it is about.
        work_off: analyses the pictures of a shard, packed, here or elsewhere; raises `Interrupted`.
        finish: puts the files of a finished batch together into its outputs; gives what is recorded of them.
            It calls now and then what it is given, which ends the work once nobody wants it any more.
    """

    open_source: Callable[[Batch], Source]
    selection: Callable[[Batch], Selection]
    work_off: Callable[[Batch, bytes], ShardResult]
    finish: Callable[[Batch, list[ShardFile], Callable[[], None]], Sequence[Mapping[str, object]]]


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
        name: str = "",
        shard_images: int = SHARD_IMAGES,
    ) -> None:
        """Keep the files of shards in `blobs`, which all workers and whoever merges can reach.

        Args:
            name: whose batches are worked on (`Batch.worked_by`); empty for those that are anybody's.
        """
        self._name = name
        self._shard_images = shard_images
        self._database = database
        self._ledger = ledger
        self._store = store
        self._closing = closing
        self._blobs = blobs
        self._trade = trade

    def run_next(self) -> bool:
        """Work off the task whose turn it is; False when none is free."""
        with self._database.write() as connection:
            lease = self._ledger.claim(connection, worker=self._name)
            batch = self._store.get(connection, lease.user_id, lease.batch_id) if lease else None
        if lease is None or batch is None:
            return False
        with self._kept(lease) as is_lost:
            self._attempt(lease, batch, is_lost)
        return True

    def try_next(self) -> bool:
        """Do as `run_next`, in a loop that nothing ends: what went wrong is logged, and False as well."""
        try:
            return self.run_next()
        except DatabaseUnavailable as error:
            _log.warning("batches_wait_for_database", reason=str(error))
        except Exception:  # noqa: BLE001 - the loop: a task that crashes is begun again later
            _log.exception("task_crashed")
        return False

    def _attempt(self, lease: Lease, batch: Batch, is_lost: Event) -> None:
        """Do a task; whatever stands in its way is said where its owner sees it."""
        if lease.attempts > MOST_ATTEMPTS:
            self._halt(lease, State.PAUSED, f"gave up on a task after {MOST_ATTEMPTS} attempts; {_LOOK}")
            return
        try:
            self._work(lease, batch, is_lost)
        except LeaseLost:
            _log.info("lease_lost", batch=lease.batch_id, task=lease.number)
        except Interrupted as error:
            self._interrupt(lease, error.failure.code, error.failure.message)
        except (SourceGone, CredentialsNeeded, StorageError) as error:
            self._interrupt(lease, error.code, str(error))
        except (CreditsSpent, ShardDamaged) as error:
            self._halt(lease, State.PAUSED, str(error))
        except InvalidRequest as error:
            self._end(lease, str(error))
        except Exception:
            self._pause(lease)  # a fault of ours: others get their turn before it is tried again
            raise

    def _work(self, lease: Lease, batch: Batch, is_lost: Event) -> None:
        match lease.kind:
            case Kind.LIST:
                self._list(lease, batch)
            case Kind.SHARD:
                self._analyse(lease, batch)
            case Kind.MERGE:
                self._merge(lease, batch, is_lost)

    def _list(self, lease: Lease, batch: Batch) -> None:
        """Write the batch's shards down, and hold a credit for each picture."""
        found = self._trade.selection(batch).of(self._trade.open_source(batch).items())
        first = 0
        for shards in _chunks(_chunks(found, self._shard_images), _SHARDS_AT_ONCE):
            with self._database.write() as connection:
                self._ledger.add_shards(connection, lease, shards, first=first)
            first += len(shards)
        with self._database.write() as connection:
            if first == 0:
                self._ledger.add_shards(connection, lease, [], first=0)
            self._closing.commit_listing(connection, lease, key_id=batch.key_id)

    def _analyse(self, lease: Lease, batch: Batch) -> None:
        """Make the file of a shard, and have it count."""
        result = self._trade.work_off(batch, lease.items)
        file = ShardFile(f"batches/{batch.id}/{lease.file_stem}.parquet", result.sha256, len(result.data))
        self._blobs.put(file.name, [result.data], max_bytes=MOST_FILE_BYTES)
        try:
            with self._database.write() as connection:
                self._ledger.commit_shard(connection, lease, file, result.counts)
        except LeaseLost:
            self._blobs.delete(file.name)
            raise

    def _merge(self, lease: Lease, batch: Batch, is_lost: Event) -> None:
        """Make the outputs, and settle what the batch cost."""

        def check() -> None:
            if is_lost.is_set():
                raise LeaseLost

        with self._database.read() as connection:
            files = [file for file, _ in self._ledger.files(connection, batch.id)]
        outputs = self._trade.finish(batch, files, check)
        with self._database.write() as connection:
            self._closing.commit_merge(connection, lease, outputs)

    def _interrupt(self, lease: Lease, code: str, message: str) -> None:
        """Let a task be tried again later, or when somebody has given other credentials."""
        _log.warning("task_interrupted", batch=lease.batch_id, task=lease.number, code=code)
        if code == CredentialsNeeded.code:
            self._halt(lease, State.NEEDS_CREDENTIALS, message)
            return
        self._pause(lease)

    def _pause(self, lease: Lease) -> None:
        """Give a task back for a time that grows with its attempts."""
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
    def _kept(self, lease: Lease) -> Iterator[Event]:
        """Renew a lease as long as the block takes; gives what is set once it is lost."""
        is_over, is_lost = Event(), Event()
        thread = Thread(target=self._renew, args=(lease, is_over, is_lost), name="okapia-lease", daemon=True)
        thread.start()
        try:
            yield is_lost
        finally:
            is_over.set()
            thread.join()

    def _renew(self, lease: Lease, is_over: Event, is_lost: Event) -> None:
        while not is_over.wait(self._ledger.lease.total_seconds() / 3):
            try:
                with self._database.write_soon() as connection:
                    is_mine = self._ledger.renew(connection, lease)
            except DatabaseUnavailable:
                continue
            if not is_mine:
                is_lost.set()
                return


def _chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk
