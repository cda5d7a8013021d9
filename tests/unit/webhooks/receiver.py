"""Somebody else's server that takes webhooks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Thread


@dataclass(frozen=True)
class Received:
    """One request; names of headers in small letters."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What a server answers, and what it got.

    Attributes:
        statuses: one for each request; the last for all that follow.
        headers: of every answer.
        may_answer: cleared, requests wait.
        most_at_once: requests that waited or were answered at the same time.
    """

    url: str
    statuses: list[int] = field(default_factory=lambda: [204])
    headers: dict[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    may_answer: Event = field(default_factory=Event)
    most_at_once: int = 0
    _now: int = 0
    _changed: Condition = field(default_factory=Condition)

    def take(self, request: Received) -> int:
        with self._changed:
            self.received.append(request)
            self._changed.notify_all()
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        self.may_answer.wait(10)
        with self._changed:
            self._now -= 1
        return status

    def wait_for(self, number: int) -> None:
        """Wait until so many requests have come; fails after 10 s."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.received) >= number, timeout=10)

    @property
    def ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.received]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers["content-length"]))
            self.send_response(receiver.take(Received(self.path, headers, body)))
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_port}/hook")
        receiver.may_answer.set()
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.may_answer.set()
            server.shutdown()
            thread.join()
