"""`okapia speciesnet run` on pictures: everything, the detector alone, the classifier alone, going on."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from okapia.cli.speciesnet import app
from okapia.cli.speciesnet_predictions import PredictionsFile
from okapia.cli.speciesnet_request import Inputs, Part, Request
from okapia.cli.speciesnet_run import _collect
from okapia.cli.speciesnet_steps import Answer, Asked
from okapia.domain.errors import (
    InvalidRequest,
    ModelNotInstalled,
    NothingToDo,
    OutputNotWritable,
    StoppedByPerson,
    UnknownModel,
)
from okapia.formats.speciesnet import Entry, Instance, Version
from okapia.models.card import ModelCard
from okapia.models.catalog import Catalog
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights.check import checker
from okapia.models.weights.own.adding import Addition, add_networks
from okapia.models.weights.own.inspect import inspect
from okapia.models.weights.store import ModelStore
from tests.networks import SCORE, bright_box, mean_colour, yolo_layout
from tests.unit.cli.speciesnet_files import (
    FOX,
    LABELS,
    box,
    predictions,
    write_json,
    write_predictions,
)

RECIPE = {"resize": "stretch", "std": 255}
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
}
CLASSIFIER = DETECTOR | {
    "id": "colours",
    "task": "classifier",
    "family": "classifier",
    "labels": [*LABELS],
    "activation": "softmax",
    "categories": {},
    "view": {"shape": "box"},
}
LIGHT_RED, LIGHT_BLUE = (160, 160, 255), (255, 160, 160)  # BGR; red means a fox, blue means blank


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a detector of bright rectangles and a classifier of colours."""
    home = tmp_path / "home"
    monkeypatch.setenv("OKAPIA_HOME", str(home))
    monkeypatch.setenv("OKAPIA_DETECTOR", "stripes")
    monkeypatch.setenv("OKAPIA_CLASSIFIER", "colours")
    monkeypatch.chdir(tmp_path)
    detector = bright_box(yolo_layout(2, winner=0), (1, 6, 1), shape=(1, 3, 64, 64))
    install(home, detector, DETECTOR)
    install(home, mean_colour(shape=("N", 3, 64, 64), gain=16), CLASSIFIER)
    return home


def install(home: Path, network: bytes, facts: dict[str, object]) -> None:
    path = home.parent / f"{facts['id']}.onnx"
    path.write_bytes(network)
    addition = Addition(inspect(path), ModelCard.model_validate(facts))
    check = checker(Runtime(EngineChoice(), load=Load(), cores=1).open)
    add_networks([addition], catalog=Catalog(ModelStore(home / "models")), check=check)


def paint(path: Path, colour: tuple[int, int, int] = LIGHT_RED) -> None:
    """Save a picture of a rectangle of one colour on black."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    picture[16:48, 16:48] = colour
    cv2.imwrite(str(path), picture)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A fox, and something blue."""
    paint(tmp_path / "pictures" / "fox.png")
    paint(tmp_path / "pictures" / "deep" / "blue.png", LIGHT_BLUE)
    return tmp_path / "pictures"


def run(*arguments: object, out: str = "p.json") -> Result:
    return CliRunner().invoke(
        app, ["run", "--predictions-json", out, *map(str, arguments)], catch_exceptions=False
    )


@pytest.mark.usefixtures("pictures")
def test_a_folder_is_detected_classified_and_decided() -> None:
    result = run("--folders", "pictures", "--country", "KEN")

    assert result.exit_code == 0
    found = predictions(Path("p.json"))
    assert list(found) == [str(Path("pictures/deep/blue.png")), str(Path("pictures/fox.png"))]
    fox = found[str(Path("pictures/fox.png"))]
    assert fox["prediction"] == FOX
    assert fox["prediction_source"] == "classifier"
    assert fox["model_version"] == "stripes+colours"
    assert fox["country"] == "KEN"
    (seen,) = json.loads(Path("p.json").read_text())["predictions"][1]["detections"]
    assert (seen["category"], seen["label"], seen["conf"]) == ("1", "animal", SCORE)
    assert seen["bbox"] == pytest.approx([0.25, 0.25, 0.5, 0.5], abs=0.02)


def test_every_picture_is_looked_at_by_the_rules_of_its_own_place(pictures: Path) -> None:
    paint(pictures / "another.png")
    rules = (
        "species,rule,country_code,admin1_region_code\nmammalia;carnivora;canidae;vulpes;vulpes,block,AUS,\n"
    )
    Path("rules.csv").write_text(rules)
    instances = [
        {"filepath": "pictures/fox.png", "country": "AUS"},
        {"filepath": "pictures/another.png", "country": "DEU"},
        {"filepath": "pictures/deep/blue.png", "country": "AUS"},
    ]
    write_json(Path("i.json"), {"instances": instances})

    run("--instances-json", "i.json", "--geofence", "rules.csv")

    found = predictions(Path("p.json"))
    assert list(found) == [instance["filepath"] for instance in instances]
    answers = [(row["prediction"], row["prediction_source"]) for row in found.values()]
    assert str(answers[0][0]).split(";")[1:5] == ["mammalia", "carnivora", "canidae", ""]
    assert answers[0][1] == "classifier+geofence+rollup_to_family"
    assert answers[1] == (FOX, "classifier")


