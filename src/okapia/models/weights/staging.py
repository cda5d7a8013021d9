"""Folders that are either whole or not there."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = ".staging-"
_ABANDONED_S = 24 * 3600


@contextmanager
def staging(root: Path) -> Iterator[Path]:
    """Give an empty private folder inside `root`, removed at the end whatever happens.

    What is finished is moved out of it by rename, which is atomic because both lie on one
    file system. Folders that killed processes left a day ago are removed on the way.
    """
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_durably(path: Path, data: bytes) -> None:
    """Write a file and have the disk keep it before this returns."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_folder(finished: Path, target: Path) -> None:
    """Move a finished folder to `target`, in place of one that may be there.

    Raises:
        OSError: the old one cannot be moved, e.g. Windows keeps its files open; nothing changes.
    """
    old = finished.with_name(f"{finished.name}.old")
    if target.exists():
        target.rename(old)
    try:
        finished.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    _sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    """Have the disk keep the names in a folder; Windows keeps them by itself and offers no call."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(root: Path) -> None:
    for folder in root.glob(f"{_PREFIX}*"):
        try:
            age = time.time() - folder.stat().st_mtime
        except FileNotFoundError:  # another process swept it
            continue
        if age > _ABANDONED_S:
            shutil.rmtree(folder, ignore_errors=True)
