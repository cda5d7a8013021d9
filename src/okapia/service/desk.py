"""The desk where calls come in: who asks, how often, what it costs, and what is kept for them."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from okapia.accounts.audit import Audit
from okapia.accounts.credentials import Credentials
from okapia.accounts.keys import ApiKeys
from okapia.accounts.ledger import Ledger
from okapia.accounts.limits import LoginThrottle, RateLimits
from okapia.accounts.plans import UNLIMITED
from okapia.accounts.replays import Replays
from okapia.accounts.tokens import Tokens
from okapia.accounts.usage import Usage, usage_of
from okapia.accounts.users import Users
from okapia.accounts.windows import open_windows
from okapia.database.instances import SEEN_EVERY_S, Instance
from okapia.database.opening import open_database
from okapia.domain.callers import Caller, Plan
from okapia.domain.errors import OkapiaError
from okapia.jobs.answers import Answers
from okapia.jobs.pictures import Fetch
from okapia.jobs.runner import Perform
from okapia.service.analysis import Service
from okapia.service.callers import Callers
from okapia.service.calls import Calls
from okapia.service.job_desk import JobDesk, JobOptions
from okapia.service.keys import Keys
from okapia.service.webhook_desk import WebhookDesk
from okapia.storage.blob_stores import open_blobs
from okapia.storage.secrets import Vault, load_or_make_secret

_log = structlog.get_logger(__name__)

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


def _job_options(options: DeskOptions) -> JobOptions:
    return JobOptions(
        home=options.home,
        fetch=options.fetch,
        max_bytes=options.max_job_bytes,
        workers=options.job_workers,
        retention=options.retention,
    )


class Desk:
    """Everything between a call and the pictures; one a process. `start` it, `close` it.

    Attributes:
        callers: who asks.
        rates: how often.
        replays: whether it was asked before.
        calls: what it costs, and what is kept of the answer.
        jobs: what is done when there is time.
        results: answers of before.
        keys: what callers may make themselves.
        webhooks, delivery_log: where they want to be told, and what they were told.
    """

    def __init__(self, service: Service, options: DeskOptions) -> None:
        """Open the database and whatever else is needed; raises what `open_database` does."""
        self.database = database = open_database(options.home, options.database)
        self.instance = Instance(database)
        self.ledger = Ledger(plans=options.plans, instance_id=self.instance.id)
        self.answers = Answers()
        self._webhook_desk = WebhookDesk(
            database,
            home=options.home,
            allow_private=options.private_webhooks,
            instance_id=self.instance.id,
        )
        self.webhooks = self._webhook_desk.webhooks
        self.delivery_log = self._webhook_desk.log
        windows = open_windows(options.limits)
        self.rates = RateLimits(windows)
        users = Users(ledger=self.ledger, audit=Audit())
        self.keys = Keys(database, users=users, keys=ApiKeys(audit=Audit()))
        self.callers = Callers(
            database,
            users=users,
            credentials=Credentials(plans=options.plans),
            tokens=Tokens(load_or_make_secret(options.home, "tokens")),
            throttle=LoginThrottle(windows),
            local_plan=options.plans[UNLIMITED.name],
        )
        vault = Vault(load_or_make_secret(options.home, "replays"))
        self.replays = Replays(database, vault=vault, instance_id=self.instance.id)
        self.calls = Calls(
            service,
            database=database,
            ledger=self.ledger,
            answers=self.answers,
            outbox=self._webhook_desk.outbox,
            retention=options.retention,
        )
        self._job_desk = JobDesk(
            database,
            _job_options(options),
            instance_id=self.instance.id,
            blobs=open_blobs(options.blobs, home=options.home),
            plans=options.plans,
        )
        self.jobs = self._job_desk.jobs
        self.results = self._job_desk.results
        self._perform: Perform | None = None
        self._closing = threading.Event()
        self._housekeeper = threading.Thread(target=self._keep_house, name="okapia-housekeeper", daemon=True)

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
        self._webhook_desk.start()
        self._housekeeper.start()

    def stop_working(self) -> None:
        """Finish what is being worked on; before the service closes."""
        self._job_desk.close()

    def close(self) -> None:
        """Leave; what is open was paid or refunded by its calls."""
        self._closing.set()
        self._webhook_desk.close()
        if self._housekeeper.is_alive():
            self._housekeeper.join()
        self.callers.note_uses()
        self.instance.leave()
        self.database.close()

    def bury_the_dead(self) -> None:
        """Refund what processes that ended without leaving had held, and let their calls be made again."""
        for dead in self.instance.dead():
            with self.database.write() as connection:
                self.ledger.release(connection, dead)
                self.replays.release(connection, dead)
            self.instance.bury(dead)

    def sweep(self) -> None:
        """Forget what is kept no longer."""
        with self.database.write() as connection:
            self.replays.sweep(connection)
        self._job_desk.sweep()
        self._webhook_desk.sweep()

    def _keep_house(self) -> None:
        """Do every few seconds what has to be done every few seconds, until the end."""
        rounds = 0
        while not self._closing.wait(SEEN_EVERY_S):
            rounds += 1
            self._try(self.instance.beat)
            self._try(self.callers.note_uses)
            if rounds % (SWEEP_EVERY_S // SEEN_EVERY_S) == 0:
                self._try(self.bury_the_dead)
                self._try(self.sweep)

    def _try(self, chore: Callable[[], None]) -> None:
        try:
            chore()
        except OkapiaError as error:  # the database is away, say; the next round comes
            _log.warning("chore_failed", chore=chore.__name__, code=error.code, reason=str(error))
