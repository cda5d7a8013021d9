"""Blobs in S3 and what speaks its protocol, Azure Blob Storage and Google Cloud Storage: obstore's only user.

Credentials come from the environment by the clouds' own names (`AWS_ACCESS_KEY_ID`,
`AZURE_STORAGE_ACCOUNT_KEY`, `AZURE_STORAGE_SAS_TOKEN`, `GOOGLE_APPLICATION_CREDENTIALS` and so on), else from
the machine's role. Stores are built part by part: obstore's `from_url` drops a SAS token in silence, and
its errors and `store.config` hold secrets, so neither leaves this file.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Literal, NamedTuple

import obstore
from obstore.exceptions import (
    BaseError,
    GenericError,
    InvalidPathError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import AzureStore, GCSStore, S3Store

from okapia import __version__
from okapia.domain.errors import InvalidRequest, InvalidSettings, PayloadTooLarge
from okapia.domain.storage_errors import BlobMissing, StorageRefused, StorageUnavailable
from okapia.storage.blob_rules import Bounded, checked_key
from okapia.storage.blobs import SignedUpload
from okapia.storage.cloud_address import Cloud, CloudAddress
from okapia.storage.cloud_secret import AccessKey, AccountKey, CloudSecret, SasToken, ServiceAccount

if TYPE_CHECKING:
    from obstore.store import AzureConfig, ClientConfig, GCSConfig, RetryConfig, S3Config

_PATIENCE_S = 60.0
_RETRIES = 10
_CONNECT = timedelta(seconds=5)
_REQUEST = timedelta(minutes=2)
"""For one request with its body: a part over 0.6 Mbit/s."""
_PART_BYTES = 8 << 20
_PARTS_AT_ONCE = 4
_PIECE_BYTES = 1 << 20
_LIST_AT_ONCE = 1000
_ODD_PATH = re.compile(r'[Pp]ath "((?:[^"\\]|\\.)*)"')
_STATUS = re.compile(r"status code: (\d{3})")
_ASKED_FOR_IDENTITY = re.compile(r"token request|/latest/api/token")
"""In obstore's words, the service of a cloud that gives its own machines credentials; it is asked last."""
_DENIED = frozenset({401, 403})
_TRY_LATER = frozenset({408, 409, 412, 429})
_SAS_CANNOT_SIGN = "SASforSASNotSupported"

_Store = S3Store | AzureStore | GCSStore


def open_cloud(
    address: CloudAddress, secret: CloudSecret | None = None, *, patience_s: float = _PATIENCE_S
) -> "CloudBlobs":
    """Open a place in a cloud for blobs that are written, which is not asked yet.

    Args:
        secret: None for the identity of the server's machine or environment.
        patience_s: how long a call tries again while the cloud is not there or too busy.

    Raises:
        InvalidSettings: the environment's credentials for that cloud cannot be read, or the secret cannot.
    """
    is_azure = address.cloud is Cloud.AZURE
    headers = {"x-ms-blob-type": "BlockBlob"} if is_azure else None
    return CloudBlobs(_store(address, secret, patience_s), upload_headers=headers)


def open_pictures(
    address: CloudAddress, secret: CloudSecret | None, *, patience_s: float = _PATIENCE_S
) -> "CloudPictures":
    """Open a place in a cloud that somebody's pictures lie in, which is not asked yet.

    Args:
        secret: None for the identity of the server's machine or environment.
        patience_s: how long a call tries again while the cloud is not there or too busy.

    Raises:
        InvalidSettings: the environment's credentials for that cloud cannot be read, or the secret cannot.
    """
    return CloudPictures(_store(address, secret, patience_s))


def _store(address: CloudAddress, secret: CloudSecret | None, patience_s: float) -> _Store:
    try:
        match address.cloud:
            case Cloud.S3:
                return _s3(address, secret, patience_s)
            case Cloud.AZURE:
                return _azure(address, secret, patience_s)
            case Cloud.GCS:
                return _gcs(address, secret, patience_s)
    except BaseError:
        raise InvalidSettings(
            f"the blobs lie at {address.cloud}://, and its credentials in the environment cannot be read"
        ) from None


