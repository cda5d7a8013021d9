"""examples/stream.py against the real server with the lite models, on films made of real pictures."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from okapia.models.card import PROFILES
from okapia.models.weights.store import ModelStore
from okapia.settings import load_settings
from tests.acceptance.okapia_process import server
from tests.unit.examples.program import clip, frames_of, lines, stream

pytestmark = [pytest.mark.models, pytest.mark.usefixtures("lite")]

PASSWORD = "correct horse battery staple"  # noqa: S105 - of nobody


@dataclass(frozen=True, slots=True)
class Place:
    """A server at which ada has an account."""

    url: str
    home: Path


@pytest.fixture(scope="module")
def place(lite: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    del lite
    home = tmp_path_factory.mktemp("home")
    (home / "models").symlink_to(load_settings().models_dir)
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
        yield Place(url, home)


def film_of(picture: Path, path: Path, *, frames: int = 11) -> Path:
    """A film of a picture that moves over grey by 12 pixels a frame."""
    pixels = cv2.imread(str(picture))
    assert pixels is not None
    pixels = cv2.resize(pixels, (320, 320))
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (640, 360))
    for index in range(frames):
        frame = np.full((360, 640, 3), 128, dtype=np.uint8)
        frame[20:340, 12 * index : 12 * index + 320] = pixels
        film.write(frame)
    film.release()
    return path


def test_a_person_is_followed_through_a_film(place: Place, samples: Path, tmp_path: Path) -> None:
    path = film_of(samples / "person.png", tmp_path / "clip.mp4")
    options = ("--user", "ada", "--password-stdin", "--json", "--output", "out.mp4")

    run = stream(path, *options, url=place.url, password=PASSWORD)

    assert run.returncode == 0, run.stderr
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert [(answer["frame"], answer["time_s"]) for answer in answers] == [(0, 0.0), (5, 0.5), (10, 1.0)]
    people = [next(box for box in answer["boxes"] if box["label"] == "person") for answer in answers]
    lefts = [person["box"][0] for person in people]
    assert np.diff(lefts) == pytest.approx([60, 60], abs=25), "it goes where the person goes"
    film = frames_of(tmp_path / "out.mp4")
    assert len(film) == 11
    left, top, right, bottom = people[0]["box"]
    middle = film[0][(top + bottom) // 2, left : left + 2].astype(int)
    assert (middle[:, 1] - middle[:, [0, 2]].max(axis=1) > 30).any(), "its box is drawn"
    assert right > left


def test_faces_are_found_with_their_gender(place: Place, samples: Path, tmp_path: Path) -> None:
    store = ModelStore(load_settings().models_dir)
    if any(store.find(model_id) is None for model_id in PROFILES["faces"].model_ids):
        pytest.skip("needs the faces; run `okapia models pull faces`")
    path = film_of(samples / "person.png", tmp_path / "clip.mp4", frames=1)
    options = ("--type", "face", "--gender", "--user", "ada", "--json")

    run = stream(path, *options, url=place.url, settings={"OKAPIA_PASSWORD": PASSWORD})

    (answer,) = (json.loads(line) for line in run.stdout.splitlines())
    (face,) = answer["boxes"]
    assert face["type"] == "face"
    assert face["gender"] in {"woman", "unknown"}


def test_a_film_of_shapes_goes_through_and_nothing_is_kept(place: Place, tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.avi", frames=6)

    run = stream(path, "--user", "ada", "--json", url=place.url, settings={"OKAPIA_PASSWORD": PASSWORD})

    assert run.returncode == 0, run.stderr
    assert [line["frame"] for line in lines(run)] == [0, 5]
    assert len(frames_of(tmp_path / "clip-boxes.mp4")) == 6
    assert list((place.home / "album").glob("*.jpg")) == []


def test_without_an_account_the_server_is_obeyed(place: Place, tmp_path: Path) -> None:
    run = stream(clip(tmp_path / "clip.avi"), url=place.url)

    assert run.returncode == 1
    assert 'the server said 401: {"msg":"Missing Authorization Header"}' in run.stderr


def test_a_server_without_accounts_needs_none(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").symlink_to(load_settings().models_dir)

    with server(settings={"OKAPIA_HOME": str(tmp_path / "home")}) as (url, _, _):
        run = stream(clip(tmp_path / "clip.avi"), "--json", url=url)

    assert run.returncode == 0, run.stderr
    assert len(lines(run)) == 3
