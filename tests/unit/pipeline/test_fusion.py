"""The fusion rule, one clause a test."""

from okapia.domain.types import BBox, Category, Detection
from okapia.pipeline.fusion import fuse

LEFT = BBox(0.1, 0.2, 0.3, 0.4)
RIGHT = BBox(0.6, 0.2, 0.3, 0.4)


def animal(confidence: float, bbox: BBox = LEFT) -> Detection:
    return Detection(bbox, Category.ANIMAL, confidence, "animal")


def coco(category: Category, confidence: float, bbox: BBox = LEFT) -> Detection:
    return Detection(bbox, category, confidence, category.value)


def test_a_weak_animal_of_the_specialist_is_still_returned() -> None:
    assert fuse((animal(0.05),), ()) == (animal(0.05),)


def test_a_person_overrules_an_unsure_animal_at_the_same_place() -> None:
    person = coco(Category.PERSON, 0.5)

    assert fuse((animal(0.6),), (person,)) == (person,)


def test_a_vehicle_overrules_an_animal_inside_it() -> None:
    inside = animal(0.5, BBox(0.15, 0.25, 0.05, 0.05))
    vehicle = coco(Category.VEHICLE, 0.5)

    assert fuse((inside,), (vehicle,)) == (vehicle,)


def test_an_unsure_person_does_not_overrule_an_animal() -> None:
    person = coco(Category.PERSON, 0.3)

    assert fuse((animal(0.6),), (person,)) == (animal(0.6), person)


def test_a_sure_animal_stays_and_removes_the_person_taken_for_it() -> None:
    ape = animal(0.77)

    assert fuse((ape,), (coco(Category.PERSON, 0.63),)) == (ape,)


def test_a_sure_person_beside_a_sure_animal_stays() -> None:
    person = coco(Category.PERSON, 0.9, RIGHT)

    assert fuse((animal(0.8),), (person,)) == (person, animal(0.8))


def test_an_animal_that_only_the_coco_network_sees_is_added() -> None:
    horse = coco(Category.ANIMAL, 0.45, RIGHT)

    assert fuse((animal(0.9),), (horse,)) == (animal(0.9), horse)


def test_a_weak_animal_of_the_coco_network_is_not_added() -> None:
    assert fuse((), (coco(Category.ANIMAL, 0.39),)) == ()


def test_one_animal_seen_by_both_is_one_box() -> None:
    assert fuse((animal(0.6),), (coco(Category.ANIMAL, 0.5),)) == (animal(0.6),)


def test_furniture_is_left_out() -> None:
    assert fuse((), (coco(Category.OTHER, 0.9),)) == ()
