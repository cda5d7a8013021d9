"""Boxes and analyses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.types import Analysis, BBox, Category, Detection, Gender, GenderWord, ImageInfo

sides = st.floats(min_value=-0.5, max_value=1.5)


@given(sides, sides, sides, sides)
def test_a_box_made_from_corners_lies_inside_the_image(a: float, b: float, c: float, d: float) -> None:
    box = BBox.from_corners(a, b, c, d)

    assert 0 <= box.x_min <= box.x_max <= 1 + 1e-12
    assert 0 <= box.y_min <= box.y_max <= 1 + 1e-12


def test_iou_of_two_half_overlapping_boxes_is_a_third() -> None:
    left = BBox(0.0, 0.0, 0.4, 0.4)
    right = BBox(0.2, 0.0, 0.4, 0.4)

    assert left.iou(right) == pytest.approx(1 / 3)


def test_iou_of_empty_boxes_is_zero() -> None:
    point = BBox(0.5, 0.5, 0.0, 0.0)

    assert point.iou(point) == 0.0


def test_a_small_box_inside_a_large_one_is_fully_covered() -> None:
    small = BBox(0.4, 0.4, 0.1, 0.1)

    assert small.covered_by(BBox(0.0, 0.0, 1.0, 1.0)) == pytest.approx(1.0)


def test_a_view_above_a_threshold_keeps_what_reaches_it() -> None:
    boxes = tuple(Detection(BBox(0, 0, 1, 1), Category.ANIMAL, score, "animal") for score in (0.9, 0.2, 0.19))
    analysis = Analysis(ImageInfo(10, 10, "JPEG", 100), boxes)

    view = analysis.above(0.2)

    assert [d.confidence for d in view.detections] == [0.9, 0.2]
    assert view.categories() == {Category.ANIMAL}


@pytest.mark.parametrize(
    ("man", "word", "confidence"),
    [
        (0.0, GenderWord.WOMAN, 1.0),
        (0.34, GenderWord.WOMAN, 0.66),
        (0.35, GenderWord.UNKNOWN, 0.65),
        (0.5, GenderWord.UNKNOWN, 0.5),
        (0.65, GenderWord.UNKNOWN, 0.65),
        (0.66, GenderWord.MAN, 0.66),
        (1.0, GenderWord.MAN, 1.0),
    ],
)
def test_a_guess_in_the_middle_band_is_unknown(man: float, word: GenderWord, confidence: float) -> None:
    gender = Gender(man)

    assert gender.word is word
    assert gender.confidence == pytest.approx(confidence)
