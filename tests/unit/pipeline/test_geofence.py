"""Where a taxon may be the answer, and what becomes of one that may not."""

import pytest

from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import ANIMAL, UNKNOWN, Rank, Taxon, Taxonomy
from okapia.domain.types import Prediction, RangeRule, Restriction
from okapia.pipeline.geofence import OPEN, Geofence, TaxonRules, geofence_step
from tests.unit.pipeline.carnivores import (
    BEARS,
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
    seen,
)

WHOLE: frozenset[str] = frozenset()

GEOFENCE = Geofence(
    {
        LION.key: TaxonRules(allow={"KEN": WHOLE, "TZA": WHOLE}),
        PANTHERA.key: TaxonRules(allow={"KEN": WHOLE, "USA": frozenset({"AK", "CA"})}),
        CATS.key: TaxonRules(
            allow={"FRA": WHOLE, "KEN": WHOLE, "USA": WHOLE},
            block={"FRA": WHOLE, "USA": frozenset({"NY"})},
        ),
        PUMA.key: TaxonRules(block={"AUS": WHOLE}),
        BEARS.key: TaxonRules(allow={}, block={}),
    }
)


@pytest.mark.parametrize(
    ("taxon", "country", "state", "rule"),
    [
        (LION, "KEN", None, None),
        (LION, "GBR", None, RangeRule.ALLOW),
        (PANTHERA, "USA", None, None),
        (PANTHERA, "USA", "", None),
        (PANTHERA, "USA", "CA", None),
        (PANTHERA, "USA", "NY", RangeRule.ALLOW),
        (PANTHERA, "KEN", "CA", None),
        (CATS, "TZA", None, RangeRule.ALLOW),
        (CATS, "USA", None, None),
        (CATS, "USA", "CA", None),
        (CATS, "USA", "NY", RangeRule.BLOCK),
        (PUMA, "AUS", None, RangeRule.BLOCK),
        (PUMA, "AUS", "NT", RangeRule.BLOCK),
        (PUMA, "USA", "CA", None),
    ],
)
def test_fenced_out_by_country_and_state(
    taxon: Taxon, country: str, state: str | None, rule: RangeRule | None
) -> None:
    assert GEOFENCE.at(country, state).rule(taxon) is rule


def test_fenced_out_block_beats_allow() -> None:
    assert GEOFENCE.at("FRA").rule(CATS) is RangeRule.BLOCK


@pytest.mark.parametrize("country", [None, ""])
def test_fenced_out_nothing_is_without_a_country(country: str | None) -> None:
    assert GEOFENCE.at(country, "NY").allows(LION)


def test_fenced_out_nothing_is_without_a_geofence() -> None:
    assert OPEN.allows(LION)


def test_fenced_out_no_taxon_without_rules_is() -> None:
    assert GEOFENCE.at("GBR").allows(BROWN_BEAR)


def test_an_empty_allow_list_is_everywhere() -> None:
    assert GEOFENCE.at("GBR").allows(BEARS)


def test_animal_is_never_fenced_out() -> None:
    fence = Geofence({ANIMAL.key: TaxonRules(block={"KEN": WHOLE})}).at("KEN")

    assert fence.allows(ANIMAL)


@pytest.mark.parametrize("taxon", [LION, BROWN_BEAR])
@pytest.mark.parametrize(
    ("country", "state", "param"),
    [
        ("US", None, "country"),
        ("ken", None, "country"),
        ("KENYA", None, "country"),
        ("XYZ", None, "country"),
        ("USA", "CAL", "state"),
        ("USA", "ca", "state"),
    ],
)
def test_codes_that_are_none_are_refused_when_a_taxon_is_checked(
    taxon: Taxon, country: str, state: str | None, param: str
) -> None:
    fence = GEOFENCE.at(country, state)

    with pytest.raises(InvalidRequest, match=r"expected a (country|state)'s .* capitals") as refused:
        fence.rule(taxon)

    assert refused.value.param == param


def test_geofence_step_an_allowed_taxon_is_the_answer() -> None:
    prediction = geofence_step(seen((LION, 0.7)), TAXONOMY, GEOFENCE.at("KEN"), decision="4b")

    assert prediction == Prediction(LION, 0.7, "classifier", "4b")


def test_geofence_step_a_fenced_out_species_skips_its_genus() -> None:
    fence = Geofence({LION.key: TaxonRules(block={"USA": WHOLE})}).at("USA", "CA")

    prediction = geofence_step(seen((LION, 0.9)), TAXONOMY, fence, decision="4a")

    assert fence.allows(PANTHERA)
    assert prediction == Prediction(
        CATS,
        0.9,
        "classifier+geofence+rollup_to_family",
        "4a",
        (Restriction(RangeRule.BLOCK, LION, Rank.FAMILY, "USA", "CA"),),
    )


def test_geofence_step_all_five_classes_roll_up_with_it() -> None:
    fence = GEOFENCE.at("USA", "CA")

    prediction = geofence_step(seen((LION, 0.7), (PUMA, 0.2)), TAXONOMY, fence, decision="4b")

    assert prediction.taxon == CATS
    assert prediction.score == pytest.approx(0.9)


def test_geofence_step_an_ancestor_that_is_fenced_out_too_is_passed_over() -> None:
    prediction = geofence_step(seen((LION, 0.9)), TAXONOMY, GEOFENCE.at("USA", "NY"), decision="4a")

    assert (prediction.taxon, prediction.source) == (CARNIVORE, "classifier+geofence+rollup_to_order")


def test_geofence_step_another_family_must_reach_the_species_score() -> None:
    fence = GEOFENCE.at("USA", "NY")

    prediction = geofence_step(
        seen((LION, 0.5), (BROWN_BEAR, 0.3), (POLAR_BEAR, 0.3)), TAXONOMY, fence, decision="4b"
    )

    assert (prediction.taxon, prediction.source) == (BEARS, "classifier+geofence+rollup_to_family")


def test_geofence_step_the_kingdom_is_the_last_resort() -> None:
    everywhere = {taxon.key: TaxonRules(block={"KEN": WHOLE}) for taxon in TAXONOMY}

    prediction = geofence_step(seen((LION, 0.9)), TAXONOMY, Geofence(everywhere).at("KEN"), decision="4a")

    assert (prediction.taxon, prediction.source) == (ANIMAL, "classifier+geofence+rollup_to_kingdom")


def test_geofence_step_what_rolls_up_nowhere_is_unknown() -> None:
    nobody = Taxon("id", "", "", "", "", "", "no label of an animal")
    fence = Geofence({UNKNOWN.key: TaxonRules(block={"KEN": WHOLE})}).at("KEN")

    prediction = geofence_step(seen((UNKNOWN, 0.9), (nobody, 0.0)), Taxonomy(()), fence, decision="4a")

    assert prediction == Prediction(
        UNKNOWN,
        0.9,
        "classifier+geofence+rollup_failed",
        "4a",
        (Restriction(RangeRule.BLOCK, UNKNOWN, None, "KEN", None),),
    )


def test_a_mammal_that_is_blocked_with_all_its_kind_becomes_an_animal_at_the_roll_up() -> None:
    kinds = {taxon.key: TaxonRules(block={"KEN": WHOLE}) for taxon in (LION, CATS, CARNIVORE, MAMMAL, URSUS)}

    prediction = geofence_step(seen((LION, 0.9)), TAXONOMY, Geofence(kinds).at("KEN"), decision="4a")

    assert prediction.taxon == ANIMAL
