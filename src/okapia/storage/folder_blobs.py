"""Blobs in a folder of this machine."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from okapia.domain.errors import PayloadTooLarge
from okapia.domain.storage_errors import BlobMissing, StorageRefused, StorageUnavailable
from okapia.storage.blob_rules import Bounded, checked_key, is_key
from okapia.storage.blobs import SignedUpload
from okapia.storage.private_files import (
    incoming_file,
    private_folder,
    sweep_incoming,
    sync_folder,
    write_durably,
)

_CHUNK = 1 << 20
_REFUSALS = (PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError)


class FolderBlobs:
    """A `BlobStore`: one private file a blob; links in the folder are never followed."""

    def __init__(self, root: Path) -> None:
        """Make the folder, or take it over with what lies in it."""
        with _translated():
            self._root = private_folder(root)
            sweep_incoming(self._root)

    def put(self, key: str, chunks: Iterable[bytes], *, max_bytes: int) -> int:
        path, body = self._path(key), Bounded(chunks, max_bytes=max_bytes)
        with _translated(), incoming_file(self._root) as incoming:
            write_durably(incoming, body)
            _make(path.parent)
            incoming.replace(path)
            sync_folder(path.parent)
        return body.n_bytes

    def read(self, key: str, *, max_bytes: int) -> bytes:
        path = self._path(key)
        if _size(path) is None:
            raise BlobMissing
        with _translated(), path.open("rb") as file:
            data = file.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise PayloadTooLarge(max_bytes=max_bytes)
        return data

    def chunks(self, key: str) -> Iterator[bytes]:
        path = self._path(key)
        if _size(path) is None:
            raise BlobMissing
        with _translated(), path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def size(self, key: str) -> int | None:
        return _size(self._path(key))

    def delete(self, key: str) -> None:
        path = self._path(key)
        with _translated():
            path.unlink(missing_ok=True)

    def upload_url(self, key: str, *, content_type: str, expires_in_s: int) -> SignedUpload | None:
        del content_type, expires_in_s
        checked_key(key)
        return None

    def download_url(self, key: str, *, expires_in_s: int, filename: str) -> str | None:
        del expires_in_s, filename
        checked_key(key)
        return None

    def keys(self, prefix: str) -> Iterator[str]:
        pending = [checked_key(prefix) if prefix else ""]
        while pending:
            folder = pending.pop()
            for entry in _entries(self._real(self._root / folder)):
                name = f"{folder}/{entry.name}".removeprefix("/")
                if not is_key(name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(name)
                elif entry.is_file(follow_symlinks=False):
                    yield name

    def _path(self, key: str) -> Path:
        path = self._root / checked_key(key)
        self._real(path.parent)
        return path

    def _real(self, folder: Path) -> Path:
        """Refuse to pass through links, which lead out of the folder."""
        if folder.resolve() != folder:
            raise StorageRefused("expected plain folders in the folder of blobs, one of them is a link")
        return folder


def _size(path: Path) -> int | None:
    with _translated():
        try:
            status = path.lstat()
        except FileNotFoundError:
            return None
    if not stat.S_ISREG(status.st_mode):
        raise StorageRefused("expected a regular file as a blob, got a link, folder or device")
    return status.st_size


def _make(folder: Path) -> None:
    """Make a private folder and those above it, each for the disk to keep."""
    if folder.is_dir():
        return
    _make(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Give what lies in a folder; nothing where there is none."""
    with _translated():
        try:
            with os.scandir(folder) as entries:
                yield from entries
        except FileNotFoundError:
            return


@contextmanager
def _translated() -> Iterator[None]:
    """Say what the system says in our words, without the path."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        kind = StorageRefused if isinstance(error, _REFUSALS) else StorageUnavailable
        raise kind(f"cannot use the folder of blobs: {reason}") from error
