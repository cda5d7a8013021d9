"""Pictures on disks: finding them in a fixed order, and reading one."""

import os
import stat
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from okapia.domain.errors import InvalidRequest, UnreadableFile

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
"""What a file's name ends with, in any case, to be taken for a picture inside a folder."""

SYSTEM_FOLDERS = frozenset({"$recycle.bin", "system volume information", "@eadir", "okapia-check"})
"""Lower-case names of folders that hold deleted pictures (Windows), thumbnails (Synology) or the copies that
`okapia models check` draws."""


@dataclass(frozen=True, slots=True)
class FoundImage:
    """A file that claims to be a picture; whether it is one, only decoding tells.

    Attributes:
        name: relative to what was asked for, `/` between folders on every system; bytes that
            are not UTF-8 stand in it as surrogates (PEP 383), so `path` opens again.
    """

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class ScanProblem:
    """Something that may hold pictures and cannot be looked into: reported, never left out in silence.

    Attributes:
        name: as in `FoundImage`; `.` for the folder that was asked for.
    """

    path: Path
    name: str
    error: UnreadableFile


@dataclass(slots=True)
class _Listing:
    """What one folder holds: names relative to the root, those of folders ending in `/`."""

    names: list[str] = field(default_factory=list)
    problems: list[ScanProblem] = field(default_factory=list)


def scan(
    paths: Sequence[Path], *, suffixes: Collection[str] = SUFFIXES
) -> Iterator[FoundImage | ScanProblem]:
    """Find the pictures in folders, however deep, one after the other.

    The order is that of `paths`, and within a folder that of the names, code point by code
    point. One folder's pictures are named relative to it; the pictures of several paths
    relative to the deepest folder that holds all of those paths, so that no two share a name.

    Skipped: names with a leading dot (hidden files, and the `._*` shadows that macOS leaves on
    camera cards), `SYSTEM_FOLDERS`, other suffixes than `suffixes`. Linked folders are not
    followed, since they may lead in circles; each is a `ScanProblem`. A file that is named in
    `paths` itself is taken whatever its name.

    Memory: the names of the folder that is being read and of its ancestors; nothing else grows.

    Raises:
        InvalidRequest: a path does not exist, or one lies within another; raised at once,
            not on the first `next`.
    """
    absolute = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - resolve() would follow links and rename pictures
    _check(absolute)
    return _scan(absolute, suffixes)


def read_image(path: Path, *, max_bytes: int) -> bytes:
    """Read a whole file.

    Raises:
        UnreadableFile: missing, forbidden, not a regular file (a pipe would block for ever), or
            larger than `max_bytes`. The message leaves the path to the caller.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableFile("expected a regular file, got a folder, pipe or device")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise UnreadableFile(f"cannot read the file: {_reason(error)}") from error
    if len(data) > max_bytes:
        size = max(status.st_size, len(data))
        raise UnreadableFile(f"expected at most {max_bytes:,} bytes, the file has {size:,}")
    return data


def _check(paths: Sequence[Path]) -> None:
    """Refuse paths that do not exist or that would give a picture twice."""
    seen: set[Path] = set()
    for path in paths:
        if not os.path.lexists(path):
            raise InvalidRequest(f"expected a file or a folder, {path} does not exist", param="paths")
        if path in seen:
            raise InvalidRequest(f"expected each path once, got {path} twice", param="paths")
        seen.add(path)
    for path in paths:
        for parent in path.parents:
            if parent in seen:
                raise InvalidRequest(f"expected separate paths, {path} lies in {parent}", param="paths")


def _scan(paths: Sequence[Path], suffixes: Collection[str]) -> Iterator[FoundImage | ScanProblem]:
    base = common_folder(paths)
    for path in paths:
        name = path.relative_to(base).as_posix() if base else path.as_posix()
        if path.is_dir():
            yield from _walk(path, prefix="" if name == "." else f"{name}/", suffixes=suffixes)
        else:
            yield FoundImage(path, name)


def common_folder(paths: Sequence[Path]) -> Path | None:
    """Give the folder that names are relative to; None when the paths lie on several drives."""
    folders = [path if path.is_dir() else path.parent for path in paths]
    try:
        return Path(os.path.commonpath(folders)) if folders else None
    except ValueError:
        return None


def _walk(root: Path, *, prefix: str, suffixes: Collection[str]) -> Iterator[FoundImage | ScanProblem]:
    """Depth first, without recursion: folders may nest deeper than Python's stack."""
    pending = [""]
    while pending:
        name = pending.pop()
        if name and not name.endswith("/"):
            yield FoundImage(root / name, prefix + name)
            continue
        listing = _list(root, name=name, prefix=prefix, suffixes=suffixes)
        yield from listing.problems
        pending.extend(sorted(listing.names, reverse=True))


def _list(root: Path, *, name: str, prefix: str, suffixes: Collection[str]) -> _Listing:
    """Read one folder; what was read before an error counts."""
    listing, folder = _Listing(), root / name
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                _sort_in(entry, listing, parent=name, prefix=prefix, suffixes=suffixes)
    except OSError as error:
        problem = UnreadableFile(f"cannot read the folder: {_reason(error)}")
        shown = (prefix + name).rstrip("/") or "."
        listing.problems.append(ScanProblem(folder, shown, problem))
    return listing


def _sort_in(
    entry: os.DirEntry[str], listing: _Listing, *, parent: str, prefix: str, suffixes: Collection[str]
) -> None:
    """Put one entry of a folder where it belongs, or nowhere."""
    if entry.name.startswith(".") or entry.name.casefold() in SYSTEM_FOLDERS:
        return
    name = parent + entry.name
    if entry.is_dir():
        if not _is_link(entry):
            listing.names.append(f"{name}/")
            return
        problem = UnreadableFile("a link to a folder, not followed; name the folder itself to include it")
    elif Path(entry.name).suffix.lower() not in suffixes:
        return
    elif entry.is_file():
        listing.names.append(name)
        return
    else:
        problem = UnreadableFile("expected a regular file, got a broken link, pipe or device")
    listing.problems.append(ScanProblem(Path(entry.path), prefix + name, problem))


def _is_link(entry: os.DirEntry[str]) -> bool:
    """Tell symbolic links and Windows' junctions, which Python 3.11 takes for plain folders."""
    if sys.platform == "win32":
        tag = entry.stat(follow_symlinks=False).st_reparse_tag
        return entry.is_symlink() or tag == stat.IO_REPARSE_TAG_MOUNT_POINT
    return entry.is_symlink()


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
