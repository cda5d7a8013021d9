"""Ends what was never begun, takes up what dead processes had begun, forgets what is kept no longer."""

from datetime import datetime, timedelta
from itertools import islice

from okapia.database.engine import Database
from okapia.domain.clock import Clock, utc_now
from okapia.jobs.answers import Answers
from okapia.jobs.closing import Closing
from okapia.jobs.pictures import Pictures
from okapia.jobs.queue import JobQueue

_AT_ONCE = 500
_ORPHANS_EVERY = timedelta(days=1)
"""How often all stored pictures are looked through for those that nobody needs; clouds charge for it."""


class Sweeper:
    """Keeps the tables and the storage to what is needed; any number of processes may sweep at once."""

    def __init__(
        self,
        database: Database,
        *,
        queue: JobQueue,
        closing: Closing,
        answers: Answers,
        pictures: Pictures,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._queue = queue
        self._closing = closing
        self._answers = answers
        self._pictures = pictures
        self._clock = clock
        self._orphans_due_at: datetime | None = None

    def sweep(self) -> None:
        """Do all of it, in short transactions; to be called every minute or so, once the dead are buried.

        Raises:
            DatabaseUnavailable, StorageError: what was not done is done the next time.
        """
        with self._database.write() as connection:
            self._queue.recover(connection)
        while self._expire_some() or self._forget_some():
            pass
        now = self._clock()
        if self._orphans_due_at is None or self._orphans_due_at <= now:
            self._drop_orphans()
            self._orphans_due_at = now + _ORPHANS_EVERY

    def _expire_some(self) -> bool:
        with self._database.write() as connection:
            expired = self._closing.expire(connection, most=_AT_ONCE)
        for job in expired:
            self._pictures.drop(job.blob_key)
        return bool(expired)

    def _forget_some(self) -> bool:
        with self._database.write() as connection:
            image_keys = self._answers.sweep(connection, most=_AT_ONCE)
            jobs = self._queue.forget(connection, most=_AT_ONCE)
        for key in image_keys:
            if key is not None:
                self._pictures.drop(key)
        return bool(image_keys or jobs)

    def _drop_orphans(self) -> None:
        """Delete pictures that nobody needs: a process died, or the storage was away, at the wrong time."""
        stored = self._pictures.stored()
        while some := list(islice(stored, _AT_ONCE)):
            with self._database.read() as connection:
                needed = self._queue.needed(connection, some)
            for key in some:
                if key not in needed:
                    self._pictures.drop(key)
