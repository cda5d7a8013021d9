"""Everything about jobs, put together: who takes them, who works on them, who sweeps up."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Semaphore

from okapia.accounts.ledger import Ledger
from okapia.database.engine import Database
from okapia.domain.callers import Plan
from okapia.domain.clock import Clock, utc_now
from okapia.jobs.answers import RETENTION, Answers
from okapia.jobs.closing import JOBS_INSTANCE, Closing
from okapia.jobs.pictures import Fetch, Pictures
from okapia.jobs.queue import JobQueue
from okapia.jobs.runner import Perform, Runner
from okapia.jobs.store import JobStore
from okapia.jobs.sweeper import Sweeper
from okapia.jobs.uploads import Uploads
from okapia.service.jobs import Jobs, told_to
from okapia.service.results import Results
from okapia.storage.blobs import BlobStore
from okapia.storage.secrets import Vault, load_or_make_secret
from okapia.storage.signing import UrlSigner
from okapia.webhooks.outbox import Outbox

_VAULT, _SIGNER = "job-sources", "job-uploads"
"""Names of the secrets in the home folder; all processes on one database need the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """What an operator decides about jobs.

    Attributes:
        home: where the secrets lie.
        fetch: gives the picture that a URL leads to; None where none are fetched.
        max_bytes: of a picture.
        workers: jobs at a time; as many as the pipeline takes pictures at a time keep it busy.
        retention: how long a job and its answer are kept.
    """

    home: Path
    fetch: Fetch | None
    max_bytes: int = 50_000_000
    workers: int = 2
    retention: timedelta = RETENTION


class JobDesk:
    """Jobs and answers of one process. `start` it, `sweep` now and then, `close` it before the service.

    Attributes:
        jobs: takes them.
        results: finds answers, also of calls that were no jobs.
    """

    def __init__(
        self,
        database: Database,
        options: JobOptions,
        *,
        instance_id: str,
        blobs: BlobStore,
        plans: Mapping[str, Plan],
        clock: Clock = utc_now,
    ) -> None:
        store, answers = JobStore(clock=clock), Answers(clock=clock)
        ledger = Ledger(plans=plans, instance_id=JOBS_INSTANCE, clock=clock)
        self._database = database
        self._options = options
        self._queued = Semaphore(0)
        self._queue = JobQueue(instance_id=instance_id, clock=clock)
        emit = told_to(Outbox(clock=clock))
        self._closing = Closing(store=store, queue=self._queue, answers=answers, ledger=ledger, emit=emit)
        self._pictures = Pictures(
            blobs,
            vault=Vault(load_or_make_secret(options.home, _VAULT)),
            fetch=options.fetch,
            max_bytes=options.max_bytes,
        )
        signer = UrlSigner(load_or_make_secret(options.home, _SIGNER))
        self.jobs = Jobs(
            database,
            store=store,
            closing=self._closing,
            uploads=Uploads(blobs, signer=signer, max_bytes=options.max_bytes, clock=clock),
            pictures=self._pictures,
            ledger=ledger,
            wake=self._queued.release,
            retention=options.retention,
            clock=clock,
        )
        self.results = Results(database, answers=answers, store=store, pictures=self._pictures)
        self._sweeper = Sweeper(
            database,
            queue=self._queue,
            closing=self._closing,
            answers=answers,
            pictures=self._pictures,
            clock=clock,
        )
        self._runner: Runner | None = None

    def start(self, perform: Perform) -> None:
        """Begin to work on jobs, each as `perform` does it; first on those that dead processes had begun."""
        with self._database.write() as connection:
            self._queue.recover(connection)
        self._runner = self.runner(perform)
        self._runner.start()

    def runner(self, perform: Perform) -> Runner:
        """Give who works on jobs, not yet begun."""
        return Runner(
            self._database,
            queue=self._queue,
            closing=self._closing,
            pictures=self._pictures,
            perform=perform,
            queued=self._queued,
            threads=self._options.workers,
        )

    def sweep(self) -> None:
        """Do what `Sweeper.sweep` does."""
        self._sweeper.sweep()

    def close(self) -> None:
        """Finish the jobs that are being worked on."""
        if self._runner is not None:
            self._runner.close()
