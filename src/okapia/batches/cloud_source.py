"""A batch's pictures in somebody's bucket or container."""

from collections.abc import Iterator
from contextlib import contextmanager

from okapia.batches.items import Item
from okapia.batches.source import CredentialsNeeded, MissingPicture, SourceGone
from okapia.domain.errors import PayloadTooLarge, UnreadableFile
from okapia.domain.storage_errors import BlobMissing, StorageRefused, StorageUnavailable
from okapia.storage.cloud import CloudPictures


class CloudSource:
    """A `Source`: all pictures below a place in a cloud, known by their names below it."""

    def __init__(self, pictures: CloudPictures, *, max_bytes: int) -> None:
        """Read pictures of up to `max_bytes`."""
        self._pictures = pictures
        self._max_bytes = max_bytes

    def items(self) -> Iterator[Item]:
        """Find the pictures in the order in which the cloud lists them, which is that of their names."""
        with _translated():
            for blob in self._pictures.found():
                yield Item(blob.name, n_bytes=blob.n_bytes, version=blob.etag)

    def read(self, item: Item) -> bytes:
        """Give a picture's file; raises as `Source` says."""
        with _translated():
            try:
                return self._pictures.read(item.name, max_bytes=self._max_bytes)
            except BlobMissing as error:
                raise MissingPicture from error
            except PayloadTooLarge as error:
                raise UnreadableFile(
                    f"expected at most {self._max_bytes:,} bytes, the blob has more"
                ) from error


@contextmanager
def _translated() -> Iterator[None]:
    """Say of the place as a whole what is wrong with it."""
    try:
        yield
    except StorageRefused as error:
        raise CredentialsNeeded(str(error)) from error
    except StorageUnavailable as error:
        raise SourceGone(str(error)) from error
