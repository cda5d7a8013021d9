"""`okapia reproduce` on files that `okapia run` made of real pictures."""

import json
import shutil
from pathlib import Path

import pytest

from okapia.app import build_service
from okapia.domain.types import Analysis, AnalysisOptions
from okapia.service import NamedImage
from okapia.service.remembered import Remembered
from okapia.settings import load_settings
from okapia.storage.answer_cache import AnswerCache
from tests.acceptance.okapia_process import okapia

pytestmark = [pytest.mark.models, pytest.mark.usefixtures("lite")]


@pytest.fixture(scope="module")
def made(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of five real pictures, one of them broken, with its results file."""
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("ena24_2968.jpg", "ena24_9455.jpg", "human.jpg", "domestic_cattle.jpg"):
        shutil.copy(shared_data / "camera-traps" / name, folder / name)
    (folder / "broken.jpg").write_bytes(b"no picture")
    result = okapia("run", folder, "--no-cache")
    assert result.returncode == 1, result.stderr
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(made, tmp_path / "pictures")


def rewrite(folder: Path, name: str, **values: object) -> None:
    """Change what the results file says of a picture's first box."""
    file = folder / "okapia_results.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    (image,) = (one for one in document["images"] if one["file"] == name)
    image["detections"][0] |= values
    file.write_text(json.dumps(document), encoding="utf-8")


def test_a_file_is_reproduced_to_the_last_digit(folder: Path) -> None:
    result = okapia("reproduce", folder / "okapia_results.json")

    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines() == [
        "All is as it was when the file was made: every number has to be the same.",
        "5 of 5 pictures are the same; 5 are in the file",
    ]


def test_another_engine_is_named_first_and_stays_within_the_tolerance(folder: Path) -> None:
    pytest.importorskip("openvino")

    result = okapia(
        "reproduce",
        folder / "okapia_results.json",
        "--json",
        settings={"OKAPIA_ENGINE": "openvino", "OKAPIA_PRECISION": "f32"},
    )

    document = json.loads(result.stdout)
    assert result.returncode == 0, result.stdout
    assert [one["what"] for one in document["differences"]] == [
        "megadetector-lite engine",
        "nanodet-coco engine",
        "efficientnet-lite0 engine",
    ]
    assert (document["is_alike"], document["tolerance"]) == (False, {"confidence": 0.005, "box": 0.001})
    assert {picture["state"] for picture in document["pictures"]} == {"same"}


def test_every_difference_is_named(folder: Path, samples: Path) -> None:
    rewrite(folder, "ena24_2968.jpg", conf=0.1234)
    shutil.copy(samples / "vehicle.png", folder / "human.jpg")
    (folder / "domestic_cattle.jpg").unlink()

    result = okapia("reproduce", folder / "okapia_results.json", "--json")

    looks = {one["file"]: (one["state"], one["notes"]) for one in json.loads(result.stdout)["pictures"]}
    assert result.returncode == 1
    assert {name: state for name, (state, _) in looks.items()} == {
        "broken.jpg": "same",
        "domestic_cattle.jpg": "missing",
        "ena24_2968.jpg": "different",
        "ena24_9455.jpg": "same",
        "human.jpg": "changed",
    }
    assert "animal 0.1234: confidence" in looks["ena24_2968.jpg"][1][0]
    assert "pixels then" in looks["human.jpg"][1][0]


def test_a_picture_with_another_hash_is_a_changed_picture(folder: Path) -> None:
    file = folder / "okapia_results.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    for image in document["images"]:
        image["sha256"] = "0" * 64
    file.write_text(json.dumps(document), encoding="utf-8")

    result = okapia("reproduce", file, "--sample", "2", "--seed", "3")

    assert result.returncode == 1
    assert result.stdout.count(": changed\n") == 2


def test_the_pictures_may_lie_elsewhere_and_a_sample_is_enough(folder: Path, tmp_path: Path) -> None:
    file = shutil.move(folder / "okapia_results.json", tmp_path / "moved.json")

    lost = okapia("reproduce", file)
    found = okapia("reproduce", file, "--folder", folder, "--sample", "1", "--seed", "7")

    assert (lost.returncode, found.returncode) == (2, 0)
    assert "name their folder with --folder" in lost.stderr
    assert found.stdout.splitlines()[-1] == "1 of 1 pictures are the same; 5 are in the file"


def test_the_options_of_the_run_are_gone_by(folder: Path) -> None:
    okapia("run", folder, "--threshold", "0.5", "--keep-above", "0.3", "--country", "KEN", "--canvas", "640")

    result = okapia("reproduce", folder / "okapia_results.json")

    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[0].startswith("All is as it was")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"no JSON", "expected MegaDetector's batch results"),
        (b'{"images": [], "info": {}, "detection_categories": {}}', "Okapia's manifest"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_exit_code_2(
    tmp_path: Path, content: bytes, word: str
) -> None:
    file = tmp_path / "results.json"
    file.write_bytes(content)

    result = okapia("reproduce", file)

    assert result.returncode == 2
    assert word in result.stderr
    assert "Traceback" not in result.stderr


def test_a_real_answer_is_remembered_to_the_last_digit(shared_data: Path, tmp_path: Path) -> None:
    service = build_service(load_settings(cache_bytes=0))
    remembered = Remembered(AnswerCache(tmp_path / "answers.cache", max_bytes=10_000_000)).of("ann")
    pictures = sorted((shared_data / "camera-traps").glob("*.jpg"))[:3]

    images = [NamedImage(path.name, path.read_bytes) for path in pictures]
    first, again = (
        list(service.analyze_many(images, AnalysisOptions(), remembered=remembered)) for _ in range(2)
    )
    service.close()

    assert [result.outcome for result in first] == [result.outcome for result in again]
    assert all(isinstance(result.outcome, Analysis) for result in first)
    assert sum(result.seconds for result in again) < sum(result.seconds for result in first) / 10
