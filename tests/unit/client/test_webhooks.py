"""Webhooks through the client: made, told of what was seen, believed, and looked after."""

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
