"""Trying again: how often, how long to wait, and when to give up."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from okapia.client.errors import ApiError

T = TypeVar("T")

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Where time and chance come from; tests bring their own.

    Attributes:
        clock: seconds from some fixed point, never going back.
        sleep: waits for so many seconds.
        draw: a number from 0 up to 1, by chance.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    draw: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class Retrying:
    """Tries a call again while that may help.

    Attributes:
        max_retries: attempts after the first.
        patience_s: seconds from the first attempt after which no further one begins.
    """

    max_retries: int
    patience_s: float
    timing: Timing

    def run(self, attempt: Callable[[float], T]) -> T:
        """Give the first success; `attempt` is told how many seconds are left for it.

        Waits double from half a second to 30 s, each shortened by chance by up to a half, so that many
        clients do not come back at once; what the server asks for is added. When that is more than is left,
        the error is raised at once.

        Raises:
            ApiError: that of the last attempt.
        """
        clock = self.timing.clock
        ends_at = clock() + self.patience_s
        retries = 0
        while True:
            try:
                return attempt(ends_at - clock())
            except ApiError as error:
                wait_s = self._wait_s(retries) + (error.retry_after_s or 0.0)
                is_last = retries >= self.max_retries or clock() + wait_s >= ends_at
                if is_last or not error.is_passing:
                    raise
            self.timing.sleep(wait_s)
            retries += 1

    def _wait_s(self, retries: int) -> float:
        longest_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0**retries)
        return longest_s * (1 - self.timing.draw() / 2)
