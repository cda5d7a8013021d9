"""The end of a job: its state, its answer, its credit and its event, all in one transaction or none."""

from collections.abc import Callable

import orjson
from sqlalchemy import Connection

from okapia.accounts.ledger import Hold, Ledger
from okapia.domain.types import Analysis, Failure
from okapia.jobs.answers import Answer, Answers
from okapia.jobs.job import Job, Performed
from okapia.jobs.queue import JobQueue
from okapia.jobs.store import JobStore

JOBS_INSTANCE = "jobs"
"""In whose name jobs' credits are held: no process's, for they stay held when one dies."""

Emit = Callable[[Connection, Job, Analysis | None], None]
"""Called with a job as it ended and with what was seen in its picture, in the transaction that ends it."""


class Closing:
    """Ends jobs. Every end settles or refunds what was held for the job, once."""

    def __init__(
        self, *, store: JobStore, queue: JobQueue, answers: Answers, ledger: Ledger, emit: Emit
    ) -> None:
        """Book with a ledger of the instance `JOBS_INSTANCE`."""
        self._store = store
        self._queue = queue
        self._answers = answers
        self._ledger = ledger
        self._emit = emit

    def finish(self, connection: Connection, job: Job, performed: Performed) -> bool:
        """End a claimed job with what came of it; False, and nothing changed, when others have it now."""
        failure = performed.outcome if isinstance(performed.outcome, Failure) else None
        finished = self._queue.finish(connection, job, failure)
        if finished is None:
            return False
        self._answers.keep(connection, _answer(finished, performed))
        self._ledger.close(connection, _hold(job), done=0 if failure else 1)
        self._emit(connection, finished, performed.analysis)
        return True

    def cancel(self, connection: Connection, user_id: str, job_id: str) -> None:
        """End a job that has not been begun; raises what `JobStore.cancel` raises."""
        canceled = self._store.cancel(connection, user_id, job_id)
        if canceled is not None:
            self._end_undone(connection, canceled)

    def expire(self, connection: Connection, *, most: int = 500) -> list[Job]:
        """End up to `most` jobs whose time is over; gives them."""
        expired = self._queue.expire(connection, most=most)
        # One order, so that two who lock several accounts never wait for each other.
        for job in sorted(expired, key=lambda job: job.user_id):
            self._end_undone(connection, job)
        return expired

    def _end_undone(self, connection: Connection, job: Job) -> None:
        if job.submitted_at is not None:
            self._ledger.close(connection, _hold(job), done=0)
        self._emit(connection, job, None)


def _hold(job: Job) -> Hold:
    """Give the hold of a submitted job: a job is submitted once, so there is one."""
    return Hold(job.user_id, job.reference, images=1, is_paid=False)


def _answer(job: Job, performed: Performed) -> Answer:
    """Give what is kept of an ended job; a failure is an answer too."""
    outcome = performed.outcome
    if isinstance(outcome, Failure):
        outcome = orjson.dumps({"error": {"code": outcome.code, "message": outcome.message}})
    return Answer(
        id=job.id,
        user_id=job.user_id,
        endpoint=job.endpoint,
        body=outcome,
        created_at=job.created_at,
        completed_at=job.finished_at or job.created_at,
        expires_at=job.expires_at,
        image_key=job.blob_key if job.keeps_image else None,
    )