class FoundBlob(NamedTuple):
    """A blob of somebody's; there are millions of them, and a tuple takes a third of the time.

    Attributes:
        name: its path below the place's prefix, whatever characters it has.
        etag: another one when the blob is another; None when the cloud says none.
    """

    name: str
    n_bytes: int
    etag: str | None


class CloudPictures:
    """Somebody's bucket or container, read only; safe to use from several threads."""

    def __init__(self, store: _Store) -> None:
        self._store = store

    def found(self) -> Iterator[FoundBlob]:
        """List all blobs in the order of their names, in constant memory.

        Raises:
            InvalidRequest: one has a name that obstore can neither list nor ask for: an empty segment, `.`,
                `..`, a control character. Those behind it are not reached.
            StorageUnavailable, StorageRefused: as every method of a `BlobStore`; while iterating.
        """
        with _translated():
            try:
                for page in obstore.list(self._store, chunk_size=_LIST_AT_ONCE):
                    yield from (FoundBlob(blob["path"], blob["size"], blob["e_tag"]) for blob in page)
            except InvalidPathError as error:
                found = _ODD_PATH.search(str(error))
                name = found[1] if found else ""
                raise InvalidRequest(
                    f"expected names without empty segments, `.`, `..` and control characters, found {name!r}"
                ) from None

    def expect_container(self) -> None:
        """Ask whether the bucket or container is there at all; raises as above."""
        with _translated(), suppress(InvalidPathError):
            next(iter(obstore.list(self._store)), None)

    def size(self, name: str) -> int | None:
        """Give a blob's number of bytes as the cloud tells it without sending it; None where there is none.

        Raises:
            StorageUnavailable, StorageRefused: as above.
        """
        return _size(self._store, name)

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """Give a whole blob.

        Raises:
            BlobMissing: there is none.
            PayloadTooLarge: it has more than `max_bytes`.
            StorageUnavailable, StorageRefused: as above.
        """
        return _read(self._store, name, max_bytes=max_bytes)


class CloudBlobs:
    """A `BlobStore` in a bucket or container that exists."""

    def __init__(self, store: _Store, *, upload_headers: Mapping[str, str] | None = None) -> None:
        """Take a store; `upload_headers` are what its signed uploads need besides the content type."""
        self._store = store
        self._upload_headers = upload_headers or {}

    def put(self, key: str, chunks: Iterable[bytes], *, max_bytes: int) -> int:
        path, body = checked_key(key), Bounded(chunks, max_bytes=max_bytes)
        rest = iter(body)
        head = _first_part(rest)
        with _translated():
            if len(head) < _PART_BYTES:
                # One request in place of three; and Azure loses the parts of two who put one key at once.
                obstore.put(self._store, path, head, use_multipart=False)
            else:
                whole = chain([head], rest)
                obstore.put(self._store, path, whole, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)
        return body.n_bytes

    def read(self, key: str, *, max_bytes: int) -> bytes:
        return _read(self._store, checked_key(key), max_bytes=max_bytes)

    def chunks(self, key: str) -> Iterator[bytes]:
        path = checked_key(key)
        with _translated():
            try:
                found = obstore.get(self._store, path)
            except FileNotFoundError:
                raise BlobMissing from None
            # Cut off, as by the time that a request may take, obstore goes on from where it was.
            yield from map(bytes, found.stream(min_chunk_size=_PIECE_BYTES))

    def size(self, key: str) -> int | None:
        return _size(self._store, checked_key(key))

    def delete(self, key: str) -> None:
        with _translated(), suppress(FileNotFoundError):
            obstore.delete(self._store, checked_key(key))

    def upload_url(self, key: str, *, content_type: str, expires_in_s: int) -> SignedUpload | None:
        url = self._signed("PUT", key, expires_in_s)
        if url is None:
            return None
        return SignedUpload(url, headers={"Content-Type": content_type, **self._upload_headers})

    def download_url(self, key: str, *, expires_in_s: int, filename: str) -> str | None:
        del filename  # obstore signs no further query
        return self._signed("GET", key, expires_in_s)

    def keys(self, prefix: str) -> Iterator[str]:
        below = checked_key(prefix) if prefix else None
        with _translated():
            for page in obstore.list(self._store, below, chunk_size=_LIST_AT_ONCE):
                yield from (blob["path"] for blob in page)

    def _signed(self, method: Literal["GET", "PUT"], key: str, expires_in_s: int) -> str | None:
        """Sign a call; None for an Azure account of which only a SAS token is known."""
        with _translated():
            try:
                return obstore.sign(self._store, method, checked_key(key), timedelta(seconds=expires_in_s))
            except GenericError as error:
                if _SAS_CANNOT_SIGN in str(error):
                    return None
                raise


