"""Where the pictures of batches lie: which places callers may name, and how those are opened."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe

import orjson

from okapia.batches.batch import Batch
from okapia.batches.cloud_source import CloudSource, blob_name
from okapia.batches.folder_source import FolderSource
from okapia.batches.hosts import Fetch
from okapia.batches.items import Item
from okapia.batches.kept_list import keep, kept
from okapia.batches.list_source import ListEntry, ListSource, parse_list
from okapia.batches.source import CredentialsNeeded, Source, SourceGone
from okapia.batches.url_source import UrlSource, listed_item
from okapia.domain.errors import (
    InvalidRequest,
    InvalidSettings,
    SourceRefused,
    SourceUnavailable,
    UnreadableFile,
)
from okapia.domain.storage_errors import StorageRefused
from okapia.service.batch_request import LIST_URL, SOURCE, PlaceOfPictures, Secrets
from okapia.service.storages import Storages, UnknownStorage, parse_address
from okapia.storage.blobs import BlobStore
from okapia.storage.cloud import CloudPictures, open_cloud, open_pictures
from okapia.storage.cloud_address import Cloud, CloudAddress
from okapia.storage.cloud_secret import CloudSecret, parse_secret
from okapia.storage.fetch_errors import AccessRefused, HostSilent
from okapia.storage.roots import SourceRoots
from okapia.storage.secrets import Vault

FetchList = Callable[[str], AbstractContextManager[Iterator[bytes]]]
"""Gives the body that a URL leads to piece by piece; raises `BadImage`, while iterating too."""

LIST_KEY = "list_key"
"""Use of the secret that opens the private parts of a list that came with the request."""

MOST_LIST_BYTES = 4 << 30
_MOST_LIST_S = 3600.0
_CHUNK_BYTES = 8 << 20
_NAMED = "storage:"


class Sources:
    """Opens the places of batches. Callers of a server may name some places, its operator any."""

    def __init__(
        self,
        *,
        roots: SourceRoots | None,
        storages: Storages,
        blobs: BlobStore,
        fetch: Fetch | None,
        max_bytes: int,
        fetch_list: FetchList | None = None,
    ) -> None:
        """Keep lists among the server's own blobs.

        Args:
            roots: below which folders may be named; None for an operator, who may also name any address in
                a cloud, with the identity of the machine.
            fetch: gives the picture that a URL leads to; None refuses all URLs.
            max_bytes: of a picture.
            fetch_list: gives the list that a URL leads to; None for the guarded way of `fetch`.
        """
        self._roots = roots
        self._storages = storages
        self._blobs = blobs
        self._fetch = fetch
        self._max_bytes = max_bytes
        self._fetch_list = fetch_list or _guarded_list

    def check(self, place: PlaceOfPictures, secrets: Secrets) -> None:
        """Say at once what is wrong with a place, as far as nobody outside has to be asked.

        Raises:
            InvalidRequest: the address or the secret has none of the forms; no such folder or storage.
            SourceRefused: callers may not name it.
        """
        if place.fetches_list and not secrets.get(LIST_URL):
            raise InvalidRequest("expected the URL of the list", param="list_url")
        if place.fetches_list or not place.address:
            self._fetcher()
        secret = secrets.get(SOURCE)
        if secret and (place.address.startswith(_NAMED) or not _is_cloud(place.address)):
            raise InvalidRequest("expected a secret with an address in a cloud only", param="secret")
        if _is_cloud(place.address):
            self._cloud(place.address, secret)
        elif place.address:
            self._check_folder(place.address)

    def keep_list(self, batch_id: str, entries: Iterable[ListEntry], secrets: Secrets) -> tuple[str, Secrets]:
        """Keep a list that came with a request, the queries of its URLs encrypted.

        Gives its key, and the batch's secrets with what opens those queries.

        Raises:
            InvalidRequest: it is no list (`parse_list`).
            StorageError: it cannot be kept.
        """
        secrets = {**secrets, LIST_KEY: token_urlsafe(32)}
        vault = _vault(batch_id, secrets)
        return keep(self._blobs, batch_id, (listed_item(entry, vault) for entry in entries)), secrets

    def open(self, batch: Batch, place: PlaceOfPictures, secrets: Secrets, *, least_bytes: int = 0) -> Source:
        """Open the place of a batch; nobody outside is asked yet.

        A storage that lost its name, and what callers may not name any more, is a `SourceGone`, here or
        when the source is used.

        Args:
            least_bytes: that a file may have in any case: clips are larger than pictures.

        Raises:
            SourceGone: as above.
            InvalidRequest: it has neither an address nor a list.
        """
        try:
            return self._opened(place, secrets, _vault(batch.id, secrets), least_bytes)
        except SourceRefused as error:
            raise SourceGone(str(error)) from error

    def writer(self, address: str, secret: str | None) -> Callable[[Path, str], None]:
        """Give what puts files, each under a name, at a place in a cloud.

        It raises `CredentialsNeeded` where the cloud refuses, and `StorageUnavailable`.

        Raises:
            InvalidRequest, SourceRefused: as `check` does.
        """
        blobs = open_cloud(*self._cloud(address, secret))

        def put(path: Path, name: str) -> None:
            with path.open("rb") as file:
                try:
                    blobs.put(name, iter(partial(file.read, _CHUNK_BYTES), b""), max_bytes=sys.maxsize)
                except StorageRefused as error:
                    raise CredentialsNeeded(str(error)) from error

        return put

    def _opened(self, place: PlaceOfPictures, secrets: Secrets, vault: Vault, least_bytes: int) -> Source:
        if not place.address:
            return UrlSource(self._listed(place, secrets, vault), self._fetcher(), vault)
        max_bytes = max(self._max_bytes, least_bytes)
        inner = self._place(place.address, secrets.get(SOURCE), max_bytes=max_bytes)
        if not (place.list_key or place.fetches_list):
            return inner
        return ListSource(inner, self._listed(place, secrets, vault))

    def _place(self, address: str, secret: str | None, *, max_bytes: int) -> FolderSource | CloudSource:
        if _is_cloud(address):
            return CloudSource(partial(self._open_pictures, address, secret), max_bytes=max_bytes)
        return FolderSource(Path(address), max_bytes=max_bytes, roots=self._roots)

    def _open_pictures(self, address: str, secret: str | None) -> CloudPictures:
        try:
            return open_pictures(*self._cloud(address, secret))
        except (UnknownStorage, SourceRefused) as error:
            raise SourceGone(str(error)) from error
        except InvalidSettings as error:
            raise CredentialsNeeded(f"expected a secret that can be read: {error}") from error

    def _listed(self, place: PlaceOfPictures, secrets: Secrets, vault: Vault) -> Callable[[], Iterator[Item]]:
        if place.fetches_list:
            self._fetcher()
            return partial(self._fetched, secrets[LIST_URL], vault)
        if not place.list_key:
            raise InvalidRequest("expected an address or a list of URLs, got neither", param="source")
        return partial(kept, self._blobs, place.list_key)

    def _fetched(self, url: str, vault: Vault) -> Iterator[Item]:
        """Read a list where it lies; its pictures are written down as they come."""
        try:
            with self._fetch_list(url) as chunks:
                for entry in parse_list(chunks):
                    yield listed_item(entry, vault)
        except HostSilent as error:
            raise SourceGone(f"the list: {error}") from error
        except AccessRefused as error:
            raise CredentialsNeeded(f"the list: {error}") from error
        except (SourceRefused, SourceUnavailable) as error:
            raise InvalidRequest(f"the list: {error}", param="list_url") from error

    def _cloud(self, address: str, secret: str | None) -> tuple[CloudAddress, CloudSecret | None]:
        """Give the place in a cloud that an address means, and what opens it."""
        if address.startswith(_NAMED):
            return self._named(address.removeprefix(_NAMED))
        place = parse_address(address, param="source")
        if self._roots is not None:
            self._expect_harmless(place, secret or "")
        return place, parse_secret(place.cloud, secret) if secret else None

    def _named(self, text: str) -> tuple[CloudAddress, CloudSecret | None]:
        name, _, below = text.partition("/")
        place, secret = self._storages.get(name)
        if below:
            place = replace(place, prefix=_prefix(place.prefix, below))
        return place, secret

    def _expect_harmless(self, place: CloudAddress, secret: str) -> None:
        """Refuse what would lend callers the server's own identity, or its place in a network."""
        if not secret:
            raise SourceRefused(
                "expected a secret with the address: the server's own identity opens named storages only "
                "(okapia storage add)"
            )
        is_foreign = place.cloud is Cloud.GCS and _names_server(secret)
        if is_foreign or (place.endpoint and place.endpoint not in self._storages.endpoints()):
            raise SourceRefused(
                "expected the cloud's own servers, or those of a named storage (okapia storage add)"
            )

    def _check_folder(self, path: str) -> None:
        if self._roots is None and not Path(path).is_dir():
            raise InvalidRequest("expected a folder of pictures, there is none", param="source")
        if self._roots is not None:
            try:
                self._roots.folder(path)
            except UnreadableFile as error:
                raise InvalidRequest(f"expected a folder of pictures: {error}", param="source") from error

    def _fetcher(self) -> Fetch:
        if self._fetch is None:
            raise SourceRefused("fetching URLs is off; set OKAPIA_FETCH_URLS")
        return self._fetch


