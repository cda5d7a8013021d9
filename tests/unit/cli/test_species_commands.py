"""`okapia taxa search` and `okapia geofence check`: what a model can answer with, and where."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from okapia.cli.species import geofence, taxa
from okapia.domain.errors import InvalidRequest, UnknownCountry, UnknownModel
from okapia.domain.taxonomy import BLANK

app = typer.Typer()
app.add_typer(taxa, name="taxa")
app.add_typer(geofence, name="geofence")

FOX = "aaaaaaaa-0000-4000-8000-000000000001;mammalia;carnivora;canidae;vulpes;vulpes;red fox"
CORSAC = "aaaaaaaa-0000-4000-8000-000000000002;mammalia;carnivora;canidae;vulpes;corsac;corsac fox"
OTHER_FOX = "aaaaaaaa-0000-4000-8000-000000000003;mammalia;carnivora;canidae;urocyon;littoralis;island fox"
TWIN = "aaaaaaaa-0000-4000-8000-000000000004;mammalia;carnivora;canidae;urocyon;cinereoargenteus;island fox"
CANIDS = "aaaaaaaa-0000-4000-8000-000000000005;mammalia;carnivora;canidae;;;canine family"

RULES = """\
species,rule,country_code,admin1_region_code
mammalia;carnivora;canidae;vulpes;vulpes,block,AUS,
mammalia;carnivora;canidae;vulpes;corsac,allow,MNG,
mammalia;carnivora;canidae;urocyon;littoralis,allow,USA,CA
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any installed model."""
    monkeypatch.setenv("OKAPIA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, ...]:
    """Options that name a taxonomy and rules of one's own."""
    labels = tmp_path / "taxonomy.txt"
    labels.write_text(f"{FOX}\n{CORSAC}\n{OTHER_FOX}\n{TWIN}\n{CANIDS}\n")
    rules = tmp_path / "rules.csv"
    rules.write_text(RULES)
    return ("--taxonomy", str(labels), "--geofence", str(rules))


def search(*arguments: str) -> str:
    return CliRunner().invoke(app, ["taxa", "search", *arguments], catch_exceptions=False).stdout


def check(*arguments: str) -> str:
    return CliRunner().invoke(app, ["geofence", "check", *arguments], catch_exceptions=False).stdout


def test_taxa_of_the_default_model_are_found_by_any_name_without_its_network() -> None:
    assert "Vulpes vulpes" in search("red", "fox")
    assert "red fox" in search("VULPES_vulpes")


def test_taxa_are_to_be_had_as_json(files: tuple[str, ...]) -> None:
    (found,) = json.loads(search("canidae", "--taxonomy", files[1], "--json"))

    assert found == {
        "label": CANIDS,
        "rank": "family",
        "scientific_name": "Canidae",
        "common_name": "canine family",
    }


def test_at_most_so_many_taxa_are_listed(files: tuple[str, ...]) -> None:
    assert len(search("fox", *files[:2], "--limit", "2").splitlines()) == 2


def test_no_taxon_is_said_to_be_none() -> None:
    assert "taxa is called 'okapi'; try a part of the name" in search("okapi")


def test_no_words_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="expected a latin or common name"):
        search(" ")


@pytest.mark.parametrize(
    "label", [FOX, "mammalia;carnivora;canidae;vulpes;vulpes", "Vulpes vulpes", "Red-Fox", FOX.upper()]
)
def test_a_taxon_is_asked_about_in_any_form(label: str, files: tuple[str, ...]) -> None:
    verdict = json.loads(check(label, "AU", "--json", *files))

    assert verdict["taxon"]["label"] == FOX
    assert (verdict["country"], verdict["allowed"], verdict["rule"]) == ("AUS", False, "block")
    assert verdict["answer"]["label"] == CANIDS
    assert verdict["level"] == "family"
    assert verdict["source"] == "classifier+geofence+rollup_to_family"


