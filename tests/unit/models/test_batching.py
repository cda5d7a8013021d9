"""Concurrent calls become batches; memory errors halve them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from okapia.domain.errors import DeviceOutOfMemory, ModelError
from okapia.models.base import Tensor
from okapia.models.batching import BatchingSession


class DoublingSession:
    """Answers twice its input and notes the batches it saw; full above `capacity` rows."""

    input_shape = (None, 1)
    engine = "test"
    device = "cuda:0"
    precision = "f32"

    def __init__(self, *, capacity: int = 1000) -> None:
        self.capacity = capacity
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def run(self, batch: Tensor) -> dict[str, Tensor]:
        self.gate.wait(timeout=10)
        if len(batch) > self.capacity:
            raise DeviceOutOfMemory("out of memory")
        self.batches.append(len(batch))
        if np.isnan(batch).any():
            raise ModelError("inference failed")
        return {"twice": batch * 2}


def row(value: float) -> Tensor:
    return np.array([[value]], dtype=np.float32)


def test_every_caller_gets_its_own_rows() -> None:
    session = BatchingSession(DoublingSession(), max_batch=8)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: session.run(row(n))["twice"].item(), range(200)))

    assert answers == [2.0 * n for n in range(200)]


def test_callers_that_wait_are_run_together() -> None:
    inner = DoublingSession()
    session = BatchingSession(inner, max_batch=8)
    inner.gate.clear()

    with ThreadPoolExecutor(9) as pool:
        futures = [pool.submit(session.run, row(n)) for n in range(9)]
        while len(session._waiting) < 8:
            threading.Event().wait(0.001)
        inner.gate.set()
        for future in futures:
            future.result(timeout=10)

    assert inner.batches == [1, 8]


def test_a_full_device_halves_the_batch_for_good() -> None:
    inner = DoublingSession(capacity=3)
    session = BatchingSession(inner, max_batch=8)
    rows = np.arange(8, dtype=np.float32).reshape(8, 1)

    answer = session.run(rows)["twice"]

    assert answer.ravel().tolist() == [0, 2, 4, 6, 8, 10, 12, 14]
    assert session.max_batch == 2
    assert max(inner.batches) <= 3


def test_a_single_row_that_does_not_fit_is_an_error() -> None:
    session = BatchingSession(DoublingSession(capacity=0), max_batch=4)

    with pytest.raises(DeviceOutOfMemory):
        session.run(row(1))


def test_a_failed_batch_fails_its_callers_and_nobody_else() -> None:
    session = BatchingSession(DoublingSession(), max_batch=4)

    with pytest.raises(ModelError):
        session.run(row(float("nan")))

    assert session.run(row(3))["twice"].item() == 6
