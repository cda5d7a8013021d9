"""Fetching the picture that a caller's URL leads to, without being the caller's hand inside our network."""

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpcore
import httpx

from okapia import __version__
from okapia.domain.errors import SourceRefused, SourceUnavailable
from okapia.storage.dial import Deadline, GuardedNetwork, Resolve, system_addresses

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNTOLD = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""Content types that say nothing; the last is what S3 gives to objects stored without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteReader:
    """Fetches pictures by URL: `fetch`, from any number of threads.

    The environment's proxies are never used: a proxy resolves names itself and connects from where it
    stands, so no address could be checked. Nor are its credentials (`.netrc`); cookies and referrers are
    not kept. Certificates are (`SSL_CERT_FILE`, `SSL_CERT_DIR`).

    Attributes:
        max_bytes: of a picture.
        ports: those that may be connected to, the schemes' own included.
        allow_private: whether addresses of one's own machine and network may be fetched from as well.
            Those that hand out a cloud's credentials, link-local and reserved ones never may.
        connect_s: for finding the host's address, for connecting to one, and for TLS, each.
        read_s: between two pieces of the answer.
        total_s: for everything, redirects included.
        resolve, network: how names become addresses, and addresses connections.
    """

    max_bytes: int
    ports: frozenset[int] = frozenset(_DEFAULT_PORTS.values())
    allow_private: bool = False
    max_redirects: int = 3
    connect_s: float = 5.0
    read_s: float = 10.0
    total_s: float = 30.0
    resolve: Resolve = system_addresses
    network: httpcore.NetworkBackend = field(default_factory=httpcore.SyncBackend)
    tls: ssl.SSLContext = field(default_factory=httpx.create_ssl_context, repr=False)

    def fetch(self, url: str) -> bytes:
        """Give the body of the answer, not decoded; perhaps empty, perhaps no picture in spite of its type.

        Raises:
            SourceRefused: what the URL, or one that it redirects to, asks for is not allowed: scheme,
                user information, port, address.
            SourceUnavailable: unknown host, no connection, a wrong certificate, a status other than 200,
                no picture by its type, compressed, too large, cut off, too slow, too many redirects.
        """
        deadline = Deadline.after(self.total_s)
        next_url = self._allowed(url)
        with self._translated():
            for _ in range(self.max_redirects + 1):
                answer = self._get(next_url, deadline)
                if isinstance(answer, bytes):
                    return answer
                next_url = answer
        raise SourceUnavailable(f"expected at most {self.max_redirects} redirects, got another")

    def _allowed(self, text: str, *, base: httpx.URL | None = None) -> httpx.URL:
        """Read a URL, relative to `base` in a redirect, and check all of it that can be without resolving."""
        try:
            url = base.join(text) if base else httpx.URL(text)
        except httpx.InvalidURL as error:
            raise SourceRefused(f"expected a URL: {error}") from error
        if url.scheme not in _DEFAULT_PORTS:
            raise SourceRefused(f"expected http:// or https://, got {url.scheme or 'no scheme'}")
        if url.userinfo:
            raise SourceRefused("expected a URL without user name and password")
        if not url.host or b"%" in url.raw_host:  # `%`: an IPv6 zone, or what no host name holds
            raise SourceRefused("expected the name of a host or an address without a zone")
        port = _DEFAULT_PORTS[url.scheme] if url.port is None else url.port
        if port not in self.ports:
            allowed = ", ".join(map(str, sorted(self.ports)))
            raise SourceRefused(f"expected port {allowed}, got {port}")
        return url

    def _get(self, url: httpx.URL, deadline: Deadline) -> bytes | httpx.URL:
        """Give a body, or where a redirect leads: one connection, kept for nothing else."""
        network = GuardedNetwork(
            self.network, resolve=self.resolve, allow_private=self.allow_private, deadline=deadline
        )
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        waits = {"connect": self.connect_s, "read": self.read_s, "write": self.read_s}
        with (
            httpcore.HTTPConnection(target.origin, self.tls, network_backend=network) as connection,
            connection.stream(
                "GET", target, headers=_headers(url), extensions={"timeout": waits}
            ) as response,
        ):
            headers = httpx.Headers(response.headers)
            if response.status in _REDIRECTS and "location" in headers:
                return self._allowed(headers["location"], base=url)
            self._check(response.status, headers)
            return self._body(response.iter_stream())

    def _check(self, status: int, headers: httpx.Headers) -> None:
        """Refuse an answer by its head."""
        if status != 200:
            raise SourceUnavailable(f"expected status 200, the server answered {status}")
        # Compressed pictures hardly shrink; what does is a few kilobytes that become gigabytes.
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"", "identity"}:
            raise SourceUnavailable(f"expected a body as it is, got one encoded as {encoding!r}")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _UNTOLD and not kind.startswith("image/"):
            raise SourceUnavailable(f"expected a picture, the server sends {kind!r}")
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self.max_bytes:
            raise self._too_large()

    def _body(self, chunks: Iterable[bytes]) -> bytes:
        body = bytearray()
        for chunk in chunks:
            body += chunk
            if len(body) > self.max_bytes:
                raise self._too_large()
        return bytes(body)

    def _too_large(self) -> SourceUnavailable:
        return SourceUnavailable(f"expected at most {self.max_bytes:,} bytes, the server sends more")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Say what httpcore says in our words, and never what an answer that is no HTTP holds."""
        try:
            yield
        except (httpcore.TimeoutException, TimeoutError) as error:
            raise SourceUnavailable(
                f"expected a connection within {self.connect_s:g} s, no pause above {self.read_s:g} s and "
                f"the whole picture within {self.total_s:g} s, the server is slower"
            ) from error
        except httpcore.NetworkError as error:
            raise SourceUnavailable(f"no connection to the server: {error}") from error
        except httpcore.ProtocolError as error:
            raise SourceUnavailable("the server broke off, or does not speak HTTP") from error


def _headers(url: httpx.URL) -> list[tuple[str, bytes]]:
    return [
        ("Host", url.netloc),
        ("User-Agent", f"okapia/{__version__}".encode()),
        ("Accept", b"image/*, application/octet-stream;q=0.9"),
        ("Accept-Encoding", b"identity"),
        ("Connection", b"close"),
    ]
