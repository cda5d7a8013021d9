"""Order, bounds, deadlines and an orderly end."""

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from okapia.domain.errors import DeadlineExceeded, ServerBusy, ShuttingDown
from okapia.models.runtime import Load
from okapia.pipeline.scheduler import Lane, Scheduler


class Gate:
    """Work that reports when it began and ends when it is let go."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.go = threading.Event()

    def __call__(self) -> None:
        self.began.set()
        self.go.wait(timeout=10)


@pytest.fixture
def one_worker() -> Iterator[Scheduler]:
    scheduler = Scheduler(workers=1, depth=2, load=Load())
    yield scheduler
    scheduler.close()


def occupy(scheduler: Scheduler) -> Gate:
    gate = Gate()
    scheduler.submit(gate)
    assert gate.began.wait(timeout=10)
    return gate


def test_work_gives_its_result(one_worker: Scheduler) -> None:
    assert one_worker.submit(lambda: 6 * 7).result(timeout=10) == 42


def test_work_gives_its_exception(one_worker: Scheduler) -> None:
    with pytest.raises(ZeroDivisionError):
        one_worker.submit(lambda: 1 / 0).result(timeout=10)

    assert one_worker.submit(lambda: "still working").result(timeout=10) == "still working"


def test_interactive_work_goes_before_bulk_work(one_worker: Scheduler) -> None:
    gate = occupy(one_worker)
    order: list[str] = []
    bulk = one_worker.submit(lambda: order.append("bulk"), lane=Lane.BULK)
    interactive = one_worker.submit(lambda: order.append("interactive"))

    gate.go.set()
    bulk.result(timeout=10)
    interactive.result(timeout=10)

    assert order == ["interactive", "bulk"]


def test_a_full_queue_refuses_with_a_waiting_time(one_worker: Scheduler) -> None:
    gate = occupy(one_worker)
    one_worker.submit(lambda: None)
    one_worker.submit(lambda: None)

    with pytest.raises(ServerBusy) as refused:
        one_worker.submit(lambda: None)

    gate.go.set()
    assert refused.value.retry_after_s == 1


def test_work_that_waited_too_long_is_not_begun(one_worker: Scheduler) -> None:
    gate = occupy(one_worker)
    late = one_worker.submit(lambda: "too late", deadline_s=0.0)

    gate.go.set()

    with pytest.raises(DeadlineExceeded):
        late.result(timeout=10)


def test_closing_finishes_what_is_queued_and_takes_nothing_new() -> None:
    scheduler = Scheduler(workers=1, depth=8, load=Load())
    futures = [scheduler.submit(partial(int, n), lane=Lane.BULK) for n in range(5)]

    scheduler.close()

    assert [future.result(timeout=0) for future in futures] == [0, 1, 2, 3, 4]
    with pytest.raises(ShuttingDown):
        scheduler.submit(lambda: None)


def test_a_stream_keeps_the_order_and_reads_only_a_few_ahead() -> None:
    scheduler = Scheduler(workers=2, depth=8, load=Load())
    taken: list[int] = []

    def works() -> Iterator[Callable[[], int]]:
        for number in range(1000):
            taken.append(number)
            yield partial(int, number)

    results = scheduler.stream(works())
    first = next(results)
    ahead = len(taken)
    rest = list(results)
    scheduler.close()

    assert first == 0
    assert ahead <= 8
    assert rest == list(range(1, 1000))


def test_a_lone_picture_is_light_load_and_two_are_not() -> None:
    load = Load()

    seen = []
    with load.one():
        seen.append(load.is_light)
        with load.one():
            seen.append(load.is_light)
    seen.append(load.is_light)

    assert seen == [True, False, True]
