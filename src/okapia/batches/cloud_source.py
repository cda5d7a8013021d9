"""A batch's pictures in somebody's bucket or container."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from okapia.batches.items import Item
from okapia.batches.source import CredentialsNeeded, MissingPicture, SourceGone
from okapia.domain.errors import PayloadTooLarge, UnreadableFile
from okapia.domain.storage_errors import BlobMissing, StorageRefused, StorageUnavailable
from okapia.storage.cloud import CloudPictures


class CloudSource:
    """A `Source`: all pictures below a place in a cloud, known by their names below it."""

    def __init__(self, open_place: Callable[[], CloudPictures], *, max_bytes: int) -> None:
        """Read pictures of up to `max_bytes`.

        Args:
            open_place: called when the place is needed, and again after it refused: what opens it may be
                another by then. What it raises comes through.
        """
        self._open = open_place
        self._opened: CloudPictures | None = None
        self._max_bytes = max_bytes

    def items(self) -> Iterator[Item]:
        """Find the pictures in the order in which the cloud lists them, which is that of their names."""
        with self._translated() as pictures:
            for blob in pictures.found():
                yield Item(blob.name, n_bytes=blob.n_bytes, version=blob.etag)

    def read(self, item: Item) -> bytes:
        """Give a picture's file; raises as `Source` says."""
        with self._translated() as pictures:
            try:
                data = pictures.read(item.name, max_bytes=self._max_bytes)
                if item.n_bytes is not None and len(data) != item.n_bytes:
                    _expect_size(pictures, item.name, len(data))
            except BlobMissing as error:
                pictures.expect_container()  # without it no picture was deleted
                raise MissingPicture from error
            except PayloadTooLarge as error:
                raise UnreadableFile(
                    f"expected at most {self._max_bytes:,} bytes, the blob has more"
                ) from error
        return data

    def name_of(self, locator: str) -> str:
        """Give the name of what a list calls `locator`; raises as `blob_name`."""
        return blob_name(locator)

    @contextmanager
    def _translated(self) -> Iterator[CloudPictures]:
        """Say of the place as a whole what is wrong with it."""
        pictures = self._opened = self._opened or self._open()
        try:
            yield pictures
        except StorageRefused as error:
            self._opened = None
            raise CredentialsNeeded(str(error)) from error
        except StorageUnavailable as error:
            raise SourceGone(str(error)) from error


def _expect_size(pictures: CloudPictures, name: str, n_bytes: int) -> None:
    """Tell a blob that was replaced after the listing from one that something on the way cut off."""
    if pictures.size(name) not in {n_bytes, None}:
        raise SourceGone(f"expected the whole blob, {n_bytes:,} bytes of it came")


def blob_name(text: str) -> str:
    """Give a blob's name, or a prefix of whole segments, as obstore can ask for it.

    Raises:
        UnreadableFile: it cannot.
    """
    path = PurePosixPath(text)
    is_odd = any(character < " " or character == "\x7f" for character in text)
    if is_odd or path.is_absolute() or ".." in path.parts or not path.parts:
        raise UnreadableFile("expected a name below the place, without `..` and control characters")
    return path.as_posix()
