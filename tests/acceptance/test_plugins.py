"""The examples of `examples/`, as people use them: installed, added, served and called in every contract."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from tests.acceptance.okapia_process import okapia, server

EXAMPLES = Path(__file__).parents[2] / "examples"
PACKAGES = [EXAMPLES / name for name in ("own-family", "own-dialect", "own-format")]
LABELS = {"garden": "hedgehog", "deer-fomo": "roe deer"}
"""What each model calls the bright rectangle of `picture`."""


@dataclass(frozen=True)
class Place:
    """A machine on which the examples are installed.

    Attributes:
        picture: a PNG with one bright rectangle, whose sides fall on whole cells of the grid.
    """

    home: Path
    settings: dict[str, str]
    picture: bytes


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The packages installed by pip, both models added by the command."""
    folder = tmp_path_factory.mktemp("examples")
    site, home = folder / "site", folder / "home"
    pip("install", "--no-deps", "--no-build-isolation", "--target", site, *PACKAGES)
    settings = {"OKAPIA_HOME": str(home), "PYTHONPATH": str(site), "OKAPIA_DETECTOR": "garden"}
    place = Place(home, settings, bright_picture())
    python(EXAMPLES / "own-model" / "garden_network.py", folder / "garden.onnx")
    python(EXAMPLES / "own-family" / "fomo_network.py", folder / "deer.onnx")
    run(place, "models", "add", folder / "garden.onnx", "--card", EXAMPLES / "own-model" / "garden.toml")
    run(place, "models", "add", folder / "deer.onnx", "--card", EXAMPLES / "own-family" / "deer.toml")
    return place


@pytest.fixture(scope="module")
def url(place: Place) -> Iterator[str]:
    folder = place.home.parent / "survey"
    folder.mkdir()
    (folder / "bright.png").write_bytes(place.picture)
    more = {"OKAPIA_CLASSIFIER": "", "OKAPIA_SOURCE_ROOTS": json.dumps([str(folder)])}
    with server(settings=place.settings | more) as (url, _, _):
        yield url


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=300)


def python(script: Path, target: Path) -> None:
    subprocess.run([sys.executable, script, target], check=True, timeout=60)


