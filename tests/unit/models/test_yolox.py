"""Decoding of raw YOLOX outputs, against closed forms."""

import numpy as np
import pytest

from okapia.domain.models import ModelReport
from okapia.domain.types import Category
from okapia.models.base import Tensor
from okapia.models.card import builtin_cards
from okapia.models.yolox import YoloxDetector, decode

CANVAS = 64
ANCHORS = 8 * 8 + 4 * 4 + 2 * 2
CARD = builtin_cards()["megadetector-lite"]
REPORT = ModelReport("megadetector-lite", "detector", (64, 64), "test", "cpu", "f32", "0" * 64)


class FixedSession:
    """Answers the same rows to every input."""

    input_shape = (None, 3, None, None)
    engine = "test"
    device = "cpu"
    precision = "f32"

    def __init__(self, rows: Tensor) -> None:
        self._rows = rows

    def run(self, batch: Tensor) -> dict[str, Tensor]:
        assert batch.shape == (1, 3, CANVAS, CANVAS)
        return {"output": self._rows[None]}


def quiet() -> Tensor:
    return np.zeros((ANCHORS, 6), dtype=np.float32)


def detector(rows: Tensor) -> YoloxDetector:
    return YoloxDetector(CARD, FixedSession(rows), canvas=(CANVAS, CANVAS), report=REPORT)


def test_a_raw_row_becomes_a_box_around_its_cell() -> None:
    # Cell (x=3, y=2) of stride 8: centre ((3 + 0.5) * 8, (2 + 0.5) * 8), size e^0 * 8.
    raw = np.array([[0.5, 0.5, 0.0, 0.0]], dtype=np.float32)

    corners = decode(raw, np.array([2 * 8 + 3]), canvas=(CANVAS, CANVAS))

    assert corners[0].tolist() == pytest.approx([24, 16, 32, 24])


def test_strides_follow_one_another() -> None:
    raw = np.zeros((3, 4), dtype=np.float32)

    corners = decode(raw, np.array([0, 64, 80]), canvas=(CANVAS, CANVAS))

    assert (corners[:, 2] - corners[:, 0]).tolist() == pytest.approx([8, 16, 32])


def test_score_is_objectness_times_class_and_boxes_are_fractions() -> None:
    rows = quiet()
    rows[2 * 8 + 3] = [0.5, 0.5, np.log(2), np.log(2), 0.9, 0.5]
    picture = np.zeros((CANVAS // 2, CANVAS, 3), dtype=np.uint8)

    (found,) = detector(rows).detect(picture)

    assert found.confidence == pytest.approx(0.45)
    assert found.category is Category.ANIMAL
    assert (found.bbox.x_min, found.bbox.width) == pytest.approx((20 / 64, 16 / 64))
    assert (found.bbox.y_min, found.bbox.height) == pytest.approx((12 / 32, 16 / 32))


def test_scores_below_the_floor_are_no_boxes() -> None:
    rows = quiet()
    rows[5, 4:] = [0.09, 0.1]

    assert detector(rows).detect(np.zeros((CANVAS, CANVAS, 3), dtype=np.uint8)) == ()


def test_two_boxes_on_one_animal_become_one() -> None:
    rows = quiet()
    rows[18] = [0.5, 0.5, 1.0, 1.0, 0.9, 0.9]
    rows[19] = [-0.4, 0.5, 1.0, 1.0, 0.8, 0.9]

    found = detector(rows).detect(np.zeros((CANVAS, CANVAS, 3), dtype=np.uint8))

    assert [d.confidence for d in found] == pytest.approx([0.81])
