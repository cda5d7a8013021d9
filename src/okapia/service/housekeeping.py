"""What has to be done every now and then, in a thread of its own."""

import threading
from collections.abc import Callable, Sequence

import structlog

from okapia.domain.errors import OkapiaError

_log = structlog.get_logger(__name__)

Chore = Callable[[], None]


class Housekeeper:
    """Does some chores every `often_s` seconds and others every `seldom`-th time, until it is stopped."""

    def __init__(
        self, *, often: Sequence[Chore], seldom: Sequence[Chore], often_s: float, seldom_every: int
    ) -> None:
        self._often = often
        self._seldom = seldom
        self._often_s = often_s
        self._seldom_every = seldom_every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_house, name="okapia-housekeeper", daemon=True)

    def start(self) -> None:
        """Begin, after a first pause."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the chore under way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _keep_house(self) -> None:
        rounds = 0
        while not self._stopping.wait(self._often_s):
            rounds += 1
            for chore in self._often:
                _try(chore)
            if rounds % self._seldom_every == 0:
                for chore in self._seldom:
                    _try(chore)


def _try(chore: Chore) -> None:
    """Do a chore; what goes wrong with it is logged, and tried again the next time."""
    try:
        chore()
    except OkapiaError as error:  # the database is away, say
        _log.warning("chore_failed", chore=chore.__name__, code=error.code, reason=str(error))
    except Exception:  # noqa: BLE001 - the loop: one broken chore must not end the others
        _log.exception("chore_crashed", chore=chore.__name__)
