"""Pictures that are kept in a folder for people to look at, for some days and within some bytes."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Lock
from uuid import uuid4

from okapia.domain.clock import Clock, utc_now
from okapia.domain.storage_errors import StorageUnavailable
from okapia.storage.private_files import incoming_file, private_folder, sweep_incoming

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_OURS = re.compile(rf"{_UUID}(?:-[a-z]+)?\.[a-z]+")

_LEFT_OF_FULL = 0.9
"""What a sweep leaves of a full album: the next one is a tenth of the album away, not one picture."""


@dataclass(frozen=True, slots=True, order=True)
class _Kept:
    """One file; the oldest sorts first."""

    modified_at: float
    name: str
    n_bytes: int


class Album:
    """A folder of private files with names of its own making; other files in it are left alone.

    Safe to use from several threads. Several processes may share a folder: each counts what it adds itself,
    and what the others added when it sweeps.
    """

    def __init__(self, folder: Path, *, life: timedelta, max_bytes: int, clock: Clock = utc_now) -> None:
        """Make the folder, or take it over with what lies in it.

        Raises:
            StorageUnavailable: it cannot be made.
        """
        with _translated():
            self._folder = private_folder(folder)
        self._life = life
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = Lock()
        self._n_bytes = 0
        self.sweep()

    def add(self, files: Mapping[str, bytes]) -> None:
        """Keep files under one new name, with what each name ends in (`.jpg`); the oldest make room for them.

        Raises:
            StorageUnavailable: the disk is full, or the folder is gone.
        """
        name = str(uuid4())
        with _translated():
            for ending, data in files.items():
                with incoming_file(self._folder) as incoming:
                    incoming.write_bytes(data)
                    incoming.replace(self._folder / f"{name}{ending}")
        with self._lock:
            self._n_bytes += sum(map(len, files.values()))
            is_full = self._n_bytes > self._max_bytes
        if is_full:
            self.sweep()

    def sweep(self) -> None:
        """Remove what is older than it may get, and the oldest of what is too much.

        Raises:
            StorageUnavailable: what was not removed is removed the next time.
        """
        with self._lock, _translated():
            sweep_incoming(self._folder)
            self._n_bytes = self._removed(sorted(self._kept()))

    def _removed(self, kept: Sequence[_Kept]) -> int:
        """Remove from the oldest on as many as have to go; gives the bytes that are left."""
        n_bytes = sum(file.n_bytes for file in kept)
        is_full = n_bytes > self._max_bytes
        most_bytes = self._max_bytes * _LEFT_OF_FULL if is_full else self._max_bytes
        expired_at = (self._clock() - self._life).timestamp()
        for file in kept:
            if file.modified_at > expired_at and n_bytes <= most_bytes:
                break
            (self._folder / file.name).unlink(missing_ok=True)  # perhaps another process was quicker
            n_bytes -= file.n_bytes
        return n_bytes

    def _kept(self) -> Iterator[_Kept]:
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if _OURS.fullmatch(entry.name) is None or not entry.is_file(follow_symlinks=False):
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # as above
                    continue
                yield _Kept(status.st_mtime, entry.name, status.st_size)


@contextmanager
def _translated() -> Iterator[None]:
    """Say what the system says in our words, without the path."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StorageUnavailable(f"cannot use the album of kept pictures: {reason}") from error
