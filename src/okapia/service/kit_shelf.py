"""Kits on a worker's own disk: their files by SHA-256, and a home of its own for each."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from okapia.domain.storage_errors import StorageUnavailable
from okapia.models.weights.parcels import unpack
from okapia.models.weights.staging import staging
from okapia.models.weights.store import ModelStore
from okapia.service.kits import Kit, checked
from okapia.storage.private_files import incoming_file, write_durably

_MODELS, _RANGES = "models", "ranges"


@dataclass(frozen=True, slots=True)
class KitHome:
    """A folder in which a kit is installed.

    Attributes:
        ranges: its files of ranges, by the setting that names them.
    """

    path: Path
    ranges: dict[str, Path]


class KitShelf:
    """Keeps kits below a folder, which may be deleted whenever no worker runs; several processes share it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def lacks(self, kit: Kit) -> list[str]:
        """Give the SHA-256 of the files that are not here yet."""
        return [sha256 for sha256 in kit.files if not self._file(sha256).exists()]

    def keep(self, sha256: str, data: bytes) -> None:
        """Take a file.

        Raises:
            ModelDamaged: it has another SHA-256.
            StorageUnavailable: the disk does not take it.
        """
        checked(data, sha256)
        target = self._file(sha256)
        with _on_disk():
            target.parent.mkdir(parents=True, exist_ok=True)
            with incoming_file(target.parent) as incoming:
                write_durably(incoming, [data])
                incoming.replace(target)

    def home(self, kit: Kit) -> KitHome:
        """Give where a kit is installed, of which nothing lacks; installs it when it is not.

        Raises:
            ModelError: a part of it is not what it should be.
            StorageUnavailable: the disk does not take it.
        """
        target = self._root / "homes" / kit.sha256
        if not target.exists():
            with _on_disk():
                self._install(kit, target)
        return KitHome(target, {Path(name).stem: target / _RANGES / name for name in kit.ranges})

    def _install(self, kit: Kit, target: Path) -> None:
        with staging(target.parent) as folder:
            made = folder / target.name
            (made / _RANGES).mkdir(parents=True)
            for parcel in kit.models:
                unpack(parcel, self._file, ModelStore(made / _MODELS), lies_at=target / _MODELS)
            for name, sha256 in kit.ranges.items():
                os.link(self._file(sha256), made / _RANGES / name)
            try:
                made.rename(target)
            except OSError:
                # Another process was faster; what it made is the same.
                if not target.exists():
                    raise

    def _file(self, sha256: str) -> Path:
        return self._root / "files" / sha256


@contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(f"cannot keep a batch's models: {error.strerror}") from error
