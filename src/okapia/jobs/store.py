"""Jobs as their owners see them: made, uploaded, submitted, looked at, canceled."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select

from okapia.database.tables import jobs
from okapia.domain.clock import Clock, utc_now
from okapia.domain.errors import InvalidRequest, NotFound, OkapiaError
from okapia.domain.refusals import Expired, WrongState
from okapia.jobs.job import UNSUBMITTED, Job, State
from okapia.jobs.rows import is_in, job_of, move, values_of

MOST_UNSUBMITTED = 1000
"""Jobs of one user that may wait for upload or submission: what costs no credits must still end somewhere."""


class TooManyJobs(OkapiaError):
    """Too many of the user's jobs wait for their upload or their submission."""

    code = "too_many_jobs"
    retry_after_s = 60

    def __init__(self) -> None:
        super().__init__(f"expected at most {MOST_UNSUBMITTED:,} jobs that are not submitted yet")


@dataclass(frozen=True, slots=True)
class JobQuery:
    """Which of a user's jobs, and where in their list to go on.

    Attributes:
        cursor: `JobPage.next_cursor` of the page before; None for the newest.
        limit: jobs a page, 1..100.
    """

    state: State | None = None
    client_reference_id: str | None = None
    cursor: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some of a user's jobs, newest first; `next_cursor` is None on the last page."""

    jobs: tuple[Job, ...]
    next_cursor: str | None


class JobStore:
    """Jobs of users. Somebody else's id, an unknown and an expired one are the same: `NotFound`."""

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._clock = clock

    def create(self, connection: Connection, job: Job) -> None:
        """Take a new job.

        Raises:
            TooManyJobs: `MOST_UNSUBMITTED` of the user's are there, and this would be another.
        """
        mine = and_(jobs.c.user_id == job.user_id, is_in(UNSUBMITTED))
        unsubmitted = connection.execute(select(func.count()).where(mine)).scalar_one()
        if job.submitted_at is None and unsubmitted >= MOST_UNSUBMITTED:
            raise TooManyJobs
        connection.execute(insert(jobs).values(values_of(job)))

    def get(self, connection: Connection, user_id: str, job_id: str) -> Job:
        """Give a job of a user; raises `NotFound`."""
        return self._one(connection, job_id, jobs.c.user_id == user_id)

    def page(self, connection: Connection, user_id: str, query: JobQuery) -> JobPage:
        """List a user's jobs, newest first.

        Raises:
            InvalidRequest: the cursor is none.
        """
        wanted = select(jobs).where(jobs.c.user_id == user_id, jobs.c.expires_at > self._clock())
        if query.state is not None:
            wanted = wanted.where(jobs.c.state == query.state.value)
        if query.client_reference_id is not None:
            wanted = wanted.where(jobs.c.client_reference_id == query.client_reference_id)
        if query.cursor is not None:
            wanted = wanted.where(_behind(query.cursor))
        ordered = wanted.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(query.limit + 1)
        found = tuple(job_of(row) for row in connection.execute(ordered).mappings())
        more = len(found) > query.limit
        return JobPage(found[: query.limit], _cursor(found[query.limit - 1]) if more else None)

    def awaiting(self, connection: Connection, job_id: str) -> Job:
        """Give a job, of whomever, whose picture may be uploaded now; for who shows a signed URL.

        Raises:
            NotFound, Expired: there is no such job, or its time to upload is over.
            WrongState: it was submitted or canceled.
        """
        job = self._one(connection, job_id)
        if job.state not in UNSUBMITTED or self._is_late(job):
            raise self._refusal(job, State.UPLOADED)
        return job

    def mark_uploaded(self, connection: Connection, job_id: str) -> None:
        """Note that a job's picture is there; raises what `awaiting` raises."""
        in_time = jobs.c.upload_expires_at > self._clock()
        if not move(connection, State.UPLOADED, {}, jobs.c.id == job_id, in_time):
            raise self._refusal(self._one(connection, job_id), State.UPLOADED)

    def submit(self, connection: Connection, user_id: str, job_id: str) -> Job | None:
        """Queue a job whose picture is there, as the caller has seen; None when it was submitted before.

        Raises:
            NotFound, Expired: there is no such job, or its time to be submitted is over.
            WrongState: it was canceled.
        """
        now = self._clock()
        mine = and_(jobs.c.id == job_id, jobs.c.user_id == user_id, jobs.c.upload_expires_at > now)
        move(connection, State.UPLOADED, {}, mine)  # a cloud took the picture, and told nobody
        queued = move(connection, State.QUEUED, {"submitted_at": now, "due_at": now}, mine, _is_new)
        if queued:
            return queued[0]
        job = self.get(connection, user_id, job_id)
        if job.submitted_at is None or job.state in {State.CANCELED, State.EXPIRED}:
            raise self._refusal(job, State.QUEUED)
        return None

    def cancel(self, connection: Connection, user_id: str, job_id: str) -> Job | None:
        """End a job that has not been begun; None when it was canceled before.

        Raises:
            NotFound: there is no such job.
            WrongState: it is being worked on, or ended otherwise.
        """
        mine = and_(jobs.c.id == job_id, jobs.c.user_id == user_id)
        canceled = move(connection, State.CANCELED, {"finished_at": self._clock()}, mine)
        if canceled:
            return canceled[0]
        job = self.get(connection, user_id, job_id)
        if job.state is not State.CANCELED:
            raise self._refusal(job, State.CANCELED)
        return None

    def _one(self, connection: Connection, job_id: str, *only: ColumnElement[bool]) -> Job:
        kept = and_(jobs.c.id == job_id, jobs.c.expires_at > self._clock())
        row = connection.execute(select(jobs).where(kept, *only)).mappings().one_or_none()
        if row is None:
            raise NotFound(f"expected the id of a job, got {job_id}: unknown, or expired")
        return job_of(row)

    def _is_late(self, job: Job) -> bool:
        return job.upload_expires_at is None or job.upload_expires_at <= self._clock()

    def _refusal(self, job: Job, to: State) -> OkapiaError:
        if job.state is State.EXPIRED or (job.state in UNSUBMITTED and self._is_late(job)):
            return Expired("expected the picture and its submission in time; the job has expired")
        states = " or ".join(sorted(state.value for state in to.before))
        return WrongState(f"expected a job that is {states}, this one is {job.state.value}")


_is_new = jobs.c.submitted_at.is_(None)
"""Trouble that may pass brings a job from `processing` back to `queued`; that is no submission."""


def _cursor(job: Job) -> str:
    return base64.urlsafe_b64encode(f"{job.created_at.isoformat()} {job.id}".encode()).decode()


def _behind(cursor: str) -> ColumnElement[bool]:
    """Say which jobs come after the one that a cursor stands for."""
    try:
        text, _, job_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        created_at = datetime.fromisoformat(text)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest("cursor: expected the next_cursor of another page", param="cursor") from error
    if created_at.tzinfo is None or not job_id.isascii():
        raise InvalidRequest("cursor: expected the next_cursor of another page", param="cursor")
    same_time = and_(jobs.c.created_at == created_at, jobs.c.id < job_id)
    return or_(jobs.c.created_at < created_at, same_time)
