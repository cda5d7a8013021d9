"""The courier: what is sent, when it is sent again, and when it is not."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import orjson
import pytest
from sqlalchemy import Connection, update
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from okapia.database.instances import Instance
from okapia.database.tables import webhook_endpoints
from okapia.domain.clock import utc_now
from okapia.domain.storage_errors import DatabaseUnavailable
from okapia.storage.post import GuardedPoster, Posted
from okapia.webhooks.courier import Courier
from okapia.webhooks.deliveries import Attempt, DeliveryState
from okapia.webhooks.endpoints import OVERLAP, Endpoint, Subscription
from okapia.webhooks.queue import GIVES_UP_AFTER, RETRY_AFTER, Claimed, DeliveryQueue
from tests.unit.webhooks.house import House
from tests.unit.webhooks.receiver import Received, Receiver, receiving

SCHEDULE = [0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
"""Seconds before each attempt, as the Standard Webhooks specification has them."""


def signed_by(secret: str, request: Received) -> bool:
    """Tell whether a request is signed with a secret, whenever it was."""
    moment = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    expected = Webhook(secret).sign(request.headers["webhook-id"], moment, request.body.decode())
    return expected in request.headers["webhook-signature"].split(" ")


@contextmanager
def running(*couriers: Courier) -> Iterator[None]:
    """Have couriers send in the background, and finish in the end."""
    for courier in couriers:
        courier.start()
    try:
        yield
    finally:
        for courier in couriers:
            courier.stop()


# --- what is sent ----------------------------------------------------------------------


def test_a_receiver_can_verify_what_it_gets_with_the_specifications_library(
    house: House, receiver: Receiver
) -> None:
    house.watch.now = utc_now()
    endpoint = house.add(receiver.url)
    house.emit()

    assert house.courier().deliver_next()

    request = receiver.received[0]
    payload = Webhook(house.secrets[endpoint.id]).verify(request.body, request.headers)
    assert payload == orjson.loads(house.record(endpoint).body)
    assert payload["type"] == "job.succeeded"
    assert payload["data"] == {"id": "j1", "status": "succeeded"}
    with pytest.raises(WebhookVerificationError):
        Webhook(house.secrets[endpoint.id]).verify(request.body + b" ", request.headers)


def test_the_request_is_json_from_okapia_under_the_events_id(house: House, receiver: Receiver) -> None:
    endpoint = house.add(receiver.url)
    house.emit()

    house.courier().deliver_next()

    request = receiver.received[0]
    assert request.path == "/hook"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("okapia/")
    assert request.headers["webhook-id"] == house.sent_to(endpoint)[0].event_id
    assert request.headers["webhook-timestamp"] == str(int(house.watch().timestamp()))


def test_an_accepted_delivery_has_ended_and_is_logged(house: House, receiver: Receiver) -> None:
    receiver.statuses = [200]
    endpoint, courier = house.add(receiver.url), house.courier()
    house.emit()

    assert [courier.deliver_next(), courier.deliver_next()] == [True, False]

    record = house.record(endpoint)
    assert (record.delivery.state, record.delivery.attempts) == (DeliveryState.DELIVERED, 1)
    assert (record.delivery.next_at, record.delivery.finished_at) == (None, house.watch())
    (attempt,) = record.attempts
    assert (attempt.at, attempt.status, attempt.error) == (house.watch(), 200, None)
    assert 0 <= attempt.milliseconds < 10_000


# --- rotation --------------------------------------------------------------------------


def test_after_a_rotation_both_secrets_sign_for_a_day(house: House, receiver: Receiver) -> None:
    endpoint, courier = house.add(receiver.url), house.courier()
    old, new = house.secrets[endpoint.id], house.rotate(endpoint)

    for span in (timedelta(), OVERLAP - timedelta(seconds=1), timedelta(seconds=1)):
        house.watch.pass_by(span)
        house.emit()
        courier.deliver_next()

    assert [signed_by(new, request) for request in receiver.received] == [True, True, True]
    assert [signed_by(old, request) for request in receiver.received] == [True, True, False]
    counts = [request.headers["webhook-signature"].count("v1,") for request in receiver.received]
    assert counts == [2, 2, 1]


def test_a_second_rotation_ends_the_first_secret_at_once(house: House, receiver: Receiver) -> None:
    endpoint = house.add(receiver.url)
    first, second, third = house.secrets[endpoint.id], house.rotate(endpoint), house.rotate(endpoint)
    house.emit()

    house.courier().deliver_next()

    request = receiver.received[0]
    assert [signed_by(one, request) for one in (first, second, third)] == [False, True, True]


# --- again -----------------------------------------------------------------------------


def attempts_until_the_end(house: House, courier: Courier, endpoint: Endpoint) -> list[datetime]:
    """Let time pass to each next attempt; gives when they were made."""
    made = []
    while (delivery := house.sent_to(endpoint)[0]).next_at is not None:
        house.watch.now = delivery.next_at - timedelta(microseconds=1)
        assert not courier.deliver_next()
        house.watch.now = delivery.next_at
        assert courier.deliver_next()
        made.append(house.watch())
    return made


def test_a_failing_delivery_is_sent_ten_times_at_the_specifications_pace(
    house: House, receiver: Receiver
) -> None:
    receiver.statuses = [500]
    endpoint = house.add(receiver.url)
    house.emit()
    began = house.watch()

    made = attempts_until_the_end(house, house.courier(), endpoint)

    pauses = [(later - earlier).total_seconds() for earlier, later in pairwise([began, *made])]
    assert pauses == SCHEDULE
    delivery = house.sent_to(endpoint)[0]
    assert (delivery.state, delivery.attempts, delivery.finished_at) == ("failed", 10, made[-1])
    assert [attempt.status for attempt in house.record(endpoint).attempts] == [500] * 10
    assert len(set(receiver.ids)) == 1
    stamps = [int(request.headers["webhook-timestamp"]) for request in receiver.received]
    assert stamps == [int(moment.timestamp()) for moment in made]


def test_chance_makes_pauses_longer_by_a_tenth_at_most(house: House, receiver: Receiver) -> None:
    receiver.statuses = [500]
    endpoint = house.add(receiver.url)
    house.emit()
    began = house.watch()

    made = attempts_until_the_end(house, house.courier(jitter=1.0), endpoint)

    pauses = [(later - earlier).total_seconds() for earlier, later in pairwise([began, *made])]
    assert pauses == pytest.approx([1.1 * pause for pause in SCHEDULE])


def test_a_delivery_that_is_accepted_late_has_arrived(house: House, receiver: Receiver) -> None:
    receiver.statuses = [503, 429, 302, 200]
    endpoint = house.add(receiver.url)
    house.emit()

    attempts_until_the_end(house, house.courier(), endpoint)

    record = house.record(endpoint)
    assert record.delivery.state == "delivered"
    assert [attempt.status for attempt in record.attempts] == [503, 429, 302, 200]
    assert house.get(endpoint).failing_since is None


def test_a_replay_begins_the_schedule_anew(house: House, receiver: Receiver) -> None:
    receiver.statuses = [500, 500, 200, 500, 500, 200]
    endpoint, courier = house.add(receiver.url), house.courier()
    house.emit()
    attempts_until_the_end(house, courier, endpoint)
    house.watch.pass_by(timedelta(days=1))

    again = house.replay(house.sent_to(endpoint)[0])
    made = attempts_until_the_end(house, courier, endpoint)

    assert [(moment - house.watch.now).total_seconds() for moment in made] == [-305, -300, 0]
    assert again.next_at == made[0]
    assert len(house.record(endpoint).attempts) == 6
    assert len(set(receiver.ids)) == 1


# --- when it is not sent again ---------------------------------------------------------


def test_an_endpoint_that_is_gone_is_disabled(house: House, receiver: Receiver) -> None:
    receiver.statuses = [410]
    endpoint, courier = house.add(receiver.url), house.courier()
    house.emit()
    house.emit()

    assert [courier.deliver_next(), courier.deliver_next()] == [True, False]

    gone = house.get(endpoint)
    assert (gone.disabled_at, gone.disabled_reason) == (house.watch(), "the receiver answered 410 Gone")
    assert [delivery.state for delivery in house.sent_to(endpoint)] == ["failed", "failed"]


def test_an_endpoint_that_fails_for_days_is_disabled(house: House, receiver: Receiver) -> None:
    receiver.statuses = [500]
    endpoint, courier = house.add(receiver.url), house.courier()
    began = house.watch()
    while house.get(endpoint).disabled_at is None:
        house.emit()
        courier.deliver_next()
        house.watch.pass_by(timedelta(hours=6))

    failing = house.get(endpoint)

    assert failing.failing_since == began
    assert failing.disabled_at == began + GIVES_UP_AFTER
    assert failing.disabled_reason == "nothing could be delivered for 5 days"
    assert {delivery.state for delivery in house.sent_to(endpoint)} == {DeliveryState.FAILED}


def test_one_success_ends_the_days_of_failure(house: House, receiver: Receiver) -> None:
    receiver.statuses = [500]
    endpoint, courier = house.add(receiver.url, "job.succeeded"), house.courier()
    house.emit()
    courier.deliver_next()
    house.watch.pass_by(GIVES_UP_AFTER - timedelta(seconds=1))
    receiver.statuses = [200]
    courier.deliver_next()
    receiver.statuses = [500]
    house.emit()
    house.watch.pass_by(timedelta(hours=1))

    courier.deliver_next()

    assert house.get(endpoint).failing_since == house.watch()
    assert house.get(endpoint).disabled_at is None


def test_a_new_url_gets_its_own_days(house: House, receiver: Receiver) -> None:
    receiver.statuses = [500]
    endpoint = house.add(receiver.url)
    house.emit()
    house.courier().deliver_next()

    with house.database.write() as connection:
        house.endpoints.change(
            connection, "ada", endpoint.id, lambda _: Subscription("https://elsewhere.example/")
        )

    assert house.get(endpoint).failing_since is None


def test_an_endpoint_that_is_disabled_while_a_delivery_is_under_way_is_not_sent_to_again(
    house: House, receiver: Receiver
) -> None:
    receiver.statuses = [500]
    endpoint = house.add(receiver.url)
    house.emit()

    def switch_off_and_post(*_: object) -> Posted:
        with house.database.write() as connection:
            gone = {"disabled_at": house.watch(), "disabled_reason": "by its owner"}
            connection.execute(update(webhook_endpoints).values(gone))
        return Posted(500)

    house.courier(post=switch_off_and_post).deliver_next()

    assert house.sent_to(endpoint)[0].state == "failed"
    assert house.get(endpoint).disabled_reason == "by its owner"


def test_a_delivery_whose_endpoint_is_deleted_while_it_is_under_way_is_forgotten(
    house: House, receiver: Receiver
) -> None:
    endpoint = house.add(receiver.url)
    house.emit()

    def delete_and_post(*_: object) -> Posted:
        with house.database.write() as connection:
            house.endpoints.remove(connection, "ada", endpoint.id)
        return Posted(200)

    assert house.courier(post=delete_and_post).deliver_next()

    assert house.sent_to(endpoint) == []


def test_a_fault_while_sending_is_an_attempt_like_any_other(house: House) -> None:
    endpoint = house.add()
    house.emit()

    def break_down(*_: object) -> Posted:
        raise RuntimeError

    house.courier(post=break_down).deliver_next()

    record = house.record(endpoint)
    assert (record.delivery.state, record.attempts[0].error) == ("pending", "sending met a fault in Okapia")


def test_a_secret_that_does_not_open_is_an_attempt_that_failed(house: House, receiver: Receiver) -> None:
    endpoint = house.add(receiver.url)
    house.emit()
    with house.database.write() as connection:
        connection.execute(update(webhook_endpoints).values(sealed_secret=b"damaged"))

    house.courier().deliver_next()

    assert receiver.received == []
    assert "secret" in str(house.record(endpoint).attempts[0].error)


# --- where it may not go ---------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/",
        "https://localhost/",
        "https://2130706433/",
        "http://example.org/",
    ],
)
def test_inner_addresses_and_plain_http_get_nothing(house: House, url: str) -> None:
    endpoint = house.add(url)
    house.emit()

    house.courier(post=GuardedPoster().post).deliver_next()

    (attempt,) = house.record(endpoint).attempts
    assert attempt.status is None
    assert attempt.error is not None
    assert "expected" in attempt.error


def test_a_redirect_is_not_followed(house: House, receiver: Receiver) -> None:
    with receiving() as elsewhere:
        receiver.statuses, receiver.headers = [302], {"Location": elsewhere.url}
        endpoint = house.add(receiver.url)
        house.emit()

        house.courier().deliver_next()

        assert elsewhere.received == []
    assert house.record(endpoint).attempts[0].status == 302
    assert house.sent_to(endpoint)[0].state == "pending"


# --- side by side ----------------------------------------------------------------------


def test_a_slow_endpoint_does_not_hold_up_another(house: House, receiver: Receiver) -> None:
    with receiving() as slow:
        slow.may_answer.clear()
        house.add(slow.url)
        for _ in range(3):
            house.emit()
        quick = house.add(receiver.url)
        for _ in range(3):
            house.emit()

        with running(house.courier(workers=2)):
            receiver.wait_for(3)
            slow.may_answer.set()

    assert {delivery.state for delivery in house.sent_to(quick)} == {DeliveryState.DELIVERED}


def test_an_endpoint_gets_one_delivery_at_a_time(house: House, receiver: Receiver) -> None:
    receiver.may_answer.clear()
    house.add(receiver.url)
    for _ in range(4):
        house.emit()

    with running(house.courier(workers=4)):
        receiver.wait_for(1)
        receiver.may_answer.set()
        receiver.wait_for(4)

    assert receiver.most_at_once == 1
    assert len(set(receiver.ids)) == 4


def test_failing_endpoints_come_after_the_others(house: House, receiver: Receiver) -> None:
    receiver.statuses = [500]
    house.add(receiver.url)
    house.emit()
    house.courier().deliver_next()
    house.watch.pass_by(RETRY_AFTER[0])
    with receiving() as well:
        house.add(well.url)
        house.emit()

        house.courier().deliver_next()

        assert len(well.received) == 1
    assert len(receiver.received) == 1


def test_two_couriers_deliver_each_event_once(house: House, receiver: Receiver) -> None:
    other = Instance(house.database)
    endpoints = [house.add(f"{receiver.url}{number}") for number in range(4)]
    for _ in range(5):
        house.emit()
    elsewhere = DeliveryQueue(instance_id=other.id, clock=house.watch)

    with running(house.courier(workers=3), house.courier(queue=elsewhere, workers=3)):
        receiver.wait_for(20)

    got = [(request.path, request.headers["webhook-id"]) for request in receiver.received]
    assert len(got) == len(set(got)) == 20
    states = {delivery.state for endpoint in endpoints for delivery in house.sent_to(endpoint)}
    assert states == {DeliveryState.DELIVERED}


def test_stopping_waits_for_what_is_under_way(house: House, receiver: Receiver) -> None:
    receiver.may_answer.clear()
    endpoint = house.add(receiver.url)
    house.emit()

    with running(house.courier(workers=1)):
        receiver.wait_for(1)
        receiver.may_answer.set()

    assert house.sent_to(endpoint)[0].state == "delivered"


class AwayQueue(DeliveryQueue):
    """A queue on a database that is away for the first claim and the first two settlements."""

    def __init__(self, house: House) -> None:
        super().__init__(instance_id=house.instance.id, clock=house.watch)
        self.claims = 1
        self.settlements = 2

    def claim(self, connection: Connection) -> Claimed | None:
        if self.claims:
            self.claims -= 1
            raise DatabaseUnavailable("a test")
        return super().claim(connection)

    def settle(self, connection: Connection, claimed: Claimed, attempt: Attempt, *, jitter: float) -> None:
        if self.settlements:
            self.settlements -= 1
            raise DatabaseUnavailable("a test")
        super().settle(connection, claimed, attempt, jitter=jitter)


def test_while_the_database_is_away_nothing_is_sent_twice_or_forgotten(
    house: House, receiver: Receiver
) -> None:
    endpoint = house.add(receiver.url)
    house.emit()
    house.emit()

    with running(house.courier(queue=AwayQueue(house), workers=1)):
        receiver.wait_for(2)

    assert len(set(receiver.ids)) == len(receiver.ids) == 2
    assert {delivery.state for delivery in house.sent_to(endpoint)} == {DeliveryState.DELIVERED}
