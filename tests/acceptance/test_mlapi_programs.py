"""mlapi's own README of April 2019, line for line, against a real server with real networks.

Only the host, the name and the password are filled in.
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

import pytest
from PIL import Image

from okapia.models.card import PROFILES
from okapia.settings import load_settings
from tests.acceptance.okapia_process import okapia, server

pytestmark = pytest.mark.models

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "mlapi.md"
PASSWORD = "correct horse battery staple"  # noqa: S105 - of nobody
HOST = "http://localhost:5000"
LOGIN = (
    """curl -H "Content-Type:application/json" -XPOST -d '{"username":"<user>", "password":"<password>"}' """
    '"http://localhost:5000/api/v1/login"'
)
OBJECT = (
    'curl -F "file=@1.jpg" -H "Authorization:Bearer ${ACCESS_TOKEN}" -XPOST '
    '"http://localhost:5000/api/v1/detect/object"'
)
FACE = (
    'curl -F "file=@1.jpg" -H "Authorization:Bearer ${ACCESS_TOKEN}" -XPOST '
    '"http://localhost:5000/api/v1/detect/object?type=face&gender=true"'
)

Answer = Any
"""JSON as a test reads it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A server with one user, and a folder with the picture `1.jpg` to call it from."""

    url: str
    folder: Path
    home: Path

    def run(self, line: str, *, token: str = "") -> Answer:
        """Run a line of the README in a shell; gives what it prints."""
        line = line.replace(HOST, self.url).replace("<user>", "ada").replace("<password>", PASSWORD)
        finished = subprocess.run(
            ["bash", "-c", line],  # noqa: S607 - whichever shell there is
            cwd=self.folder,
            env=os.environ | {"ACCESS_TOKEN": token},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return json.loads(finished.stdout)

    def token(self) -> str:
        return str(self.run(LOGIN)["access_token"])


@pytest.fixture(scope="module")
def place(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    installed, home = load_settings(), tmp_path_factory.mktemp("home")
    for model_id in {*PROFILES["lite"].model_ids, *PROFILES["faces"].model_ids}:
        if (installed.models_dir / model_id).exists():
            shutil.copytree(installed.models_dir / model_id, home / "models" / model_id)
    folder = tmp_path_factory.mktemp("pictures")
    with Image.open(samples / "person.png") as picture:
        picture.convert("RGB").save(folder / "1.jpg", quality=95)
    settings = {"OKAPIA_HOME": str(home)}
    subprocess.run(
        [sys.executable, "-m", "okapia", "users", "add", "ada", "--role", "admin", "--password-stdin"],
        input=PASSWORD,
        text=True,
        env=os.environ | settings,
        check=True,
        capture_output=True,
    )
    with server(settings=settings) as (url, _, _):
        yield Place(url, folder, home)


@pytest.fixture(scope="module")
def faces(place: Place) -> None:
    """The pack of faces is installed as well."""
    if not all((place.home / "models" / model_id).exists() for model_id in PROFILES["faces"].model_ids):
        pytest.skip("needs the faces; run `okapia models pull faces`")


def test_the_login_gives_a_token(place: Place) -> None:
    answer = place.run(LOGIN)

    assert answer["access_token"].startswith("eyJ")
    assert answer["expires"] == 3600


def test_the_object_line_finds_the_person_of_a_real_picture(place: Place) -> None:
    found = place.run(OBJECT, token=place.token())

    best = found[0]
    assert (best["type"], best["label"]) == ("person", "person")
    assert re.fullmatch(r"\d\d\.\d\d%", best["confidence"])
    assert all(isinstance(side, int) for side in best["box"])
    left, top, right, bottom = best["box"]
    assert 0 <= left < right <= 512
    assert 0 <= top < bottom <= 512


def test_the_face_line_finds_the_face_and_does_not_call_the_woman_a_man(place: Place, faces: None) -> None:
    del faces
    (face,) = place.run(FACE, token=place.token())

    assert (face["type"], face["label"]) == ("face", "face")
    assert face["gender"] in {"woman", "unknown"}
    assert re.fullmatch(r"\d{2,3}\.\d\d%", face["gender_confidence"])
    left, top, right, bottom = face["box"]
    assert 100 < left < right < 400
    assert bottom - top < 200


def test_the_page_shows_what_is_answered(place: Place, faces: None) -> None:
    del faces
    shown = [
        json.loads(text)
        for text in re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    ]
    zm_detect = OBJECT.replace("object", "object?type=object&delete=True&response_format=zm_detect", 1)
    lines, token = (OBJECT, FACE, zm_detect), place.token()

    answers = [place.run(line, token=token) for line in lines]

    assert_alike(shown, answers)


def assert_alike(shown: Answer, answered: Answer) -> None:
    """The same, but for the last digits, in which engines and machines differ."""
    if isinstance(shown, dict):
        assert shown.keys() == answered.keys()
        for name, value in shown.items():
            assert_alike(value, answered[name])
    elif isinstance(shown, list):
        assert len(shown) == len(answered)
        for one, other in zip(shown, answered, strict=True):
            assert_alike(one, other)
    elif isinstance(shown, str) and shown.endswith("%"):
        assert float(answered[:-1]) == pytest.approx(float(shown[:-1]), abs=2)
    elif isinstance(shown, int | float):
        assert answered == pytest.approx(shown, abs=3 if isinstance(shown, int) else 0.02)
    else:
        assert answered == shown


def test_the_page_has_the_readmes_lines() -> None:
    page = PAGE.read_text(encoding="utf-8")

    for line in (LOGIN, OBJECT, FACE):
        filled = line.replace("<user>", "ada").replace("<password>", PASSWORD).replace(":5000", ":8000")
        assert filled in page


def test_without_the_pack_of_faces_the_answer_names_the_command(
    lite: None, place: Place, tmp_path: Path
) -> None:
    del lite
    shutil.copytree(place.home / "models" / "nanodet-coco", tmp_path / "models" / "nanodet-coco")
    with server(settings={"OKAPIA_HOME": str(tmp_path)}) as (url, _, _):
        bare = Place(url, place.folder, tmp_path)
        answer = bare.run(FACE.replace(' -H "Authorization:Bearer ${ACCESS_TOKEN}"', ""))

    assert answer["code"] == 503
    assert "okapia models pull faces" in answer["msg"]


def test_pictures_stay_in_the_album_until_a_call_says_otherwise(place: Place) -> None:
    album, token = place.home / "album", place.token()
    before = {*album.iterdir()}

    place.run(OBJECT.replace("object", "object?delete=true"), token=token)
    deleted = {*album.iterdir()} - before
    place.run(OBJECT, token=token)
    kept = sorted(path.name[36:] for path in {*album.iterdir()} - before)

    assert deleted == set()
    assert kept == ["-object.jpg", ".jpg"]


def test_a_logout_ends_the_token_of_a_running_server(place: Place) -> None:
    token = place.token()
    assert isinstance(place.run(OBJECT, token=token), list)

    okapia("users", "logout", "ada", settings={"OKAPIA_HOME": str(place.home)})

    assert set(place.run(OBJECT, token=token)) == {"msg"}


def test_nothing_waits_at_a_prompt_where_there_is_no_terminal(tmp_path: Path) -> None:
    settings = os.environ | {"OKAPIA_HOME": str(tmp_path), "OKAPIA_HOST": "0.0.0.0"}  # noqa: S104
    with subprocess.Popen(
        [sys.executable, "-m", "okapia", "serve", "--port", "0"],
        stdin=subprocess.PIPE,  # held open, and never written to
        stderr=subprocess.PIPE,
        env=settings,
        text=True,
    ) as service:
        assert service.stderr is not None
        said = service.stderr.read()

    assert service.returncode == 2
    assert "okapia users add NAME --role admin" in said
