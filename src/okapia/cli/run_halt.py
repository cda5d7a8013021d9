"""How the threads of a run come to stop, and how it says why."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from okapia.batches.shard import Interrupted
from okapia.batches.source import SourceGone
from okapia.domain.errors import OkapiaError
from okapia.domain.storage_errors import DatabaseUnavailable, StorageError


class RunPaused(OkapiaError):
    """A run cannot go on now; no picture is at fault, and what it has got is kept."""

    code = "run_paused"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; nothing is lost: run the same command to go on")


class Halted(Exception):
    """The run stops; what the thread was at does not count."""


class Halt:
    """Stops the threads of a run, and knows why."""

    def __init__(self) -> None:
        self._event = Event()
        self.reason: OkapiaError | None = None

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def set(self, reason: OkapiaError | None = None) -> None:
        self.reason = self.reason or reason
        self._event.set()

    def wait(self, seconds: float) -> None:
        self._event.wait(seconds)

    @contextmanager
    def on_trouble(self) -> Iterator[None]:
        """Stop the run where the block meets something that is no picture's fault.

        Raises:
            Halted: it did.
        """
        try:
            yield
        except (Interrupted, SourceGone, StorageError, DatabaseUnavailable) as error:
            self.set(error)
            raise Halted from error
