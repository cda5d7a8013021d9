"""Works jobs off, in threads of this process."""

from collections.abc import Callable
from threading import Event, Semaphore, Thread
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from okapia.database.engine import Database
from okapia.domain.errors import (
    DeadlineExceeded,
    DeviceLost,
    DeviceOutOfMemory,
    DeviceUnavailable,
    ModelDamaged,
    ModelNotInstalled,
    OkapiaError,
    ServerBusy,
    ShuttingDown,
)
from okapia.domain.storage_errors import DatabaseUnavailable, StorageRefused, StorageUnavailable
from okapia.domain.types import Failure
from okapia.jobs.closing import Closing
from okapia.jobs.job import MOST_ATTEMPTS, Job, Performed
from okapia.jobs.pictures import Pictures
from okapia.jobs.queue import JobQueue

_log = structlog.get_logger(__name__)

T = TypeVar("T")

Perform = Callable[[Job, bytes], Performed]
"""Does with a picture what its job asks. It may raise any `OkapiaError`, or give it as a failure."""

POLL_S = 2.0
"""How often a worker that was not woken looks for jobs that other processes queued."""

_MAY_PASS = frozenset(
    error.code
    for error in (
        ServerBusy,
        DeadlineExceeded,
        ShuttingDown,
        DatabaseUnavailable,
        StorageUnavailable,
        StorageRefused,
        ModelNotInstalled,
        ModelDamaged,
        DeviceUnavailable,
        DeviceOutOfMemory,
        DeviceLost,
    )
)
"""Trouble of the server, which passes or which its operator ends; everything else is the picture's."""


class Runner:
    """Claims jobs, performs them and ends them; `start` it, `close` it."""

    def __init__(
        self,
        database: Database,
        *,
        queue: JobQueue,
        closing: Closing,
        pictures: Pictures,
        perform: Perform,
        queued: Semaphore,
        threads: int = 2,
    ) -> None:
        """Work on `threads` jobs at a time; how many pictures are analysed at a time is the pipeline's.

        Args:
            queued: released once for every job that is queued in this process.
        """
        self._database = database
        self._queue = queue
        self._closing = closing
        self._pictures = pictures
        self._perform = perform
        self._queued = queued
        self._is_closing = Event()
        self._threads = [
            Thread(target=self._work, name=f"okapia-jobs-{number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Finish the jobs that are being worked on, and claim no more."""
        self._is_closing.set()
        self._queued.release(len(self._threads))
        for thread in self._threads:
            thread.join()

    def run_next(self) -> bool:
        """Work off the job whose turn it is, in the caller's thread; False when none is due."""
        with self._database.write() as connection:
            job = self._queue.claim(connection)
        if job is None:
            return False
        self._queued.acquire(blocking=False)  # what was said of this job need not be said again
        self._end(job, self._performed(job))
        return True

    def _work(self) -> None:
        while not self._is_closing.is_set():
            if not self._tried():
                self._queued.acquire(timeout=POLL_S)

    def _tried(self) -> bool:
        """Work off a job; False when there was none, or none could be claimed."""
        try:
            return self.run_next()
        except DatabaseUnavailable as error:
            _log.warning("jobs_wait_for_database", reason=str(error))
        except Exception:  # noqa: BLE001 - the worker's loop: whoever comes after takes the job up again
            _log.exception("job_crashed")
        return False

    def _performed(self, job: Job) -> Performed:
        """Perform a job; whatever goes wrong is its failure."""
        if job.attempts > MOST_ATTEMPTS:
            return Performed(Failure("internal_error", "the server stopped whenever it began this picture"))
        try:
            return self._perform(job, self._pictures.read(job))
        except OkapiaError as error:
            return Performed(Failure.of(error))
        except Exception:  # noqa: BLE001 - one picture never stops another, whatever it met
            _log.exception("job_crashed", job=job.id, operation=job.operation.value)
            return Performed(Failure("internal_error", "this picture met a fault in Okapia"))

    def _end(self, job: Job, performed: Performed) -> None:
        failure = performed.outcome if isinstance(performed.outcome, Failure) else None
        if failure is not None and failure.code in _MAY_PASS and job.attempts < MOST_ATTEMPTS:
            _log.info("job_put_back", job=job.id, code=failure.code, attempts=job.attempts)
            self._insist(lambda connection: self._queue.put_back(connection, job))
            return
        is_ended = self._insist(lambda connection: self._closing.finish(connection, job, performed))
        if is_ended and not job.keeps_image:
            self._pictures.drop(job.blob_key)

    def _insist(self, step: Callable[[Connection], T]) -> T | None:
        """Commit a step of a job that is done, however long the database is away.

        None when this process ends before; the job is then taken up by another.
        """
        while True:
            try:
                with self._database.write() as connection:
                    return step(connection)
            except DatabaseUnavailable as error:
                _log.warning("jobs_wait_for_database", reason=str(error))
            if self._is_closing.wait(POLL_S):
                return None
