"""Calls that cost something: credits are held first, then paid for what succeeded, and the answer is kept."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from okapia.accounts.ledger import Hold, Ledger
from okapia.database.engine import Database
from okapia.domain.callers import Caller
from okapia.domain.clock import Clock, utc_now
from okapia.domain.models import ModelChoice
from okapia.domain.types import Analysis, AnalysisOptions, ImageResult
from okapia.jobs.answers import RETENTION, Answer, Answers
from okapia.service.analysis import NamedImage, Service
from okapia.webhooks.events import Seen
from okapia.webhooks.outbox import Outbox

__all__ = ["Call", "Calls", "Receipt", "Seen"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a call cost, and the credits that its account has left."""

    charged: int
    left: int


class Call:
    """One paid call. `close` it, whatever happens: it settles what succeeded and refunds the rest.

    Attributes:
        began_at: when it was let in.
        expires_at: until when its answer is kept.
    """

    def __init__(self, calls: "Calls", hold: Hold, *, began_at: datetime, expires_at: datetime) -> None:
        self.began_at = began_at
        self.expires_at = expires_at
        self._calls = calls
        self._hold = hold
        self._done = 0
        self._answer: Answer | None = None
        self._seen: tuple[Seen, ...] = ()
        self._lock = Lock()

    def analyze(
        self, image: NamedImage, options: AnalysisOptions, *, choice: ModelChoice | None = None
    ) -> Future[ImageResult]:
        """Do what `Service.analyze` does; a picture that has an analysis is paid."""
        answer = self._calls.service.analyze(image, options, choice=choice)
        answer.add_done_callback(self._count)
        return answer

    def analyze_many(
        self, images: Iterable[NamedImage], options: AnalysisOptions, *, choice: ModelChoice | None = None
    ) -> Iterator[ImageResult]:
        """Do what `Service.analyze_many` does; pictures that have an analysis are paid."""
        for result in self._calls.service.analyze_many(images, options, choice=choice):
            self._add(result)
            yield result

    def succeed(self) -> None:
        """Count one picture as done that was not analysed but read otherwise."""
        with self._lock:
            self._done += 1

    def keep(self, answer_id: str, endpoint: str, body: bytes, *, seen: Iterable[Seen] = ()) -> None:
        """Have the answer kept under its id, and subscribers told what was seen, when the call closes.

        Args:
            body: JSON, as it is given.
        """
        completed_at = self._calls.clock()
        user_id = self._hold.user_id
        self._answer = Answer(
            answer_id, user_id, endpoint, body, self.began_at, completed_at, self.expires_at
        )
        self._seen = tuple(seen)

    def close(self) -> Receipt:
        """Settle, keep and tell, all together or not at all; blocks. A second time changes nothing."""
        with self._lock:
            done = min(self._done, self._hold.images)
        calls = self._calls
        with calls.database.write_soon() as connection:
            left = calls.ledger.close(connection, self._hold, done=done)
            if self._answer is not None:
                calls.answers.keep(connection, self._answer)
                calls.outbox.emit_detections(connection, self._hold.user_id, *self._seen)
                self._answer = None
        return Receipt(0 if self._hold.is_paid else done, left)

    def _count(self, answer: Future[ImageResult]) -> None:
        if not answer.cancelled() and answer.exception() is None:
            self._add(answer.result())

    def _add(self, result: ImageResult) -> None:
        if isinstance(result.outcome, Analysis):
            self.succeed()


class Calls:
    """Opens calls."""

    def __init__(
        self,
        service: Service,
        *,
        database: Database,
        ledger: Ledger,
        answers: Answers,
        outbox: Outbox,
        retention: timedelta = RETENTION,
        clock: Clock = utc_now,
    ) -> None:
        self.service = service
        self.database = database
        self.ledger = ledger
        self.answers = answers
        self.outbox = outbox
        self.clock = clock
        self._retention = retention

    def open(self, caller: Caller, *, images: int, reference: str) -> Call:
        """Hold a credit for every picture of a call; blocks.

        Args:
            reference: what makes the call one: the same one again is not charged again.

        Raises:
            CreditsSpent: the account has not enough left; nothing is held.
        """
        with self.database.write_soon() as connection:
            hold = self.ledger.hold(
                connection, caller.user_id, images=images, reference=reference, key_id=caller.key_id
            )
        now = self.clock()
        return Call(self, hold, began_at=now, expires_at=now + self._retention)
