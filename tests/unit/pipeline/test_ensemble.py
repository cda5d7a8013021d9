"""SpeciesNet's decision list: a test a rule, then its edges and what is no input."""

from dataclasses import replace
from math import nan

import pytest

from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import ANIMAL, BLANK, HUMAN, UNKNOWN, VEHICLE, Rank, Taxon
from okapia.domain.types import Category, Detection, Prediction, RangeRule, Restriction
from okapia.pipeline.ensemble import (
    classifications_of,
    decide,
    picture_prediction,
    top_detection,
)
from okapia.pipeline.geofence import OPEN, Fence, Geofence, TaxonRules
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
    animal,
    box,
    person,
    seen,
    vehicle,
)

NO_LION_IN_FRANCE = Geofence({LION.key: TaxonRules(block={"FRA": frozenset()})})


def answer(
    detection: Detection | None, *classes: tuple[Taxon, float], fence: Fence = OPEN
) -> tuple[Taxon, float, str, str]:
    """Taxon, score (sums are rounded), source and rule."""
    prediction = decide(detection, seen(*classes), taxonomy=TAXONOMY, fence=fence)
    return prediction.taxon, round(prediction.score, 9), prediction.source, prediction.decision


# --- the rules of speciesnet.md 7, in their order -------------------------------------


def test_rule_1a_a_sure_human_box_is_human() -> None:
    assert answer(person(0.71), (LION, 0.99)) == (HUMAN, 0.71, "detector", "1a")


@pytest.mark.parametrize("best", [HUMAN, VEHICLE])
def test_rule_1b_a_possible_human_box_with_a_likely_human_or_vehicle_is_human(best: Taxon) -> None:
    assert answer(person(0.3), (best, 0.51)) == (HUMAN, 0.51, "classifier", "1b")


def test_rule_2a_a_vehicle_box_with_a_likely_human_is_human_even_when_the_box_is_sure() -> None:
    assert answer(vehicle(0.9), (HUMAN, 0.51)) == (HUMAN, 0.51, "classifier", "2a")


def test_rule_2b_a_sure_vehicle_box_is_a_vehicle() -> None:
    assert answer(vehicle(0.71), (LION, 0.99)) == (VEHICLE, 0.71, "detector", "2b")


def test_rule_2c_a_possible_vehicle_box_with_a_vehicle_is_a_vehicle() -> None:
    assert answer(vehicle(0.3), (VEHICLE, 0.41)) == (VEHICLE, 0.41, "classifier", "2c")


@pytest.mark.parametrize("detection", [None, animal(0.19), person(0.19)])
def test_rule_3a_without_a_possible_box_a_likely_blank_is_blank(detection: Detection | None) -> None:
    assert answer(detection, (BLANK, 0.51)) == (BLANK, 0.51, "classifier", "3a")


def test_rule_3b_an_all_but_certain_blank_is_blank_whatever_the_box() -> None:
    assert answer(animal(0.95), (BLANK, 0.991)) == (BLANK, 0.991, "classifier", "3b")


@pytest.mark.parametrize(
    "detection", [None, animal(0.1), person(0.6), vehicle(0.6), box(Category.OTHER, 1.0)]
)
def test_rule_4a_a_sure_species_is_the_answer_whatever_the_box(detection: Detection | None) -> None:
    assert answer(detection, (LION, 0.81)) == (LION, 0.81, "classifier", "4a")


def test_rule_4b_a_certain_species_in_a_possible_animal_box_is_the_answer() -> None:
    assert answer(animal(0.21), (LION, 0.66)) == (LION, 0.66, "classifier", "4b")


@pytest.mark.parametrize(
    ("classes", "expected", "rank"),
    [
        (((BROWN_BEAR, 0.4), (POLAR_BEAR, 0.3)), URSUS, "genus"),
        (((LION, 0.4), (PUMA, 0.3)), CATS, "family"),
        (((LION, 0.4), (BROWN_BEAR, 0.3)), CARNIVORE, "order"),
        (((LION, 0.4), (MAMMAL, 0.3)), MAMMAL, "class"),
        (((LION, 0.4), (BIRD, 0.3)), ANIMAL, "kingdom"),
    ],
)
def test_rule_5a_scores_that_add_up_are_answered_with_what_they_share(
    classes: tuple[tuple[Taxon, float], ...], expected: Taxon, rank: str
) -> None:
    assert answer(animal(0.9), *classes) == (expected, 0.7, f"classifier+rollup_to_{rank}", "5a")


