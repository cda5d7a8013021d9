"""Fetching the picture that a caller's URL leads to, without being the caller's hand inside our network."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpcore
import httpx

from okapia import __version__
from okapia.domain.errors import SourceRefused, SourceUnavailable
from okapia.storage.dial import Deadline
from okapia.storage.exchange import DEFAULT_PORTS, GuardedClient, web_url

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_UNTOLD = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""Content types that say nothing; the last is what S3 gives to objects stored without one."""
_HEADERS = (
    ("User-Agent", f"okapia/{__version__}".encode()),
    ("Accept", b"image/*, application/octet-stream;q=0.9"),
    ("Accept-Encoding", b"identity"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteReader(GuardedClient):
    """Fetches pictures by URL: `fetch`, from any number of threads.

    Attributes:
        max_bytes: of a picture.
        ports: those that may be connected to, the schemes' own included.
    """

    max_bytes: int
    ports: frozenset[int] = frozenset(DEFAULT_PORTS.values())
    max_redirects: int = 3

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
        """Read a URL, relative to `base` in a redirect, and check its port too."""
        url = web_url(text, base=base)
        port = DEFAULT_PORTS[url.scheme] if url.port is None else url.port
        if port not in self.ports:
            allowed = ", ".join(map(str, sorted(self.ports)))
            raise SourceRefused(f"expected port {allowed}, got {port}")
        return url

    def _get(self, url: httpx.URL, deadline: Deadline) -> bytes | httpx.URL:
        """Give a body, or where a redirect leads: one connection, kept for nothing else."""
        with self.exchange("GET", url, deadline, headers=_HEADERS) as response:
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
