"""Jobs as their workers see them: claimed, finished, put back, swept up."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, select

from okapia.database.tables import answers, instances, jobs
from okapia.domain.clock import Clock, utc_now
from okapia.domain.types import Failure
from okapia.jobs.job import BLOBS, UNSUBMITTED, Job, State, pause_after
from okapia.jobs.rows import is_in, is_none_of, move

_UNFINISHED = [state for state in State if not state.is_final]
_ENDED = [state for state in State if state.is_final]


class JobQueue:
    """The submitted jobs of everybody, worked off by processes that share the database."""

    def __init__(self, *, instance_id: str, clock: Clock = utc_now) -> None:
        """Claim jobs as the process `instance_id` (`okapia.database.instances`)."""
        self._instance_id = instance_id
        self._clock = clock

    def claim(self, connection: Connection) -> Job | None:
        """Take the job whose turn it is, which then is this process's alone; None when none is due."""
        now = self._clock()
        turn = (
            select(jobs.c.id)
            .where(jobs.c.state == State.QUEUED.value, jobs.c.due_at <= now, jobs.c.expires_at > now)
            .order_by(jobs.c.priority, jobs.c.submitted_at)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        taken = {"instance_id": self._instance_id, "started_at": now, "attempts": jobs.c.attempts + 1}
        claimed = move(connection, State.PROCESSING, taken, jobs.c.id == turn)
        return claimed[0] if claimed else None

    def finish(self, connection: Connection, job: Job, failure: Failure | None) -> Job | None:
        """End a claimed job; None, and nothing changed, when it is this process's no more."""
        to = State.SUCCEEDED if failure is None else State.FAILED
        ended = {
            "finished_at": self._clock(),
            "instance_id": None,
            "error_code": failure.code if failure else None,
            "error_message": failure.message if failure else None,
        }
        finished = move(connection, to, ended, self._is_mine(job))
        return finished[0] if finished else None

    def put_back(self, connection: Connection, job: Job) -> None:
        """Queue a claimed job again, due after a pause that grows with its attempts."""
        due_at = self._clock() + pause_after(job.attempts)
        move(connection, State.QUEUED, {"instance_id": None, "due_at": due_at}, self._is_mine(job))

    def recover(self, connection: Connection) -> int:
        """Queue what processes had claimed that are known no more; gives how many jobs that were."""
        is_known = exists().where(instances.c.id == jobs.c.instance_id)
        lost = and_(jobs.c.state == State.PROCESSING.value, ~is_known)
        return len(move(connection, State.QUEUED, {"instance_id": None}, lost))

    def expire(self, connection: Connection, *, most: int = 500) -> list[Job]:
        """End up to `most` jobs whose time is over: to be uploaded and submitted, or to be begun."""
        now = self._clock()
        ended = {"finished_at": now}
        unsubmitted = and_(is_in(UNSUBMITTED), jobs.c.upload_expires_at <= now)
        late = move(connection, State.EXPIRED, ended, _some(unsubmitted, most))
        unbegun = and_(is_none_of({State.PROCESSING, *_ENDED}), jobs.c.expires_at <= now)
        return late + move(connection, State.EXPIRED, ended, _some(unbegun, most - len(late)))

    def forget(self, connection: Connection, *, most: int = 500) -> int:
        """Delete up to `most` ended jobs that are kept no longer; gives how many."""
        old = and_(is_none_of(_UNFINISHED), jobs.c.expires_at <= self._clock())
        return connection.execute(delete(jobs).where(_some(old, most))).rowcount

    def needed(self, connection: Connection, blob_keys: Sequence[str]) -> set[str]:
        """Give those of the blobs that have to be there: for work to come, or with a kept answer."""
        keys = {key.removeprefix(f"{BLOBS}/"): key for key in blob_keys}
        unfinished = select(jobs.c.id).where(jobs.c.id.in_(keys), is_none_of(_ENDED))
        kept = select(answers.c.id).where(answers.c.id.in_(keys), answers.c.image_key.is_not(None))
        return {keys[job_id] for job_id in connection.execute(unfinished.union(kept)).scalars()}

    def _is_mine(self, job: Job) -> ColumnElement[bool]:
        """Say that a job is still claimed as it was: a process that was taken for dead may come back."""
        return and_(
            jobs.c.id == job.id,
            jobs.c.state == State.PROCESSING.value,
            jobs.c.instance_id == self._instance_id,
            jobs.c.attempts == job.attempts,
        )


def _some(wanted: ColumnElement[bool], most: int) -> ColumnElement[bool]:
    """Say that a job is one of up to `most`; those that another process holds are left to it."""
    some = select(jobs.c.id).where(wanted).limit(most).with_for_update(skip_locked=True)
    return jobs.c.id.in_(some)
