"""Unpacks an archive of the zoo, of which nothing is believed."""

import stat
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj

from okapia.domain.errors import ModelDamaged, PullFailed

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold; the largest of the zoo has a handful of files and 1.2 GB."""

    entries: int = 200
    n_bytes: int = 8 << 30


def unpack(archive: Path, target: Path, *, limits: Limits | None = None) -> Path:
    """Unpack an archive below `target` and give its one top folder.

    Everything is checked before the first file is written.

    Raises:
        PullFailed: a name leads out of the folder, is there twice, or is a link; there is more
            than one top folder; there are more entries or bytes than `limits`.
        ModelDamaged: the archive is not whole.
        OSError: the disk refuses.
    """
    try:
        with zipfile.ZipFile(archive) as package:
            entries = package.infolist()
            _check(entries, archive.name, limits=limits or Limits())
            for entry in entries:
                _extract(package, entry, target / entry.filename)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ModelDamaged(f"{archive.name} is damaged: {error}") from error
    return target / _top(entries[0])


def _check(entries: Sequence[zipfile.ZipInfo], name: str, *, limits: Limits) -> None:
    """Refuse what no archive of the zoo does."""
    if not entries or len(entries) > limits.entries:
        raise PullFailed(f"{name}: expected 1 to {limits.entries} entries, got {len(entries):,}")
    for entry in entries:
        if problem := _problem(entry):
            raise PullFailed(f"{name}: refused, {entry.orig_filename!r} {problem}")
    if len(tops := {_top(entry) for entry in entries}) > 1:
        raise PullFailed(f"{name}: expected one folder, got {', '.join(sorted(tops))}")
    # Two names that differ by case are one file on Windows and macOS.
    if len({entry.filename.casefold() for entry in entries}) < len(entries):
        raise PullFailed(f"{name}: refused, a name is in it twice")
    # zipfile never gives more of an entry than it announces, so the sum is what will be written.
    if (total := sum(entry.file_size for entry in entries)) > limits.n_bytes:
        raise PullFailed(f"{name}: unpacks to {total:,} bytes; at most {limits.n_bytes:,} are unpacked")


def _problem(entry: zipfile.ZipInfo) -> str:
    """Say why an entry cannot be unpacked; empty when it can.

    Looked at is the name as it is written: zipfile cuts it at a NUL, and replaces backslashes on
    Windows only.
    """
    parts = entry.orig_filename.removesuffix("/").split("/")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if any(part in {"", ".", ".."} for part in parts):
        return "is not a path inside the folder"
    if any(char in ':\\<>"|?*' or ord(char) < 32 for char in entry.orig_filename):
        return "has characters that not every system allows"
    if any(part.endswith((".", " ")) for part in parts):
        return "ends in a dot or a space"
    if len(parts) < 2 and not entry.is_dir():
        return "is not in the model's folder"
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "is a link or a device"
    return "is encrypted" if entry.flag_bits & 1 else ""


def _top(entry: zipfile.ZipInfo) -> str:
    return entry.filename.split("/")[0]


def _extract(package: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    if entry.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with package.open(entry) as packed, path.open("xb") as file:
        copyfileobj(packed, file, _CHUNK)
