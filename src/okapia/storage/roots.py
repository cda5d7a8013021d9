"""Files and folders that callers may name: those below configured ones, and nothing else of the machine."""

import os
import stat
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from okapia.domain.errors import InvalidSettings, SourceRefused, UnreadableFile

_KERNEL = tuple(Path(name) for name in ("/proc", "/sys", "/dev"))
"""Trees in which regular files show the memory and the settings of processes, ours among them."""

_OUTSIDE = "expected a file below one of the folders that the server may read"
"""One sentence for every path outside, so that nobody learns what exists there."""


@dataclass(frozen=True, slots=True)
class _Root:
    """A folder as it was configured, and where it really is; callers may name either."""

    given: Path
    real: Path


class SourceRoots:
    """Reads regular files below some folders, and finds folders there; without folders, none."""

    def __init__(self, roots: Sequence[Path]) -> None:
        """Look the folders up, once.

        Raises:
            InvalidSettings: one is relative, missing, no folder, the root of a POSIX file system, or the
                kernel's.
        """
        self._roots = tuple(_root(path) for path in roots)

    def read(self, path: str, *, max_bytes: int) -> bytes:
        """Give a file's bytes; links are followed as long as they end below one of the folders.

        A path that is not spelled as below one of the folders is refused without touching the disk:
        on Windows even looking for `//host/share` would send that host the account's password hash.

        Raises:
            SourceRefused: no folders, relative, with `..`, outside by spelling or by links, not a regular
                file. Whether something outside exists changes neither class nor message.
            UnreadableFile: below the folders, and missing, forbidden or larger than `max_bytes`.
        """
        try:
            root, real = self._located(path)
            return _read(root, real, max_bytes=max_bytes)
        except OSError as error:
            raise _unreadable("file", error) from error

    def folder(self, path: str) -> Path:
        """Give where a folder really is; links are followed as long as they end below one of the folders.

        Raises:
            SourceRefused: as `read`.
            UnreadableFile: below the folders, and missing, forbidden or no folder.
        """
        try:
            _, real = self._located(path)
            if not stat.S_ISDIR(real.stat().st_mode):
                raise UnreadableFile("expected a folder, got a file or device")
        except OSError as error:
            raise _unreadable("folder", error) from error
        return real

    def _located(self, path: str) -> tuple[Path, Path]:
        """Give the configured folder that a path leads below, and where it leads, without any link."""
        if not self._roots:
            raise SourceRefused("naming files is off; set OKAPIA_SOURCE_ROOTS")
        named = _named(path)
        if not any(named.is_relative_to(way) for root in self._roots for way in (root.given, root.real)):
            raise SourceRefused(_OUTSIDE)
        real = Path(os.path.realpath(named))
        for root in self._roots:
            if real.is_relative_to(root.real):
                return root.real, real
        raise SourceRefused(_OUTSIDE)


def _unreadable(what: str, error: OSError) -> UnreadableFile:
    return UnreadableFile(f"cannot read the {what}: {error.strerror or type(error).__name__}")


def _root(path: Path) -> _Root:
    if not path.is_absolute() or ".." in path.parts or not path.is_dir():
        raise InvalidSettings(f"source_roots: expected folders by their absolute paths, got {path}")
    real = Path(os.path.realpath(path))
    if sys.platform != "win32" and (real == Path("/") or any(real.is_relative_to(tree) for tree in _KERNEL)):
        raise InvalidSettings(f"source_roots: expected folders of pictures, got {path}")
    return _Root(path, real)


def _named(path: str) -> Path:
    """Refuse what is no plain absolute path, before anything asks the file system about it."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise SourceRefused("expected a path, got half a character") from error
    named = Path(path)
    # Behind a colon Windows keeps a file's other streams.
    odd = sys.platform == "win32" and ":" in "".join(named.parts[1:])
    if "\0" in path or odd or not named.is_absolute() or ".." in named.parts:
        raise SourceRefused("expected an absolute path without `..` and NUL")
    return named


def _read(root: Path, real: Path, *, max_bytes: int) -> bytes:
    """Read from one descriptor what was checked on that descriptor.

    `folder.read_image` looks, then opens by name: right for one's own folders, but whoever may write below
    a root could put a link in its place in between.
    """
    with ExitStack() as opened:
        descriptor = _open(root, real, opened)
        status = os.fstat(descriptor)
        _expect_regular(status)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        size = max(status.st_size, len(data))
        raise UnreadableFile(f"expected at most {max_bytes:,} bytes, the file has {size:,}")
    return data


def _expect_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SourceRefused("expected a regular file, got a folder, pipe, device or changing link")


if sys.platform == "win32":

    def _open(root: Path, real: Path, opened: ExitStack) -> int:
        """Open, then look again: while a file is open, neither it nor a folder above it can be renamed."""
        del root  # `real` was checked to lie there
        descriptor = os.open(real, os.O_RDONLY | os.O_BINARY | os.O_NOINHERIT)
        opened.callback(os.close, descriptor)
        same = os.path.samestat(os.fstat(descriptor), real.stat())
        if not same or Path(os.path.realpath(real)) != real:
            raise SourceRefused(_OUTSIDE)
        return descriptor

else:
    _FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    if sys.platform == "linux":
        _FOLDER |= os.O_PATH  # folders that may be passed through but not listed
    _FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY

    def _open(root: Path, real: Path, opened: ExitStack) -> int:
        """Go down from `root` by folders and follow no link: those were resolved, new ones are attacks."""
        *folders, name = real.relative_to(root).parts or (".",)
        descriptor = os.open(root, _FOLDER)
        opened.callback(os.close, descriptor)
        for folder in folders:
            descriptor = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            opened.callback(os.close, descriptor)
        # Opening a device may already do something, so a first look comes before.
        _expect_regular(os.stat(name, dir_fd=descriptor, follow_symlinks=False))
        descriptor = os.open(name, _FILE, dir_fd=descriptor)
        opened.callback(os.close, descriptor)
        return descriptor