def test_rule_5b_a_likely_animal_box_is_an_animal() -> None:
    assert answer(animal(0.51), (LION, 0.3)) == (ANIMAL, 0.51, "detector", "5b")


def test_rule_6_whatever_is_left_is_unknown() -> None:
    assert answer(animal(0.3), (LION, 0.3)) == (UNKNOWN, 0.3, "classifier", "6")


def test_geofence_step_a_species_that_is_fenced_out_rolls_up_to_its_family() -> None:
    fence = NO_LION_IN_FRANCE.at("FRA")

    assert answer(animal(0.9), (LION, 0.9), fence=fence) == (
        CATS,
        0.9,
        "classifier+geofence+rollup_to_family",
        "4a",
    )


# --- strict comparisons ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("detection", "classes", "expected"),
    [
        (person(0.7), (HUMAN, 0.3), (UNKNOWN, 0.3, "classifier", "6")),
        (person(0.2), (HUMAN, 0.6), (UNKNOWN, 0.6, "classifier", "6")),
        (person(0.3), (VEHICLE, 0.5), (UNKNOWN, 0.5, "classifier", "6")),
        (vehicle(0.2), (HUMAN, 0.6), (UNKNOWN, 0.6, "classifier", "6")),
        (vehicle(0.7), (LION, 0.3), (UNKNOWN, 0.3, "classifier", "6")),
        (vehicle(0.3), (VEHICLE, 0.4), (UNKNOWN, 0.4, "classifier", "6")),
        (animal(0.1), (BLANK, 0.5), (UNKNOWN, 0.5, "classifier", "6")),
        (animal(0.2), (BLANK, 0.99), (UNKNOWN, 0.99, "classifier", "6")),
        (animal(0.6), (BLANK, 0.99), (ANIMAL, 0.6, "detector", "5b")),
        (animal(0.5), (LION, 0.1), (UNKNOWN, 0.1, "classifier", "6")),
        (animal(0.9), (LION, 0.65), (ANIMAL, 0.9, "detector", "5b")),
        (animal(0.2), (LION, 0.66), (PANTHERA, 0.66, "classifier+rollup_to_genus", "5a")),
        (None, (LION, 0.8), (PANTHERA, 0.8, "classifier+rollup_to_genus", "5a")),
    ],
)
def test_a_value_that_equals_its_threshold_does_not_pass(
    detection: Detection, classes: tuple[Taxon, float], expected: tuple[Taxon, float, str, str]
) -> None:
    assert answer(detection, classes) == expected


def test_sums_that_equal_the_threshold_do_not_pass() -> None:
    assert answer(animal(0.1), (LION, 0.5), (PANTHERA, 0.15)) == (UNKNOWN, 0.5, "classifier", "6")


def test_only_the_five_best_classes_count() -> None:
    weak = [(BIRD, 0.15)] * 5

    assert answer(animal(0.1), (LION, 0.2), *weak[:4]) == (ANIMAL, 0.8, "classifier+rollup_to_kingdom", "5a")
    assert answer(animal(0.1), (BLANK, 0.2), *weak) == (UNKNOWN, 0.2, "classifier", "6")


# --- the geofence in the list ---------------------------------------------------------


def test_a_fenced_out_species_says_what_it_was_and_why() -> None:
    prediction = decide(
        animal(0.9), seen((LION, 0.7)), taxonomy=TAXONOMY, fence=NO_LION_IN_FRANCE.at("FRA", None)
    )

    assert prediction.restrictions == (Restriction(RangeRule.BLOCK, LION, Rank.FAMILY, "FRA", None),)


def test_a_roll_up_says_what_would_have_been_the_answer_elsewhere() -> None:
    fence = Geofence({URSUS.key: TaxonRules(allow={"CAN": frozenset()})}).at("FRA")

    prediction = decide(
        animal(0.9), seen((BROWN_BEAR, 0.4), (POLAR_BEAR, 0.3)), taxonomy=TAXONOMY, fence=fence
    )

    assert (prediction.taxon, prediction.source) == (BEARS, "classifier+rollup_to_family")
    assert prediction.restrictions == (Restriction(RangeRule.ALLOW, URSUS, Rank.FAMILY, "FRA", None),)


def test_where_the_geofence_changes_nothing_nothing_is_said_of_it() -> None:
    prediction = decide(
        animal(0.9),
        seen((BROWN_BEAR, 0.4), (POLAR_BEAR, 0.3)),
        taxonomy=TAXONOMY,
        fence=NO_LION_IN_FRANCE.at("FRA"),
    )

    assert (prediction.taxon, prediction.restrictions) == (URSUS, ())


