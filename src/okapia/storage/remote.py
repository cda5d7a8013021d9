"""Fetching what a caller's URL leads to, without being the caller's hand inside our network."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpcore
import httpx

from okapia import __version__
from okapia.domain.errors import SourceRefused, SourceUnavailable
from okapia.storage.dial import Deadline
from okapia.storage.exchange import DEFAULT_PORTS, GuardedClient, web_url
from okapia.storage.fetch_errors import HostSilent, unexpected_status

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_UNTOLD = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""Content types that say nothing; the last is what S3 gives to objects stored without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteReader(GuardedClient):
    """Fetches pictures by URL, or what else it is told to take, from any number of threads.

    Attributes:
        max_bytes: of a body.
        takes: how content types begin that are taken next to those that say nothing; empty for any.
        ports: those that may be connected to, the schemes' own included.
    """

    max_bytes: int
    takes: str = "image/"
    ports: frozenset[int] = frozenset(DEFAULT_PORTS.values())
    max_redirects: int = 3

    def fetch(self, url: str) -> bytes:
        """Give the body of the answer, not decoded; perhaps empty, perhaps no picture in spite of its type.

        Raises:
            SourceRefused: what the URL, or one that it redirects to, asks for is not allowed: scheme,
                user information, port, address.
            SourceUnavailable: unknown host, no connection, a wrong certificate, a status other than 200,
                no picture by its type, compressed, too large, cut off, too slow, too many redirects; those
                that say nothing of the picture, and those of a wrong credential, in classes of their own
                (`okapia.storage.fetch_errors`).
        """
        with self.streamed(url) as chunks:
            return b"".join(chunks)

    @contextmanager
    def streamed(self, url: str) -> Iterator[Iterator[bytes]]:
        """Give the body piece by piece, as `fetch` gives it whole; raises the same, while iterating too."""
        deadline = Deadline.after(self.total_s)
        next_url = self._allowed(url)
        with self._translated():
            for _ in range(self.max_redirects + 1):
                with self.exchange("GET", next_url, deadline, headers=self._headers) as response:
                    headers = httpx.Headers(response.headers)
                    if response.status not in _REDIRECTS or "location" not in headers:
                        self._check(response.status, headers)
                        yield self._bounded(response.iter_stream())
                        return
                    next_url = self._allowed(headers["location"], base=next_url)
        raise SourceUnavailable(f"expected at most {self.max_redirects} redirects, got another")

    @property
    def _headers(self) -> Sequence[tuple[str, bytes]]:
        return (
            ("User-Agent", f"okapia/{__version__}".encode()),
            ("Accept", f"{self.takes or '*/'}*, application/octet-stream;q=0.9".encode()),
            ("Accept-Encoding", b"identity"),
        )

    def _allowed(self, text: str, *, base: httpx.URL | None = None) -> httpx.URL:
        """Read a URL, relative to `base` in a redirect, and check its port too."""
        url = web_url(text, base=base)
        port = DEFAULT_PORTS[url.scheme] if url.port is None else url.port
        if port not in self.ports:
            allowed = ", ".join(map(str, sorted(self.ports)))
            raise SourceRefused(f"expected port {allowed}, got {port}")
        return url

    def _check(self, status: int, headers: httpx.Headers) -> None:
        """Refuse an answer by its head."""
        if status != 200:
            raise unexpected_status(status)
        # Compressed pictures hardly shrink; what does is a few kilobytes that become gigabytes.
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"", "identity"}:
            raise SourceUnavailable(f"expected a body as it is, got one encoded as {encoding!r}")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _UNTOLD and not kind.startswith(self.takes):
            raise SourceUnavailable(f"expected a picture, the server sends {kind!r}")
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self.max_bytes:
            raise self._too_large()

    def _bounded(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        n_bytes = 0
        for chunk in chunks:
            n_bytes += len(chunk)
            if n_bytes > self.max_bytes:
                raise self._too_large()
            yield chunk

    def _too_large(self) -> SourceUnavailable:
        return SourceUnavailable(f"expected at most {self.max_bytes:,} bytes, the server sends more")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Say what httpcore says in our words, and never what an answer that is no HTTP holds."""
        try:
            yield
        except (httpcore.TimeoutException, TimeoutError) as error:
            raise HostSilent(
                f"expected a connection within {self.connect_s:g} s, no pause above {self.read_s:g} s and "
                f"the whole picture within {self.total_s:g} s, the server is slower"
            ) from error
        except httpcore.NetworkError as error:
            raise HostSilent(f"no connection to the server: {error}") from error
        except httpcore.ProtocolError as error:
            raise HostSilent("the server broke off, or does not speak HTTP") from error
