"""Everything about batches, put together: who takes them, who works on them, who sweeps up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

from sqlalchemy import Connection

from okapia.accounts.ledger import Ledger
from okapia.batches.batch import SHARD_IMAGES, Batch, State
from okapia.batches.closing import BATCHES_INSTANCE, BatchClosing
from okapia.batches.ledger import BatchLedger
from okapia.batches.results import BatchResults
from okapia.batches.store import BatchStore
from okapia.batches.worker import BatchWorker, Trade
from okapia.database.engine import Database
from okapia.domain.callers import Plan
from okapia.domain.clock import utc_now
from okapia.service.analysis import Service
from okapia.service.batch_outputs import OutputMaker
from okapia.service.batch_request import BatchRequest
from okapia.service.batch_sources import Sources
from okapia.service.batch_work import BatchWork
from okapia.service.batches import Batches
from okapia.service.kits import KitRules, Kits
from okapia.service.storages import Storages
from okapia.storage.blobs import BlobStore
from okapia.storage.roots import SourceRoots
from okapia.storage.secrets import Vault, load_or_make_secret
from okapia.storage.signing import UrlSigner
from okapia.webhooks.events import Event as Told
from okapia.webhooks.events import EventType
from okapia.webhooks.outbox import Outbox

_VAULT, _SIGNER = "batch-secrets", "batch-outputs"
"""Names of the secrets in the home folder; all processes on one database need the same."""

_POLL_S = 2.0
"""How often a worker that was not woken looks for tasks that other processes made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """What an operator decides about batches.

    Attributes:
        home: where the secrets lie.
        roots: folders that pictures may be named in; None for any, on one's own machine.
        fetch: gives the picture that a URL leads to; None where none are fetched.
        max_bytes: of a picture.
        workers: tasks at a time; two keep the pipeline busy while one of them begins and ends.
        retention: how long a batch that has ended is kept, with its files.
        kits: of what workers elsewhere have to have; None where there are none.
    """

    home: Path
    roots: SourceRoots | None
    fetch: Callable[[str], bytes] | None
    max_bytes: int
    workers: int = 2
    retention: timedelta = timedelta(days=180)
    kits: KitRules | None = None


class BatchDesk:
    """Batches of one process. `start` it, `sweep` now and then, `close` it before the service.

    Attributes:
        batches: takes them.
        storages: places in clouds that have a name here.
    """

    def __init__(
        self,
        database: Database,
        options: BatchOptions,
        *,
        service: Service,
        instance_id: str,
        blobs: BlobStore,
        plans: Mapping[str, Plan],
        outbox: Outbox,
    ) -> None:
        vault = Vault(load_or_make_secret(options.home, _VAULT))
        self.storages = Storages(database, vault)
        self._database = database
        self._options = options
        self._blobs = blobs
        self._store = BatchStore()
        self._ledger = BatchLedger(instance_id=instance_id)
        credit = Ledger(plans=plans, instance_id=BATCHES_INSTANCE)
        self._closing = BatchClosing(
            store=self._store, ledger=self._ledger, credit=credit, tell=_told_to(outbox)
        )
        sources = Sources(
            roots=options.roots,
            storages=self.storages,
            blobs=blobs,
            fetch=options.fetch,
            max_bytes=options.max_bytes,
        )
        outputs = OutputMaker(BatchResults(blobs), home_tmp=options.home)
        self.work = BatchWork(service, sources=sources, outputs=outputs, vault=vault)
        self._wanted = Event()
        self.batches = Batches(
            database,
            store=self._store,
            ledger=self._ledger,
            closing=self._closing,
            blobs=blobs,
            sources=sources,
            vault=vault,
            signer=UrlSigner(load_or_make_secret(options.home, _SIGNER)),
            wake=self._wanted.set,
            kits=Kits(blobs, options.kits) if options.kits else None,
        )
        self._is_closing = Event()
        self._threads: list[Thread] = []

    def worker(
        self, *, trade: Trade | None = None, name: str = "", shard_images: int = SHARD_IMAGES
    ) -> BatchWorker:
        """Give who works tasks off, one at a time.

        Args:
            trade: what it can do, where that is not what this process can.
            name: whose batches it works on (`Batch.worked_by`).
        """
        return BatchWorker(
            self._database,
            ledger=self._ledger,
            store=self._store,
            closing=self._closing,
            blobs=self._blobs,
            trade=trade or self.work.trade,
            name=name,
            shard_images=shard_images,
        )

    def start(self, *, workers: int | None = None, trade: Trade | None = None) -> None:
        """Begin to work on batches, with as many threads as the options say unless told otherwise."""
        worker = self.worker(trade=trade)
        for number in range(self._options.workers if workers is None else workers):
            thread = Thread(target=self._work, args=(worker,), name=f"okapia-batch-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def release(self, connection: Connection, instance_id: str) -> None:
        """Free the tasks that a dead process was working on."""
        self._ledger.release(connection, instance_id)

    def sweep(self) -> None:
        """Delete batches whose time is over."""
        self.batches.forget_ended(before=utc_now() - self._options.retention)

    def close(self) -> None:
        """Finish the tasks that are being worked on."""
        self._is_closing.set()
        self._wanted.set()
        for thread in self._threads:
            thread.join()
        self.work.close()

    def _work(self, worker: BatchWorker) -> None:
        while not self._is_closing.is_set():
            if not worker.try_next():
                self._wanted.wait(_POLL_S)
                self._wanted.clear()


def _told_to(outbox: Outbox) -> Callable[[Connection, Batch], None]:
    """Give what tells a user's endpoints how a batch ended."""
    events = {State.COMPLETED: EventType.BATCH_COMPLETED, State.FAILED: EventType.BATCH_FAILED}

    def tell(connection: Connection, batch: Batch) -> None:
        if batch.state in events:
            data = {
                "id": batch.id,
                "state": batch.state.value,
                "images": batch.images,
                "message": batch.message,
            }
            told = Told(events[batch.state], data)
            if endpoint_id := BatchRequest.of(batch).webhook:
                outbox.emit_to(connection, endpoint_id, told)
            else:
                outbox.emit(connection, batch.user_id, told)

    return tell
