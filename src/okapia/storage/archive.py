"""Many files in one, each with its checksum: written whole or not at all, and of use only when it is whole.

A gzipped tar that other tools can read too. Its last member, the manifest, has the checksums of all before
it: an archive that was cut off has none.
"""

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from okapia.domain.errors import OutputNotWritable
from okapia.domain.storage_errors import BackupDamaged
from okapia.storage.blob_rules import is_key
from okapia.storage.private_files import incoming_file, sync_folder, write_durably

_FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"
_CHUNK_BYTES: Final = 1 << 20

OnBytes = Callable[[int], object]
"""Told how many more bytes were read."""


def pack(
    archive: Path, files: Iterable[tuple[str, Path]], *, facts: Mapping[str, object], on_bytes: OnBytes
) -> list[str]:
    """Write files into a new archive (0600); gives the names of those that had not vanished meanwhile.

    Args:
        files: names in the archive, of the signs that keys of blobs have, and where the files are.
        facts: what the manifest says besides.

    Raises:
        OutputNotWritable: the archive is there already, or cannot be written.
    """
    if archive.exists():
        raise OutputNotWritable(f"expected the name of a new file, {archive.name} is there already")
    checksums: dict[str, str] = {}
    with _translated(), incoming_file(archive.parent) as incoming:
        with (
            gzip.open(incoming, "wb", compresslevel=6) as packed,
            tarfile.open(fileobj=packed, mode="w|") as tar,
        ):
            for name, path in files:
                with suppress(FileNotFoundError), path.open("rb") as file:
                    checksums[name] = _add(tar, name, file, on_bytes)
            manifest = {"format": _FORMAT, "members": checksums, "facts": dict(facts)}
            _add(tar, _MANIFEST, io.BytesIO(json.dumps(manifest, indent=1).encode()), on_bytes)
        incoming.replace(archive)
        sync_folder(archive.parent)
    return list(checksums)


def unpack(archive: Path, folder: Path, *, on_bytes: OnBytes) -> dict[str, object]:
    """Unpack an archive into an empty folder, as private files, and check it; gives its manifest's facts.

    Args:
        on_bytes: counts the archive's own bytes.

    Raises:
        BackupDamaged: it is none, or not as it was written: what lies in `folder` then is of no use.
        OutputNotWritable: the archive cannot be read, or the folder not be written.
    """
    checksums: dict[str, str] = {}
    manifest: object = None
    with _translated(), archive.open("rb") as file, _as_damage():
        watched = _Watched(file, lambda data: on_bytes(len(data)))
        with gzip.GzipFile(fileobj=watched, mode="rb") as packed:
            with tarfile.open(fileobj=packed, mode="r|") as tar:
                for member in tar:
                    content = _checked(tar, member, is_last=manifest is not None)
                    if member.name == _MANIFEST:
                        manifest = json.load(content)
                    else:
                        checksums[member.name] = _write(content, folder, member.name)
            while packed.read(_CHUNK_BYTES):  # gzip checks its own sum at the end
                pass
    return _facts(manifest, checksums)


class _Watched(io.BufferedIOBase):
    """A file, of which somebody else sees what is read."""

    def __init__(self, file: IO[bytes], see: Callable[[bytes], object]) -> None:
        self._file = file
        self._see = see

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._file.read(-1 if size is None else size)
        self._see(data)
        return data


def _add(tar: tarfile.TarFile, name: str, file: IO[bytes], on_bytes: OnBytes) -> str:
    """Add a file as long as it is now; gives its SHA-256."""
    digest = hashlib.sha256()

    def see(data: bytes) -> None:
        digest.update(data)
        on_bytes(len(data))

    member = tarfile.TarInfo(name)
    member.mode = 0o600
    member.size = file.seek(0, io.SEEK_END)
    file.seek(0)
    tar.addfile(member, _Watched(file, see))
    return digest.hexdigest()


def _checked(tar: tarfile.TarFile, member: tarfile.TarInfo, *, is_last: bool) -> IO[bytes]:
    """Give the content of a plain file whose name leads nowhere else."""
    content = tar.extractfile(member) if member.isreg() else None
    if content is None or is_last or not all(map(is_key, member.name.split("/"))):
        raise BackupDamaged("expected plain files and a manifest behind them, the archive has something else")
    return content


def _write(content: IO[bytes], folder: Path, name: str) -> str:
    digest = hashlib.sha256()

    def chunks() -> Iterator[bytes]:
        while chunk := content.read(_CHUNK_BYTES):
            digest.update(chunk)
            yield chunk

    path = folder / name
    _make_private(path.parent)
    path.touch(mode=0o600, exist_ok=False)
    write_durably(path, chunks())
    return digest.hexdigest()


def _make_private(folder: Path) -> None:
    if not folder.is_dir():
        _make_private(folder.parent)
        folder.mkdir(mode=0o700)


def _facts(manifest: object, checksums: Mapping[str, str]) -> dict[str, object]:
    """Compare what was unpacked with what the manifest says."""
    match manifest:
        case {"format": int(number)} if number > _FORMAT:
            raise BackupDamaged(f"expected a backup of format {_FORMAT}, got {number}; use the newer Okapia")
        case {"format": 1, "members": dict(members), "facts": dict(facts)}:
            differing = sorted(dict(members.items() ^ checksums.items()))
            if not differing:
                return facts
            raise BackupDamaged(f"expected the files of its manifest, {differing[0]} differs or is missing")
    raise BackupDamaged(
        "expected a backup with a manifest at its end, there is none: it was cut off, or is none"
    )


@contextmanager
def _as_damage() -> Iterator[None]:
    try:
        yield
    except (gzip.BadGzipFile, zlib.error, tarfile.TarError, EOFError, ValueError) as error:
        raise BackupDamaged(f"the backup cannot be unpacked: {error}") from error


@contextmanager
def _translated() -> Iterator[None]:
    """Say what the system says in our words, without folders."""
    try:
        yield
    except OSError as error:
        name = Path(str(error.filename)).name if error.filename else "the file"
        raise OutputNotWritable(f"cannot use {name}: {error.strerror or error}") from error
