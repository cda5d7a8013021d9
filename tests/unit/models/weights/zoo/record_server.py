"""A record of archives on this machine, as the zoo's host serves one."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath

RECORD = "22018132"


@dataclass
class Host:
    """What the server serves and how it behaves; a test changes it.

    Attributes:
        files: the archives of the record by name.
        md5: in place of an archive's own.
        sizes: whether the record says them.
        ranges: whether the server continues where it is asked to.
        cuts: bytes of a body after which the connection drops, one an answer; then it holds.
        status: of answers about a path that begins so, in place of 200.
        asked: path and Range header of each request.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    md5: dict[str, str] = field(default_factory=dict)
    sizes: bool = True
    ranges: bool = True
    lengths: bool = True
    cuts: list[int] = field(default_factory=list)
    status: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""

    @property
    def ranges_asked(self) -> list[str | None]:
        """The Range headers of the requests for archives."""
        return [header for path, header in self.asked if path.startswith("/records/")]

    def listing(self) -> bytes:
        rows = [self._row(name, content) for name, content in self.files.items()]
        return json.dumps({"id": RECORD, "title": "A zoo", "files": rows}).encode()

    def _row(self, name: str, content: bytes) -> dict[str, object]:
        md5 = self.md5.get(name, hashlib.md5(content, usedforsecurity=False).hexdigest())
        row: dict[str, object] = {"key": name, "checksum": f"md5:{md5}", "links": {}}
        return row | {"size": len(content)} if self.sizes else row


@contextmanager
def serving(host: Host) -> Iterator[Host]:
    class Handler(_Handler):
        served = host

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    host.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: Host

    def do_GET(self) -> None:
        host = self.served
        host.asked.append((self.path, self.headers.get("Range")))
        for prefix, status in host.status.items():
            if self.path.startswith(prefix):
                self.send_error(status)
                return
        if self.path == f"/api/records/{RECORD}":
            self._send(200, host.listing(), {})
        elif (body := host.files.get(PurePosixPath(self.path).name)) is not None:
            self._send_file(body)
        else:
            self.send_error(404)

    def _send_file(self, body: bytes) -> None:
        asked = self.headers.get("Range")
        cut = self.served.cuts.pop(0) if self.served.cuts else None
        if asked is None or not self.served.ranges:
            self._send(200, body, {}, cut=cut)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            self.send_error(416)
            return
        headers = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        self._send(206, body[start:], headers, cut=cut)

    def _send(self, status: int, body: bytes, headers: dict[str, str], *, cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.served.lengths:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""
