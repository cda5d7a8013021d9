"""SpeciesNet's own folder with its real labels, taxonomy and rules; only the networks are stand-ins."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import networks
from tests.acceptance.okapia_process import okapia

LABELS = "always_crop_99710272_22x8_v12_epoch_00148.labels.txt"
SEEN = "mammalia;carnivora;canidae;canis;lupus dingo;"


@pytest.fixture
def home(tmp_path: Path, shared_data: Path) -> Path:
    """A home with a SpeciesNet that sees a dingo wherever something is bright."""
    folder = tmp_path / "speciesnet"
    folder.mkdir()
    real = shared_data / "speciesnet"
    for name in (LABELS, "taxonomy_release.txt", "geofence_block_rules_derived.json"):
        shutil.copyfile(real / name, folder / name)
    labels = (real / LABELS).read_text(encoding="utf-8").splitlines()
    logits = np.zeros((1, len(labels)), dtype=np.float32)
    logits[0, next(place for place, label in enumerate(labels) if SEEN in label)] = 12.0
    (folder / "crop.onnx").write_bytes(networks.constant(logits, shape=[1, 480, 480, 3]))
    detector = networks.bright_box(networks.yolov5_layout(3, winner=0), [1, 2, 8], shape=[1, 3, 1280, 1280])
    (folder / "md.onnx").write_bytes(detector)
    info = {
        "version": "4.0.2a",
        "type": "always_crop",
        "classifier": "crop.onnx",
        "classifier_labels": LABELS,
        "detector": "md.onnx",
        "taxonomy": "taxonomy_release.txt",
        "geofence": "geofence_block_rules_derived.json",
    }
    (folder / "info.json").write_text(json.dumps(info))
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    pixels = np.zeros((480, 640, 3), dtype=np.uint8)
    pixels[120:240, 160:480] = 255
    Image.fromarray(pixels).save(pictures / "bright.png")
    settings = {"OKAPIA_HOME": str(tmp_path / "home")}
    added = okapia("models", "add", folder, settings=settings)
    assert added.returncode == 0, added.stderr
    return tmp_path


def answer(home: Path, *options: str) -> tuple[str, float]:
    """The first class of the first box, and its score."""
    run = okapia(
        "run",
        "pictures",
        "--profile",
        "speciesnet-4.0.2a",
        *options,
        cwd=home,
        settings={"OKAPIA_HOME": str(home / "home")},
    )
    assert run.returncode == 0, run.stderr
    results = json.loads((home / "pictures" / "okapia_results.json").read_text())
    ((best, score), *_) = results["images"][0]["detections"][0]["classifications"]
    return results["classification_categories"][best], score


def test_its_labels_taxonomy_and_rules_make_the_answer(home: Path) -> None:
    at_home = answer(home, "--country", "Australia")
    abroad = answer(home, "--country", "Denmark")

    assert at_home[0] == "dingo"
    assert at_home[1] == pytest.approx(0.98, abs=0.02)
    # The real rules block it there; what is above it is not blocked.
    assert abroad[0] == "canine family"


def test_its_own_command_line_writes_both_formats(home: Path) -> None:
    settings = {"OKAPIA_HOME": str(home / "home")}
    for form in ("old", "new"):
        run = okapia(
            *("speciesnet", "run", "--folders", "pictures", "--country", "DNK", "--format", form),
            *("--model", "speciesnet-4.0.2a", "--predictions-json", f"{form}.json"),
            cwd=home,
            settings=settings,
        )
        assert run.returncode == 0, run.stderr

    (old,) = json.loads((home / "old.json").read_text())["predictions"]
    (new,) = json.loads((home / "new.json").read_text())["predictions"]
    processed = new["detections"][0]["processed_classification"]
    assert old["prediction"].endswith(";canine family")
    assert old["prediction_source"] == "classifier+geofence+rollup_to_family"
    assert (processed["class"], processed["source"]) == (old["prediction"], old["prediction_source"])
    assert SEEN in old["classifications"]["classes"][0]
