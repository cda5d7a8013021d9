"""How boxes of tiles are merged: the rule, one clause a test, and what holds whatever a detector says."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.types import BBox, Category, Detection
from okapia.pipeline.tiles import MAX_DETECTIONS, SAME_IOU, Seen, Tiled, merge
from tests.unit.pipeline.blobs import WHOLE, ScriptedDetector, animal, scene

LEFT_TILE = BBox(0.0, 0.0, 0.6, 1.0)
RIGHT_TILE = BBox(0.4, 0.0, 0.6, 1.0)


def test_a_part_makes_the_whole_as_sure_as_itself() -> None:
    whole = animal(0.3, BBox(0.2, 0.2, 0.6, 0.6))
    part = animal(0.8, BBox(0.2, 0.2, 0.39, 0.6))

    assert merge([Seen(whole, WHOLE), Seen(part, LEFT_TILE)]) == (replace(whole, confidence=0.8),)


def test_noise_around_a_sure_part_does_not_swallow_it() -> None:
    noise = animal(0.02, BBox(0.0, 0.0, 1.0, 0.9))
    part = animal(0.8, BBox(0.3, 0.3, 0.3, 0.2))

    assert merge([Seen(noise, WHOLE), Seen(part, LEFT_TILE)]) == (part, noise)


def test_a_box_at_the_border_of_the_picture_is_not_cut() -> None:
    assert not Seen(animal(0.5, BBox(0.0, 0.0, 0.2, 1.0)), LEFT_TILE).is_cut
    assert not Seen(animal(0.5, BBox(0.8, 0.0, 0.2, 1.0)), RIGHT_TILE).is_cut
    assert Seen(animal(0.5, BBox(0.3, 0.3, 0.3, 0.2)), LEFT_TILE).is_cut
    assert Seen(animal(0.5, BBox(0.4, 0.3, 0.3, 0.2)), RIGHT_TILE).is_cut


def test_two_parts_that_do_not_meet_are_not_joined() -> None:
    upper = animal(0.8, BBox(0.2, 0.1, 0.4, 0.1))
    lower = animal(0.7, BBox(0.4, 0.7, 0.4, 0.1))

    assert merge([Seen(upper, LEFT_TILE), Seen(lower, RIGHT_TILE)]) == (upper, lower)


def test_a_person_and_an_animal_at_one_place_stay_two() -> None:
    bbox = BBox(0.2, 0.2, 0.39, 0.6)
    rider = Detection(bbox, Category.PERSON, 0.8, "person")

    assert merge([Seen(animal(0.9, bbox), WHOLE), Seen(rider, LEFT_TILE)]) == (animal(0.9, bbox), rider)


def test_two_names_of_one_animal_are_one_box() -> None:
    bbox = BBox(0.2, 0.2, 0.1, 0.1)
    dog = Detection(bbox, Category.ANIMAL, 0.5, "dog")

    assert merge([Seen(animal(0.9, bbox), WHOLE), Seen(dog, LEFT_TILE)]) == (animal(0.9, bbox),)


def test_things_without_a_category_are_told_apart_by_their_names() -> None:
    bbox = BBox(0.2, 0.2, 0.1, 0.1)
    chair = Detection(bbox, Category.OTHER, 0.9, "chair")
    bench = Detection(bbox, Category.OTHER, 0.5, "bench")

    assert merge([Seen(chair, WHOLE), Seen(bench, LEFT_TILE)]) == (chair, bench)


def test_a_small_animal_before_a_large_one_stays() -> None:
    cow = Seen(animal(0.9, BBox(0.1, 0.1, 0.8, 0.8)), WHOLE)
    bird = Seen(animal(0.4, BBox(0.15, 0.2, 0.05, 0.05)), LEFT_TILE)

    assert len(merge([cow, bird])) == 2


def test_at_most_the_usual_number_of_boxes_is_given() -> None:
    places = [BBox(x / 20, y / 20, 0.02, 0.02) for x in range(20) for y in range(20)]
    crowd = [animal(0.02 + place / 1000, bbox) for place, bbox in enumerate(places)]

    found = Tiled(ScriptedDetector([crowd, [], [], [], []])).detect(scene())

    assert found == tuple(sorted(crowd, key=lambda d: d.confidence, reverse=True))[:MAX_DETECTIONS]


_fractions = st.floats(0, 1)
_boxes = st.builds(
    lambda x, y: BBox.from_corners(min(x), min(y), max(x), max(y)),
    st.tuples(_fractions, _fractions),
    st.tuples(_fractions, _fractions),
)
_detections = st.builds(
    lambda bbox, category, confidence: Detection(bbox, category, confidence, category.value),
    _boxes,
    st.sampled_from(Category),
    st.floats(0.01, 1),
)


@given(answers=st.lists(st.lists(_detections, max_size=6), min_size=5, max_size=5))
def test_any_answers_are_merged_into_boxes_on_the_picture_without_doubles(
    answers: list[list[Detection]],
) -> None:
    found = Tiled(ScriptedDetector(answers)).detect(scene())

    sides = [side for d in found for side in (d.bbox.x_min, d.bbox.y_min, d.bbox.x_max, d.bbox.y_max)]
    assert all(0 <= side <= 1 + 1e-9 for side in sides)
    assert [d.confidence for d in found] == sorted((d.confidence for d in found), reverse=True)
    pairs = [(a, b) for a, b in combinations(found, 2) if a.category is b.category]
    assert all(a.bbox.iou(b.bbox) <= SAME_IOU + 1e-9 for a, b in pairs)


@given(answers=st.lists(st.lists(_detections, max_size=6), min_size=5, max_size=5))
def test_merging_loses_no_category_and_none_of_its_confidence(answers: list[list[Detection]]) -> None:
    found = Tiled(ScriptedDetector(answers)).detect(scene())

    said = [detection for answer in answers for detection in answer]
    assert _surest(said) == _surest(found)


def _surest(detections: Sequence[Detection]) -> dict[Category, float]:
    return {d.category: max(o.confidence for o in detections if o.category is d.category) for d in detections}
