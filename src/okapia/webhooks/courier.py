"""Sending what the outbox holds, in threads of its own."""

import random
from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Event, Thread
from time import perf_counter
from typing import Protocol

import structlog

from okapia.database.engine import Database
from okapia.domain.clock import Clock, utc_now
from okapia.domain.errors import OkapiaError
from okapia.domain.storage_errors import DatabaseUnavailable
from okapia.storage.secrets import Sealed, Vault
from okapia.webhooks.deliveries import Attempt
from okapia.webhooks.queue import Claimed, DeliveryQueue
from okapia.webhooks.signatures import signed_headers

_log = structlog.get_logger(__name__)


class Posted(Protocol):
    """What came of sending: the answer's status, or why there was none."""

    @property
    def status(self) -> int | None: ...

    @property
    def error(self) -> str | None: ...


Post = Callable[[str, bytes, Mapping[str, str]], Posted]
"""Sends a body with headers to a URL, and raises nothing (`okapia.storage.post.GuardedPoster.post`)."""


class Courier:
    """Sends due deliveries until it is stopped; any number of processes may have one.

    A receiver may get a delivery again, with the same `webhook-id`, when a process ends while it sends.
    """

    def __init__(
        self,
        database: Database,
        *,
        queue: DeliveryQueue,
        vault: Vault,
        post: Post,
        clock: Clock = utc_now,
        jitter: Callable[[], float] = random.random,
        workers: int = 4,
        idle_s: float = 1.0,
    ) -> None:
        """Send with `post` from so many threads once `start` is called.

        Args:
            jitter: 0..1, another one at each call.
            idle_s: how long a worker with nothing to do waits before it looks again.
        """
        self._database = database
        self._queue = queue
        self._vault = vault
        self._post = post
        self._clock = clock
        self._jitter = jitter
        self._stopping = Event()
        self._workers = workers
        self._idle_s = idle_s
        self._threads: list[Thread] = []

    def start(self) -> None:
        """Begin to send, in the background."""
        self._threads = [Thread(target=self._work, name=f"okapia-courier-{n}") for n in range(self._workers)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what is being sent (15 s at most) and begin nothing new."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def deliver_next(self) -> bool:
        """Send one delivery that is due, now and in the caller's thread; False when there is none.

        Raises:
            DatabaseUnavailable: nothing was sent, or the courier was stopped before it could be noted.
        """
        claimed = self._claim()
        if claimed is None:
            return False
        self._settle(claimed, self._attempt(claimed))
        return True

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                if self.deliver_next():
                    continue
            except DatabaseUnavailable:
                _log.warning("webhooks_wait_for_database")
            except Exception:  # noqa: BLE001 - a worker's loop: whatever happens, it goes on
                _log.exception("courier_crashed")
            self._stopping.wait(self._idle_s)

    def _claim(self) -> Claimed | None:
        with self._database.read() as connection:
            if not self._queue.is_due(connection):
                return None
        with self._database.write() as connection:
            return self._queue.claim(connection)

    def _attempt(self, claimed: Claimed) -> Attempt:
        """Send, and give what came of it, whatever that is."""
        at, started = self._clock(), perf_counter()
        status, error = self._answer(claimed, at)
        return Attempt(at, status, error, round((perf_counter() - started) * 1000))

    def _answer(self, claimed: Claimed, at: datetime) -> tuple[int | None, str | None]:
        """Give the status of the receiver's answer, or why there is none."""
        try:
            posted = self._sent(claimed, at)
        except OkapiaError as error:
            return None, str(error)
        except Exception:  # noqa: BLE001 - a claimed delivery must not stay so for ever
            _log.exception("webhook_crashed", delivery=claimed.id)
            return None, "sending met a fault in Okapia"
        return posted.status, posted.error

    def _sent(self, claimed: Claimed, at: datetime) -> Posted:
        sealed = (Sealed(secret.decode()) for secret in claimed.sealed_secrets)
        valid = [self._vault.open(secret, owner=claimed.endpoint_id) for secret in sealed]
        headers = signed_headers(valid, event_id=claimed.event_id, at=at, body=claimed.body)
        return self._post(claimed.url, claimed.body, headers)

    def _settle(self, claimed: Claimed, attempt: Attempt) -> None:
        """Note an attempt; while the database does not answer, again and again until the courier stops."""
        while True:
            try:
                with self._database.write() as connection:
                    return self._queue.settle(connection, claimed, attempt, jitter=self._jitter())
            except DatabaseUnavailable:
                if self._stopping.wait(self._idle_s):
                    raise
