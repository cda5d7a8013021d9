"""The pictures of a run on this machine's disks, which may be unmounted or fail in the middle."""

import errno
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from threading import Lock

from okapia.batches.items import Item
from okapia.batches.source import MissingPicture, SourceGone
from okapia.domain.clips import MAX_CLIP_BYTES, VIDEO_SUFFIXES
from okapia.domain.errors import UnreadableFile
from okapia.formats.megadetector import as_utf8
from okapia.storage.folder import SUFFIXES, FoundImage, ScanProblem, common_folder, read_image, scan

PATIENCE = 20
"""Reads in a row that may fail before the disk is to blame, and not the files."""

_THE_FILES_OWN = frozenset({errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR})


class DiskSource:
    """A `Source`: the pictures below some folders, and single files.

    It is gone when a folder is not there any more, or on another disk: an unmounted one leaves behind the
    empty folder that it was mounted on. It is gone as well when `PATIENCE` reads in a row failed.
    """

    def __init__(
        self, paths: Sequence[Path], *, max_bytes: int, suffixes: Collection[str] = SUFFIXES
    ) -> None:
        """Remember on which disks they are.

        Args:
            max_bytes: of a picture; a clip may have `MAX_CLIP_BYTES`.
            suffixes: of the names, in lower case, of what is looked at inside folders.

        Raises:
            InvalidRequest: a path does not exist, or lies within another.
        """
        absolute = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - resolve() would follow links and rename pictures
        # Then all names are in order, whatever order the paths were typed in.
        self._paths = sorted(absolute, key=_as_listed)
        self._max_bytes = max_bytes
        self._suffixes = suffixes
        scan(self._paths)
        self._base = common_folder(self._paths)
        self._disks = {folder: _disk(folder) for folder in map(_folder, self._paths)}
        self._lock = Lock()
        self._failed_in_a_row = 0

    @property
    def base(self) -> Path:
        """The folder that names are relative to; the root where the paths lie on several drives."""
        return self._base or Path("/")

    def items(self) -> Iterator[Item]:
        """Find the pictures in the order of their names; raises as `Source` says."""
        self._check_there()
        for found in scan(self._paths, suffixes=self._suffixes):
            match found:
                case FoundImage(path=path, name=name):
                    yield _item(path, name)
                case ScanProblem(name=name, error=error):
                    yield Item(name, problem=str(error))
        self._check_there()

    def read(self, item: Item) -> bytes:
        """Give a picture's file; raises as `Source` says."""
        path = self.base / item.name
        try:
            data = read_image(path, max_bytes=self._most(path))
        except UnreadableFile as error:
            self._check_there()
            self._note_failure(error.__cause__)
            if not os.path.lexists(path):
                raise MissingPicture from error
            raise
        self._failed_in_a_row = 0
        return data

    def _most(self, path: Path) -> int:
        is_clip = path.suffix.lower() in VIDEO_SUFFIXES and path.suffix.lower() in self._suffixes
        return max(self._max_bytes, MAX_CLIP_BYTES) if is_clip else self._max_bytes

    def _check_there(self) -> None:
        for folder, disk in self._disks.items():
            if disk is None or _disk(folder) != disk:
                raise SourceGone(f"the folder {as_utf8(folder.name)} is not there (a disk or a mount?)")

    def _note_failure(self, cause: BaseException | None) -> None:
        if not isinstance(cause, OSError) or cause.errno in _THE_FILES_OWN:
            return
        with self._lock:
            self._failed_in_a_row += 1
        if self._failed_in_a_row >= PATIENCE:
            raise SourceGone(f"{PATIENCE} files in a row could not be read: {cause.strerror}")


def _as_listed(path: Path) -> str:
    return f"{path.as_posix()}/" if path.is_dir() else path.as_posix()


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _disk(folder: Path) -> int | None:
    """Give what tells the disk that a folder is on; None when there is no folder."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev if stat.S_ISDIR(status.st_mode) else None


def _item(path: Path, name: str) -> Item:
    try:
        status = path.stat()
    except OSError as error:
        return Item(name, problem=f"cannot read the file: {error.strerror}")
    return Item(name, n_bytes=status.st_size, version=str(status.st_mtime_ns))
