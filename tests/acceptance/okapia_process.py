"""The real command and the real server, as processes."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


def okapia(
    *arguments: str | os.PathLike[str], cwd: Path | None = None, settings: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end, with `settings` in its environment; its output is text."""
    return subprocess.run(
        [sys.executable, "-m", "okapia", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | dict(settings or {}),
        timeout=300,
        check=False,
    )


@contextmanager
def server(
    arguments: Sequence[str] = (), *, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[str, list[str], "subprocess.Popen[str]"]]:
    """Start `okapia serve` on a free port; gives its URL, its three start lines and the process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "okapia", "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"} | dict(settings or {}),
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline().rstrip() for _ in range(3)]
        url = next(word for word in lines[0].split() if word.startswith("http"))
        yield url, lines, process
    finally:
        process.terminate()
        process.wait(timeout=60)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
