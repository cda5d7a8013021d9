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
        self.seen = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def run(self, batch: Tensor) -> dict[str, Tensor]:
        self.seen.set()
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


def test_rows_of_different_sides_never_share_a_batch() -> None:
    inner = DoublingSession()
    session = BatchingSession(inner, max_batch=8)
    inner.gate.clear()
    sides = [1, 1, 2, 2, 2]

    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(session.run, row(0))
        inner.seen.wait(timeout=10)
        futures = []
        for place, side in enumerate(sides):
            futures.append(pool.submit(session.run, np.full((1, side), place, dtype=np.float32)))
            while len(session._waiting) < place + 1:
                threading.Event().wait(0.001)
        inner.gate.set()
        answers = [future.result(timeout=10)["twice"] for future in (first, *futures)]

    assert inner.batches == [1, 2, 3]
    assert [answer.shape for answer in answers[1:]] == [(1, side) for side in sides]


def test_the_answer_to_a_lone_row_comes_back_as_it_is() -> None:
    class Boxes(DoublingSession):
        """Answers with three boxes and no axis of the rows."""

        def run(self, batch: Tensor) -> dict[str, Tensor]:
            return {"boxes": np.repeat(batch, 3, axis=0)}

    answer = BatchingSession(Boxes(), max_batch=1).run(row(5))["boxes"]

    assert answer.tolist() == [[5.0], [5.0], [5.0]]
