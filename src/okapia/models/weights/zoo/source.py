"""Where archives of the zoo come from, and what the sources have in common."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from okapia.domain.errors import PullFailed
from okapia.models.weights.zoo.record import ZooArchive, choose, model_id_of

Arrived = Callable[[int, int], None]
"""Takes the bytes of an archive that are here and those that will be."""


class ZooSource(Protocol):
    """Gives archives by the id of their model."""

    def find(self, model_id: str) -> ZooArchive:
        """Give the archive of a model, without fetching it.

        Raises:
            PullFailed: there is none, or nobody to ask.
        """
        ...

    def fetch(self, archive: ZooArchive, *, arrived: Arrived) -> Path:
        """Give the path of a whole archive.

        Raises:
            PullFailed: it cannot be had, does not fit the disk, or is not the record's.
        """
        ...

    def origin(self, archive: ZooArchive) -> str:
        """Say where the archive came from, for the record of the installation."""
        ...

    def forget(self, archive: ZooArchive) -> None:
        """Hear that the archive is not needed any more."""
        ...


class ZooFolder:
    """A folder of archives that somebody fetched elsewhere; no network is used.

    There is no record to compare an archive with: the network in it is still compared with its
    manifest.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, model_id: str) -> ZooArchive:
        if not self._folder.is_dir():
            raise PullFailed(f"{self._folder} is not a folder")
        found = [_archive(path) for path in sorted(self._folder.glob("*.zip")) if model_id_of(path.name)]
        return choose(found, model_id, where=str(self._folder))

    def fetch(self, archive: ZooArchive, *, arrived: Arrived) -> Path:
        path = self._folder / archive.file_name
        arrived(archive.n_bytes or 0, archive.n_bytes or 0)
        return path

    def origin(self, archive: ZooArchive) -> str:
        return str((self._folder / archive.file_name).absolute())

    def forget(self, archive: ZooArchive) -> None:
        """Keep it: it is the person's own file."""


def _archive(path: Path) -> ZooArchive:
    return ZooArchive(model_id_of(path.name) or "", path.name, n_bytes=path.stat().st_size)


def free_bytes_of(folder: Path) -> int:
    return shutil.disk_usage(folder).free