def _is_cloud(address: str) -> bool:
    return address.startswith(_NAMED) or "://" in address


def _prefix(above: str, below: str) -> str:
    try:
        return blob_name(f"{above}/{below}" if above else below)
    except UnreadableFile as error:
        raise InvalidRequest(str(error), param="source") from error


def _names_server(service_account: str) -> bool:
    """Tell a Google key that sends whoever uses it elsewhere: object_store, below obstore, follows that."""
    try:
        return "gcs_base_url" in orjson.loads(service_account)
    except orjson.JSONDecodeError:
        return True


def _vault(batch_id: str, secrets: Secrets) -> Vault:
    """Give what opens the private parts of a batch's list.

    The key came with the list, or is the URL that the list came from: who knows that, knows the list.
    """
    key = secrets.get(LIST_KEY) or secrets.get(LIST_URL, "")
    return Vault(sha256(f"{batch_id} {key}".encode()).digest())


def _guarded_list(url: str) -> AbstractContextManager[Iterator[bytes]]:
    # An HTTP client with its certificates takes 0.15 s to import: only for those who need it.
    from okapia.storage.remote import RemoteReader  # noqa: PLC0415

    return RemoteReader(max_bytes=MOST_LIST_BYTES, takes="", total_s=_MOST_LIST_S).streamed(url)
