"""A file that appears whole or not at all."""

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from okapia.domain.errors import OutputNotWritable


class PendingFile:
    """Bytes on their way to `target`, kept in a file beside it until `commit`.

    Without `commit` the bytes are deleted on leaving the context, and `target` is untouched.

    Raises:
        OutputNotWritable: from every method; from the constructor when the folder is missing
            or closed to us, or `target` is a folder or a device.
    """

    def __init__(self, target: Path) -> None:
        # A linked target keeps its link: the file that it leads to is replaced.
        self._target = target.resolve()
        if self._target.exists() and not self._target.is_file():
            raise OutputNotWritable(f"expected a file to write, {target} is a folder or a device")
        self.path = self._target.with_name(f".okapia-{secrets.token_hex(6)}.part")
        try:
            # Not tempfile: its files are private to their owner, results are not.
            self._file = self.path.open("xb", buffering=1 << 20)
        except OSError as error:
            raise OutputNotWritable(f"cannot write in {self._target.parent}: {error.strerror}") from error
        self._is_settled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.discard()

    def write(self, data: bytes) -> None:
        """Append `data`."""
        try:
            self._file.write(data)
        except OSError as error:
            raise self._failed(error) from error

    def flush(self) -> None:
        """Hand what was written to the operating system, so that `path` can be read."""
        try:
            self._file.flush()
        except OSError as error:
            raise self._failed(error) from error

    def write_from(self, other: "PendingFile") -> None:
        """Append all that was written to `other`."""
        other.flush()
        try:
            with other.path.open("rb") as source:
                shutil.copyfileobj(source, self._file, 1 << 20)
        except OSError as error:
            raise self._failed(error) from error

    def commit(self, *, instead: Path | None = None) -> None:
        """Put the bytes in the target's place, on the disk and not only in its cache.

        Args:
            instead: another place for them, in the same folder.

        Raises:
            OutputNotWritable: the target cannot be replaced, as when another program holds it
                open on Windows. Then the finished bytes stay, and the message says where.
        """
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            raise self._failed(error) from error
        self._is_settled = True
        self._target = instead.resolve() if instead else self._target
        try:
            self.path.replace(self._target)
        except OSError as error:
            raise self._kept(error) from error
        _sync_folder(self._target.parent)

    def discard(self) -> None:
        """Delete what is pending; nothing to do after `commit`."""
        if self._is_settled:
            return
        self._is_settled = True
        with suppress(OSError):  # a full disk: the rest of the buffer is not wanted any more
            self._file.close()
        self.path.unlink(missing_ok=True)

    def _failed(self, error: OSError) -> OutputNotWritable:
        return OutputNotWritable(f"cannot write {self._target}: {error.strerror}")

    def _kept(self, error: OSError) -> OutputNotWritable:
        return OutputNotWritable(
            f"cannot replace {self._target}: {error.strerror}; the finished file is {self.path}"
        )


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a power cut, where the system can (Windows cannot)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    with suppress(OSError):  # some network file systems refuse; the file itself is safe already
        os.fsync(handle)
    os.close(handle)
