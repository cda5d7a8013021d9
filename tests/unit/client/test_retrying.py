"""What is tried again, after how long, and when no more."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from okapia.client import ApiError, BadImage, Conflict, NoAnswer, Okapia, Options, RateLimited, ServerBusy
from okapia.client.retrying import Retrying, Timing
from tests.unit.client.faults import Faults, ManualClock, bad, good

FOX = b"a picture"
LATER = {"Retry-After": "7"}


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ConnectError("connection refused"),
        httpx.ReadTimeout("timed out"),
        httpx.RemoteProtocolError("server disconnected"),
        bad(408),
        bad(409, code="idempotency_in_flight"),
        bad(429),
        bad(502),
        bad(503),
        bad(504),
    ],
    ids=str,
)
def test_what_may_pass_is_tried_again(fault: httpx.Response | Exception) -> None:
    faults = Faults(fault, good())

    answer = faults.client().detect(FOX)

    assert answer.id == "a1"
    assert len(faults.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 410, 413, 415, 422, 500, 501])
def test_what_stays_so_is_not_tried_again(status: int) -> None:
    faults = Faults(bad(status))

    with pytest.raises(ApiError):
        faults.client().detect(FOX)

    assert len(faults.requests) == 1


def test_a_503_that_the_server_calls_final_is_not_tried_again() -> None:
    error = {"code": "model_not_installed", "message": "no model", "retryable": False}
    faults = Faults(httpx.Response(503, json={"error": error}))

    with pytest.raises(ServerBusy):
        faults.client().detect(FOX)

    assert len(faults.requests) == 1


def test_all_attempts_of_a_call_are_the_same_call() -> None:
    faults = Faults(bad(503), httpx.ReadError("broken off"), good())

    faults.client().detect(FOX, Options(threshold=0.3))

    first, second, third = faults.requests
    assert len(first.headers["Idempotency-Key"]) == 36
    for other in (second, third):
        assert other.headers["Idempotency-Key"] == first.headers["Idempotency-Key"]
        assert other.content == first.content


def test_two_calls_have_two_keys() -> None:
    faults = Faults(good(), good())
    okapia = faults.client()

    okapia.detect(FOX)
    okapia.detect(FOX)

    first, second = faults.requests
    assert first.headers["Idempotency-Key"] != second.headers["Idempotency-Key"]


def test_a_key_of_ones_own_makes_the_same_call_in_another_run() -> None:
    faults = Faults(good(), good())

    for okapia in (faults.client(), faults.client()):
        okapia.detect(FOX, Options(country="Kenya"), idempotency_key="survey 7, picture 12")

    first, second = faults.requests
    assert first.headers["Idempotency-Key"] == "survey 7, picture 12"
    assert first.content == second.content


def test_waits_double() -> None:
    clock = ManualClock()
    faults = Faults(*[bad(502)] * 4, good())

    faults.client(clock).detect(FOX)

    assert clock.slept == [0.5, 1.0, 2.0, 4.0]


def test_chance_shortens_a_wait_by_up_to_a_half() -> None:
    waits: list[float] = []
    retrying = Retrying(1, 100, Timing(clock=lambda: 0.0, sleep=waits.append, draw=lambda: 0.999))

    with pytest.raises(NoAnswer):
        retrying.run(_no_answer)

    assert waits == [pytest.approx(0.25, abs=0.001)]


def _no_answer(left_s: float) -> None:
    raise NoAnswer(f"{left_s} s were left")


def test_the_server_is_left_alone_for_as_long_as_it_asks() -> None:
    clock = ManualClock()

    Faults(bad(429, headers=LATER), good()).client(clock).detect(FOX)

    assert clock.slept == [7.5]


def test_a_date_to_come_again_counts_from_the_servers_own_clock() -> None:
    clock = ManualClock()
    now = datetime(2020, 5, 17, 12, tzinfo=UTC)
    headers = {
        "Date": format_datetime(now, usegmt=True),
        "Retry-After": format_datetime(now + timedelta(seconds=12), usegmt=True),
    }

    Faults(bad(503, headers=headers), good()).client(clock).detect(FOX)

    assert clock.slept == [12.5]


@pytest.mark.parametrize("said", ["soon", "-5", "", "Sun, 17 May 2020 12:00:00 GMT"])
def test_a_time_that_makes_no_sense_or_is_over_is_none(said: str) -> None:
    clock = ManualClock()

    Faults(bad(503, headers={"Retry-After": said}), good()).client(clock).detect(FOX)

    assert clock.slept == [0.5]


def test_the_last_error_is_given_when_the_attempts_are_used_up() -> None:
    clock = ManualClock()
    faults = Faults(bad(503), bad(503), bad(429, code="rate_limited"))

    with pytest.raises(RateLimited) as caught:
        faults.client(clock, max_retries=2).detect(FOX)

    assert caught.value.code == "rate_limited"
    assert len(clock.slept) == 2


def test_nobody_waits_longer_than_their_patience() -> None:
    clock = ManualClock()
    faults = Faults(bad(429, headers={"Retry-After": "101"}))

    with pytest.raises(RateLimited) as caught:
        faults.client(clock).detect(FOX)

    assert caught.value.retry_after_s == 101
    assert clock.slept == []


def test_patience_bounds_all_attempts_together() -> None:
    clock = ManualClock()
    faults = Faults(*[bad(503, headers={"Retry-After": "30"})] * 9)

    with pytest.raises(ServerBusy):
        faults.client(clock, max_retries=9).detect(FOX)

    assert clock.now_s <= 100
    assert len(faults.requests) == 4


def test_an_attempt_may_be_silent_no_longer_than_what_is_left() -> None:
    clock = ManualClock()
    faults = Faults(bad(503, headers={"Retry-After": "90"}), good())

    faults.client(clock).detect(FOX)

    assert faults.timeouts_s == [60, 9.5]


def test_a_conflict_that_is_no_call_in_flight_is_the_callers() -> None:
    faults = Faults(bad(409, code="job_not_finished", headers=LATER))

    with pytest.raises(Conflict) as caught:
        faults.client().jobs.result("j1")

    assert caught.value.retry_after_s == 7


def test_a_batch_goes_on_after_a_fault() -> None:
    row: dict[str, object] = {"index": 0, "filename": "image", "annotations": []}
    faults = Faults(bad(503), httpx.Response(200, json={"id": "b1", "results": [row, row]}))

    items = list(faults.client().batch_detect([FOX, FOX]))

    assert [item.index for item in items] == [0, 1]


def test_a_bad_picture_is_not_tried_again() -> None:
    faults = Faults(bad(400, code="truncated_image"))

    with pytest.raises(BadImage):
        faults.client().detect(FOX)

    assert len(faults.requests) == 1


def test_a_server_that_is_not_there_is_no_answer() -> None:
    with (
        Okapia("http://127.0.0.1:9", max_retries=0) as okapia,
        pytest.raises(NoAnswer, match=r"127\.0\.0\.1"),
    ):
        okapia.detect(FOX)
