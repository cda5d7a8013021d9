"""Connections to checked addresses only, within one time limit: what lies below the fetch of a caller's URL.

Why here and not a look at the URL beforehand: whoever owns a name decides what it resolves to, and may give
the check a public address and the connection 127.0.0.1 (DNS rebinding). httpcore opens every connection
through a network backend, so this one resolves a name once, checks all that came back, and connects to those
very addresses. Host, SNI and the certificate's name remain httpcore's and come from the URL. Putting the
address into the URL instead would leave them to us, and could not bound the time: a server that sends a byte
of its headers every few seconds never exceeds a read time-out.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from ipaddress import ip_address
from threading import Thread

import httpcore

from okapia.domain.errors import SourceRefused
from okapia.storage.addresses import may_connect
from okapia.storage.fetch_errors import HostSilent

Resolve = Callable[[str, int], Sequence[str]]
"""Gives the addresses of a host name and port, as text, best first; raises OSError or ValueError for none."""


def system_addresses(host: str, port: int) -> Sequence[str]:
    """Ask the operating system: its resolver, its hosts file, its spellings (`127.1`, `0x7f000001`)."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment at which all that belongs to one fetch must be over.

    Attributes:
        at: on `time.monotonic`'s clock, seconds.
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(time.monotonic() + seconds)

    def left(self, wanted: float | None) -> float:
        """Give `wanted` seconds or what is left, whichever is less: always above 0.

        Raises:
            TimeoutError: nothing is left.
        """
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left if wanted is None else min(left, wanted)


class GuardedNetwork(httpcore.NetworkBackend):
    """Connects to public addresses only, through another backend.

    Raises from `connect_tcp`, next to httpcore's errors:
        SourceRefused: one of the addresses is not allowed; one is enough, for which of them gets
            connected is not the caller's affair. The message names none: they may be a secret.
        HostSilent: the name does not resolve.
        TimeoutError: it does not in time, or the deadline has passed.
    """

    def __init__(
        self, network: httpcore.NetworkBackend, *, resolve: Resolve, allow_private: bool, deadline: Deadline
    ) -> None:
        """Resolve with `resolve`, once a connection; connect with `network`."""
        self._network = network
        self._resolve = resolve
        self._allow_private = allow_private
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in self._addresses(host, port, timeout=timeout):
            left = self._deadline.left(timeout)
            try:
                stream = self._network.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _TimedStream(stream, self._deadline)
        raise failure or HostSilent("the host has no address")

    def _addresses(self, host: str, port: int, *, timeout: float | None) -> list[str]:
        """Give the host's addresses in the form that cannot be taken for a name, all of them checked."""
        texts = _within(self._deadline.left(timeout), lambda: self._resolve(host, port))
        try:
            addresses = [ip_address(text) for text in texts]
        except ValueError:
            addresses = []
        allowed = [
            address for address in addresses if may_connect(address, allow_private=self._allow_private)
        ]
        if len(allowed) < len(texts):
            raise SourceRefused(
                "expected a host on the public internet; this URL, or one that it redirects to, leads to a "
                "private, local or reserved address"
            )
        return [str(address) for address in addresses]


class _TimedStream(httpcore.NetworkStream):
    """A connection of which every wait ends with the deadline at the latest."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            left = self._deadline.left(timeout)
        except TimeoutError:
            self.close()  # nobody else does before there is a connection around this stream
            raise
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        self._stream.close()


def _within(seconds: float, ask: Callable[[], Sequence[str]]) -> Sequence[str]:
    """Wait for addresses for `seconds`, then raise TimeoutError: the system's resolver knows no limit.

    A thread that waits in vain ends with the resolver's own patience, some tens of seconds; it never
    keeps the program from ending.
    """
    answer: Future[Sequence[str]] = Future()

    def work() -> None:
        try:
            answer.set_result(ask())
        except (OSError, ValueError) as error:  # no such name; a name that cannot be asked for
            answer.set_exception(error)

    Thread(target=work, name="okapia-resolve", daemon=True).start()
    try:
        return answer.result(timeout=seconds)
    except TimeoutError:
        raise
    except (OSError, ValueError) as error:
        raise HostSilent("the host is not known") from error