def test_a_refusal_names_its_rule_and_what_the_answer_becomes(files: tuple[str, ...]) -> None:
    assert check("red fox", "Australia", *files).splitlines() == [
        "red fox (Vulpes vulpes) is no answer in Australia (AUS)",
        "  its block list has Australia",
        "  the answer becomes canine family (Canidae) [classifier+geofence+rollup_to_family]",
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("red fox", "France"), "its block list lacks France: it names AUS"),
        (("corsac fox", "Mongolia"), "its allow list has Mongolia"),
        (("corsac fox", "Italy"), "its allow list lacks Italy: it names MNG"),
        (("urocyon littoralis", "USA", "--state", "California"), "its allow list has CA of United States"),
        (("urocyon littoralis", "USA"), "CA of United States of America; which state was not said"),
        (("urocyon littoralis", "USA", "--state", "NV"), "its allow list lacks Nevada: of United States"),
        (("canine family", "Italy"), "no rule names it, and what no rule names is allowed everywhere"),
        ((BLANK.label, "Italy"), "no rule names it"),
    ],
)
def test_every_kind_of_rule_is_put_in_words(
    arguments: tuple[str, ...], words: str, files: tuple[str, ...]
) -> None:
    assert words in check(*arguments, *files)


def test_the_default_model_brings_its_ranges() -> None:
    verdict = json.loads(check("impala", "DE", "--json"))

    assert verdict["rule"] == "allow"
    assert verdict["answer"]["scientific_name"] == "Bovidae"


def test_rules_of_ones_own_go_on_top_of_the_models(tmp_path: Path) -> None:
    rules = tmp_path / "rules.csv"
    rules.write_text(
        "species,rule,country_code,admin1_region_code\n"
        "mammalia;artiodactyla;bovidae;aepyceros;melampus,block,KEN,\n"
    )

    assert json.loads(check("impala", "KEN", "--json"))["allowed"]
    assert not json.loads(check("impala", "KEN", "--json", "--geofence", str(rules)))["allowed"]


def test_speciesnets_own_files_are_read(shared_data: Path) -> None:
    folder = shared_data / "speciesnet"
    files = (
        "--taxonomy",
        str(folder / "taxonomy_release.txt"),
        "--geofence",
        str(folder / "geofence_block_rules_derived.json"),
    )

    verdict = json.loads(check("macropodidae", "FRA", "--json", *files))

    assert verdict["rule"] == "block"
    assert verdict["answer"]["scientific_name"] == "Diprotodontia"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("red fox", "Frankrich"), r"did you mean France \(FRA\)"),
        (("red fox", "QQ"), "expected a country"),
        (("red fox", "FRA", "--state", "CA"), "expected no state with France"),
        (("red fox", "USA", "--state", "Californa"), "expected a US state such as CA or California"),
        (("redfox", "FRA"), "expected one of the .* taxa"),
        (("vulpes zerda", "FRA"), r"did you mean .*\(Vulpes vulpes\)"),
        (("island fox", "FRA"), r"are several: island fox \(Urocyon littoralis\); island fox \(Urocyon cin"),
        (("a;b;c", "FRA"), "expected the 5 parts"),
        (("mammalia;;canidae;;", "FRA"), "expected a name for every rank"),
        (("aves;x;x;x;x", "FRA"), "expected one of the .* taxa"),
    ],
)
def test_what_is_wrong_is_said_with_what_may_be_meant(
    arguments: tuple[str, ...], words: str, files: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        check(*arguments, *files)


def test_a_model_that_is_none_or_no_classifier_is_refused() -> None:
    with pytest.raises(UnknownModel, match="okapinet"):
        search("fox", "--model", "okapinet")
    with pytest.raises(InvalidRequest, match="expected a classifier, nanodet-coco is a detector"):
        search("fox", "--model", "nanodet-coco")


def test_an_unknown_country_is_an_error_of_its_own() -> None:
    with pytest.raises(UnknownCountry):
        check("impala", "Atlantis")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("rules.csv", b"species,rule\nx,allow\n", "rules.csv: line 1: expected the columns"),
        ("rules.json", b"{", "rules.json: expected JSON"),
        ("rules.csv", b"\xff\xfe", "rules.csv: expected UTF-8"),
    ],
)
def test_a_broken_file_is_named(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InvalidRequest, match=words):
        check("impala", "KEN", "--geofence", str(tmp_path / name))


def test_files_that_are_missing_are_named() -> None:
    with pytest.raises(InvalidRequest, match=r"cannot read no\.csv"):
        check("impala", "KEN", "--geofence", "no.csv")
    with pytest.raises(InvalidRequest, match=r"cannot read no\.txt"):
        search("fox", "--taxonomy", "no.txt")


def test_the_help_loads_nothing_heavy() -> None:
    heavy = {"numpy", "onnx", "onnxruntime", "pydantic", "rich.progress"}
    code = "import okapia.cli.species, okapia.cli.cameras, sys; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert heavy & set(loaded.split()) == set()
