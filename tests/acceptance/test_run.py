"""`okapia run` on real pictures."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from okapia.formats.megadetector_rules import validate
from tests.acceptance.okapia_process import okapia

pytestmark = [pytest.mark.models, pytest.mark.usefixtures("lite")]


def test_a_folder_with_odd_names_becomes_a_valid_results_file(samples: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Kamera 1 #2, Füchse"
    (folder / "ünter").mkdir(parents=True)
    shutil.copy(samples / "cat.png", folder / "ünter" / "katze #1.png")
    shutil.copy(samples / "vehicle.png", folder / "wagen.PNG")
    (folder / "broken.jpg").write_bytes(b"no picture")

    result = okapia("run", folder, "--json")

    assert result.returncode == 1
    summary = json.loads(result.stdout)
    assert (summary["images"], summary["failed"]) == (3, 1)
    assert summary["found"]["animal"] == summary["found"]["vehicle"] == 1
    assert summary["failures"][0]["file"] == "broken.jpg"
    output = folder / "okapia_results.json"
    assert validate(output) == []
    files = [image["file"] for image in json.loads(output.read_text(encoding="utf-8"))["images"]]
    assert "ünter/katze #1.png" in files


def test_all_done_is_exit_code_0_and_the_species_is_in_the_file(samples: Path, tmp_path: Path) -> None:
    output = tmp_path / "results.json"

    result = okapia("run", samples / "cat.png", "-o", output)

    assert result.returncode == 0, result.stderr
    document = json.loads(output.read_text(encoding="utf-8"))
    assert "domestic cat" in document["classification_categories"].values()
    assert document["info"]["detector_metadata"]["typical_detection_threshold"] == 0.2
    assert "first look" in document["info"]["summary_report"]
    assert "first look" in result.stdout.splitlines()[-1]


def test_drawn_copies_are_made_of_pictures_with_findings(samples: Path, tmp_path: Path) -> None:
    pictures, drawn = tmp_path / "pictures", tmp_path / "drawn"
    pictures.mkdir()
    Image.new("RGB", (300, 200), "grey").save(pictures / "nothing.png")
    shutil.copy(samples / "cat.png", pictures / "cat.png")

    result = okapia("run", pictures, "--render", drawn)

    assert result.returncode == 0, result.stderr
    assert [path.name for path in drawn.iterdir()] == ["cat.png.jpg"]


def test_one_detector_alone_and_without_species(samples: Path, tmp_path: Path) -> None:
    output = tmp_path / "r.json"

    result = okapia("run", samples, "--detector", "nanodet-coco", "--no-classify", "-o", output)

    assert result.returncode == 0, result.stderr
    document = json.loads(output.read_text(encoding="utf-8"))
    assert document["info"]["detector"] == "nanodet-coco"
    assert document.get("classification_categories", {}) == {}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["run", "{empty}"], "no_pictures_found"),
        (["run", "{empty}/missing"], "does not exist"),
        (["run", "{samples}", "-o", "{empty}/no/such/folder/r.json"], "output_not_writable"),
        (["run", "{samples}", "--detector", "megadetector-heavy"], "unknown_model"),
        (["run", "{samples}", "--threshold", "nan"], "threshold"),
        (["run", "{samples}", "--threshold", "2"], "threshold"),
        (["run", "{samples}", "--threshold", "abc"], "threshold"),
        (["run", "{samples}", "--profile", "huge"], "profile"),
        (["run", "{samples}", "--canvas", "500"], "500"),
        (["run", "{samples}", "--people", "hide"], "--people"),
        (["run", "{samples}", "--render", "{samples}/drawn"], "lies among the pictures"),
    ],
)
def test_wrong_usage_is_one_clear_line_and_exit_code_2(
    samples: Path, tmp_path: Path, arguments: list[str], word: str
) -> None:
    filled = [a.format(empty=tmp_path, samples=samples) for a in arguments]

    result = okapia(*filled)

    assert result.returncode == 2, result.stdout
    assert word in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(sys.platform == "win32" or not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_an_unreadable_file_is_a_failure_of_its_own(samples: Path, tmp_path: Path) -> None:
    shutil.copy(samples / "cat.png", tmp_path / "cat.png")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")

    result = okapia("run", tmp_path, "--json")

    summary = json.loads(result.stdout)
    assert result.returncode == 1
    assert [f["code"] for f in summary["failures"]] == ["unreadable_file"]
    assert summary["found"] == {"animal": 1}


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_run_that_is_stopped_keeps_the_answers_so_far(samples: Path, tmp_path: Path) -> None:
    pictures, drawn = tmp_path / "pictures", tmp_path / "drawn"
    pictures.mkdir()
    for number in range(300):
        (pictures / f"{number:03}.png").symlink_to(samples / "cat.png")
    arguments = [sys.executable, "-m", "okapia", "run", str(pictures), "--render", str(drawn)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while len(list(drawn.glob("*.jpg"))) < 12:
        assert process.poll() is None
        time.sleep(0.01)

    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)

    partial = pictures / "okapia_results.partial.json"
    assert process.returncode == 2
    assert "error[stopped]" in complaint
    assert validate(partial) == []
    assert 1 <= len(json.loads(partial.read_text(encoding="utf-8"))["images"]) < 300
    assert not (pictures / "okapia_results.json").exists()


def test_every_real_edge_case_is_survived(shared_data: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.json"

    result = okapia("run", shared_data, "-o", output, "--json")

    summary = json.loads(result.stdout)
    assert result.returncode in {0, 1}
    assert validate(output) == []
    assert summary["images"] == 17
    assert summary["damaged"] == 1


def test_twelve_of_fourteen_categories_are_right(shared_data: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.json"
    folder = shared_data / "camera-traps"

    okapia("run", folder, "-o", output)

    document = json.loads(output.read_text(encoding="utf-8"))
    names = document["detection_categories"]
    threshold = document["info"]["detector_metadata"]["typical_detection_threshold"]
    said = {}
    for image in document["images"]:
        found = [d for d in image["detections"] if d["conf"] >= threshold]
        said[image["file"]] = names[found[0]["category"]] if found else ""
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        truth = {row["file"]: row["category"].replace("human", "person") for row in csv.DictReader(file)}
    right = [name for name, category in truth.items() if said[name] == category]
    assert len(right) >= 12, {name: (truth[name], said[name]) for name in truth if name not in right}
