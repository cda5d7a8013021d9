"""One HTTP exchange with a host that somebody else named: what fetching and posting have in common."""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpcore
import httpx

from okapia.domain.errors import SourceRefused
from okapia.storage.dial import Deadline, GuardedNetwork, Resolve, system_addresses

DEFAULT_PORTS = {"http": 80, "https": 443}


def web_url(text: str, *, base: httpx.URL | None = None) -> httpx.URL:
    """Read a URL, relative to `base` in a redirect, and check all of it that can be without resolving.

    Raises:
        SourceRefused: it is none, of another scheme than http(s), or has user information or no plain host.
    """
    try:
        url = base.join(text) if base else httpx.URL(text)
    except httpx.InvalidURL as error:
        raise SourceRefused(f"expected a URL: {error}") from error
    if url.scheme not in DEFAULT_PORTS:
        raise SourceRefused(f"expected http:// or https://, got {url.scheme or 'no scheme'}")
    if url.userinfo:
        raise SourceRefused("expected a URL without user name and password")
    if not url.host or b"%" in url.raw_host:  # `%`: an IPv6 zone, or what no host name holds
        raise SourceRefused("expected the name of a host or an address without a zone")
    return url


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedClient:
    """Connects to checked addresses only, anew for each exchange, from any number of threads.

    The environment's proxies are never used: a proxy resolves names itself and connects from where it
    stands, so no address could be checked. Nor are its credentials (`.netrc`); cookies and referrers are
    not kept. Certificates are (`SSL_CERT_FILE`, `SSL_CERT_DIR`).

    Attributes:
        allow_private: whether addresses of one's own machine and network may be connected to as well.
            Those that hand out a cloud's credentials, link-local and reserved ones never may.
        connect_s: for finding the host's address, for connecting to one, and for TLS, each.
        read_s: between two pieces of the answer.
        total_s: for everything, redirects included.
        resolve, network: how names become addresses, and addresses connections.
    """

    allow_private: bool = False
    connect_s: float = 5.0
    read_s: float = 10.0
    total_s: float = 30.0
    resolve: Resolve = system_addresses
    network: httpcore.NetworkBackend = field(default_factory=httpcore.SyncBackend)
    tls: ssl.SSLContext = field(default_factory=httpx.create_ssl_context, repr=False)

    @contextmanager
    def exchange(
        self,
        method: str,
        url: httpx.URL,
        deadline: Deadline,
        *,
        headers: Sequence[tuple[str, bytes]],
        body: bytes = b"",
    ) -> Iterator[httpcore.Response]:
        """Send a request and give its answer, of which only the head was read; redirects are not followed.

        Args:
            headers: next to Host and Connection.

        Raises:
            SourceRefused, SourceUnavailable: as `GuardedNetwork` does.
            TimeoutError: the deadline has passed.
            httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError: as they say.
        """
        network = GuardedNetwork(
            self.network, resolve=self.resolve, allow_private=self.allow_private, deadline=deadline
        )
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        waits = {"connect": self.connect_s, "read": self.read_s, "write": self.read_s}
        sent = [("Host", url.netloc), *headers, ("Connection", b"close")]
        with (
            httpcore.HTTPConnection(target.origin, self.tls, network_backend=network) as connection,
            connection.stream(
                method, target, headers=sent, content=body, extensions={"timeout": waits}
            ) as response,
        ):
            yield response
