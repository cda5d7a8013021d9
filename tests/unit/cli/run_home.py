"""A home with a small detector of bright rectangles, pictures for it, and the command on them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from typer.testing import CliRunner

from okapia.cli.main import app
from okapia.models.card import ModelCard
from okapia.models.catalog import Catalog
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights.check import checker
from okapia.models.weights.own.adding import Addition, add_networks
from okapia.models.weights.own.inspect import inspect
from okapia.models.weights.store import ModelStore
from tests.networks import bright_box, yolo_layout

_STRIPES = {
    "id": "stripes",
    "title": "Stripes",
    "version": "1",
    "task": "detector",
    "family": "yolo",
    "licence": "MIT",
    "canvas": 64,
    "labels": ["animal", "person"],
    "categories": {"animal": "animal", "person": "person"},
    "preprocessing": {"resize": "stretch", "std": 255},
}

Document = dict[str, Any]
Process: TypeAlias = "subprocess.Popen[str]"


def make_home(folder: Path) -> dict[str, str]:
    """Install the detector; gives the settings under which it is the one that answers."""
    home = folder / "home"
    network = folder / "stripes.onnx"
    network.write_bytes(bright_box(yolo_layout(2, winner=0), (1, 6, 1), shape=(1, 3, 64, 64)))
    addition = Addition(inspect(network), ModelCard.model_validate(_STRIPES))
    check = checker(Runtime(EngineChoice(), load=Load(), cores=1).open)
    add_networks([addition], catalog=Catalog(ModelStore(home / "models")), check=check)
    return {"OKAPIA_HOME": str(home), "OKAPIA_DETECTOR": "stripes", "OKAPIA_CLASSIFIER": ""}


def paint(path: Path, *, left: int = 16) -> None:
    """Save a picture of a bright square on black."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    picture[16:48, left : left + 16] = 255
    cv2.imwrite(str(path), picture)


def paint_many(folder: Path, number: int) -> None:
    """Save pictures of which neighbours differ, in three folders."""
    for place in range(number):
        paint(folder / f"cam {place % 3}" / f"{place:04d}.png", left=place % 32)


def run(*arguments: object, exit_code: int = 0) -> Document:
    """Run the command in this process; gives its summary."""
    result = CliRunner().invoke(app, ["run", *map(str, arguments), "--json"], catch_exceptions=False)
    assert result.exit_code == exit_code, result.output
    summary: Document = json.loads(result.stdout.splitlines()[-1])
    return summary


def begin(*arguments: object) -> Process:
    """Begin to run the command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "okapia", "run", *map(str, arguments), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )


def answers(results: Path) -> Document:
    """What a results file says, by picture; each picture stands in it once."""
    images = json.loads(results.read_text(encoding="utf-8"))["images"]
    by_name = {image["file"]: image for image in images}
    assert len(by_name) == len(images)
    return by_name


def without_times(results: Path) -> str:
    """A results file but for the lines that say when it was made."""
    lines = results.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if "_completion_time" not in line)


def left_of(image: Document) -> float:
    """Where the square of a picture begins."""
    (box,) = image["detections"]
    left: float = box["bbox"][0]
    return left
