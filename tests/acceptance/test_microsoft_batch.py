"""Microsoft's batch API against a real server: a program as people have it, a container, the lite models."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from okapia.storage.cloud import open_cloud
from okapia.storage.cloud_address import CloudAddress
from tests.acceptance.okapia_process import okapia, server
from tests.contract.blob_servers import BUCKET, azure, with_sas
from tests.unit.dialects.toolbelt import decode

pytestmark = pytest.mark.models

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "microsoft-batch.md"
BASE_URL = "127.0.0.1:8000"
V4 = "/v4/camera-trap/detection-batch"
SYNC = "/v1/camera-trap/sync/detect"
NAMES = ["blank.jpg", "ena24_4383.jpg", "ena24_9455.jpg", "human.jpg", "vehicle.jpg"]

Boxes = list[tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Place:
    """A server with one user, who has one key, and a container with pictures.

    Attributes:
        api_url: with the key in it, as programs have it that send none.
    """

    url: str
    api_url: str
    key: str
    container: str
    pictures: Path


@pytest.fixture(scope="module")
def place(lite: None, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A database of its own: a first user changes a server for good."""
    del lite
    pictures = shared_data / "camera-traps"
    settings = {"OKAPIA_DATABASE": f"sqlite:///{tmp_path_factory.mktemp('desk') / 'okapia.db'}"}
    with azure() as cloud, pytest.MonkeyPatch.context() as environment:
        for name, value in cloud.environment.items():
            environment.setenv(name, value)
        blobs = open_cloud(CloudAddress.parse(cloud.below("survey")))
        for name in NAMES:
            blobs.put(name, [(pictures / name).read_bytes()], max_bytes=10_000_000)
        environment.undo()
        subprocess.run(
            [sys.executable, "-m", "okapia", "users", "add", "ada", "--role", "admin", "--password-stdin"],
            input="correct horse battery staple\n",
            text=True,
            env=os.environ | settings,
            check=True,
            capture_output=True,
        )
        added = okapia("storage", "add", "azurite", "--address", cloud.below("survey"), settings=settings)
        assert added.returncode == 0, added.stderr
        key = json.loads(okapia("keys", "create", "--name", "camera", "--json", settings=settings).stdout)[
            "key"
        ]
        (sas,) = with_sas(cloud).environment.values()
        with server(settings=settings) as (url, _, _):
            api_url = url.replace("://", f"://ada:{key}@") + V4
            yield Place(url, api_url, key, f"{cloud.endpoint}/{BUCKET}?{sas}", pictures)


def test_a_container_gets_the_boxes_that_its_pictures_get_alone(place: Place) -> None:
    request = {
        "caller": "camera",
        "input_container_sas": place.container,
        "image_path_prefix": "survey/",
        "request_name": "Alberta_2026",
    }

    task_id = httpx.post(f"{place.api_url}/request_detections", json=request).json()["request_id"]
    message = completed(place, task_id)
    results = httpx.get(message["output_file_urls"]["detections"]).json()

    assert message["num_failed_shards"] == 0
    assert results["info"]["detector"] == "megadetector-lite+nanodet-coco"
    together = {image["file"].removeprefix("survey/"): boxes_of(image) for image in results["images"]}
    assert [*together] == NAMES
    for name, boxes in together.items():
        assert boxes == [pytest.approx(box, abs=0.001) for box in alone(place, name)]
    assert {kind for *_, kind in together["human.jpg"]} >= {1, 2}
    assert min(box[4] for boxes in together.values() for box in boxes) >= 0.1


def test_the_pages_program_prints_what_the_page_shows(place: Place) -> None:
    (program,), (shown, *_) = blocks("python"), blocks("")
    assert program.count(BASE_URL) == 1

    printed = subprocess.run(
        [sys.executable, "-c", program.replace(BASE_URL, place.url.removeprefix("http://"))],
        env=os.environ | {"OKAPIA_KEY": place.key, "CONTAINER_SAS": place.container},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert printed.returncode == 0, printed.stderr
    rows, shown_rows = sure_boxes(printed.stdout), sure_boxes(shown)
    assert [*rows] == [*shown_rows]
    for name, boxes in rows.items():
        assert [kind for kind, _ in boxes] == [kind for kind, _ in shown_rows[name]]
        confidences = [confidence for _, confidence in shown_rows[name]]
        # Engines differ in the last digits.
        assert [confidence for _, confidence in boxes] == pytest.approx(confidences, abs=0.02)


def blocks(language: str) -> list[str]:
    """Give the page's blocks of a language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


def sure_boxes(printed: str) -> dict[str, list[tuple[str, float]]]:
    """Read the lines that the program prints: a picture, and its boxes as pairs."""
    lines = (line.partition(" ") for line in printed.splitlines())
    return {name: [(kind, confidence) for kind, confidence in json.loads(boxes)] for name, _, boxes in lines}


def completed(place: Place, task_id: str) -> dict[str, Any]:
    """Ask every half second, as a patient program does."""
    for _ in range(240):
        answer = httpx.get(f"{place.api_url}/task/{task_id}").json()
        assert answer["TaskId"] == task_id
        if answer["Status"]["request_status"] == "completed":
            message: dict[str, Any] = answer["Status"]["message"]
            return message
        assert answer["Status"]["request_status"] in {"created", "running"}, answer
        time.sleep(0.5)
    pytest.fail(f"the task did not end: {answer}")


def boxes_of(image: dict[str, Any]) -> Boxes:
    """Give a picture's boxes, best first: left, top, width, height, confidence, category."""
    return [(*box["bbox"], box["conf"], int(box["category"])) for box in image["detections"]]


def alone(place: Place, name: str) -> Boxes:
    """Give what the detector API says of the picture."""
    files = {name: (name, (place.pictures / name).read_bytes(), "image/jpeg")}
    answer = httpx.post(
        place.url + SYNC,
        params={"min_confidence": "0.1"},
        files=files,
        headers={"key": place.key},
        timeout=120,
    )
    parts = decode(answer.content, answer.headers["content-type"])
    rows = parts["detection_result"].document[name]
    return [
        (left, top, right - left, bottom - top, conf, kind) for top, left, bottom, right, conf, kind in rows
    ]
