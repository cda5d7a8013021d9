"""The commands about species, as a person types them: SpeciesNet's own, taxa, ranges, cameras."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.acceptance.okapia_process import okapia

WALLABY = "mammalia;diprotodontia;macropodidae;macropus;giganteus"

Row = dict[str, object]


@pytest.fixture
def fresh(tmp_path: Path) -> Mapping[str, str]:
    """Settings of a machine on which nothing is installed."""
    return {"OKAPIA_HOME": str(tmp_path / "home")}


def rows(path: Path) -> dict[str, Row]:
    predictions: list[Row] = json.loads(path.read_text(encoding="utf-8"))["predictions"]
    return {Path(str(row["filepath"])).name: row for row in predictions}


def earlier_runs(folder: Path, label: str) -> None:
    """Write what SpeciesNet's detector and classifier left of one picture."""
    box = {"category": "1", "label": "animal", "conf": 0.94, "bbox": [0.1, 0.2, 0.3, 0.4]}
    documents: dict[str, Row] = {
        "detections.json": {"detections": [box]},
        "classifications.json": {"classifications": {"classes": [label], "scores": [0.91]}},
    }
    for name, fields in documents.items():
        document = {"predictions": [{"filepath": "a.jpg", **fields}]}
        (folder / name).write_text(json.dumps(document), encoding="utf-8")


def test_the_ensemble_answers_from_json_files_alone(
    fresh: Mapping[str, str], shared_data: Path, tmp_path: Path
) -> None:
    files = shared_data / "speciesnet"
    taxa = (files / "taxonomy_release.txt").read_text(encoding="utf-8").split("\n")
    earlier_runs(tmp_path, next(label for label in taxa if f";{WALLABY};" in label))

    result = okapia(
        *("speciesnet", "run", "--ensemble_only"),
        *("--classifications_json", "classifications.json", "--detections_json", "detections.json"),
        *("--taxonomy", files / "taxonomy_release.txt", "--geofence", files / "geofence_fixes.csv"),
        *("--country", "FRA", "--predictions_json", "predictions.json"),
        cwd=tmp_path,
        settings=fresh,
    )

    assert result.returncode == 0, result.stderr
    row = rows(tmp_path / "predictions.json")["a.jpg"]
    assert str(row["prediction"]).split(";")[1:6] == ["mammalia", "diprotodontia", "", "", ""]
    assert row["prediction_source"] == "classifier+geofence+rollup_to_order"