def _read(store: _Store, path: str, *, max_bytes: int) -> bytes:
    with _translated():
        try:
            found = obstore.get(store, path)
        except FileNotFoundError:
            raise BlobMissing from None
        if found.meta["size"] > max_bytes:
            raise PayloadTooLarge(max_bytes=max_bytes)
        return found.bytes().to_bytes()


def _size(store: _Store, path: str) -> int | None:
    with _translated():
        try:
            return obstore.head(store, path)["size"]
        except FileNotFoundError:
            return None


def _s3(address: CloudAddress, secret: CloudSecret | None, patience_s: float) -> S3Store:
    # One by one: not everything that speaks S3 knows how to delete many at once.
    config: S3Config = {"disable_bulk_delete": True}
    if isinstance(secret, AccessKey):
        config |= {"access_key_id": secret.id, "secret_access_key": secret.secret}
        if secret.session_token:
            config["session_token"] = secret.session_token
    if address.endpoint:
        config["endpoint"] = address.endpoint
    return S3Store(
        address.container,
        prefix=address.prefix or None,
        config=config,
        client_options=_client(address),
        retry_config=_retries(patience_s),
    )


def _azure(address: CloudAddress, secret: CloudSecret | None, patience_s: float) -> AzureStore:
    config: AzureConfig = {"account_name": address.account}
    match secret:
        case SasToken(text):
            config["sas_key"] = text
        case AccountKey(text):
            config["account_key"] = text
    if address.endpoint:
        config["endpoint"] = address.endpoint
    return AzureStore(
        address.container,
        prefix=address.prefix or None,
        config=config,
        client_options=_client(address),
        retry_config=_retries(patience_s),
    )


def _gcs(address: CloudAddress, secret: CloudSecret | None, patience_s: float) -> GCSStore:
    config: GCSConfig = {"base_url": address.endpoint} if address.endpoint else {}
    if isinstance(secret, ServiceAccount):
        config["service_account_key"] = secret.text
    return GCSStore(
        address.container,
        prefix=address.prefix or None,
        config=config,
        client_options=_client(address),
        retry_config=_retries(patience_s),
    )


def _retries(patience_s: float) -> "RetryConfig":
    return {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=patience_s)}


def _client(address: CloudAddress) -> "ClientConfig":
    return {
        "allow_http": address.endpoint.startswith("http://"),
        "connect_timeout": _CONNECT,
        "timeout": _REQUEST,
        "user_agent": f"okapia/{__version__}",
    }


def _first_part(chunks: Iterator[bytes]) -> bytes:
    """Give as many chunks as fill a part, or all."""
    part = bytearray()
    for chunk in chunks:
        part += chunk
        if len(part) >= _PART_BYTES:
            break
    return bytes(part)


@contextmanager
def _translated() -> Iterator[None]:
    """Say what obstore says in our words, and cut its own off: they hold addresses, and those secrets."""
    try:
        yield
    except FileNotFoundError:
        raise StorageRefused("expected an existing bucket or container, the cloud knows none") from None
    except BaseError as error:
        found = _STATUS.search(str(error))
        raise _translation(error, status=int(found[1]) if found else None) from None


def _translation(error: BaseError, *, status: int | None) -> StorageRefused | StorageUnavailable:
    if _ASKED_FOR_IDENTITY.search(str(error)):
        return StorageRefused(
            "expected credentials for the cloud in the environment or a role, found neither"
        )
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or status in _DENIED:
        return StorageRefused(f"expected the cloud to accept the server's credentials, it answered {status}")
    if status is None:
        return StorageUnavailable("expected the cloud to answer, it did not")
    if status < 500 and status not in _TRY_LATER:
        return StorageRefused(f"expected the cloud to take the call, it answered {status}; wrong region?")
    return StorageUnavailable(f"expected the cloud to work, it answered {status}")
