"""Blobs: uploaded pictures and other files that the server keeps under names of its own."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SignedUpload:
    """How somebody without credentials puts one blob: one PUT to `url` with these `headers`.

    Attributes:
        url: a secret until it expires.
        headers: to send as they are; some clouds refuse the upload without them.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str]


class BlobStore(Protocol):
    """Keeps files under keys, from any number of threads and processes.

    A key is a relative name that the server made, of segments joined by `/`:
    `uploads/0d2f4c1e`. `okapia.storage.blob_rules.checked_key` says which names are keys; every
    method refuses others with `InvalidRequest`.

    Every method but `keys` and `chunks` is one step for those who look on: a blob is there whole or not at
    all.

    Raises, in every method: `StorageUnavailable` where trying again later makes sense,
    `StorageRefused` where somebody has to change rights, credentials or settings first. Neither
    message holds addresses, keys or credentials.
    """

    def put(self, key: str, chunks: Iterable[bytes], *, max_bytes: int) -> int:
        """Keep what `chunks` give, in place of what may be there; gives the number of bytes.

        Returns when the storage has promised to keep it (for a disk: after fsync). What `chunks` raise
        comes through, except that an `OSError` may be taken for the storage's own. After any error what
        was there before is there still, and nothing else. Of several puts of one key at once one stays;
        Azure may refuse the others above 8 MiB.

        Raises:
            PayloadTooLarge: more than `max_bytes`; the rest of `chunks` is not asked for.
        """
        ...

    def read(self, key: str, *, max_bytes: int) -> bytes:
        """Give the whole blob.

        Raises:
            BlobMissing: there is none.
            PayloadTooLarge: it has more than `max_bytes`.
        """
        ...

    def chunks(self, key: str) -> Iterator[bytes]:
        """Give the blob piece by piece, in constant memory; errors are raised while iterating.

        Raises:
            BlobMissing: there is none.
        """
        ...

    def size(self, key: str) -> int | None:
        """Give the number of bytes; None where there is no such blob."""
        ...

    def delete(self, key: str) -> None:
        """Forget the blob; one that is not there is forgotten already."""
        ...

    def upload_url(self, key: str, *, content_type: str, expires_in_s: int) -> SignedUpload | None:
        """Let somebody put this blob without passing through the server.

        None where the storage cannot: a local folder, or an Azure account for which the server has only a
        SAS token. The server then takes the upload itself, at a URL of `okapia.storage.signing`.

        The clouds bind the URL to the key and the time, but neither to the content type nor to a
        number of bytes, and until it expires it also replaces what is there: check `size` before use.

        Args:
            expires_in_s: 1 .. 604,800 (seven days, the limit of all three clouds).
        """
        ...

    def download_url(self, key: str, *, expires_in_s: int, filename: str) -> str | None:
        """Let somebody fetch this blob without passing through the server; the URL is a secret.

        None where the storage cannot, as for `upload_url`: the server then gives it out itself. Whether there
        is such a blob is not looked at.

        Args:
            expires_in_s: 1 .. 604,800 (seven days, the limit of all three clouds).
            filename: what the file is to be called; a cloud that cannot be told takes the key's last segment.
        """
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Give the keys below `prefix`, one or more whole segments, in no order; empty for all.

        They stream: memory does not grow with their number. Blobs that come and go meanwhile may be
        among them or not. Errors are raised while iterating.
        """
        ...