@pytest.mark.parametrize(
    ("detection", "classes"),
    [(person(0.9), (LION, 0.9)), (None, (BLANK, 0.9)), (animal(0.9), (BLANK, 0.6)), (animal(0.9), (LION, 0))],
)
def test_a_bad_place_is_no_matter_where_no_animal_is_looked_up(
    detection: Detection | None, classes: tuple[Taxon, float]
) -> None:
    prediction = decide(
        detection, seen(classes), taxonomy=TAXONOMY, fence=NO_LION_IN_FRANCE.at("FR", "Provence")
    )

    assert prediction.restrictions == ()


@pytest.mark.parametrize("score", [0.9, 0.3])
def test_a_bad_place_is_an_error_where_an_animal_is_looked_up(score: float) -> None:
    with pytest.raises(InvalidRequest, match="three-letter code"):
        decide(animal(0.9), seen((LION, score)), taxonomy=TAXONOMY, fence=NO_LION_IN_FRANCE.at("FR"))


# --- classifiers of every kind --------------------------------------------------------


def test_a_classifier_without_blank_human_and_vehicle_answers_too() -> None:
    assert answer(person(0.6), (LION, 0.5), (PUMA, 0.2)) == (CATS, 0.7, "classifier+rollup_to_family", "5a")


def test_a_classifier_that_saw_nothing_leaves_the_box() -> None:
    assert answer(animal(0.6)) == (ANIMAL, 0.6, "detector", "5b")
    assert answer(None) == (UNKNOWN, 0.0, "classifier", "6")


def test_scores_need_not_sum_to_one() -> None:
    assert answer(animal(0.9), (LION, 0.6), (PUMA, 0.6)) == (CATS, 1.0, "classifier+rollup_to_family", "5a")


def test_a_label_that_the_taxonomy_knows_by_its_key_only_rolls_up_too() -> None:
    other = Taxon("15ecc823-cbf1-4ada-bc5d-fc5a69cf1574", *LION.key, common_name="lion")

    assert answer(animal(0.9), (other, 0.4), (LION, 0.3))[:2] == (PANTHERA, 0.7)
    assert answer(animal(0.9), (other, 0.9))[:2] == (other, 0.9)


@pytest.mark.parametrize("scores", [(nan, 0.1), (0.5, nan), (1.1, 0.1), (0.5, -0.1), (12.0, 3.0), (0.3, 0.4)])
def test_scores_that_are_none_or_not_best_first_are_refused(scores: tuple[float, float]) -> None:
    with pytest.raises(InvalidRequest, match=r"expected scores of 0\.\.1, best first, got"):
        answer(animal(0.9), (LION, scores[0]), (PUMA, scores[1]))


@pytest.mark.parametrize("confidence", [nan, -0.1, 99.69])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    with pytest.raises(InvalidRequest, match=r"confidence of 0\.\.1"):
        answer(animal(confidence), (LION, 0.3))


# --- one answer a picture, one a box --------------------------------------------------


def test_a_picture_is_judged_by_its_most_confident_box_whatever_it_shows() -> None:
    boxes = [animal(0.3), person(0.8), vehicle(0.8)]

    assert top_detection(boxes) is boxes[1]
    assert top_detection([]) is None


def test_the_answer_for_a_picture_is_that_of_the_most_confident_classified_box() -> None:
    lion = Prediction(LION, 0.9, "classifier", "4a")
    puma = Prediction(PUMA, 0.9, "classifier", "4a")
    boxes = [
        person(0.9),
        replace(animal(0.7), classifications=seen((LION, 0.9)), prediction=lion),
        replace(animal(0.6), classifications=seen((PUMA, 0.9)), prediction=puma),
    ]

    assert picture_prediction(boxes) is lion


def test_no_box_is_blank_by_the_whole_picture_and_nothing_by_boxes() -> None:
    assert answer(None, (BLANK, 0.9)) == (BLANK, 0.9, "classifier", "3a")
    assert picture_prediction([]) is None


def test_a_file_pairs_classes_with_scores() -> None:
    assert classifications_of([LION.label, BLANK.label], [0.6, 0.2]) == seen((LION, 0.6), (BLANK, 0.2))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([LION.label], "got 1 classes and 2 scores"),
        ([LION.label, "puma"], "expected the 7 parts"),
    ],
)
def test_classes_that_do_not_fit_the_scores_are_refused(labels: list[str], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        classifications_of(labels, [0.6, 0.2])
