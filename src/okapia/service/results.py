"""Answers that were given before, for whom they were given to."""

from contextlib import suppress

from okapia.database.engine import Database
from okapia.domain.callers import Caller
from okapia.domain.errors import NotFound
from okapia.domain.refusals import JobNotFinished
from okapia.jobs.answers import Answer, Answers
from okapia.jobs.job import Job, State
from okapia.jobs.pictures import Pictures
from okapia.jobs.store import JobStore

__all__ = ["Answer", "Results"]

_ANSWERED = frozenset({State.SUCCEEDED, State.FAILED})


class Results:
    """Finds and forgets answers; somebody else's, an unknown and an expired one are the same: `NotFound`."""

    def __init__(self, database: Database, *, answers: Answers, store: JobStore, pictures: Pictures) -> None:
        self._database = database
        self._answers = answers
        self._store = store
        self._pictures = pictures

    def find(self, caller: Caller, answer_id: str) -> Answer | Job:
        """Give an answer, or the job that it will come from, or would have: it was canceled or expired.

        A failed job's answer says why it failed.

        Raises:
            NotFound: there is neither, or the answer was deleted.
        """
        with self._database.read() as connection:
            # The job first: one that ends between the two looks is then seen unfinished, not lost.
            with suppress(NotFound):
                job = self._store.get(connection, caller.user_id, answer_id)
                if job.state not in _ANSWERED:
                    return job
            return self._answers.get(connection, caller.user_id, answer_id)

    def delete(self, caller: Caller, answer_id: str) -> None:
        """Forget an answer, and its picture where that was kept.

        Raises:
            NotFound: there is no such answer.
            JobNotFinished: there is none yet.
        """
        found = self.find(caller, answer_id)
        if isinstance(found, Job) and not found.state.is_final:
            raise JobNotFinished(f"expected an answer, its job is {found.state.value}; cancel that instead")
        with self._database.write() as connection:
            image_key = self._answers.delete(connection, caller.user_id, answer_id)
        if image_key is not None:
            self._pictures.drop(image_key)
