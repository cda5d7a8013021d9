"""Reading what cameras print into their pictures, for whoever asks."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from okapia.models.text_reader import TextReader
from okapia.pipeline.info_strip import InfoStrip
from okapia.pipeline.scheduler import Scheduler
from okapia.pipeline.strip_reading import read_info_strip
from okapia.vision.decode import DecodePolicy

__all__ = ["InfoStrip", "Texts"]


class Texts:
    """Reads info strips with the workers that also analyse pictures; safe to use from several threads."""

    def __init__(self, scheduler: Scheduler, *, policy: DecodePolicy, deadline_s: float) -> None:
        self._scheduler = scheduler
        self._policy = policy
        self._deadline_s = deadline_s
        self._reader = TextReader()

    def read(self, data: bytes) -> Future[InfoStrip]:
        """Read a picture's strip for somebody who waits; never blocks.

        The future fails with `BadImage`, `OcrNotInstalled`, another `ModelError`, `DeadlineExceeded`, or
        `ServerBusy` when memory has no room for the picture now.

        Raises:
            ServerBusy, ShuttingDown: at once; try again later.
        """
        return self._scheduler.submit(self._work(data, self._policy.in_haste()), deadline_s=self._deadline_s)

    def read_later(self, data: bytes) -> InfoStrip:
        """Read a picture's strip after those that somebody waits for; blocks. Raises as `read` fails."""
        [strip] = self._scheduler.stream([self._work(data, self._policy)])
        return strip

    def check_installed(self) -> None:
        """Raise `OcrNotInstalled` where no text can be read."""
        self._reader.load()

    def _work(self, data: bytes, policy: DecodePolicy) -> Callable[[], InfoStrip]:
        return partial(read_info_strip, data, self._reader, policy)
