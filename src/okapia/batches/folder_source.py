"""A batch's pictures in a folder of this machine."""

from collections.abc import Iterator
from pathlib import Path

from okapia.batches.items import Item
from okapia.batches.source import MissingPicture, SourceGone
from okapia.domain.errors import UnreadableFile
from okapia.storage.folder import FoundImage, ScanProblem, read_image, scan


class FolderSource:
    """A `Source`: all pictures below a folder, known by their paths relative to it."""

    def __init__(self, root: Path, *, max_bytes: int) -> None:
        """Take the folder, which may come and go as disks and network drives do.

        Args:
            max_bytes: of a picture.
        """
        self._root = root
        self._max_bytes = max_bytes

    def items(self) -> Iterator[Item]:
        """Find the pictures in the order of their names, folder by folder."""
        self._check_there()
        for found in scan([self._root]):
            match found:
                case FoundImage(path=path, name=name):
                    yield _item(path, name)
                case ScanProblem(name=name, error=error):
                    yield Item(name, problem=str(error))
        self._check_there()

    def read(self, item: Item) -> bytes:
        """Give a picture's file; raises as `Source` says."""
        path = self._root / item.name
        try:
            return read_image(path, max_bytes=self._max_bytes)
        except UnreadableFile as error:
            self._check_there()
            if not path.exists():
                raise MissingPicture from error
            raise

    def _check_there(self) -> None:
        if not self._root.is_dir():
            raise SourceGone("expected the folder of the batch, it is not there (a disk or a mount?)")


def _item(path: Path, name: str) -> Item:
    try:
        status = path.stat()
    except OSError as error:
        return Item(name, problem=f"cannot read the file: {error.strerror}")
    return Item(name, n_bytes=status.st_size, version=str(status.st_mtime_ns))
