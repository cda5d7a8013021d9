"""A batch's pictures in a folder of this machine."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePath

from okapia.batches.items import Item
from okapia.batches.source import MissingPicture, SourceGone
from okapia.domain.clips import VIDEO_SUFFIXES
from okapia.domain.errors import BadImage, InvalidRequest, UnreadableFile
from okapia.storage.folder import SUFFIXES, FoundImage, ScanProblem, read_image, scan
from okapia.storage.roots import SourceRoots

_LISTED = SUFFIXES.union(VIDEO_SUFFIXES)
_GONE = "expected the folder of the batch, it is not there (a disk or a mount?)"


class FolderSource:
    """A `Source`: all pictures and clips below a folder, known by their paths relative to it."""

    def __init__(self, root: Path, *, max_bytes: int, roots: SourceRoots | None = None) -> None:
        """Take the folder, which may come and go as disks and network drives do.

        Args:
            max_bytes: of a picture.
            roots: below which all must lie, links resolved, whenever it is looked at; None for anywhere.
        """
        self._root = root
        self._max_bytes = max_bytes
        self._roots = roots

    def items(self) -> Iterator[Item]:
        """Find the pictures in the order of their names, folder by folder."""
        has_some = self._holds_anything()
        for found in self._scan():
            match found:
                case FoundImage(path=path, name=name):
                    yield _item(path, name)
                case ScanProblem(name=name, error=error):
                    yield Item(name, problem=str(error))
        if has_some and not self._holds_anything():
            raise SourceGone(_GONE)

    def read(self, item: Item) -> bytes:
        """Give a picture's file; raises as `Source` says."""
        path = self._root / item.name
        try:
            return self._read(path)
        except UnreadableFile as error:
            # Where a disk was mounted, an empty folder is left: none of its pictures was deleted.
            if not self._holds_anything():
                raise SourceGone(_GONE) from error
            if not os.path.lexists(path):
                raise MissingPicture from error
            raise

    def name_of(self, locator: str) -> str:
        """Give the name of what a list calls `locator`: relative, or absolute and below the folder.

        Raises:
            UnreadableFile: it leads elsewhere.
        """
        path = PurePath(locator)
        if path.is_absolute() and path.is_relative_to(self._root):
            path = path.relative_to(self._root)
        if path.anchor or ".." in path.parts or not path.parts:
            raise UnreadableFile("expected a path below the folder of the batch, without `..`")
        return path.as_posix()

    def _scan(self) -> Iterator[FoundImage | ScanProblem]:
        try:
            return scan([self._folder()], suffixes=_LISTED)
        except InvalidRequest as error:
            raise SourceGone(_GONE) from error

    def _read(self, path: Path) -> bytes:
        if self._roots is None:
            return read_image(path, max_bytes=self._max_bytes)
        return self._roots.read(str(path), max_bytes=self._max_bytes)

    def _holds_anything(self) -> bool:
        try:
            with os.scandir(self._folder()) as entries:
                return next(entries, None) is not None
        except OSError as error:
            raise SourceGone(f"{_GONE}: {error.strerror}") from error

    def _folder(self) -> Path:
        """Give the folder as it can be opened now."""
        if self._roots is None:
            return self._root
        try:
            return self._roots.folder(str(self._root))
        except BadImage as error:
            raise SourceGone(f"{_GONE}: {error}") from error


def _item(path: Path, name: str) -> Item:
    try:
        status = path.stat()
    except OSError as error:
        return Item(name, problem=f"cannot read the file: {error.strerror}")
    return Item(name, n_bytes=status.st_size, version=str(status.st_mtime_ns))
