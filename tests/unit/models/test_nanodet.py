"""Decoding of NanoDet's distributions, against closed forms."""

import numpy as np
import pytest

from okapia.domain.models import ModelReport
from okapia.domain.types import Category
from okapia.models.base import Tensor
from okapia.models.card import builtin_cards
from okapia.models.nanodet import NanoDetDetector, expected_distances

CARD = builtin_cards()["nanodet-coco"]
REPORT = ModelReport("nanodet-coco", "detector", (416, 416), "test", "cpu", "f32", "0" * 64)
CANVAS = 416


class FixedSession:
    """Answers one box of one class at a cell of stride 32."""

    input_shape = (1, 3, CANVAS, CANVAS)
    engine = "test"
    device = "cpu"
    precision = "f32"

    def run(self, batch: Tensor) -> dict[str, Tensor]:
        assert batch.shape == self.input_shape
        outputs = {}
        for stride in (8, 16, 32):
            cells = (CANVAS // stride) ** 2
            outputs[f"cls{stride}"] = np.zeros((1, cells, 80), dtype=np.float32)
            outputs[f"reg{stride}"] = np.zeros((1, cells, 44), dtype=np.float32)
        cell = 6 * 13 + 4
        outputs["cls32"][0, cell, 2] = 0.8
        sharp = np.full((4, 11), -50.0, dtype=np.float32)
        sharp[[0, 1, 2, 3], [1, 2, 3, 4]] = 50.0
        outputs["reg32"][0, cell] = sharp.ravel()
        return outputs


def test_a_flat_distribution_expects_the_middle() -> None:
    assert expected_distances(np.zeros((1, 44), dtype=np.float32))[0].tolist() == pytest.approx([5] * 4)


def test_a_car_is_found_where_its_distances_point() -> None:
    detector = NanoDetDetector(CARD, FixedSession(), canvas=(CANVAS, CANVAS), report=REPORT)

    (car,) = detector.detect(np.zeros((CANVAS, CANVAS, 3), dtype=np.uint8))

    # Centre (4.5, 6.5) * 32; distances left 1, top 2, right 3, bottom 4 strides.
    assert (car.label, car.category) == ("car", Category.VEHICLE)
    assert car.bbox.x_min == pytest.approx(3.5 * 32 / CANVAS)
    assert car.bbox.y_min == pytest.approx(4.5 * 32 / CANVAS)
    assert car.bbox.x_max == pytest.approx(7.5 * 32 / CANVAS)
    assert car.bbox.y_max == pytest.approx(10.5 * 32 / CANVAS)
