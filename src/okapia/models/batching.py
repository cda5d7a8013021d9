"""Merges concurrent calls to one network into batches, for devices that gain from them."""

import threading
from collections import deque
from concurrent.futures import Future

import numpy as np
import structlog

from okapia.domain.errors import DeviceOutOfMemory
from okapia.models.base import Session, Tensor
from okapia.models.rows import Outputs, join

_log = structlog.get_logger(__name__)


class _Waiting:
    """Rows that a caller wants run, and where the caller finds the answer."""

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows
        self.answer: Future[Outputs] = Future()


class BatchingSession:
    """A `Session` that runs what is waiting in one go, up to `max_batch` rows.

    Greedy: while the device is busy, callers gather; the first of them to get the device runs
    all that have gathered. Nobody ever waits for a batch to fill, so a lone call is not delayed.
    Rows of different sides never share a batch. When the device runs out of memory the batch is
    halved for good and tried again.
    """

    def __init__(self, inner: Session, *, max_batch: int) -> None:
        self._inner = inner
        self._max_batch = max_batch
        self._waiting: deque[_Waiting] = deque()
        self._device = threading.Lock()
        self.input_shape = inner.input_shape
        self.engine = inner.engine
        self.device = inner.device
        self.precision = inner.precision

    @property
    def max_batch(self) -> int:
        """Rows that a batch may have at present."""
        return self._max_batch

    def run(self, batch: Tensor) -> Outputs:
        """Run the rows, together with those of other callers."""
        mine = _Waiting(batch)
        self._waiting.append(mine)
        while not mine.answer.done():
            with self._device:
                if not mine.answer.done():
                    self._run_gathered()
        return mine.answer.result()

    def _run_gathered(self) -> None:
        """Take callers from the front of the queue and run their rows as one batch."""
        group = self._take_group()
        try:
            outputs = self._run_rows(np.concatenate([waiting.rows for waiting in group]))
        except Exception as error:  # noqa: BLE001 - every caller of the group must get it
            for waiting in group:
                waiting.answer.set_exception(error)
            return
        if len(group) == 1:
            # As it is: the answer to a single row may lack the axis of the rows.
            group[0].answer.set_result(outputs)
            return
        start = 0
        for waiting in group:
            end = start + len(waiting.rows)
            waiting.answer.set_result({name: value[start:end] for name, value in outputs.items()})
            start = end

    def _take_group(self) -> list[_Waiting]:
        group = [self._waiting.popleft()]
        rows = len(group[0].rows)
        while self._waiting and rows + len(self._waiting[0].rows) <= self._max_batch:
            if self._waiting[0].rows.shape[1:] != group[0].rows.shape[1:]:
                break
            group.append(self._waiting.popleft())
            rows += len(group[-1].rows)
        return group

    def _run_rows(self, rows: Tensor) -> Outputs:
        """Run rows in pieces of at most `max_batch`, halving it when the device is full."""
        parts: list[tuple[int, Outputs]] = []
        start = 0
        while start < len(rows):
            piece = rows[start : start + self._max_batch]
            try:
                parts.append((len(piece), self._inner.run(piece)))
            except DeviceOutOfMemory:
                if len(piece) == 1:
                    raise
                self._max_batch = len(piece) // 2
                _log.warning("batch_halved", device=self.device, max_batch=self._max_batch)
                continue
            start += len(piece)
        return join(parts, of=self._inner.engine)