@pytest.mark.usefixtures("pictures")
def test_the_new_format_answers_a_box() -> None:
    run("--folders", "pictures", "--format", "new", "--max-classifications-per-detection", "1")

    document = json.loads(Path("p.json").read_text())
    assert document["info"]["format_version"] == "20261015"
    (seen,) = document["predictions"][1]["detections"]
    assert seen["processed_classification"]["class"] == FOX
    assert seen["raw_classifications"]["classes"] == [FOX]


@pytest.mark.usefixtures("pictures")
def test_the_parts_alone_say_together_what_the_whole_says() -> None:
    run("--folders", "pictures", "--country", "KEN")
    run("--folders", "pictures", "--detector_only", out="d.json")
    run("--folders", "pictures", "--classifier_only", "--detections_json", "d.json", out="c.json")
    files = ("--classifications_json", "c.json", "--detections_json", "d.json")
    run("--ensemble_only", *files, "--country", "KEN", out="e.json")

    whole, parts = predictions(Path("p.json")), predictions(Path("e.json"))
    for name, row in whole.items():
        assert parts[name]["prediction"] == row["prediction"]
        assert parts[name]["prediction_source"] == row["prediction_source"]
        assert parts[name]["classifications"] == row["classifications"]
        assert parts[name]["detections"] == row["detections"]
    detected = predictions(Path("d.json"))[str(Path("pictures/fox.png"))]
    assert detected["model_version"] == "stripes"
    assert "classifications" not in detected
    assert "prediction" not in detected
    classified = predictions(Path("c.json"))[str(Path("pictures/fox.png"))]
    assert "detections" not in classified
    assert "prediction" not in classified


@pytest.mark.usefixtures("pictures")
def test_a_classifier_alone_needs_no_detector_and_looks_at_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKAPIA_DETECTOR", "megadetector-lite+nanodet-coco")

    result = run("--filepaths", "pictures/fox.png,pictures/deep/blue.png", "--classifier-only")

    assert result.exit_code == 0
    row = predictions(Path("p.json"))["pictures/fox.png"]
    classes = row["classifications"]
    assert isinstance(classes, dict)
    assert classes["scores"][0] < 0.9  # mostly black
    assert row["model_version"] == "colours"


@pytest.mark.usefixtures("pictures")
def test_boxes_of_a_file_are_what_the_classifier_looks_at() -> None:
    name = "pictures/fox.png"
    corner = {**box(0.9), "bbox": [0.0, 0.0, 0.2, 0.2]}
    write_predictions(Path("d.json"), [{"filepath": name, "detections": [box(0.5), corner]}], is_new=True)

    files = ("--filepaths", f"{name},pictures/deep/blue.png", "--detections-json", "d.json")
    result = run("--classifier-only", *files, "--format", "new")

    first, second = json.loads(Path("p.json").read_text())["predictions"][0]["detections"]
    assert first["raw_classifications"]["scores"][0] == pytest.approx(1 / 3, abs=1e-3)
    assert second["raw_classifications"]["classes"][0] == FOX
    assert "processed_classification" not in second
    assert "looked at as a whole, without detections in d.json: 1 picture" in result.stderr


def test_a_picture_that_cannot_be_had_is_a_failure_of_its_own(pictures: Path) -> None:
    (pictures / "broken.png").write_bytes(b"no picture")
    names = [
        "pictures/fox.png",
        "pictures/broken.png",
        "gone.jpg",
        "http://okapi.example/1.jpg",
        "gs://b/1.jpg",
    ]
    Path("names.txt").write_text("\n".join(names) + "\n\n")

    result = run("--filepaths-txt", "names.txt", "--json")

    found = predictions(Path("p.json"))
    summary = json.loads(result.stdout)
    assert result.exit_code == 1
    assert found["pictures/fox.png"]["prediction"] == FOX
    for name in names[1:]:
        assert found[name]["failures"] == ["CLASSIFIER", "DETECTOR"]
        assert "prediction" not in found[name]
    assert [f["code"] for f in summary["failures"]] == [
        "unsupported_format",
        "unreadable_file",
        "source_refused",
        "source_refused",
    ]
    assert "OKAPIA_FETCH_URLS" in summary["failures"][2]["message"]


@pytest.mark.parametrize(
    ("part", "failed"), [("--detector-only", "DETECTOR"), ("--classifier-only", "CLASSIFIER")]
)
def test_a_part_alone_names_its_own_failure(part: str, failed: str) -> None:
    result = run("--filepaths", "gone.jpg", part)

    assert result.exit_code == 1
    assert predictions(Path("p.json"))["gone.jpg"]["failures"] == [failed]


