"""Programs written for Microsoft's detector API, run as the documentation has them against a real server."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.acceptance.okapia_process import okapia, server
from tests.unit.dialects.toolbelt import Part, decode

pytestmark = pytest.mark.models

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "microsoft-detect.md"
BASE_URL = "http://127.0.0.1:8000"
SYNC = "/v1/camera-trap/sync"

Boxes = dict[str, list[list[float]]]


@dataclass(frozen=True, slots=True)
class Place:
    """A server with one user, who has one key, and the folder of pictures."""

    url: str
    key: str
    pictures: Path

    def post(self, files: dict[str, tuple[str, bytes, str]], **query: str) -> httpx.Response:
        headers = {"Ocp-Apim-Subscription-Key": self.key}
        return httpx.post(f"{self.url}{SYNC}/detect", params=query, files=files, headers=headers, timeout=120)

    def jpeg(self, name: str) -> tuple[str, bytes, str]:
        return name, (self.pictures / name).read_bytes(), "image/jpeg"

    def run(self, *command: str) -> bytes:
        """Run a program among the pictures; gives what it prints."""
        finished = subprocess.run(
            command,
            capture_output=True,
            cwd=self.pictures,
            env=os.environ | {"OKAPIA_KEY": self.key},
            timeout=120,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr.decode()
        return finished.stdout


@pytest.fixture(scope="module")
def place(lite: None, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A database of its own: a first user changes a server for good."""
    del lite
    settings = {"OKAPIA_DATABASE": f"sqlite:///{tmp_path_factory.mktemp('desk') / 'okapia.db'}"}
    subprocess.run(
        [sys.executable, "-m", "okapia", "users", "add", "ada", "--role", "admin", "--password-stdin"],
        input="correct horse battery staple\n",
        text=True,
        env=os.environ | settings,
        check=True,
        capture_output=True,
    )
    made = okapia("keys", "create", "--name", "camera", "--json", settings=settings)
    with server(settings=settings) as (url, _, _):
        yield Place(url, json.loads(made.stdout)["key"], shared_data / "camera-traps")


def blocks(language: str) -> list[str]:
    """Give the page's blocks of a language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


def parts_of(answer: httpx.Response) -> dict[str, Part]:
    assert answer.status_code == 200, answer.text
    return decode(answer.content, answer.headers["content-type"])


def assert_alike(shown: Boxes, answered: Boxes, *, within: float) -> None:
    assert [*shown] == [*answered]
    for one, other in zip(shown.values(), answered.values(), strict=True):
        assert len(one) == len(other)
        for row, its_row in zip(one, other, strict=True):
            assert row == pytest.approx(its_row, abs=within)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_prints_what_the_page_shows(place: Place) -> None:
    (command,), (shown, _) = blocks("bash"), blocks("")
    assert command.count(BASE_URL) == 1

    printed = place.run("bash", "-c", command.replace(BASE_URL, place.url).replace("curl", "curl -s", 1))

    parts, expected = decode_bare(printed), decode_bare(shown.strip().encode().replace(b"\n", b"\r\n"))
    assert [(p.name, p.content_type, p.disposition) for p in parts.values()] == [
        (p.name, p.content_type, p.disposition) for p in expected.values()
    ]
    result, shown_result = parts["detection_result"].document, expected["detection_result"].document
    assert_alike(shown_result, result, within=0.02)  # engines differ in the last digits


def decode_bare(body: bytes) -> dict[str, Part]:
    """Decode a form whose boundary is known from its first line only."""
    boundary = body.partition(b"\r\n")[0].removeprefix(b"--").decode()
    return decode(body, f"multipart/form-data; boundary={boundary}")


def test_the_python_program_prints_what_the_page_shows(place: Place) -> None:
    (program,), (shown,), (_, copies) = blocks("python"), blocks("json"), blocks("")
    assert program.count(BASE_URL) == 1

    printed = place.run(sys.executable, "-c", program.replace(BASE_URL, place.url)).decode()

    result, end = json.JSONDecoder().raw_decode(printed)
    assert_alike(json.loads(shown), result, within=0.02)
    assert printed[end:].split() == copies.split()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_rendered_copies_open(place: Place) -> None:
    names = ("ena24_9455.jpg", "human.jpg")
    images = [argument for name in names for argument in ("-F", f"{name}=@{name}")]
    url = f"{place.url}{SYNC}/detect?confidence=0.5&render=true"

    printed = place.run("curl", "-s", "-H", f"key: {place.key}", *images, url)

    parts = decode_bare(printed)
    for name in names:
        with Image.open(io.BytesIO(parts[name].content)) as copy:
            copy.load()
            assert copy.format == "JPEG"
    assert [*parts] == ["detection_result", "classification_result", *names]


def test_png_and_jpeg_of_one_picture_agree(place: Place) -> None:
    files = {}
    for name in ("ena24_4383.jpg", "ena24_9455.jpg"):
        files[name] = place.jpeg(name)
        out = io.BytesIO()
        with Image.open(place.pictures / name) as picture:
            picture.save(out, "PNG")
        files[f"{name}.png"] = (f"{name}.png", out.getvalue(), "image/png")

    boxes: Boxes = parts_of(place.post(files, confidence="0.3"))["detection_result"].document

    for name in ("ena24_4383.jpg", "ena24_9455.jpg"):
        assert boxes[name] != []
        assert_alike({"": boxes[name]}, {"": boxes[f"{name}.png"]}, within=0.002)


def test_eight_pictures_are_answered_as_each_alone(place: Place) -> None:
    names = sorted(path.name for path in place.pictures.glob("*.jpg"))[:8]

    together = parts_of(place.post({name: place.jpeg(name) for name in names}, min_confidence="0.3"))

    alone: Boxes = {}
    for name in names:
        alone |= parts_of(place.post({name: place.jpeg(name)}, min_confidence="0.3"))[
            "detection_result"
        ].document
    assert together["detection_result"].document == alone


@pytest.mark.parametrize(
    ("count", "content", "kind", "query", "status"),
    [
        (2, None, "image/jpeg", {"confidence": "1.2"}, 400),
        (9, None, "image/jpeg", {"confidence": "0.8"}, 413),
        (1, b"not an image content", "content-type-not-image", {"confidence": "0.8"}, 400),
        (1, b"%PDF-1.7\n", "image/jpeg", {"confidence": "0.8"}, 400),
        (1, b"\xff\xd8\xff".ljust(5 * 1024 * 1024 + 1, b"\0"), "image/jpeg", {}, 413),
        (9, b"\xff\xd8\xff".ljust(5 * 1024 * 1024, b"\0"), "image/jpeg", {}, 413),
    ],
    ids=["confidence", "nine", "type", "PDF", "5 MiB + 1", "45 MiB"],
)
def test_refusals_reach_programs_that_are_still_sending(
    place: Place, *, count: int, content: bytes | None, kind: str, query: dict[str, str], status: int
) -> None:
    data = content or place.jpeg("blank.jpg")[1]
    files = {f"{number}.jpg": (f"{number}.jpg", data, kind) for number in range(count)}

    answer = place.post(files, **query)

    assert answer.status_code == status
    assert [*answer.json()] == ["error"]


def test_no_file_is_411_and_the_version_is_the_detector(place: Place) -> None:
    headers = {"Ocp-Apim-Subscription-Key": place.key}

    version = httpx.get(f"{place.url}{SYNC}/detector_model_version", headers=headers)

    assert place.post({}).status_code == 411
    assert version.text == "megadetector-lite+nanodet-coco"
    assert httpx.get(f"{place.url}{SYNC}/").text == "Health check OK"
