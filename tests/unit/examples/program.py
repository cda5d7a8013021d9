"""The command `python examples/stream.py`, clips for it, and the films that it writes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np

from tests.unit.examples.gateway import Pixels

NOTHING: Mapping[str, str] = MappingProxyType({})
STREAM = Path(__file__).parents[3] / "examples" / "stream.py"


def clip(path: Path, *, frames: int = 12, size: tuple[int, int] = (160, 120)) -> Path:
    """A film of a bright square that moves by 4 pixels a frame over black."""
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, size)
    for index in range(frames):
        pixels = np.zeros((size[1], size[0], 3), dtype=np.uint8)
        pixels[10:30, 4 * index : 4 * index + 20] = 255
        film.write(pixels)
    film.release()
    return path


def frames_of(path: Path) -> list[Pixels]:
    """Give what a finished film holds."""
    film = cv2.VideoCapture(str(path))
    frames = []
    while (read := film.read())[0]:
        frames.append(read[1].astype(np.uint8))
    film.release()
    return frames


def command(source: Path | str, *options: str | Path, url: str) -> list[str]:
    return [sys.executable, str(STREAM), str(source), "--url", url, *map(str, options)]


def stream(
    source: Path, *options: str | Path, url: str, password: str = "", settings: Mapping[str, str] = NOTHING
) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end in the folder of its clip, without a screen unless `settings` have one.

    Args:
        password: what standard input holds.
    """
    return subprocess.run(
        command(source, *options, url=url),
        input=password,
        capture_output=True,
        text=True,
        cwd=source.parent,
        env=_environment() | dict(settings),
        timeout=120,
        check=False,
    )


def _environment() -> dict[str, str]:
    screens = {"DISPLAY", "WAYLAND_DISPLAY", "OKAPIA_PASSWORD"}
    return {name: value for name, value in os.environ.items() if name not in screens} | {"NO_PROXY": "*"}


def lines(run: "subprocess.CompletedProcess[str]") -> list[dict[str, object]]:
    return [json.loads(line) for line in run.stdout.splitlines()]


@contextmanager
def streaming(source: str | Path, *options: str, url: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        command(source, *options, url=url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=_environment(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
