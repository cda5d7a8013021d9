"""`okapia models check` and `verify --report`: a model's own words on a few pictures."""

import getpass
import json
import platform
from pathlib import Path

import cv2
import numpy as np
import pytest

from okapia.cli import model_check
from okapia.cli.model_check import check, report
from okapia.domain.errors import InvalidRequest, ModelNotInstalled, NothingToDo, OkapiaError, UnknownModel
from okapia.models.card import ModelCard
from okapia.models.catalog import Catalog
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights.check import checker
from okapia.models.weights.own.adding import Addition, add_networks
from okapia.models.weights.own.inspect import inspect
from okapia.models.weights.store import ModelStore
from tests.networks import bright_box, mean_colour, yolo_layout

RECIPE = {"resize": "letterbox", "placement": "centre", "std": 255}
DETECTOR = {
    "id": "stripes",
    "title": "Stripes",
    "version": "1",
    "task": "detector",
    "family": "yolo",
    "licence": "MIT",
    "canvas": 64,
    "labels": ["animal", "person"],
    "categories": {"animal": "animal", "person": "person"},
    "preprocessing": RECIPE,
    "notes": "lies in /home/somebody/okapis.onnx",
}
CLASSIFIER = DETECTOR | {
    "id": "colours",
    "task": "classifier",
    "family": "classifier",
    "labels": ["red fox", "brown bear", "domestic cat"],
    "activation": "softmax",
    "categories": {},
    "preprocessing": RECIPE | {"resize": "stretch"},
}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a bright rectangle on black, a black picture, and a file that is none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    black = np.zeros((48, 64, 3), dtype=np.uint8)
    bright = black.copy()
    bright[12:36, 16:48] = 255
    cv2.imwrite(str(folder / "bright.png"), bright)
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose default detector is `stripes`."""
    home = tmp_path / "home"
    monkeypatch.setenv("OKAPIA_HOME", str(home))
    monkeypatch.setenv("OKAPIA_DETECTOR", "stripes")
    monkeypatch.chdir(tmp_path)
    detector = bright_box(yolo_layout(2, winner=0), (1, 6, 1), shape=(1, 3, 64, 64))
    install(home, detector, DETECTOR)
    install(home, mean_colour(shape=("N", 3, 64, 64), gain=8), CLASSIFIER)
    return home


def install(home: Path, network: bytes, facts: dict[str, object]) -> None:
    path = home.parent / f"{facts['id']}.onnx"
    path.write_bytes(network)
    addition = Addition(inspect(path), ModelCard.model_validate(facts))
    check = checker(Runtime(EngineChoice(), load=Load(), cores=1).open)
    add_networks([addition], catalog=Catalog(ModelStore(home / "models")), check=check)


def test_a_detector_is_shown_with_its_boxes_and_drawn(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check("stripes", on=pictures, output=None, as_json=False)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("bright.png ")
    assert lines[0].endswith(" s  animal 88%")
    assert lines[1].startswith("broken.jpg ")
    assert "failed: " in lines[1]
    assert lines[2].startswith("stripes ran in ")
    assert [path.name for path in (pictures / "okapia-check").iterdir()] == ["bright.png.jpg"]


def test_a_classifier_is_shown_with_its_taxa(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check("colours", on=pictures, output=None, as_json=False)

    line = capsys.readouterr().out.splitlines()[0]
    assert line.endswith("animal 88% (red fox 33%, brown bear 33%, domestic cat 33%)")


def card_beside(folder: Path, network: bytes, text: str) -> Path:
    """A folder of somebody's with a network and a card, neither installed; gives the card."""
    folder.mkdir()
    (folder / "spots.onnx").write_bytes(network)
    card = folder / "spots.toml"
    card.write_text(text)
    return card


SPOTS = """
id = "spots"
family = "yolo"
licence = "MIT"
labels = ["animal", "person"]
[preprocessing]
resize = "letterbox"
"""


