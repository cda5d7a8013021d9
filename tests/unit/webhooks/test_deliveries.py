"""The log of deliveries: pages, attempts, replays, and what is forgotten."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from okapia.database.tables import webhook_attempts
from okapia.domain.errors import InvalidRequest, NotFound
from okapia.domain.refusals import WrongState
from okapia.webhooks.deliveries import KEPT, Delivery
from okapia.webhooks.endpoints import Endpoint, disable
from tests.unit.webhooks.house import House
from tests.unit.webhooks.receiver import Receiver


def pages(house: House, endpoint: Endpoint, *, limit: int) -> list[list[Delivery]]:
    """Follow the cursors to the end."""
    found, cursor = [], None
    while True:
        with house.database.read() as connection:
            page = house.deliveries.page(connection, endpoint.id, cursor=cursor, limit=limit)
        found.append(list(page.deliveries))
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.mark.parametrize(("limit", "sizes"), [(2, [2, 2, 1]), (5, [5]), (4, [4, 1]), (100, [5])])
def test_the_pages_hold_every_delivery_once_newest_first(house: House, limit: int, sizes: list[int]) -> None:
    endpoint, other = house.add(), house.add()
    for number in range(5):
        if number != 2:  # two of the same moment
            house.watch.pass_by(timedelta(seconds=1))
        house.emit()

    found = pages(house, endpoint, limit=limit)

    assert [len(page) for page in found] == sizes
    deliveries = [delivery for page in found for delivery in page]
    assert len({delivery.id for delivery in deliveries}) == 5
    assert deliveries == sorted(deliveries, key=lambda one: (one.created_at, one.id), reverse=True)
    assert {delivery.endpoint_id for delivery in deliveries} == {endpoint.id} != {other.id}


def test_an_empty_log_is_one_empty_page(house: House) -> None:
    assert pages(house, house.add(), limit=10) == [[]]


def test_a_cursor_of_another_list_is_refused(house: House) -> None:
    endpoint, other = house.add(), house.add()
    house.emit()

    for cursor in ("wd_0", "", house.sent_to(other)[0].id):
        with house.database.read() as connection, pytest.raises(InvalidRequest, match="next_cursor"):
            house.deliveries.page(connection, endpoint.id, cursor=cursor)


def test_a_delivery_of_another_endpoint_is_not_found(house: House) -> None:
    endpoint, other = house.add(), house.add()
    house.emit()
    theirs = house.sent_to(other)[0]

    with house.database.write() as connection:
        for ask in (house.deliveries.record, house.deliveries.replay):
            with pytest.raises(NotFound, match="delivery to this webhook"):
                ask(connection, endpoint.id, theirs.id)


def test_a_replay_sends_the_same_event_again(house: House, receiver: Receiver) -> None:
    endpoint, courier = house.add(receiver.url), house.courier()
    house.emit()
    courier.deliver_next()

    again = house.replay(house.sent_to(endpoint)[0])
    courier.deliver_next()

    assert (again.state, again.attempts, again.next_at) == ("pending", 0, house.watch())
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == again.event_id
    assert first.body == second.body
    assert [attempt.status for attempt in house.record(endpoint).attempts] == [204, 204]


def test_what_has_not_ended_is_not_replayed(house: House) -> None:
    endpoint = house.add()
    house.emit()

    with pytest.raises(WrongState, match="this one is pending"):
        house.replay(house.sent_to(endpoint)[0])


def test_nothing_is_replayed_to_a_disabled_endpoint(house: House) -> None:
    endpoint = house.add()
    house.emit()
    with house.database.write() as connection:
        disable(connection, endpoint.id, reason="its owner sleeps", now=house.watch())

    with pytest.raises(WrongState, match="its owner sleeps"):
        house.replay(house.sent_to(endpoint)[0])


def test_deliveries_and_their_attempts_are_forgotten_after_thirty_days(
    house: House, receiver: Receiver
) -> None:
    endpoint, courier = house.add(receiver.url), house.courier()
    house.emit()
    courier.deliver_next()
    house.watch.pass_by(KEPT)
    house.emit()
    courier.deliver_next()
    house.watch.pass_by(timedelta(seconds=1))

    with house.database.write() as connection:
        assert house.deliveries.sweep(connection) == 1
        assert house.deliveries.sweep(connection) == 0

    assert len(house.sent_to(endpoint)) == 1
    with house.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(webhook_attempts)).scalar_one() == 1


def test_a_sweep_takes_some_at_a_time(house: House) -> None:
    house.add()
    for _ in range(5):
        house.emit()
    house.watch.pass_by(2 * KEPT)

    with house.database.write() as connection:
        assert [house.deliveries.sweep(connection, most=3) for _ in range(3)] == [3, 2, 0]
