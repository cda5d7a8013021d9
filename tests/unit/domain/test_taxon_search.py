"""Finding taxa by latin and common name."""

from pathlib import Path

import pytest

from okapia.domain.taxon_search import search
from okapia.domain.taxonomy import Taxon, Taxonomy
from tests.unit.domain.test_taxonomy import ARCTIC_FOX, CANIS, COYOTE, RED_FOX, TAXONOMY, VULPES, taxon

FOX_SPARROW = taxon("aves", "passeriformes", "passerellidae", "passerella", "iliaca", name="fox-sparrow")
FOXGLOVE_MOTH = taxon("insecta", "lepidoptera", "x", "y", "z", name="foxglove moth")


@pytest.fixture(scope="module")
def real(shared_data: Path) -> Taxonomy:
    file = shared_data / "speciesnet" / "taxonomy_release.txt"
    return Taxonomy.from_labels(file.read_text(encoding="utf-8").splitlines())


def test_the_whole_name_comes_before_its_beginning() -> None:
    assert search(TAXONOMY, "Vulpes") == (VULPES, ARCTIC_FOX, RED_FOX)


def test_the_beginning_comes_before_words_within_and_those_before_any_part() -> None:
    taxa = (taxon("a", name="arfoxa"), RED_FOX, FOX_SPARROW, FOXGLOVE_MOTH)

    found = search(taxa, "fox")

    assert [seen.common_name for seen in found] == ["fox-sparrow", "foxglove moth", "red fox", "arfoxa"]


def test_an_id_finds_its_taxon() -> None:
    assert search(TAXONOMY, COYOTE.id.upper()) == (COYOTE,)


@pytest.mark.parametrize("words", ["CANIS LATRANS", " canis  latrans ", "canis_latrans", "cánis-latrans"])
def test_case_accents_hyphens_and_spaces_do_not_matter(words: str) -> None:
    assert search(TAXONOMY, words) == (COYOTE,)


def test_a_slip_of_the_pen_finds_nothing() -> None:
    assert search(TAXONOMY, "cannis") == ()


@pytest.mark.parametrize("words", ["", "  ", "-"])
def test_nothing_finds_nothing(words: str) -> None:
    assert search(TAXONOMY, words) == ()


def test_at_most_as_many_are_given_as_are_asked_for() -> None:
    assert search(TAXONOMY, "canis", limit=1) == (CANIS,)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("red fox", "Vulpes vulpes"),
        ("canis lupus dingo", "Canis lupus dingo"),
        ("felidae", "Felidae"),
        ("white tailed deer", "Odocoileus virginianus"),
        ("animal", ""),
    ],
)
def test_the_real_taxonomy_is_searched(real: Taxonomy, words: str, expected: str) -> None:
    best: Taxon = search(real, words)[0]

    assert best.scientific_name == expected
