"""Runs in the ledger of batches: what a run has got, whichever of its processes got it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from uuid import uuid4

from sqlalchemy import Connection

from okapia.batches.batch import WORKED_ON, Batch, ShardFile, State
from okapia.batches.closing import BatchClosing
from okapia.batches.ledger import BatchLedger
from okapia.batches.results import BatchResults
from okapia.batches.store import BatchStore
from okapia.batches.top_up import EarlierAnswers, batches_of
from okapia.batches.worker import BatchWorker, Trade
from okapia.cli.run_blobs import HaltingBlobs
from okapia.cli.run_halt import Halt, Halted, RunPaused
from okapia.database.opening import open_database
from okapia.domain.callers import LOCAL_USER_ID
from okapia.domain.clock import utc_now
from okapia.domain.errors import InvalidRequest, InvalidSettings
from okapia.service.batch_request import BatchRequest
from okapia.settings import Settings
from okapia.storage.blob_stores import open_blobs

_LOOK_EVERY_S = 0.1
_FINGERPRINT = "fingerprint"


@dataclass(frozen=True, slots=True)
class RunKey:
    """By what a run is known.

    Attributes:
        run_id: of all runs that write one results file.
        fingerprint: of the models and options that answers depend on.
    """

    run_id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a run goes on from.

    Attributes:
        batches: that are not needed any more when the next one is complete.
    """

    batches: tuple[Batch, ...]
    answers: EarlierAnswers


class RunLedger:
    """The batches of runs, which only the process works on that began them."""

    def __init__(self, settings: Settings) -> None:
        """Open the database and the blobs of the home; raises what `open_database` and `open_blobs` do.

        Raises:
            InvalidSettings: also where the home cannot be written.
        """
        try:
            self._database = open_database(settings.home, settings.database)
        except OSError as error:
            raise InvalidSettings(f"home: runs keep their answers there, and {error.strerror}") from error
        self._blobs = open_blobs(settings.blobs, home=settings.home)
        self._store = BatchStore()
        self.results = BatchResults(self._blobs)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def of_run(self, run_id: str) -> list[Batch]:
        """Give the batches of a run, the oldest first."""
        with self._database.read() as connection:
            return batches_of(connection, run_id)

    def earlier(self, key: RunKey, *, without: frozenset[str] = frozenset()) -> Earlier:
        """Give what a run has got by now.

        Args:
            without: ids of batches whose answers do not count any more.
        """
        batches = self.of_run(key.run_id)
        usable = [
            batch for batch in batches if batch.id not in without and _fingerprint(batch) == key.fingerprint
        ]
        return Earlier(tuple(batches), EarlierAnswers(self._database, self.results, of=usable))

    def begin(self, key: RunKey, request: BatchRequest) -> Batch:
        """Write a batch of a run down."""
        batch_id = uuid4().hex
        known = replace(request, about={**request.about, _FINGERPRINT: key.fingerprint})
        batch = Batch(
            id=batch_id,
            user_id=LOCAL_USER_ID,
            state=State.LISTING,
            created_at=utc_now(),
            request=known.as_row(),
            worked_by=f"{key.run_id}/{batch_id[:16]}",
        )
        with self._database.write() as connection:
            self._store.add(connection, batch)
        return batch

    def work(self, batch: Batch, trade: Trade, *, shard_images: int, threads: int, halt: Halt) -> None:
        """Work a batch off, to its end.

        Args:
            threads: shards at a time.

        Raises:
            RunPaused: something stands in the way.
            Halted: somebody stopped it.
            InvalidRequest: the batch cannot be carried out.
        """
        worker = self._worker(batch, trade, shard_images=shard_images, halt=halt)
        with ThreadPoolExecutor(threads, "okapia-run") as pool:
            working = [pool.submit(self._work, worker, batch, halt) for _ in range(threads)]
            try:
                for thread in working:
                    thread.result()
            except BaseException:
                halt.set()
                raise
        self._check_completed(batch, halt)

    def files(self, batch: Batch) -> list[ShardFile]:
        """Give the files of the shards that are finished, in the order of the listing."""
        ledger = BatchLedger(instance_id=batch.worked_by)
        with self._database.read() as connection:
            return [file for file, _ in ledger.files(connection, batch.id)]

    def forget(self, batches: Sequence[Batch]) -> None:
        """Delete batches with their files."""
        for batch in batches:
            for key in list(self._blobs.keys(f"batches/{batch.id}")):
                self._blobs.delete(key)
            with self._database.write() as connection:
                self._store.forget(connection, batch.id)

    def _worker(self, batch: Batch, trade: Trade, *, shard_images: int, halt: Halt) -> BatchWorker:
        ledger = BatchLedger(instance_id=batch.worked_by)
        return BatchWorker(
            self._database,
            ledger=ledger,
            store=self._store,
            closing=BatchClosing(store=self._store, ledger=ledger, credit=None, tell=_nobody),
            blobs=HaltingBlobs(self._blobs, halt),
            trade=trade,
            name=batch.worked_by,
            shard_images=shard_images,
        )

    def _work(self, worker: BatchWorker, batch: Batch, halt: Halt) -> None:
        try:
            with halt.on_trouble():
                while not halt.is_set and self._state(batch) in WORKED_ON:
                    if not worker.run_next():
                        halt.wait(_LOOK_EVERY_S)
        except Halted:
            return
        except BaseException:
            halt.set()
            raise

    def _state(self, batch: Batch) -> State | None:
        found = self._now(batch)
        return found.state if found else None

    def _now(self, batch: Batch) -> Batch | None:
        with self._database.read() as connection:
            return self._store.find(connection, batch.id)

    def _check_completed(self, batch: Batch, halt: Halt) -> None:
        """Say why a batch is not complete, where it is not."""
        if halt.reason is not None:
            raise RunPaused(str(halt.reason)) from halt.reason
        now = self._now(batch)
        if now is not None and now.state is State.COMPLETED:
            return
        if halt.is_set:
            raise Halted
        if now is not None and now.state is State.FAILED:
            raise InvalidRequest(now.message)
        raise RunPaused((now and now.message) or "somebody ended the run")


def _nobody(_: Connection, __: Batch) -> None:
    """Tell no endpoint how a command of this machine's own ended."""


def _fingerprint(batch: Batch) -> object:
    about = batch.request.get("about")
    return about.get(_FINGERPRINT) if isinstance(about, dict) else None
