"""A server that says what it is told to, and an internet in which every address leads to it."""

import re
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpcore
import trustme

from okapia.storage.dial import Resolve

PUBLIC = "93.184.215.14"
"""An address that passes as public; nothing is sent there."""

AUTHORITY = trustme.CA()
"""Vouches for `pictures.test`; made anew for every run, so that no key lies in the repository."""

Page = Callable[[], Iterable[bytes]]


@dataclass
class Site:
    """What a server answers, and what it was asked.

    Attributes:
        pages: path to the pieces that are sent for it, byte by byte as they are.
        heads: request lines and headers, in order of arrival.
        bodies: what came after them.
        names: server names (SNI) that TLS clients gave.
        sent: bytes, of all answers.
    """

    port: int
    pages: dict[str, Page]
    tls: ssl.SSLContext | None = None
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    sent: int = 0

    def add(self, path: str, *pieces: bytes) -> None:
        self.pages[path] = lambda: pieces

    def add_picture(self, path: str, body: bytes, *headers: str) -> None:
        lines = [f"Content-Length: {len(body)}", "Content-Type: image/jpeg", *headers]
        self.add(path, head("200 OK", *lines), body)

    def add_redirect(self, path: str, location: str, status: str = "302 Found") -> None:
        self.add(path, head(status, f"Location: {location}", "Content-Length: 0"))

    def answer(self, connection: socket.socket) -> None:
        """Serve one request; a client that goes away early is none of the server's business."""
        try:
            with connection, self._wrapped(connection) as stream:
                stream.settimeout(20)
                request = b""
                while b"\r\n\r\n" not in request:
                    request += stream.recv(4096) or b"\r\n\r\n"
                start, _, body = request.partition(b"\r\n\r\n")
                self.heads.append(f"{start.decode('latin-1')}\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", start.lower())
                while length and len(body) < int(length[1]) and (piece := stream.recv(4096)):
                    body += piece
                self.bodies.append(body)
                path = self.heads[-1].split(" ")[1]
                for piece in self.pages[path]():
                    stream.sendall(piece)
                    self.sent += len(piece)
        except (OSError, LookupError):
            return

    def _wrapped(self, connection: socket.socket) -> socket.socket:
        return self.tls.wrap_socket(connection, server_side=True) if self.tls else connection


@contextmanager
def serve(tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    """Run a site on a free port of this machine."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            site.answer(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        site = Site(server.server_address[1], {}, tls)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()


class Internet(httpcore.NetworkBackend):
    """Every address and port leads to one site.

    Attributes:
        dialled: addresses and ports, in order.
        dead: addresses that refuse connections.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.dialled: list[tuple[str, int]] = []
        self.dead: set[str] = set()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        self.dialled.append((host, port))
        if host in self.dead:
            raise httpcore.ConnectError("[Errno 111] Connection refused")
        backend = httpcore.SyncBackend()
        return backend.connect_tcp("127.0.0.1", self.site.port, timeout, local_address, socket_options)


class Names:
    """A name service: each question to a name takes its next answer, the last one for ever."""

    def __init__(self, answers: dict[str, list[Sequence[str]]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def resolve(self, host: str, port: int) -> Sequence[str]:
        del port
        self.asked.append(host)
        if host not in self.answers:
            raise OSError("Name or service not known")
        left = self.answers[host]
        return left.pop(0) if len(left) > 1 else left[0]


def always(*addresses: str) -> Resolve:
    return lambda _host, _port: addresses


def head(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("latin-1")


def drip(*, first: bytes, then: bytes, every_s: float) -> Page:
    """Send `then` again and again, up to 10 s."""

    def pieces() -> Iterator[bytes]:
        yield first
        until = time.monotonic() + 10
        while time.monotonic() < until:
            time.sleep(every_s)
            yield then

    return pieces


def certified(site_names: list[str | None]) -> ssl.SSLContext:
    """Give a context of the server `pictures.test`; the names that clients ask for go to `site_names`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("pictures.test").configure_cert(context)
    context.sni_callback = lambda _socket, name, _context: site_names.append(name)
    return context


def trusting() -> ssl.SSLContext:
    """Give a client's context that trusts `AUTHORITY`."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context
