"""What couriers of several processes share: claims, dead processes, and those that come back."""

from datetime import timedelta
from threading import Barrier, Thread

from okapia.database.instances import Instance
from okapia.webhooks.deliveries import Attempt
from okapia.webhooks.endpoints import disable
from okapia.webhooks.queue import Claimed, DeliveryQueue, _turn
from tests.unit.webhooks.house import DONE, House
from tests.unit.webhooks.receiver import Receiver


def claim(house: House, queue: DeliveryQueue) -> Claimed | None:
    with house.database.write() as connection:
        return queue.claim(connection)


def settle(house: House, queue: DeliveryQueue, claimed: Claimed, *, status: int) -> None:
    attempt = Attempt(house.watch(), status, None, 5)
    with house.database.write() as connection:
        queue.settle(connection, claimed, attempt, jitter=0.0)


def test_nothing_is_due_before_its_time(house: House) -> None:
    house.add()
    house.emit()
    claimed = claim(house, house.queue)
    assert claimed is not None
    settle(house, house.queue, claimed, status=500)

    with house.database.read() as connection:
        assert not house.queue.is_due(connection)
    house.watch.pass_by(timedelta(seconds=5))
    with house.database.read() as connection:
        assert house.queue.is_due(connection)


def test_of_those_who_claim_at_once_one_sends_to_an_endpoint(house: House) -> None:
    house.add()
    for _ in range(30):
        house.emit()
    together = Barrier(6, timeout=10)
    claimed: list[Claimed | None] = []

    def go() -> None:
        together.wait()
        claimed.extend(claim(house, house.queue) for _ in range(5))

    for _ in range(5):
        claimed.clear()
        threads = [Thread(target=go) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        (taken,) = [one for one in claimed if one is not None]
        settle(house, house.queue, taken, status=200)


def test_who_looked_before_another_claimed_goes_without(house: House) -> None:
    house.add()
    house.emit()
    house.emit()
    with house.database.read() as connection:
        looked = connection.execute(_turn(house.watch())).mappings().one()
    assert claim(house, house.queue) is not None

    with house.database.write() as connection:
        assert house.queue._take(connection, looked, house.watch()) is None


def test_what_waits_for_a_disabled_endpoint_is_not_claimed(house: House) -> None:
    endpoint = house.add()
    with house.database.write() as connection:
        disable(connection, endpoint.id, reason="a test", now=house.watch())
        # As if it had been written by somebody who saw the endpoint just before.
        house.outbox._write(connection, DONE, [endpoint.id])

    assert claim(house, house.queue) is None


def test_what_a_dead_process_was_sending_is_sent_again_under_the_same_id(
    house: House, receiver: Receiver
) -> None:
    endpoint, dead = house.add(receiver.url), Instance(house.database)
    house.emit()
    lost = claim(house, DeliveryQueue(instance_id=dead.id, clock=house.watch))
    assert lost is not None
    assert not house.courier().deliver_next()
    house.instance.bury(dead.id)

    with house.database.write() as connection:
        released = house.queue.release(connection)

    assert released == 1
    assert house.courier().deliver_next()
    assert receiver.ids == [lost.event_id]
    assert house.sent_to(endpoint)[0].state == "delivered"


def test_what_a_living_process_sends_stays_its_own(house: House) -> None:
    house.add()
    house.emit()
    claim(house, house.queue)

    with house.database.write() as connection:
        assert house.queue.release(connection) == 0


def test_a_process_that_was_taken_for_dead_changes_nothing_when_it_comes_back(house: House) -> None:
    endpoint, slow = house.add(), Instance(house.database)
    house.emit()
    slow_queue = DeliveryQueue(instance_id=slow.id, clock=house.watch)
    lost = claim(house, slow_queue)
    assert lost is not None
    house.instance.bury(slow.id)
    with house.database.write() as connection:
        house.queue.release(connection)
    taken = claim(house, house.queue)
    assert taken is not None

    settle(house, slow_queue, lost, status=410)

    assert house.record(endpoint).attempts == ()
    assert house.get(endpoint).disabled_at is None
    settle(house, house.queue, taken, status=200)
    assert house.sent_to(endpoint)[0].state == "delivered"


def test_the_same_process_does_not_settle_a_delivery_twice(house: House) -> None:
    endpoint = house.add()
    house.emit()
    claimed = claim(house, house.queue)
    assert claimed is not None
    settle(house, house.queue, claimed, status=500)
    house.watch.pass_by(timedelta(seconds=5))
    assert claim(house, house.queue) is not None

    settle(house, house.queue, claimed, status=200)

    assert [attempt.status for attempt in house.record(endpoint).attempts] == [500]


def test_neither_bodies_nor_secrets_are_in_what_is_printed(house: House) -> None:
    house.add("https://example.org/?token=t0ps3cret")
    house.emit()

    shown = repr(claim(house, house.queue))

    assert "t0ps3cret" not in shown
    assert "succeeded" not in shown
    assert "sealed" not in shown