def run(place: Place, *arguments: str | Path) -> str:
    """Run a command that has to succeed; gives what it printed."""
    done = okapia(*arguments, cwd=place.home.parent, settings=place.settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


def bright_picture() -> bytes:
    pixels = np.zeros((480, 640, 3), dtype=np.uint8)
    pixels[120:240, 160:480] = 255
    encoded: bytes = cv2.imencode(".png", pixels)[1].tobytes()
    return encoded


# --- the same question in every contract that lets a caller choose --------------------

Ask = Callable[[str, str, bytes], list[str]]
"""Takes URL, model and picture; gives the labels of what is found."""


def by_native(url: str, model: str, picture: bytes) -> list[str]:
    answer = httpx.post(f"{url}/v1/detect", files={"image": picture}, data={"detector": model}, timeout=30)
    return [box["label"] for box in answer.json()["annotations"]]


def by_pyzm(url: str, model: str, picture: bytes) -> list[str]:
    form = {"type": "object", "name": model}
    answer = httpx.post(f"{url}/infer", files={"image": picture}, data=form, timeout=30)
    return [box["label"] for box in answer.json()["detections"]]


def by_deepstack(url: str, model: str, picture: bytes) -> list[str]:
    answer = httpx.post(f"{url}/v1/vision/custom/{model}", files={"image": picture}, timeout=30)
    return [box["label"] for box in answer.json()["predictions"]]


@pytest.mark.parametrize("ask", [by_native, by_pyzm, by_deepstack])
@pytest.mark.parametrize("model", LABELS)
def test_a_model_is_chosen_by_its_name(url: str, place: Place, model: str, ask: Ask) -> None:
    assert ask(url, model, place.picture) == [LABELS[model]]


@pytest.mark.parametrize("model", LABELS)
def test_a_batch_is_worked_off_by_the_model_that_is_named(url: str, place: Place, model: str) -> None:
    wanted = {
        "source": {"folder": str(place.home.parent / "survey")},
        "model": model,
        "outputs": {"formats": ["jsonl"]},
    }
    made = httpx.post(f"{url}/v1/batches", json=wanted).raise_for_status().json()

    run(place, "batch", "watch", made["id"])
    links = httpx.get(made["results_url"]).raise_for_status().json()["files"]
    (answer,) = httpx.get(next(one["url"] for one in links if one["format"] == "jsonl")).text.splitlines()
    versions = httpx.get(f"{url}/v4/camera-trap/detection-batch/supported_model_versions").json()

    assert [box["label"] for box in json.loads(answer)["detections"]] == [LABELS[model]]
    assert model in versions


@pytest.mark.parametrize("model", LABELS)
def test_the_dialect_of_a_package_answers_with_the_model_that_is_named(
    url: str, place: Place, model: str
) -> None:
    counted = httpx.post(f"{url}/count?model={model}", files={"file": place.picture}, timeout=30)
    whole = httpx.post(f"{url}/compat/count/count?model={model}", files={"file": place.picture}, timeout=30)

    assert counted.json() == {"animals": 1, "people": 0}
    assert whole.json() == counted.json()


def test_the_dialect_of_a_package_refuses_in_its_own_words(url: str, place: Place) -> None:
    answer = httpx.post(f"{url}/count?model=quagga", files={"file": place.picture}, timeout=30)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("no model is called 'quagga'; known: ")


def test_models_are_listed_wherever_models_are(url: str) -> None:
    native, pyzm, deepstack = (
        httpx.get(f"{url}{path}", timeout=30).json()["models"]
        for path in ("/v1/models", "/models", "/v1/vision/custom/list")
    )

    for listed in ({row["id"] for row in native}, {row["name"] for row in pyzm}, set(deepstack)):
        assert set(LABELS) <= listed


# --- on the command line --------------------------------------------------------------


def test_the_commands_say_where_plug_ins_come_from(place: Place) -> None:
    models, dialects = run(place, "models", "list"), run(place, "dialects")

    assert "(added, yolov5)" in models
    assert "(added, fomo of okapia-fomo 0.1.0)" in models
    assert "(okapia_count)" in dialects


def test_a_card_is_checked_on_pictures_before_it_is_added(place: Place, tmp_path: Path) -> None:
    (tmp_path / "bright.png").write_bytes(place.picture)
    folder = place.home.parent
    card = folder / "deer.toml"
    card.write_text((EXAMPLES / "own-family" / "deer.toml").read_text().replace("deer-fomo", "later"))

    said = run(place, "models", "check", card, "--on", tmp_path)

    assert "roe deer 100%" in said
    assert (tmp_path / "okapia-check" / "bright.png.jpg").is_file()
    assert "later" not in run(place, "models", "list")


def test_a_run_is_written_in_the_format_of_a_package(place: Place, tmp_path: Path) -> None:
    (tmp_path / "bright.png").write_bytes(place.picture)

    run(place, "run", tmp_path, "--no-classify", "--format", "boxlist")

    lines = (tmp_path / "okapia_results.csv").read_text().splitlines()
    assert lines == ["file,category,confidence", "bright.png,animal,0.9000"]


def test_the_packages_pass_their_own_tests(place: Place, tmp_path: Path) -> None:
    options = ["-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path)]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *map(str, PACKAGES)],
        capture_output=True,
        text=True,
        env=os.environ | place.settings,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "18 passed" in done.stdout


def test_a_family_that_is_gone_takes_its_own_models_along_and_nothing_else(place: Place) -> None:
    settings = place.settings | {"PYTHONPATH": "", "OKAPIA_CLASSIFIER": ""}

    with server(settings=settings) as (url, _, _):
        garden = by_deepstack(url, "garden", place.picture)
        deer = httpx.post(f"{url}/v1/vision/custom/deer-fomo", files={"image": place.picture}, timeout=30)

    assert garden == ["hedgehog"]
    assert "deer-fomo: there is no model family 'fomo'" in deer.text
