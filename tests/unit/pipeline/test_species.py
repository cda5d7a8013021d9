"""What is said of one box, on the real taxonomy."""

import pytest

from okapia.domain.taxonomy import ANIMAL, HUMAN, VEHICLE, Taxon
from okapia.domain.types import BBox, Category, Classification, Detection, Prediction
from okapia.models.taxa import builtin_taxonomy
from okapia.pipeline.geofence import Geofence, TaxonRules
from okapia.pipeline.species import predict
from okapia.pipeline.species_list import SpeciesList

TAXONOMY = builtin_taxonomy()


def named(name: str) -> Taxon:
    return next(taxon for taxon in TAXONOMY if taxon.common_name == name)


def box(category: Category, confidence: float = 0.9) -> Detection:
    return Detection(BBox(0, 0, 1, 1), category, confidence, category.value)


def test_a_certain_species_is_the_answer() -> None:
    fox = Classification(named("red fox"), 0.9)

    prediction = predict(box(Category.ANIMAL), (fox,), TAXONOMY)

    assert prediction is not None
    assert (prediction.taxon, prediction.score, prediction.source) == (fox.taxon, 0.9, "classifier")


def test_two_foxes_are_answered_with_what_they_share() -> None:
    foxes = (Classification(named("red fox"), 0.4), Classification(named("arctic fox"), 0.35))

    prediction = predict(box(Category.ANIMAL), foxes, TAXONOMY)

    assert prediction is not None
    assert prediction.taxon.genus == "vulpes"
    assert prediction.taxon.species == ""
    assert prediction.score == pytest.approx(0.75)
    assert prediction.source == "classifier+rollup_to_genus"


@pytest.mark.parametrize(
    ("category", "expected"),
    [(Category.ANIMAL, ANIMAL), (Category.PERSON, HUMAN), (Category.VEHICLE, VEHICLE)],
)
def test_without_a_classifier_the_detectors_word_counts(category: Category, expected: Taxon) -> None:
    prediction = predict(box(category, 0.42), (), TAXONOMY)

    assert prediction is not None
    assert (prediction.taxon, prediction.score, prediction.source) == (expected, 0.42, "detector")


def test_of_furniture_nothing_is_said() -> None:
    assert predict(box(Category.OTHER), (), TAXONOMY) is None


def test_of_classified_furniture_without_an_answer_nothing_is_said() -> None:
    assert predict(box(Category.OTHER), (Classification(named("red fox"), 0.3),), TAXONOMY) is None


def test_where_the_rules_end_without_an_answer_the_detectors_word_counts() -> None:
    weak = Classification(named("red fox"), 0.3)

    prediction = predict(box(Category.ANIMAL, 0.4), (weak,), TAXONOMY)

    assert prediction == Prediction(ANIMAL, 0.4, "detector", "6")


def test_the_geofence_is_asked() -> None:
    fox = named("red fox")
    fence = Geofence({fox.key: TaxonRules(block={"NZL": frozenset()})}).at("NZL")

    prediction = predict(box(Category.ANIMAL), (Classification(fox, 0.9),), TAXONOMY, fence=fence)

    assert prediction is not None
    assert prediction.taxon.scientific_name == "Canidae"
    assert prediction.source == "classifier+geofence+rollup_to_family"


def test_the_species_list_has_the_last_word_within_the_geofence() -> None:
    wolf, fox = named("grey wolf"), named("red fox")
    fence = Geofence({wolf.key: TaxonRules(block={"GBR": frozenset()})}).at("GBR")
    listed = SpeciesList.of([fox], TAXONOMY, walk="up_and_down")

    prediction = predict(
        box(Category.ANIMAL), (Classification(wolf, 0.9),), TAXONOMY, fence=fence, species_list=listed
    )

    assert prediction is not None
    assert (prediction.taxon, prediction.source) == (
        fox,
        "classifier+geofence+rollup_to_family+species_list",
    )
    assert [restriction.original.scientific_name for restriction in prediction.restrictions] == [
        "Canis lupus",
        "Canidae",
    ]


def test_a_person_stays_a_person_whatever_the_species_list() -> None:
    listed = SpeciesList.of([named("red fox")], TAXONOMY)

    prediction = predict(box(Category.PERSON), (), TAXONOMY, species_list=listed)

    assert prediction is not None
    assert prediction.taxon == HUMAN
