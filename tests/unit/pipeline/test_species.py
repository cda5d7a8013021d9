"""What is said of one box, on the real taxonomy."""

import pytest

from okapia.domain.taxonomy import ANIMAL, HUMAN, VEHICLE, Taxon
from okapia.domain.types import BBox, Category, Classification, Detection
from okapia.models.taxa import builtin_taxonomy
from okapia.pipeline.species import predict

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
