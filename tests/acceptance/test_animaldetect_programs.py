"""Programs written for Animal Detect, run as the documentation has them against a real server.

They are those of `docs/how-to/animal-detect.md`; nothing but their base URL is changed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from okapia.models.card import PROFILES
from okapia.pipeline.place_pack import pack_path
from okapia.settings import load_settings
from tests.acceptance.okapia_process import okapia, server

pytestmark = pytest.mark.models

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "animal-detect.md"
BASE_URL = "http://127.0.0.1:8000"
BATCH_INFO = {"total_processed", "total_time_ms", "model_version", "model_id", "threshold_applied"}
"""Fields that the vendor documents for the whole of a batch."""

Answer = dict[str, Any]
"""JSON as a test reads it."""


@dataclass(frozen=True, slots=True)
class Program:
    """How to run one of the page's programs."""

    language: str
    suffix: str
    command: tuple[str, ...]
    replace: tuple[str, str] = ("", "")


NODE = Program("js", ".mjs", ("node",))
HTTPX = Program("python", ".py", (sys.executable,))
REQUESTS = Program("python", ".py", (sys.executable,), replace=("import httpx", "import requests as httpx"))


@dataclass(frozen=True, slots=True)
class Place:
    """A server with one user, who has one key."""

    url: str
    key: str


@pytest.fixture(scope="module")
def home(lite: None, borders: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of its own, since a first user changes a server for good."""
    del lite, borders
    installed, home = load_settings(), tmp_path_factory.mktemp("home")
    for model_id in PROFILES["lite"].model_ids:
        shutil.copytree(installed.models_dir / model_id, home / "models" / model_id)
    shutil.copytree(pack_path(installed.home).parent, pack_path(home).parent)
    return home


@pytest.fixture(scope="module")
def place(home: Path) -> Iterator[Place]:
    settings = {"OKAPIA_HOME": str(home)}
    subprocess.run(
        [sys.executable, "-m", "okapia", "users", "add", "ada", "--role", "admin", "--password-stdin"],
        input="correct horse battery staple\n",
        text=True,
        env=os.environ | settings,
        check=True,
        capture_output=True,
    )
    made = okapia("keys", "create", "--name", "field laptop", "--json", settings=settings)
    with server(settings=settings) as (url, _, _):
        yield Place(url, json.loads(made.stdout)["key"])


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(HTTPX, id="Python, httpx"),
        pytest.param(REQUESTS, id="Python, requests"),
        pytest.param(NODE, id="Node"),
    ],
)
def printed(
    request: pytest.FixtureRequest, place: Place, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Answer, Answer]:
    """What a program prints, run among the pictures: the answers of batch-detect and of batch-filter."""
    program: Program = request.param
    if shutil.which(program.command[0]) is None:
        pytest.skip(f"needs {program.command[0]}")
    path = tmp_path_factory.mktemp("program") / f"program{program.suffix}"
    path.write_text(source(program, place.url), encoding="utf-8")
    finished = subprocess.run(
        [*program.command, str(path)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=shared_data / "camera-traps",
        env=os.environ | {"ANIMAL_DETECT_API_KEY": place.key},
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    species, end = json.JSONDecoder().raw_decode(finished.stdout)
    return species, json.loads(finished.stdout[end:])


def source(program: Program, url: str) -> str:
    """Give the page's program with another base URL."""
    (text,) = blocks(program.language)
    assert text.count(BASE_URL) == 1
    return text.replace(BASE_URL, url).replace(*program.replace)


def blocks(language: str) -> list[str]:
    """Give the page's blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_batch_detect_answers_with_the_vendors_fields(printed: tuple[Answer, Answer]) -> None:
    species, _ = printed

    assert set(species) >= {"id", "expires_at", "results", "info"}
    assert set(species["info"]) >= BATCH_INFO | {"country_processed"}
    fox, bears = species["results"]
    assert (fox["index"], fox["filename"]) == (0, "ena24_4383.jpg")
    assert (bears["index"], bears["filename"]) == (1, "ena24_9455.jpg")
    assert set(fox["annotations"][0]) >= {"id", "bbox", "score", "label", "taxonomy"}
    assert set(fox["annotations"][0]["taxonomy"]) == {"id", "class", "order", "family", "genus", "species"}


def test_batch_detect_names_the_animals_of_real_pictures(printed: tuple[Answer, Answer]) -> None:
    species, _ = printed

    fox, bears = species["results"]
    assert [a["label"] for a in fox["annotations"]] == ["grey fox"]
    assert "american black bear" in {a["label"] for a in bears["annotations"]}


def test_batch_detect_heeds_every_parameter(printed: tuple[Answer, Answer]) -> None:
    species, _ = printed

    info = species["info"]
    assert (info["country_processed"], info["admin1_processed"]) == ("USA", "VA")
    assert info["threshold_applied"] == 0.25
    assert all(a["score"] >= 0.25 for item in species["results"] for a in item["annotations"])
    assert species["results"][0]["metadata"]["image_width"] == 2048


def test_batch_filter_tells_empty_pictures(printed: tuple[Answer, Answer]) -> None:
    _, empty_or_not = printed

    fox, blank = empty_or_not["results"]
    assert [(d["label"], d["category"]) for d in fox["detections"]] == [("animal", "animal")]
    assert blank["detections"] == []
    assert "country_processed" not in empty_or_not["info"]


def test_the_page_shows_what_is_answered(printed: tuple[Answer, Answer]) -> None:
    shown = [json.loads(text) for text in blocks("json")]

    assert len(shown) == len(printed)
    for one, answer in zip(shown, printed, strict=True):
        assert_shows(one, answer)


def assert_shows(shown: object, answered: object) -> None:
    """What the page shows is there, in its place; it may show less, and times and ids are of another run."""
    if isinstance(shown, dict) and isinstance(answered, dict):
        for name, value in shown.items():
            assert name in answered
            if not (name.endswith("_ms") or name == "expires_at" or (name == "id" and "info" in shown)):
                assert_shows(value, answered[name])
    elif isinstance(shown, list) and isinstance(answered, list):
        assert len(shown) <= len(answered)
        for one, other in zip(shown, answered, strict=False):
            assert_shows(one, other)
    elif isinstance(shown, float):
        assert answered == pytest.approx(shown, abs=0.02)  # engines differ in the last digits
    else:
        assert answered == shown


def test_a_key_of_theirs_is_refused_as_a_program_expects(place: Place, shared_data: Path) -> None:
    answer = httpx.post(
        f"{place.url}/api/v1/detect",
        headers={"Authorization": "Bearer sk_of_another_service"},
        files={"image": (shared_data / "camera-traps" / "blank.jpg").read_bytes()},
        timeout=60,
    )

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_credentials"
