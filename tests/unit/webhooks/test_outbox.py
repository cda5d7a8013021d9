"""The outbox: who is told what, in whose transaction, and once of each sequence."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations
from threading import Barrier, Thread

import orjson
import pytest
from sqlalchemy import Connection, Engine, event, func, select

from okapia.database.tables import webhook_deliveries, webhook_sequences
from okapia.domain.errors import NotFound
from okapia.domain.refusals import WrongState
from okapia.domain.types import Category
from okapia.webhooks.deliveries import DeliveryState
from okapia.webhooks.endpoints import Endpoint, disable
from okapia.webhooks.events import Event, EventType, Seen
from okapia.webhooks.filters import DetectionFilter
from okapia.webhooks.sequences import KEPT, forget_sequences
from tests.unit.webhooks.house import DONE, House
from tests.unit.webhooks.sightings import DUSK, animal, seen, thing

FOX = animal("red fox")
PERSON = thing(Category.PERSON)


def after(seconds: float) -> datetime:
    return DUSK + timedelta(seconds=seconds)


def told(house: House, endpoint: Endpoint) -> list[str]:
    """Give the ids of the answers that an endpoint was told of, in their order."""
    table = webhook_deliveries
    wanted = select(table.c.body).where(table.c.endpoint_id == endpoint.id)
    with house.database.read() as connection:
        bodies = [orjson.loads(body) for body in connection.execute(wanted).scalars()]
    return sorted(body["data"]["answer_id"] for body in bodies)


def statements(engine: Engine) -> list[str]:
    """Give a list that every statement from now on is written into."""
    run: list[str] = []

    def note(*arguments: object) -> None:
        run.append(str(arguments[2]))

    event.listen(engine, "before_cursor_execute", note)
    return run


# --- who is told -----------------------------------------------------------------------


def test_an_event_waits_for_each_endpoint_that_wants_it_under_one_id(house: House) -> None:
    everything, jobs = house.add(), house.add("https://example.org/2", "job.succeeded", "job.failed")
    failures, others = house.add("https://example.org/3", "job.failed"), house.add(user_id="ben")

    house.emit()

    first, second = house.sent_to(everything)[0], house.sent_to(jobs)[0]
    assert first.event_id == second.event_id
    assert first.event_id.startswith("msg_")
    assert (first.state, first.attempts, first.next_at) == (DeliveryState.PENDING, 0, house.watch())
    assert house.sent_to(failures) == house.sent_to(others) == []


def test_two_events_have_two_ids(house: House) -> None:
    endpoint = house.add()

    house.emit()
    house.emit()

    assert len({delivery.event_id for delivery in house.sent_to(endpoint)}) == 2


def test_an_event_is_undone_with_what_it_tells_of(house: House) -> None:
    endpoint = house.add()

    def fail(connection: Connection) -> None:
        house.outbox.emit(connection, "ada", DONE)
        house.outbox.emit_detections(connection, "ada", seen(FOX))
        raise LookupError

    with pytest.raises(LookupError), house.database.write() as connection:
        fail(connection)

    assert house.sent_to(endpoint) == []


def test_a_disabled_endpoint_is_not_told(house: House) -> None:
    endpoint = house.add()
    with house.database.write() as connection:
        disable(connection, endpoint.id, reason="test", now=house.watch())

    house.emit()
    house.show(seen(FOX))

    assert house.sent_to(endpoint) == []


def test_without_endpoints_an_event_costs_one_look(house: House) -> None:
    with house.database.write() as connection:
        run = statements(house.database.engine)
        house.outbox.emit(connection, "ada", DONE)
        house.outbox.emit_detections(connection, "ada", seen(FOX), seen(PERSON))
        house.outbox.emit_detections(connection, "ada", seen(), seen())

    looks = [text for text in run if not text.startswith(("BEGIN", "COMMIT"))]
    assert len(looks) == 2
    assert all(text.startswith("SELECT") for text in looks)


def test_a_test_reaches_an_endpoint_that_wants_something_else(house: House) -> None:
    endpoint = house.add("https://example.org/", "job.failed")

    with house.database.write() as connection:
        delivery_id = house.outbox.emit_test(connection, endpoint.id)

    record = house.record(endpoint)
    assert (record.delivery.id, record.delivery.event_type) == (delivery_id, "webhook.test")
    assert orjson.loads(record.body)["data"] == {"webhook_id": endpoint.id}


def test_a_disabled_endpoint_is_not_tested(house: House) -> None:
    endpoint = house.add()
    with house.database.write() as connection:
        disable(connection, endpoint.id, reason="why not", now=house.watch())

        with pytest.raises(WrongState, match="why not"):
            house.outbox.emit_test(connection, endpoint.id)


@pytest.mark.parametrize("what", ["a job", "a fox"])
def test_an_endpoint_that_is_being_deleted_undoes_nothing(house: House, what: str) -> None:
    endpoint, other = house.add(), house.add("https://example.org/2")
    tell = house.emit if what == "a job" else partial(house.show, seen(FOX))

    with ThreadPoolExecutor(1) as teller:
        with house.database.write() as connection:
            house.endpoints.remove(connection, "ada", endpoint.id)
            told_at_once = teller.submit(tell)
            wait([told_at_once], timeout=0.3)  # until it waits for the deletion
        told_at_once.result()

    assert len(house.sent_to(other)) == 1
    assert house.sent_to(endpoint) == []


def test_what_is_not_there_is_not_tested(house: House) -> None:
    with house.database.write() as connection, pytest.raises(NotFound):
        house.outbox.emit_test(connection, "we_0")


# --- detections ------------------------------------------------------------------------


def test_an_endpoint_is_told_of_the_detections_that_its_filter_lets_through(house: House) -> None:
    people = house.add(detections=DetectionFilter(categories=frozenset({Category.PERSON})))
    everything = house.add()

    house.show(seen(FOX, PERSON))

    assert [one["label"] for one in _data(house, people)["detections"]] == ["human"]
    assert [one["label"] for one in _data(house, everything)["detections"]] == ["red fox", "human"]


def _data(house: House, endpoint: Endpoint) -> dict[str, list[dict[str, object]]]:
    data: dict[str, list[dict[str, object]]] = orjson.loads(house.record(endpoint).body)["data"]
    return data


def test_an_endpoint_without_that_event_is_not_told_of_detections(house: House) -> None:
    endpoint = house.add("https://example.org/", "job.succeeded")

    house.show(seen(FOX))

    assert house.sent_to(endpoint) == []


def test_pictures_without_camera_or_time_are_each_told_of(house: House) -> None:
    endpoint = house.add()

    house.show(seen(FOX, answer_id="a1"), seen(FOX, answer_id="a2", camera="C1"))
    house.show(seen(FOX, answer_id="a3", camera="C1"), seen(FOX, answer_id="a4", captured_at=DUSK))
    house.show(seen(FOX, answer_id="a5", captured_at=DUSK))

    assert told(house, endpoint) == ["a1", "a2", "a3", "a4", "a5"]


# --- one event a sequence --------------------------------------------------------------


def burst(*seconds: float, camera: str = "C1") -> list[Seen]:
    return [
        seen(FOX, answer_id=f"{camera} {second:g}", camera=camera, captured_at=after(second))
        for second in seconds
    ]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ((0, 1, 2), ["C1 0"]),
        ((0, 60), ["C1 0"]),
        ((0, 60.000001), ["C1 0", "C1 60"]),
        ((0, 50, 100, 150), ["C1 0"]),
        ((0, 50, 100, 161), ["C1 0", "C1 161"]),
        ((0, 0, 0), ["C1 0"]),
    ],
)
def test_pictures_of_a_camera_belong_together_up_to_a_minute_apart(
    house: House, seconds: Sequence[float], expected: list[str]
) -> None:
    endpoint = house.add()

    for picture in burst(*seconds):
        house.show(picture)

    assert told(house, endpoint) == expected


@pytest.mark.parametrize("order", list(permutations((0, 40, 3600))))
def test_the_order_in_which_pictures_come_does_not_matter(house: House, order: tuple[float, ...]) -> None:
    endpoint = house.add()

    house.show(*burst(*order))

    assert len(told(house, endpoint)) == 2
    assert "C1 3600" in told(house, endpoint)


def test_cameras_have_sequences_of_their_own(house: House) -> None:
    endpoint = house.add()

    house.show(*burst(0, 5), *burst(1, 6, camera="C2"))

    assert told(house, endpoint) == ["C1 0", "C2 1"]


def test_endpoints_have_sequences_of_their_own(house: House) -> None:
    everything = house.add()
    people = house.add(detections=DetectionFilter(categories=frozenset({Category.PERSON})))
    first, second, third = burst(0, 5, 10)

    house.show(first, replace(second, analysis=seen(PERSON).analysis))
    house.show(replace(third, analysis=seen(PERSON).analysis))

    assert told(house, everything) == ["C1 0"]
    assert told(house, people) == ["C1 5"]


def test_what_a_filter_refuses_begins_no_sequence(house: House) -> None:
    people = house.add(detections=DetectionFilter(categories=frozenset({Category.PERSON})))

    house.show(*burst(0, 5))

    with house.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(webhook_sequences)).scalar_one() == 0
    assert told(house, people) == []


def test_a_sequence_that_the_caller_names_goes_before_time(house: House) -> None:
    endpoint = house.add()
    first, later = burst(0, 7200)

    house.show(replace(first, sequence_id="s1"), replace(later, sequence_id="s1"))
    house.show(replace(first, sequence_id="s2", answer_id="other"))

    assert told(house, endpoint) == ["C1 0", "other"]


def test_two_cameras_may_call_their_sequences_the_same(house: House) -> None:
    endpoint = house.add()

    house.show(*(replace(one, sequence_id="1") for one in [*burst(0), *burst(0, camera="C2")]))

    assert told(house, endpoint) == ["C1 0", "C2 0"]


def test_times_with_a_zone_are_compared_by_the_moment(house: House) -> None:
    endpoint = house.add()
    summer, winter = DUSK.astimezone(UTC), (DUSK + timedelta(seconds=30)).astimezone()

    house.show(seen(FOX, answer_id="a1", camera="C1", captured_at=summer))
    house.show(seen(FOX, answer_id="a2", camera="C1", captured_at=winter))

    assert told(house, endpoint) == ["a1"]


@pytest.mark.parametrize("moment", [datetime.min, datetime.max])  # noqa: DTZ901 - as cameras write them
def test_impossible_times_are_times(house: House, moment: datetime) -> None:
    endpoint = house.add()

    house.show(*[seen(FOX, camera="C1", captured_at=moment)] * 2)

    assert told(house, endpoint) == ["a1"]


def test_sequences_are_forgotten_after_a_month(house: House) -> None:
    endpoint = house.add()
    house.show(*burst(0))
    house.watch.pass_by(KEPT + timedelta(seconds=1))

    with house.database.write() as connection:
        forget_sequences(connection, now=house.watch())
    house.show(*burst(1))

    assert told(house, endpoint) == ["C1 0", "C1 1"]


def test_a_picture_of_a_burst_waits_for_one_that_is_being_told_of(house: House) -> None:
    endpoint = house.add()
    first, second = burst(0, 1)
    other = Thread(target=house.show, args=[second])

    with house.database.write() as connection:
        house.outbox.emit_detections(connection, "ada", first)
        other.start()
        other.join(timeout=0.3)  # enough to be told of as well, if nothing held it up
    other.join()

    assert told(house, endpoint) == ["C1 0"]


def test_calls_with_several_pictures_for_several_endpoints_do_not_wait_in_a_circle(house: House) -> None:
    first, second = house.add(), house.add("https://example.org/2")
    together = Barrier(4)

    def answer(pictures: Sequence[Seen]) -> None:
        together.wait()
        house.show(*pictures)

    forwards = [*burst(0, 1, 2), *burst(0, 1, 2, camera="C2")]
    threads = [Thread(target=answer, args=[order]) for order in (forwards, forwards[::-1]) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(told(house, first)) == len(told(house, second)) == 2


def test_events_of_a_kind_that_nobody_makes_yet_can_be_wanted(house: House) -> None:
    endpoint = house.add("https://example.org/", "batch.completed")

    house.emit(Event(EventType.BATCH_COMPLETED, {"id": "b1"}))

    assert [delivery.event_type for delivery in house.sent_to(endpoint)] == ["batch.completed"]
