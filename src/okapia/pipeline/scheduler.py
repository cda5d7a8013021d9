"""Who works when: one ordered, bounded queue before the models of this process.

Interactive pictures go before bulk ones, each lane in the order of arrival. On a CPU there is
one worker a core, each taking a picture from bytes to answer, so decoding of one picture
overlaps with inference of another; on a GPU there are more workers than cores, so that
decoded pictures gather into batches.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum
from math import ceil
from typing import Generic, TypeVar

from okapia.domain.errors import DeadlineExceeded, ServerBusy, ShuttingDown
from okapia.models.runtime import Load

T = TypeVar("T")

_LATELY = 0.1
"""Share of the last task in the mean time that a task takes."""


class Lane(Enum):
    """Interactive work has somebody waiting for it; bulk work has a progress bar."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class _Task(Generic[T]):
    work: Callable[[], T]
    future: "Future[T]"
    start_by: float
    deadline_s: float

    def run(self) -> None:
        """Do the work, unless it was cancelled or has waited too long."""
        if not self.future.set_running_or_notify_cancel():
            return
        if time.monotonic() > self.start_by:
            self.future.set_exception(DeadlineExceeded(deadline_s=self.deadline_s))
            return
        try:
            self.future.set_result(self.work())
        except BaseException as error:  # noqa: BLE001 - the worker loop: the caller gets it
            self.future.set_exception(error)


class Scheduler:
    """Runs pictures on a fixed set of worker threads."""

    def __init__(self, *, workers: int, depth: int, load: Load) -> None:
        """Start the workers.

        Args:
            workers: threads, each working on one picture at a time.
            depth: pictures that may wait in the interactive lane.
            load: told of every picture in flight.
        """
        self._depth = depth
        self._load = load
        self._lanes: dict[Lane, deque[Callable[[], None]]] = {lane: deque() for lane in Lane}
        self._ready = threading.Condition()
        self._stopping = False
        self._task_s = 0.0
        self._threads = [
            threading.Thread(target=self._work, name=f"okapia-worker-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def depth(self) -> int:
        """Pictures that may wait in the interactive lane."""
        return self._depth

    @property
    def workers(self) -> int:
        return len(self._threads)

    @property
    def waiting(self) -> int:
        """Pictures that wait in the interactive lane."""
        return len(self._lanes[Lane.INTERACTIVE])

    def check_room(self) -> None:
        """Raise `ServerBusy` where interactive work would be refused now; cheap, and true for a moment."""
        if self.waiting >= self._depth:
            raise ServerBusy(waiting=self.waiting, retry_after_s=self._wait_s())

    def submit(
        self, work: Callable[[], T], *, lane: Lane = Lane.INTERACTIVE, deadline_s: float = float("inf")
    ) -> "Future[T]":
        """Queue `work`; the future gives its result or its exception.

        Args:
            deadline_s: the future fails with `DeadlineExceeded` when the work has not begun
                after so many seconds.

        Raises:
            ServerBusy: the interactive lane is full.
            ShuttingDown: `close` was called.
        """
        future: Future[T] = Future()
        task = _Task(work, future, time.monotonic() + deadline_s, deadline_s)
        with self._ready:
            if self._stopping:
                raise ShuttingDown
            if lane is Lane.INTERACTIVE:
                self.check_room()
            self._lanes[lane].append(task.run)
            self._ready.notify()
        return future

    def stream(self, works: Iterable[Callable[[], T]]) -> Iterator[T]:
        """Run bulk work and give the results in order, holding only a few at a time."""
        window = 4 * self.workers
        pending: deque[Future[T]] = deque()
        for work in works:
            pending.append(self.submit(work, lane=Lane.BULK))
            if len(pending) >= window:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()

    def close(self) -> None:
        """Finish what is queued, take nothing new, and wait for the workers."""
        with self._ready:
            self._stopping = True
            self._ready.notify_all()
        for thread in self._threads:
            thread.join()

    def _wait_s(self) -> int:
        """Say when the queue of now will be worked off, 1 to 60 seconds, as fast as things go lately."""
        return min(max(1, ceil(self.waiting * self._task_s / self.workers)), 60)

    def _work(self) -> None:
        while (task := self._next()) is not None:
            began = time.monotonic()
            with self._load.one():
                task()
            # Threads may overwrite each other's update: it is a guess either way.
            self._task_s += _LATELY * (time.monotonic() - began - self._task_s)

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next task; None when the scheduler stops and nothing is left."""
        with self._ready:
            while True:
                for lane in (Lane.INTERACTIVE, Lane.BULK):
                    if self._lanes[lane]:
                        return self._lanes[lane].popleft()
                if self._stopping:
                    return None
                self._ready.wait()
