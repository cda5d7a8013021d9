"""`okapia run` with a place, rules, lists and neighbours, on real pictures with the lite models."""

import json
import shutil
from pathlib import Path

import pytest

from tests.acceptance.okapia_process import okapia

pytestmark = pytest.mark.usefixtures("lite")

GREY_FOX = "mammalia;carnivora;canidae;urocyon;cinereoargenteus"


@pytest.fixture
def folder(tmp_path: Path, shared_data: Path) -> Path:
    """A grey fox and a black bear."""
    pictures = tmp_path / "north"
    pictures.mkdir()
    for name in ("ena24_4383.jpg", "ena24_9455.jpg"):
        shutil.copy(shared_data / "camera-traps" / name, pictures / name)
    return tmp_path


def answers(folder: Path, *options: str | Path) -> dict[str, list[str]]:
    """The classes of the first box of each picture, the answer first."""
    run = okapia("run", "north", *options, cwd=folder)
    assert run.returncode == 0, run.stderr
    results = json.loads((folder / "north" / "okapia_results.json").read_text())
    names = results["classification_categories"]
    return {
        image["file"]: [names[one] for one, _ in image["detections"][0]["classifications"]]
        for image in results["images"]
    }


def best(folder: Path, *options: str | Path) -> list[str]:
    return [classes[0] for _, classes in sorted(answers(folder, *options).items())]


def test_without_a_country_that_is_said_once(folder: Path) -> None:
    run = okapia("run", "north", cwd=folder)

    assert run.stdout.count("species were not checked against a range") == 1


def test_a_country_keeps_out_what_does_not_occur_there(folder: Path) -> None:
    assert best(folder) == ["grey fox", "american black bear"]
    assert best(folder, "--country", "usa") == ["grey fox", "american black bear"]
    assert best(folder, "--country", "Kenya") == ["canine family", "carnivorous mammal"]


def test_rules_of_ones_own_go_on_top(folder: Path) -> None:
    rules = folder / "rules.csv"
    rules.write_text(f"species,rule,country_code,admin1_region_code\n{GREY_FOX},block,USA,CA\n")

    assert best(folder, "--country", "USA", "--state", "CA", "--geofence", rules)[0] == "canine family"
    assert best(folder, "--country", "USA", "--state", "NY", "--geofence", rules)[0] == "grey fox"


def test_a_projects_list_lets_nothing_else_be_the_answer(folder: Path) -> None:
    listed = folder / "species.csv"
    listed.write_text("latin,common\nUrsus americanus,\nVulpes vulpes,\n")

    assert best(folder, "--species-list", listed) == ["canine family", "american black bear"]


def test_the_number_of_classes_written_is_a_choice(folder: Path) -> None:
    assert [len(classes) for classes in answers(folder, "--top-k", "1").values()] == [1, 1]
    assert max(len(classes) for classes in answers(folder, "--top-k", "3").values()) > 1


@pytest.mark.parametrize("how", ["image", "sequence", "herd"])
def test_smoothing_leaves_a_lone_species_as_it_is(folder: Path, how: str) -> None:
    assert best(folder, "--smooth", how) == ["grey fox", "american black bear"]


def test_what_made_the_answers_stands_in_the_file(folder: Path) -> None:
    best(folder, "--country", "USA", "--state", "CA", "--smooth", "herd")

    info = json.loads((folder / "north" / "okapia_results.json").read_text())["info"]
    manifest = info["custom_metadata"]
    assert (manifest["country"], manifest["state"], manifest["smooth"]) == ("USA", "CA", "herd")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--country", "Kenja"], "Kenya"),
        (["--state", "CA"], "state"),
        (["--country", "USA", "--latitude", "91", "--longitude", "0"], "latitude"),
        (["--country", "USA", "--longitude", "0"], "latitude"),
        (["--camera", "folder:x"], "folder:N"),
        (["--species-list", "missing.csv"], "missing.csv"),
        (["--geofence", "missing.csv"], "missing.csv"),
        (["--deployments", "missing.csv"], "missing.csv"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_analysed(
    folder: Path, options: list[str], said: str
) -> None:
    run = okapia("run", "north", *options, cwd=folder)

    assert run.returncode == 2
    assert said in run.stderr
    assert "Traceback" not in run.stderr
    assert not (folder / "north" / "okapia_results.json").exists()
