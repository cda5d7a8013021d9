"""Sending bytes to a URL that an account named, under the same guard as fetching from one."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

import httpcore

from okapia import __version__
from okapia.domain.errors import SourceRefused, SourceUnavailable
from okapia.storage.addresses import may_connect
from okapia.storage.dial import Deadline
from okapia.storage.exchange import GuardedClient, web_url

_READ_BYTES = 1_000
"""So much of an answer is awaited before the connection is closed: enough for a receiver's "ok"."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of sending.

    Attributes:
        status: of the answer; None when there was none.
        error: why there was none, in words for whoever owns the URL.
    """

    status: int | None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedPoster(GuardedClient):
    """Posts to URLs that callers name: `post`, from any number of threads. Any port is allowed."""

    read_s: float = 15.0
    total_s: float = 15.0

    def check(self, url: str) -> None:
        """Refuse a URL that can never be posted to, as far as that shows without asking for its address.

        Raises:
            SourceRefused: no http(s) URL, user information, no https though only public hosts are
                allowed, or a host given as an address that is not allowed.
        """
        parsed = web_url(url)
        if parsed.scheme != "https" and not self.allow_private:
            raise SourceRefused(f"expected https://, got {parsed.scheme}://")
        with suppress(ValueError):  # a name: it is looked up, and checked, whenever something is sent
            if not may_connect(ip_address(parsed.host), allow_private=self.allow_private):
                raise SourceRefused(
                    "expected a host on the public internet, got a private or reserved address"
                )

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        """Send `body` as JSON and give the status that came back; a redirect is not followed.

        Nothing is raised for what a URL or a receiver can do wrong: it is part of what is given.
        """
        deadline = Deadline.after(self.total_s)
        try:
            self.check(url)
            sent = [*((name, value.encode()) for name, value in headers.items()), *_own_headers(body)]
            with self.exchange("POST", web_url(url), deadline, headers=sent, body=body) as response:
                _read_some(response.iter_stream())
                return Posted(response.status)
        except (SourceRefused, SourceUnavailable) as error:
            return Posted(None, str(error))
        except (httpcore.TimeoutException, TimeoutError):
            return Posted(None, f"expected an answer within {self.total_s:g} s, the receiver is slower")
        except httpcore.NetworkError as error:
            return Posted(None, f"no connection to the receiver: {error}")
        except httpcore.ProtocolError:
            return Posted(None, "the receiver broke off, or does not speak HTTP")


def _own_headers(body: bytes) -> list[tuple[str, bytes]]:
    return [
        ("Content-Type", b"application/json"),
        ("Content-Length", str(len(body)).encode()),
        ("User-Agent", f"okapia/{__version__}".encode()),
    ]


def _read_some(chunks: Iterable[bytes]) -> None:
    """Wait for the beginning of an answer that nobody reads; whatever happens to it, its status counts."""
    failures = (httpcore.TimeoutException, TimeoutError, httpcore.NetworkError, httpcore.ProtocolError)
    read = 0
    with suppress(*failures):
        for chunk in chunks:
            read += len(chunk)
            if read >= _READ_BYTES:
                return
