"""A batch's pictures by URL, of which the part that may be a secret is kept encrypted."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from okapia.batches.hosts import Fetch, Hosts
from okapia.batches.items import Item
from okapia.batches.list_source import ListEntry
from okapia.batches.source import CredentialsNeeded, MissingPicture, SourceGone
from okapia.domain.errors import SourceUnavailable
from okapia.domain.storage_errors import SecretDamaged
from okapia.storage.fetch_errors import AccessRefused, HostSilent, NothingThere
from okapia.storage.secrets import Sealed, Vault

_WAITS: Sequence[float] = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0)
"""Seconds before the next try: of 30 % refusals, one in 500,000 pictures meets eleven in a row."""

_PATIENCE_S = 60.0
REFUSALS = 20
"""Signed URLs that are refused one after the other before their signatures are taken for expired."""

_SCHEMES = ("http://", "https://")


def listed_item(entry: ListEntry, vault: Vault) -> Item:
    """Give the picture of a list's entry, named by the entry; a URL may hold secrets, and is named without.

    What comes with `?` is encrypted. User name and password are dropped, and the picture fails. So is what
    comes with `#`, which no server ever sees.
    """
    if not entry.locator.lower().startswith(_SCHEMES):
        return Item(entry.locator, meta=entry.meta)
    address, _, query = entry.locator.partition("#")[0].partition("?")
    scheme, _, rest = address.partition("://")
    authority, slash, path = rest.partition("/")
    person, _, host = authority.rpartition("@")
    name = f"{scheme}://{host}{slash}{path}"
    return Item(
        name,
        meta=entry.meta,
        problem="expected a URL without user name and password" if person else None,
        sealed=vault.seal(query, owner=name) if query else None,
    )


class UrlSource:
    """A `Source`: the pictures of a list of URLs, each as often as it is named."""

    def __init__(
        self,
        listed: Callable[[], Iterator[Item]],
        fetch: Fetch,
        vault: Vault,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Fetch what `listed_item` made with the same vault."""
        self._listed = listed
        self._fetch = fetch
        self._vault = vault
        self._hosts = Hosts(fetch, clock=clock)
        self._clock = clock
        self._sleep = sleep
        self._refusals = 0

    def items(self) -> Iterator[Item]:
        """Give the pictures in the order of the list; nobody looks whether they are there."""
        return map(_web_only, self._listed())

    def read(self, item: Item) -> bytes:
        """Give a picture's file; raises as `Source` says."""
        url, host = self._url(item), urlsplit(item.name).netloc
        if self._hosts.is_given_up(host):
            raise SourceUnavailable("the host of the URL has not answered for a while; others do")
        try:
            data = self._patiently(url)
        except HostSilent as error:
            if self._hosts.is_no_outage(host):
                raise
            raise SourceGone(f"expected {host} to answer: {error}") from error
        except SourceUnavailable as error:
            self._hosts.note_answer(host, url)
            self._expect_valid_signatures(item, error)
            if isinstance(error, NothingThere):
                raise MissingPicture from error
            raise
        self._hosts.note_answer(host, url)
        self._refusals = 0
        return data

    def _patiently(self, url: str) -> bytes:
        until = self._clock() + _PATIENCE_S
        for wait in _WAITS:
            with suppress(HostSilent):
                return self._fetch(url)
            if self._clock() + wait > until:
                break
            self._sleep(wait)
        return self._fetch(url)

    def _url(self, item: Item) -> str:
        if item.sealed is None:
            return item.name
        try:
            return f"{item.name}?{self._vault.open(Sealed(item.sealed), owner=item.name)}"
        except SecretDamaged as error:
            raise CredentialsNeeded("expected the key that came with the list, got another") from error

    def _expect_valid_signatures(self, item: Item, error: SourceUnavailable) -> None:
        """Tell one picture that is refused from a list whose time is over."""
        is_refused = isinstance(error, AccessRefused) and item.sealed is not None
        self._refusals = self._refusals + 1 if is_refused else 0
        if self._refusals >= REFUSALS:
            raise CredentialsNeeded(
                f"expected the URLs of the list to open, {self._refusals} in a row did not: {error}"
            ) from error


def _web_only(item: Item) -> Item:
    if item.problem is not None or item.name.lower().startswith(_SCHEMES):
        return item
    return item._replace(problem="expected http:// or https://, for the batch has no other place")
