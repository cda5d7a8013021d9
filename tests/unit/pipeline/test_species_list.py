"""A project's species list: up to the nearest allowed taxon, down where there is one way."""

from pathlib import Path

import pytest

from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import ANIMAL, BLANK, HUMAN, SPECIAL, UNKNOWN, VEHICLE, Rank, Taxon, Taxonomy
from okapia.domain.types import Prediction, RangeRule, Restriction
from okapia.pipeline.geofence import Geofence, TaxonRules
from okapia.pipeline.species_list import SpeciesList, parse_species_list, read_species_list
from okapia.pipeline.text_files import read_taxonomy
from tests.unit.pipeline.carnivores import (
    BEARS,
    BIRD,
    BROWN_BEAR,
    CARNIVORE,
    CATS,
    LION,
    MAMMAL,
    PANTHERA,
    POLAR_BEAR,
    PUMA,
    TAXONOMY,
    URSUS,
)

WHOLE: frozenset[str] = frozenset()
PUMAS_ONLY = SpeciesList.of([PUMA], TAXONOMY)
PUMAS_ONLY_DOWN = SpeciesList.of([PUMA], TAXONOMY, walk="up_and_down")


def called(taxon: Taxon) -> Prediction:
    return Prediction(taxon, 0.9, "classifier", "4a")


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (PUMA, PUMA),
        (CATS, CATS),
        (LION, CATS),
        (PANTHERA, CATS),
        (BROWN_BEAR, CARNIVORE),
        (BIRD, ANIMAL),
    ],
)
def test_an_answer_becomes_the_nearest_allowed_taxon(seen: Taxon, expected: Taxon) -> None:
    assert PUMAS_ONLY.restrict(called(seen)).taxon == expected


def test_a_listed_family_stands_for_all_its_species() -> None:
    assert SpeciesList.of([BEARS], TAXONOMY).restrict(called(POLAR_BEAR)).taxon == BEARS


@pytest.mark.parametrize("seen", [LION, PANTHERA, CATS, BROWN_BEAR, MAMMAL])
def test_with_one_way_down_it_is_taken(seen: Taxon) -> None:
    assert PUMAS_ONLY_DOWN.restrict(called(seen)).taxon == PUMA


@pytest.mark.parametrize(("seen", "expected"), [(MAMMAL, CARNIVORE), (BROWN_BEAR, URSUS), (CATS, PUMA)])
def test_the_way_down_ends_where_it_forks(seen: Taxon, expected: Taxon) -> None:
    listed = SpeciesList.of([PUMA, URSUS], TAXONOMY, walk="up_and_down")

    assert listed.restrict(called(seen)).taxon == expected


@pytest.mark.parametrize("special", SPECIAL)
@pytest.mark.parametrize("listed", [PUMAS_ONLY, PUMAS_ONLY_DOWN])
def test_humans_vehicles_blank_animal_and_unknown_are_protected(listed: SpeciesList, special: Taxon) -> None:
    prediction = called(special)

    assert listed.restrict(prediction) is prediction


def test_an_allowed_answer_is_left_alone() -> None:
    prediction = called(PUMA)

    assert PUMAS_ONLY.restrict(prediction) is prediction


def test_a_changed_answer_says_what_it_was_and_keeps_its_score() -> None:
    fenced = Restriction(RangeRule.BLOCK, PUMA, Rank.SPECIES, "AUS")
    prediction = Prediction(LION, 0.9, "classifier", "4a", (fenced,))

    changed = PUMAS_ONLY.restrict(prediction, Geofence({}).at("KEN", None))

    assert changed == Prediction(
        CATS,
        0.9,
        "classifier+species_list",
        "4a",
        (fenced, Restriction(RangeRule.SPECIES_LIST, LION, Rank.FAMILY, "KEN", None)),
    )


def test_the_way_down_ends_at_the_geofence() -> None:
    fence = Geofence({PUMA.key: TaxonRules(block={"KEN": WHOLE})}).at("KEN")

    assert PUMAS_ONLY_DOWN.restrict(called(LION), fence).taxon.common_name == "puma species"


def test_the_way_up_passes_over_what_is_fenced_out() -> None:
    fence = Geofence({CATS.key: TaxonRules(block={"KEN": WHOLE})}).at("KEN")

    assert PUMAS_ONLY.restrict(called(LION), fence).taxon == CARNIVORE


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("puma concolor,puma", PUMA),
        ("Puma concolor,", PUMA),
        (",puma", PUMA),
        ("PUMA CONCOLOR,cougar", PUMA),
        ("ursidae,", BEARS),
        ("# the cats\n\n,Panthera-species", PANTHERA),
    ],
)
def test_a_row_names_a_taxon_by_latin_or_common_name(rows: str, expected: Taxon) -> None:
    listed = parse_species_list(f"latin,common\n{rows}\n", TAXONOMY)

    assert listed == SpeciesList.of([expected], TAXONOMY)


@pytest.mark.parametrize("text", ["latin,common\n", "latin,common\n# nothing yet\n,\n"])
def test_an_empty_list_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="at least one taxon, got none"):
        parse_species_list(text, TAXONOMY)


def test_all_unknown_taxa_are_named_with_their_lines_and_what_was_perhaps_meant() -> None:
    text = "latin,common\nursus thibetanus,\n,brown bears\npuma concolor,\n,lion\n"

    with pytest.raises(
        InvalidRequest,
        match=r"got line 2: ursus thibetanus \(did you mean Ursus or .*\?\); line 3: brown bears$",
    ) as refused:
        parse_species_list(text, TAXONOMY)

    assert refused.value.param == "species_list"


def test_a_list_without_its_columns_is_refused_with_the_files_name(tmp_path: Path) -> None:
    file = tmp_path / "site.csv"
    file.write_text("species\npuma\n")

    with pytest.raises(InvalidRequest, match=r"site\.csv: line 1: expected the columns latin, common"):
        read_species_list(file, TAXONOMY)


@pytest.fixture(scope="module")
def real(shared_data: Path) -> Taxonomy:
    return read_taxonomy(shared_data / "speciesnet" / "taxonomy_release.txt")


def test_a_common_name_of_two_taxa_names_none(real: Taxonomy) -> None:
    with pytest.raises(
        InvalidRequest, match=r"domestic water buffalo \(did you mean Bubalus arnee or Bubalus b"
    ):
        parse_species_list("latin,common\n,domestic water buffalo\n", real)


def test_a_real_list_is_read_and_a_subspecies_is_a_trinomial(real: Taxonomy, tmp_path: Path) -> None:
    file = tmp_path / "site.csv"
    file.write_text("latin,common\nCanis lupus dingo,dingo\n,red fox\nFelis catus,cat\n")

    listed = read_species_list(file, real, walk="up_and_down")

    cat = listed.restrict(called(next(t for t in real if t.scientific_name == "Panthera leo")))
    assert cat.taxon.scientific_name == "Felis catus"
    assert {HUMAN, VEHICLE, BLANK, UNKNOWN}.isdisjoint(real[key] for key in listed.children)