@pytest.mark.models
@pytest.mark.usefixtures("lite")
def test_real_pictures_get_answers_in_both_formats(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "camera-traps"
    arguments = ("speciesnet", "run", "--folders", folder, "--country", "USA")

    old = okapia(*arguments, "--predictions-json", tmp_path / "old.json", "--json")
    new = okapia(*arguments, "--predictions-json", tmp_path / "new.json", "--format", "new")

    assert (old.returncode, new.returncode) == (0, 0), old.stderr + new.stderr
    assert json.loads(old.stdout)["images"] == 14
    for row in rows(tmp_path / "old.json").values():
        assert str(row["prediction"]).count(";") == 6
        assert row["country"] == "USA"
    document = json.loads((tmp_path / "new.json").read_text(encoding="utf-8"))
    assert document["info"] == {"format_version": "20261015"}
    fox = rows(tmp_path / "new.json")["ena24_4383.jpg"]
    assert "prediction" not in fox
    assert isinstance(fox["detections"], list)
    assert fox["detections"][0]["processed_classification"]["class"].endswith(";grey fox")


@pytest.mark.models
@pytest.mark.usefixtures("lite")
def test_a_country_turns_a_species_into_its_family(shared_data: Path, tmp_path: Path) -> None:
    instances = [
        {"filepath": str(shared_data / "camera-traps" / "ena24_4383.jpg"), "country": "KEN"},
        {"filepath": str(tmp_path / "same.jpg"), "country": "USA", "admin1_region": "CA"},
    ]
    shutil.copy(shared_data / "camera-traps" / "ena24_4383.jpg", tmp_path / "same.jpg")
    (tmp_path / "instances.json").write_text(json.dumps({"instances": instances}), encoding="utf-8")

    result = okapia("speciesnet", "run", "--instances_json", "instances.json", cwd=tmp_path)

    assert result.returncode == 0, result.stderr
    kenya, california = json.loads(result.stdout)["predictions"]
    assert kenya["prediction"].endswith(";canine family")
    assert kenya["prediction_source"] == "classifier+geofence+rollup_to_family"
    assert california["prediction"].endswith(";grey fox")
    assert california["admin1_region"] == "CA"


@pytest.mark.models
@pytest.mark.usefixtures("lite")
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_run_that_is_stopped_goes_on_where_it_was(samples: Path, tmp_path: Path) -> None:
    pictures, output = tmp_path / "pictures", tmp_path / "p.json"
    pictures.mkdir()
    for number in range(80):
        (pictures / f"{number:03}.png").symlink_to(samples / "cat.png")
    command = ["speciesnet", "run", "--folders", str(pictures), "--predictions-json", str(output)]
    with subprocess.Popen(
        [sys.executable, "-m", "okapia", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OKAPIA_LOG_LEVEL": "info"},
    ) as process:
        assert process.stderr is not None
        # The last model to be loaded before the first picture.
        while "nanodet-coco" not in (line := process.stderr.readline()):
            assert line, "ended before any picture was looked at"
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    n_kept = len(rows(output))
    result = okapia(*command, "--json")

    assert process.returncode == 2
    assert "error[stopped]" in complaint
    assert 1 <= n_kept < 80
    summary = json.loads(result.stdout)
    assert (summary["images"], summary["kept"]) == (80, n_kept)
    assert len(rows(output)) == 80


def test_taxa_are_found_and_their_ranges_asked(fresh: Mapping[str, str]) -> None:
    found = okapia("taxa", "search", "grey", "fox", "--json", settings=fresh)
    (fox,) = json.loads(found.stdout)

    verdict = okapia("geofence", "check", fox["label"], "Kenia", "--json", settings=fresh)

    assert json.loads(verdict.stdout)["answer"]["scientific_name"] == "Canidae"


def test_the_cameras_of_real_pictures_become_a_table(
    fresh: Mapping[str, str], shared_data: Path, tmp_path: Path
) -> None:
    table = tmp_path / "deployments.csv"

    result = okapia("cameras", shared_data / "camera-traps", "-o", table, settings=fresh)
    again = okapia("cameras", shared_data / "camera-traps", "-o", table, settings=fresh)

    assert result.returncode == 0, result.stderr
    (row,) = csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines())
    assert (row["camera"], row["pictures"]) == ("camera-traps", "14")
    assert again.returncode == 2
    assert "is there already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ("geofence check impala Frankrich", "did you mean France (FRA)"),
        ("geofence check impal KEN", "did you mean impala"),
        ("geofence check impala KEN --state CA", "expected no state with Kenya"),
        ("geofence check impala KEN --geofence no.csv", "cannot read no.csv"),
        ("taxa search fox --model okapinet", "unknown_model"),
        ("taxa search fox --taxonomy empty.txt", "got none"),
        ("cameras nowhere", "expected a folder of pictures"),
        ("cameras . --camera folder:x", "expected folder:N"),
        ("speciesnet run", "expected exactly one of --instances-json"),
        ("speciesnet run --folders nowhere", "expected a folder"),
        ("speciesnet run --folders .", "no_pictures_found"),
        ("speciesnet run --folders . --country KE", "did you mean KEN (Kenya)"),
        ("speciesnet run --folders . --admin1_region CA", "expected a country with the admin1_region"),
        ("speciesnet run --instances_json bad.json", "latitude"),
        ("speciesnet run --instances_json empty.txt", "expected JSON"),
        ("speciesnet run --ensemble_only --classifications_json bad.json", "bad.json"),
        ("speciesnet run --ensemble_only", "needs --classifications-json"),
        ("speciesnet run --detector_only --classifier_only --folders .", "expected one of"),
        ("speciesnet run --folders . --format newest", "format"),
        ("speciesnet run --folders . --geofence", "geofence"),
    ],
)
def test_wrong_usage_is_a_clear_line_and_exit_code_2(
    fresh: Mapping[str, str], tmp_path: Path, arguments: str, word: str
) -> None:
    (tmp_path / "empty.txt").touch()
    instance = {"filepath": "a.jpg", "country": "USA", "latitude": 91.0, "longitude": 0.0}
    (tmp_path / "bad.json").write_text(json.dumps({"instances": [instance]}), encoding="utf-8")

    result = okapia(*arguments.split(), cwd=tmp_path, settings=fresh)

    assert result.returncode == 2, result.stdout
    assert word in result.stderr
    assert "Traceback" not in result.stderr


# --- `okapia run` and the table of deployments ------------------------------------------


def run_with(table: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    (folder / "deployments.csv").write_text(f"camera,latitude,longitude,start,end,timezone\n{table}")
    return okapia(
        *("run", folder / "pictures", "--country", "auto", "--deployments", folder / "deployments.csv"),
        "--json",
    )


@pytest.fixture
def fox(tmp_path: Path, shared_data: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    shutil.copy(shared_data / "camera-traps" / "ena24_4383.jpg", tmp_path / "pictures" / "fox.jpg")
    return tmp_path


@pytest.mark.usefixtures("lite", "borders")
def test_a_run_takes_its_country_from_where_the_cameras_stood(fox: Path) -> None:
    run = run_with("a,-1.25,36.8,,,\nb,-1.3,36.9,,,\n", fox)

    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["country"] == "KEN"
    results = json.loads((fox / "pictures" / "okapia_results.json").read_text())
    assert "canine family" in results["classification_categories"].values()


@pytest.mark.usefixtures("lite", "borders")
def test_cameras_without_a_place_and_in_two_countries_are_refused(fox: Path) -> None:
    nowhere = run_with("a,-1.25,36.8,,,\nhill,,,,,\n", fox)
    apart = run_with("a,-1.25,36.8,,,\nb,56.1,10.2,,,\n", fox)

    assert nowhere.returncode == apart.returncode == 2
    assert "cameras_without_place" in nowhere.stderr
    assert "hill" in nowhere.stderr
    assert "DNK, KEN" in apart.stderr
