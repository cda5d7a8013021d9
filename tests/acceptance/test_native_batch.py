"""A folder as a batch: by the command, over HTTP and by the client, on a real server with the lite models."""

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from okapia.client import Okapia, Options, Source
from okapia.models.card import PROFILES
from okapia.settings import load_settings
from tests.acceptance.okapia_process import okapia, server

pytestmark = pytest.mark.models


@dataclass(frozen=True, slots=True)
class House:
    """A home with pictures that callers of its server may name."""

    pictures: Path
    settings: dict[str, str]


@pytest.fixture
def house(lite: None, samples: Path, tmp_path: Path) -> House:
    del lite
    home, pictures = tmp_path / "home", tmp_path / "pictures"
    models = load_settings().models_dir
    for model_id in PROFILES["lite"].model_ids:
        shutil.copytree(models / model_id, home / "models" / model_id)
    for file in samples.glob("*.png"):
        (pictures / "site 1").mkdir(parents=True, exist_ok=True)
        shutil.copy(file, pictures / "site 1" / file.name)
    (pictures / "broken.jpg").write_bytes(b"no picture")
    settings = {"OKAPIA_HOME": str(home), "OKAPIA_SOURCE_ROOTS": json.dumps([str(pictures)])}
    return House(pictures, settings)


def test_a_batch_says_of_each_picture_what_a_call_says(house: House, tmp_path: Path) -> None:
    names = sorted(file.relative_to(house.pictures).as_posix() for file in house.pictures.rglob("*.png"))
    with server(settings=house.settings) as (url, _, _):
        done = okapia("batch", "submit", house.pictures, "--wait", settings=house.settings)
        batch_id = done.stdout.splitlines()[0]
        copied = okapia("batch", "results", batch_id, "-o", tmp_path / "files", settings=house.settings)
        verified = okapia("batch", "verify", batch_id, settings=house.settings)
        with Okapia(url) as client:
            called = {name: client.detect(house.pictures / name).annotations for name in names}
            failed = [one.file for one in client.batches.failures(batch_id)]

    assert done.returncode == 1, done.stderr
    assert f"{len(names)} of {len(names) + 1} pictures have an answer" in done.stdout
    assert (copied.returncode, verified.returncode) == (0, 0)
    assert failed == ["broken.jpg"]
    [file] = (tmp_path / "files").glob("*megadetector*.json")
    boxes = {
        image["file"]: [box["bbox"] for box in image["detections"] if box["conf"] >= 0.2]
        for image in json.loads(file.read_text())["images"]
        if image["detections"] is not None
    }
    assert sorted(boxes) == names
    for name in names:
        found = sorted(boxes[name])
        assert found == [pytest.approx(box, abs=1e-3) for box in sorted(list(a.bbox) for a in called[name])]


def test_a_server_that_stops_ends_the_streams_of_those_who_look_on(house: House) -> None:
    settings = house.settings | {"OKAPIA_BATCH_WORKERS": "0"}
    with server(settings=settings) as (url, _, process):
        with Okapia(url) as client:
            made = client.batches.create(Source(folder=str(house.pictures)), Options(classify=False))
        with httpx.stream("GET", f"{url}/v1/batches/{made.id}/events", timeout=30) as events:
            lines = told(events)
            first = next(lines)
            began = time.monotonic()
            process.terminate()
            rest = list(lines)
        process.wait(timeout=20)

    assert json.loads(first)["status"] == "listing"
    assert rest == []
    assert time.monotonic() - began < 15


def told(events: httpx.Response) -> Iterator[str]:
    """Give what each event holds."""
    return (line.removeprefix("data: ") for line in events.iter_lines() if line.startswith("data: "))
