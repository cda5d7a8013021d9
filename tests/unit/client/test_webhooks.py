"""Webhooks through the client: made, told of what was seen, believed, and looked after."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from threading import Thread

import pytest

from okapia.client import Event, InvalidRequest, InvalidSignature, NotFound, Okapia, verify_webhook
from okapia.client.webhooks import DetectionFilter, Webhook
from tests.unit.dialects.test_animaldetect import jpeg

FOX = jpeg()
WAIT_S = 20


class Receiver:
    """A program that is told of events; what came is taken one by one."""

    def __init__(self) -> None:
        self.came: Queue[tuple[bytes, dict[str, str]]] = Queue()
        came = self.came

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                came.put((body, dict(self.headers)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                del format, args

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/okapia"

    @contextmanager
    def listening(self) -> Iterator[None]:
        thread = Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def next_event(self, webhook: Webhook) -> Event:
        body, headers = self.came.get(timeout=WAIT_S)
        return verify_webhook(body, headers, webhook.secret or "")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    with receiver.listening():
        yield receiver


@pytest.fixture
def webhook(okapia: Okapia, receiver: Receiver) -> Iterator[Webhook]:
    made = okapia.webhooks.create(receiver.url, events=["detection.created", "job.succeeded"])
    yield made
    okapia.webhooks.delete(made.id)


def test_what_is_seen_is_told_and_believed(okapia: Okapia, receiver: Receiver, webhook: Webhook) -> None:
    answer = okapia.detect(FOX)

    event = receiver.next_event(webhook)
    assert event.type == "detection.created"
    assert event.data["answer_id"] == answer.id


def test_another_secret_does_not_believe_it(okapia: Okapia, receiver: Receiver, webhook: Webhook) -> None:
    okapia.detect(FOX)
    body, headers = receiver.came.get(timeout=WAIT_S)

    with pytest.raises(InvalidSignature):
        verify_webhook(body, headers, okapia.webhooks.rotate_secret(webhook.id).secret or "")


def test_a_test_event_is_sent_and_logged(okapia: Okapia, receiver: Receiver, webhook: Webhook) -> None:
    delivery = okapia.webhooks.test(webhook.id)

    assert receiver.next_event(webhook).type == "webhook.test"
    assert [one.id for one in okapia.webhooks.deliveries(webhook.id)] == [delivery.id]


def test_a_delivery_is_sent_again_as_the_same_event(
    okapia: Okapia, receiver: Receiver, webhook: Webhook
) -> None:
    delivery = okapia.webhooks.test(webhook.id)
    _, first = receiver.came.get(timeout=WAIT_S)
    wait_for_delivery(okapia, webhook)

    okapia.webhooks.replay(webhook.id, delivery.id)

    _, second = receiver.came.get(timeout=WAIT_S)
    assert second["webhook-id"] == first["webhook-id"] == delivery.event_id


def wait_for_delivery(okapia: Okapia, webhook: Webhook) -> None:
    """Wait until the server has noted that the newest event arrived."""
    ends_at = time.monotonic() + WAIT_S
    while next(okapia.webhooks.deliveries(webhook.id)).state != "delivered":
        assert time.monotonic() < ends_at
        time.sleep(0.01)


def test_a_filter_says_what_is_told_of(okapia: Okapia, receiver: Receiver) -> None:
    wanted = DetectionFilter(
        category=["animal"], taxon="canidae", camera=["C7"], min_score=0.5, hours=("20:00", "06:00")
    )

    made = okapia.webhooks.create(receiver.url, events=["detection.created"], detections=wanted)

    kept = okapia.webhooks.get(made.id).filter
    assert kept["taxon_name"] == "canine family"
    assert (kept["category"], kept["camera"], kept["min_score"]) == (["animal"], ["C7"], 0.5)
    assert kept["hours"] == {"from": "20:00", "to": "06:00"}


def test_a_change_leaves_alone_what_it_does_not_name(okapia: Okapia, webhook: Webhook) -> None:
    changed = okapia.webhooks.change(webhook.id, description="the night shift", enabled=False)

    assert (changed.description, changed.enabled) == ("the night shift", False)
    assert (changed.url, changed.events) == (webhook.url, webhook.events)


def test_a_secret_is_shown_once(okapia: Okapia, webhook: Webhook) -> None:
    again = {one.id: one for one in okapia.webhooks.all()}[webhook.id]

    assert (webhook.secret or "").startswith("whsec_")
    assert again.secret is None
    assert str(webhook.secret) not in repr(webhook)


def test_a_deleted_webhook_is_not_found(okapia: Okapia, receiver: Receiver) -> None:
    made = okapia.webhooks.create(receiver.url)

    okapia.webhooks.delete(made.id)

    with pytest.raises(NotFound):
        okapia.webhooks.get(made.id)


def test_an_event_that_there_is_not_is_refused(okapia: Okapia, receiver: Receiver) -> None:
    with pytest.raises(InvalidRequest):
        okapia.webhooks.create(receiver.url, events=["fox.seen"])
