"""One run at a time on one results file, and which run that is."""

import json
import os
import re
import socket
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from uuid import uuid4

import psutil

from okapia.domain.errors import OkapiaError, OutputNotWritable
from okapia.formats.megadetector import as_utf8

_RUN_ID = re.compile(r"[0-9a-f]{32}")


class OutputInUse(OkapiaError):
    """Another run is at work on this results file."""

    code = "output_in_use"

    def __init__(self, output: Path, *, pid: object) -> None:
        super().__init__(
            f"another run (process {pid}) works on {as_utf8(str(output))}; wait for it or name another -o"
        )


class OutputLock:
    """Keeps other runs from a results file for as long as the context lasts.

    A small hidden file beside the results says who is at work, and stays: it holds the id of the run, by
    which a later one goes on, wherever the folder is mounted by then. The system frees the lock of a process
    that is dead; where it has no locks (some network drives), the process's number tells.

    Raises:
        OutputInUse: another process has it.
        OutputNotWritable: the file cannot be written.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        target = output.resolve()
        self._path = target.with_name(f".{target.name}.run")
        self._file: BinaryIO | None = None
        self._run_id = ""

    @property
    def run_id(self) -> str:
        """The id of this run and of all that go on from it."""
        return self._run_id

    def __enter__(self) -> Self:
        try:
            self._file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
        except OSError as error:
            folder = as_utf8(str(self._path.parent))
            raise OutputNotWritable(f"cannot write in {folder}: {error.strerror}") from error
        try:
            self._take(self._file)
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            with suppress(OSError):  # the disk may be gone
                _write(self._file, {"run": self._run_id})
                self._file.close()

    def _take(self, file: BinaryIO) -> None:
        said = _read(file)
        if not _lock(file, said):
            raise OutputInUse(self._output, pid=said.get("pid", "unknown"))
        known = str(said.get("run"))
        self._run_id = known if _RUN_ID.fullmatch(known) else uuid4().hex
        try:
            _write(file, {"run": self._run_id, **_myself()})
        except OSError as error:
            output = as_utf8(str(self._output))
            raise OutputNotWritable(f"cannot write beside {output}: {error.strerror}") from error


def _read(file: BinaryIO) -> dict[str, object]:
    """Give what the file says; nothing when it is new, or a crash cut it off."""
    try:
        said = json.loads(file.read())
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _write(file: BinaryIO, said: dict[str, object]) -> None:
    file.seek(0)
    file.truncate()
    file.write(json.dumps(said).encode())


def _myself() -> dict[str, object]:
    started_at = psutil.Process().create_time()
    return {"host": socket.gethostname(), "pid": os.getpid(), "started_at": started_at}


def _is_alive(said: dict[str, object]) -> bool:
    """Say whether the process that wrote this still runs; one of another host is believed."""
    pid = said.get("pid")
    if not isinstance(pid, int):
        return False
    if said.get("host") != socket.gethostname():
        return True
    try:
        return psutil.Process(pid).create_time() == said.get("started_at")
    except psutil.NoSuchProcess:
        return False


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30
    """A byte behind the end: Windows lets nobody read what is locked."""

    def _lock(file: BinaryIO, said: dict[str, object]) -> bool:
        """Take the system's lock; False when somebody has it."""
        del said
        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(file: BinaryIO, said: dict[str, object]) -> bool:
        """Take the system's lock; False when somebody has it."""
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # no locks on this drive
            return not _is_alive(said)
        return True
