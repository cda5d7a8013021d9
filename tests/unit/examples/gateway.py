"""A server of mlapi's contract that says what it is told to, and remembers what it was asked."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import cv2
import numpy as np
from numpy.typing import NDArray

PASSWORD = "correct horse"  # noqa: S105 -- of this server only
BOX = {"type": "dog", "label": "dog", "confidence": "99.69%", "box": [60, 60, 100, 90]}

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server says to one call."""

    status: int = 200
    body: object = (BOX,)
    headers: dict[str, str] = field(default_factory=dict)
    wait_s: float = 0.0


@dataclass(slots=True)
class Call:
    """What came."""

    path: str
    query: dict[str, str]
    authorization: str | None
    body: bytes
    moment: float

    @property
    def picture(self) -> Pixels:
        jpeg = self.body[self.body.index(b"\xff\xd8") : self.body.rindex(b"\xff\xd9") + 2]
        pixels = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        return pixels.astype(np.uint8)


@dataclass(slots=True)
class Gateway:
    """A server of mlapi's contract: says its replies one after another, and the last one for ever."""

    url: str = ""
    replies: Sequence[Reply] = (Reply(),)
    calls: list[Call] = field(default_factory=list)
    logins: list[object] = field(default_factory=list)

    def answer(self, call: Call) -> Reply:
        if call.path == "/api/v1/login":
            self.logins.append(said := json.loads(call.body))
            if said["password"] != PASSWORD:
                return Reply(401, {"message": "incorrect credentials"})
            return Reply(body={"access_token": f"token {len(self.logins)}", "expires": 3600})
        self.calls.append(call)
        return self.replies[min(len(self.calls), len(self.replies)) - 1]


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def gateway_listening() -> Iterator[Gateway]:
    """Start a server of mlapi's contract."""
    gateway = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            query = dict(parse_qsl(parts.query))
            call = Call(parts.path, query, self.headers["Authorization"], body, time.monotonic())
            reply = gateway.answer(call)
            time.sleep(reply.wait_s)
            data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in (reply.headers | {"Content-Length": str(len(data))}).items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):  # the program may have been ended
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as url:
        gateway.url = url
        yield gateway