def test_a_card_beside_its_network_is_shown_without_being_installed(
    pictures: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = bright_box(yolo_layout(2, winner=1), (1, 6, 1), shape=(1, 3, 64, 64))
    card = card_beside(tmp_path / "mine", network, SPOTS)

    check(str(card), on=pictures, output=None, as_json=False)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(" s  person 88%")
    assert lines[2].startswith("spots ran in ")
    assert [path.name for path in (pictures / "okapia-check").iterdir()] == ["bright.png.jpg"]
    assert ModelStore(home / "models").ids() == ["colours", "stripes"]
    assert sorted(path.name for path in card.parent.iterdir()) == ["spots.onnx", "spots.toml"]


def test_the_card_of_a_classifier_is_shown_with_the_default_detector(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = """
        task = "classifier"
        family = "classifier"
        licence = "MIT"
        labels = ["red fox", "brown bear", "domestic cat"]
        activation = "softmax"
        preprocessing = { resize = "stretch", std = 255 }
    """
    card = card_beside(tmp_path / "mine", mean_colour(shape=("N", 3, 64, 64), gain=8), f"canvas = 64\n{text}")

    check(str(card), on=pictures, output=None, as_json=False)

    line = capsys.readouterr().out.splitlines()[0]
    assert line.endswith("animal 88% (red fox 33%, brown bear 33%, domestic cat 33%)")


def test_the_only_network_beside_a_card_may_have_another_name(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = bright_box(yolo_layout(2, winner=1), (1, 6, 1), shape=(1, 3, 64, 64))
    card = card_beside(tmp_path / "mine", network, SPOTS)

    check(str(card.rename(card.with_name("card.toml"))), on=pictures, output=None, as_json=False)

    assert "spots ran in " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (SPOTS.replace('licence = "MIT"\n', ""), "the card of spots.onnx still needs `licence`"),
        (SPOTS.replace('"spots"', '"nanodet-coco"'), "is a model that comes with Okapia"),
        (SPOTS.replace('"person"]', '"person", "third"]'), "3 labels"),
        (SPOTS.replace("licence", "license"), "license"),
        ("id = ", "is not TOML"),
    ],
    ids=["a fact is open", "an id of ours", "labels do not fit", "a key that no card has", "not TOML"],
)
def test_a_card_that_does_not_hold_is_refused(
    pictures: Path, tmp_path: Path, text: str, complaint: str
) -> None:
    network = bright_box(yolo_layout(2, winner=1), (1, 6, 1), shape=(1, 3, 64, 64))
    card = card_beside(tmp_path / "mine", network, text)

    with pytest.raises(OkapiaError, match=complaint):
        check(str(card), on=pictures, output=None, as_json=False)


def test_a_card_without_a_network_beside_it_is_refused(pictures: Path, tmp_path: Path) -> None:
    card = tmp_path / "lonely" / "lonely.toml"
    card.parent.mkdir()
    card.write_text(SPOTS)

    with pytest.raises(InvalidRequest, match=r"expected lonely\.onnx beside lonely\.toml, found none"):
        check(str(card), on=pictures, output=None, as_json=False)


def test_a_check_is_to_be_had_as_json(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copies = pictures.parent / "copies"

    check("stripes", on=pictures, output=copies, as_json=True)

    answer = json.loads(capsys.readouterr().out)
    bright, broken = answer["pictures"]
    assert bright["boxes"][0]["category"] == "animal"
    assert bright["boxes"][0]["bbox"] == pytest.approx([0.25, 0.25, 0.5, 0.5], abs=0.02)
    assert broken["error"]
    assert [run["model_id"] for run in answer["runs"]] == ["stripes"]
    assert answer["copies"] == str(copies)


def test_a_second_check_does_not_look_at_the_copies_of_the_first(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check("stripes", on=pictures, output=None, as_json=False)
    capsys.readouterr()

    check("stripes", on=pictures, output=None, as_json=True)

    assert [p["file"] for p in json.loads(capsys.readouterr().out)["pictures"]] == [
        "bright.png",
        "broken.jpg",
    ]


def test_at_most_eight_pictures_are_looked_at(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(10):
        (pictures / f"{number}.png").write_bytes((pictures / "bright.png").read_bytes())

    check("stripes", on=pictures, output=None, as_json=True)

    assert len(json.loads(capsys.readouterr().out)["pictures"]) == 8


def test_what_cannot_be_checked_is_refused(pictures: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()

    with pytest.raises(NothingToDo, match="no pictures in"):
        check("stripes", on=empty, output=None, as_json=False)
    with pytest.raises(InvalidRequest, match="expected a folder of pictures"):
        check("stripes", on=pictures / "bright.png", output=None, as_json=False)
    with pytest.raises(UnknownModel, match="spots"):
        check("spots", on=pictures, output=None, as_json=False)
    with pytest.raises(ModelNotInstalled, match="nanodet-coco"):
        check("nanodet-coco", on=pictures, output=None, as_json=False)


def test_a_report_says_what_a_model_answers_and_nothing_of_who_runs_it(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(model_check, "_samples", lambda _: [pictures / "bright.png"])

    report("stripes")

    text = capsys.readouterr().out
    answer = json.loads(text)
    assert answer["format"] == "okapia-model-report-1"
    assert answer["card"]["id"] == "stripes"
    assert len(answer["runs"][0]["sha256"]) == 64
    assert answer["pictures"][0]["file"] == "bright.png"
    assert answer["pictures"][0]["boxes"][0]["label"] == "animal"
    for private in (str(pictures.parent), "somebody", getpass.getuser(), platform.node()):
        assert private not in text
