"""The desk where calls come in: who asks, how often, what it costs, and what is kept for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from okapia.accounts.audit import Audit
from okapia.accounts.credentials import Credentials
from okapia.accounts.keys import ApiKeys
from okapia.accounts.ledger import Ledger
from okapia.accounts.limits import LoginThrottle, RateLimits
from okapia.accounts.plans import UNLIMITED
from okapia.accounts.replays import Replays
from okapia.accounts.tokens import LIFE, Tokens
from okapia.accounts.usage import Usage, usage_of
from okapia.accounts.users import Users
from okapia.accounts.windows import Windows, open_windows
from okapia.database.instances import SEEN_EVERY_S, Instance
from okapia.database.opening import open_database
from okapia.domain.callers import Caller, Plan
from okapia.jobs.answers import Answers
from okapia.jobs.pictures import Fetch
from okapia.jobs.runner import Perform
from okapia.service.analysis import Service
from okapia.service.batch_desk import BatchDesk, BatchOptions
from okapia.service.batches import Batches
from okapia.service.callers import Callers
from okapia.service.calls import Calls
from okapia.service.housekeeping import Housekeeper
from okapia.service.job_desk import JobDesk, JobOptions
from okapia.service.jobs import Jobs
from okapia.service.keeping import Keeper, KeepingOptions
from okapia.service.keys import Keys
from okapia.service.kits import KitRules
from okapia.service.results import Results
from okapia.service.webhook_desk import WebhookDesk
from okapia.service.webhooks import DeliveryLog, Webhooks
from okapia.storage.blob_stores import open_blobs
from okapia.storage.blobs import BlobStore
from okapia.storage.roots import SourceRoots
from okapia.storage.secrets import Vault, load_or_make_secret

SWEEP_EVERY_S = 60


@dataclass(frozen=True, slots=True)
class DeskOptions:
    """What an operator decides about accounts and what is kept.

    Attributes:
        home: where the secrets lie, and what has no place of its own.
        database: SQLAlchemy URL; empty for a SQLite file in `home`.
        limits: `memory://`, or `redis://HOST`.
        blobs: address of a blob store; empty for a folder in `home`.
        fetch: gives the picture that a job's URL leads to; None where none are fetched.
        max_job_bytes: of a job's picture.
        private_webhooks: whether webhooks may go to addresses of one's own machine and network.
        token_life: how long a login lasts.
        keeping: what is kept of pictures that gateways get; None keeps nothing.
        roots: folders in which callers may name pictures; None for any, on one's own machine.
        max_file_bytes: of a picture of a batch.
        batch_workers: tasks of batches at a time; 0 leaves them to other processes.
        batch_retention: how long a batch that has ended is kept, with its files.
        kits: of what workers elsewhere have to have; None where there are none.
    """

    home: Path
    database: str
    limits: str
    plans: Mapping[str, Plan]
    retention: timedelta
    blobs: str = ""
    fetch: Fetch | None = None
    max_job_bytes: int = 50_000_000
    job_workers: int = 2
    private_webhooks: bool = False
    token_life: timedelta = LIFE
    keeping: KeepingOptions | None = None
    roots: SourceRoots | None = field(default_factory=lambda: SourceRoots(()))
    max_file_bytes: int = 200_000_000
    batch_workers: int = 2
    batch_retention: timedelta = timedelta(days=180)
    kits: KitRules | None = None


def _job_options(options: DeskOptions) -> JobOptions:
    return JobOptions(
        home=options.home,
        fetch=options.fetch,
        max_bytes=options.max_job_bytes,
        workers=options.job_workers,
        retention=options.retention,
    )


def _batch_options(options: DeskOptions) -> BatchOptions:
    return BatchOptions(
        home=options.home,
        roots=options.roots,
        fetch=options.fetch,
        max_bytes=options.max_file_bytes,
        workers=options.batch_workers,
        retention=options.batch_retention,
        kits=options.kits,
    )


class Desk:
    """Everything between a call and the pictures; one a process. `start` it, `close` it.

    Attributes:
        batch_desk: many pictures under one request.
        callers: who asks.
        rates: how often.
        replays: whether it was asked before.
        calls: what it costs, and what is kept of the answer.
        keys: what callers may make themselves.
        keeper: where pictures stay that gateways get; None where they do not.
        token_life: how long a login lasts.
    """

    def __init__(self, service: Service, options: DeskOptions) -> None:
        """Open the database and whatever else is needed; raises what `open_database` does."""
        self.database = open_database(options.home, options.database)
        self.instance = Instance(self.database)
        self.ledger = Ledger(plans=options.plans, instance_id=self.instance.id)
        self._counts_in_memory = options.limits.startswith("memory:")
        self._webhook_desk = self._open_webhooks(options)
        blobs = open_blobs(options.blobs, home=options.home)
        self._job_desk = self._open_jobs(options, blobs)
        self.batch_desk = self._open_batches(options, blobs, service)
        self._perform: Perform | None = None
        windows = open_windows(options.limits)
        users = Users(ledger=self.ledger, audit=Audit())
        self.rates = RateLimits(windows)
        self.callers = self._open_callers(options, users, windows)
        self.keys = Keys(self.database, users=users, keys=ApiKeys(audit=Audit()))
        vault = Vault(load_or_make_secret(options.home, "replays"))
        self.replays = Replays(self.database, vault=vault, instance_id=self.instance.id)
        self.calls = self._open_calls(options, service)
        self.token_life = options.token_life
        self.keeper = Keeper(service, options.keeping) if options.keeping else None
        self._housekeeper = Housekeeper(
            often=(self.instance.beat, self.callers.note_uses, self.database.checkpoint),
            seldom=(self.bury_the_dead, self.sweep),
            often_s=SEEN_EVERY_S,
            seldom_every=SWEEP_EVERY_S // SEEN_EVERY_S,
        )

    @property
    def jobs(self) -> Jobs:
        """What is done when there is time."""
        return self._job_desk.jobs

    @property
    def batches(self) -> Batches:
        """Many pictures under one request."""
        return self.batch_desk.batches

    @property
    def results(self) -> Results:
        """Answers of before."""
        return self._job_desk.results

    @property
    def webhooks(self) -> Webhooks:
        """Where callers want to be told."""
        return self._webhook_desk.webhooks

    @property
    def delivery_log(self) -> DeliveryLog:
        """What they were told."""
        return self._webhook_desk.log

    @property
    def is_quick(self) -> bool:
        """Whether what a call asks of the desk now needs only this machine's memory and disk."""
        return self._counts_in_memory and self.database.is_ready

    def usage(self, caller: Caller) -> Usage:
        """Say what a caller has used and may still use; blocks."""
        with self.database.read() as connection:
            return usage_of(connection, caller, ledger=self.ledger, rates=self.rates)

    def perform_jobs_with(self, perform: Perform) -> None:
        """Say how jobs are done; before `start`. Without that, they stay queued."""
        self._perform = perform

    def start(self) -> None:
        """Take up what dead processes left, and begin to work."""
        self.bury_the_dead()
        if self._perform is not None:
            self._job_desk.start(self._perform)
        self.batch_desk.start()
        self._webhook_desk.start()
        self._housekeeper.start()

    def stop_working(self) -> None:
        """Finish what is being worked on; before the service closes."""
        self._job_desk.close()
        self.batch_desk.close()

    def close(self) -> None:
        """Leave; what is open was paid or refunded by its calls."""
        self._webhook_desk.close()
        self._housekeeper.stop()
        self.callers.note_uses()
        self.instance.leave()
        self.database.close()

    def bury_the_dead(self) -> None:
        """Refund what processes that ended without leaving had held, and let their calls be made again."""
        for dead in self.instance.dead():
            with self.database.write() as connection:
                self.ledger.release(connection, dead)
                self.replays.release(connection, dead)
                self.batch_desk.release(connection, dead)
            self.instance.bury(dead)

    def sweep(self) -> None:
        """Forget what is kept no longer."""
        with self.database.write() as connection:
            self.replays.sweep(connection)
        self._job_desk.sweep()
        self.batch_desk.sweep()
        self._webhook_desk.sweep()
        if self.keeper is not None:
            self.keeper.sweep()

    def _open_webhooks(self, options: DeskOptions) -> WebhookDesk:
        return WebhookDesk(
            self.database,
            home=options.home,
            allow_private=options.private_webhooks,
            instance_id=self.instance.id,
        )

    def _open_batches(self, options: DeskOptions, blobs: BlobStore, service: Service) -> BatchDesk:
        return BatchDesk(
            self.database,
            _batch_options(options),
            service=service,
            instance_id=self.instance.id,
            blobs=blobs,
            plans=options.plans,
            outbox=self._webhook_desk.outbox,
        )

    def _open_jobs(self, options: DeskOptions, blobs: BlobStore) -> JobDesk:
        return JobDesk(
            self.database,
            _job_options(options),
            instance_id=self.instance.id,
            blobs=blobs,
            plans=options.plans,
        )

    def _open_callers(self, options: DeskOptions, users: Users, windows: Windows) -> Callers:
        return Callers(
            self.database,
            users=users,
            credentials=Credentials(plans=options.plans),
            tokens=Tokens(load_or_make_secret(options.home, "tokens"), life=options.token_life),
            throttle=LoginThrottle(windows),
            local_plan=options.plans[UNLIMITED.name],
        )

    def _open_calls(self, options: DeskOptions, service: Service) -> Calls:
        return Calls(
            service,
            database=self.database,
            ledger=self.ledger,
            answers=Answers(),
            outbox=self._webhook_desk.outbox,
            retention=options.retention,
        )
