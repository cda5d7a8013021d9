"""Whether the models answer, asked as often as anybody likes and tried at most once in ten seconds."""

import time
from collections.abc import Callable
from threading import Lock

from okapia.domain.errors import OkapiaError
from okapia.domain.models import ModelReport

EVERY_S = 10.0


class Readiness:
    """Remembers the last trial: probes are free, and cannot keep the models busy."""

    def __init__(
        self,
        trial: Callable[[], tuple[ModelReport, ...]],
        *,
        every_s: float = EVERY_S,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trial = trial
        self._every_s = every_s
        self._seconds = seconds
        self._lock = Lock()
        self._tried_at = float("-inf")
        self._outcome: tuple[ModelReport, ...] | OkapiaError = ()

    def check(self) -> tuple[ModelReport, ...]:
        """Give how the default models run; waits while a trial is under way.

        Raises:
            ModelError, ServerBusy, DeadlineExceeded: as the last trial did.
        """
        with self._lock:
            if self._seconds() - self._tried_at >= self._every_s:
                self._outcome = self._try()
                self._tried_at = self._seconds()
            outcome = self._outcome
        if isinstance(outcome, OkapiaError):
            raise outcome
        return outcome

    def _try(self) -> tuple[ModelReport, ...] | OkapiaError:
        try:
            return self._trial()
        except OkapiaError as error:
            return error