def test_the_same_command_tries_failures_again_and_keeps_the_rest(pictures: Path) -> None:
    names = "pictures/fox.png,pictures/late.png"
    run("--filepaths", names)
    paint(pictures / "late.png", LIGHT_BLUE)
    paint(pictures / "fox.png", LIGHT_BLUE)

    result = run("--filepaths", names)

    found = predictions(Path("p.json"))
    assert result.exit_code == 0
    assert found["pictures/fox.png"]["prediction"] == FOX
    assert found["pictures/late.png"]["prediction"] != FOX
    assert "kept what was there already: 1 of these answers" in result.stdout


@pytest.mark.usefixtures("pictures")
def test_boxes_alone_are_completed_by_a_whole_run() -> None:
    run("--folders", "pictures", "--detector-only", "--model", "stripes")

    with pytest.raises(
        InvalidRequest, match="was made by 'stripes', this run would be by 'stripes\\+colours'"
    ):
        run("--folders", "pictures")


def test_a_run_that_is_stopped_leaves_what_it_had(tmp_path: Path) -> None:
    instances = [Instance("a.jpg"), Instance("b.jpg")]
    asked = Asked(Version.OLD, "stripes", None, is_fenced=True)
    output = tmp_path / "p.json"
    stopped = PredictionsFile(instances, output=output, asked=asked, part=Part.DETECTOR, is_fresh=False)
    inputs = Inputs(None, ["a.jpg", "b.jpg"], None, None, None, None, None)
    request = Request(
        inputs=inputs,
        part=Part.DETECTOR,
        detections=None,
        classifications=None,
        output=output,
        is_fresh=False,
        is_new=False,
        top=2,
        model=None,
        device=None,
        taxonomy=None,
        labels=None,
        geofence=None,
        is_fenced=True,
    )

    def answers() -> Iterator[Answer]:
        yield Answer(Entry(instances[0], "stripes", detections=()))
        raise KeyboardInterrupt

    with pytest.raises(StoppedByPerson, match="first 1 pictures are in"):
        _collect(answers(), stopped, request, is_quiet=True)

    again = PredictionsFile(instances, output=output, asked=asked, part=Part.DETECTOR, is_fresh=False)
    assert list(predictions(output)) == ["a.jpg"]
    assert again.to_do == (instances[1],)


@pytest.mark.usefixtures("pictures")
def test_lists_of_folders_and_files_are_read_from_files() -> None:
    Path("folders.txt").write_text("pictures/deep\n")

    run("--folders-txt", "folders.txt")

    assert list(predictions(Path("p.json"))) == [str(Path("pictures/deep/blue.png"))]


def test_a_name_with_a_comma_is_one_name(tmp_path: Path) -> None:
    paint(tmp_path / "a, b" / "fox.png")

    run("--folders", "a, b")

    assert list(predictions(Path("p.json"))) == [str(Path("a, b/fox.png"))]


@pytest.mark.usefixtures("pictures")
def test_models_are_named_by_their_ids() -> None:
    with pytest.raises(UnknownModel, match="okapinet"):
        run("--folders", "pictures", "--model", "okapinet")
    with pytest.raises(ModelNotInstalled, match="okapia models pull nanodet-coco"):
        run("--folders", "pictures", "--model", "nanodet-coco")


@pytest.mark.usefixtures("pictures")
def test_a_model_folder_has_to_be_added_before_it_looks() -> None:
    write_json(Path("info.json"), {})

    with pytest.raises(InvalidRequest, match="add it once with `okapia models add"):
        run("--folders", "pictures", "--model", ".")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--folders", "pictures", "--taxonomy", "t.txt"], "go with --ensemble-only"),
        (["--folders", "pictures", "--labels", "t.txt"], "go with --ensemble-only"),
        (["--folders", "pictures", "--classifications-json", "c.json"], "go with --ensemble-only"),
        (
            ["--folders", "pictures", "--detections-json", "d.json"],
            "goes with --ensemble-only or --classifier",
        ),
        (
            ["--folders", "pictures", "--classifier-only", "--detections-json", "d.json"],
            r"d\.json: cannot be read",
        ),
        ([], "expected exactly one of --instances-json, .*, got none"),
        (["--folders", "pictures", "--country", "DE"], r"got 'DE'; did you mean DEU \(Germany\)"),
        (["--folders", "pictures", "--geofence", "no.csv"], r"cannot read no\.csv"),
    ],
)
@pytest.mark.usefixtures("pictures")
def test_what_is_wrong_is_said_before_any_picture_is_looked_at(arguments: list[str], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        run(*arguments)

    assert not Path("p.json").exists()


def test_no_pictures_and_no_room_for_the_file_are_said(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(NothingToDo):
        run("--folders", "empty")
    with pytest.raises(OutputNotWritable):
        run("--folders", pictures, out="no/such/folder/p.json")


@pytest.mark.usefixtures("pictures")
def test_a_classifier_is_asked_for_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKAPIA_CLASSIFIER", "")

    with pytest.raises(
        InvalidRequest, match="expected a classifier, the profile wild has none; name one with --model"
    ):
        run("--folders", "pictures")
    assert run("--folders", "pictures", "--detector-only").exit_code == 0
