"""Files that only the server's own user may read, and that are whole or not there."""

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = ".incoming-"
_ABANDONED_S = 24 * 3600


def private_folder(path: Path) -> Path:
    """Make a folder that nobody else may look into, where it is not there, and give where it really lies."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path.resolve()


@contextmanager
def incoming_file(folder: Path) -> Iterator[Path]:
    """Give an empty private file in `folder`, removed at the end: to keep it, rename it or link to it."""
    descriptor, name = tempfile.mkstemp(prefix=_PREFIX, dir=folder)
    os.close(descriptor)
    path = Path(name)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def sweep_incoming(folder: Path) -> None:
    """Remove what killed processes left in `folder` a day ago."""
    for path in folder.glob(f"{_PREFIX}*"):
        try:
            if time.time() - path.lstat().st_mtime > _ABANDONED_S:
                path.unlink()
        except FileNotFoundError:  # another process swept it
            continue


def write_durably(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file and have the disk keep it before this returns."""
    with path.open("wb") as file:
        file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have the disk keep the names in a folder; Windows keeps them by itself and offers no call."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
