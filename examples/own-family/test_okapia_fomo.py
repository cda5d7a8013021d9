"""The family keeps to the rules of all families; `pip install -e .` first, so that Okapia finds it."""

from pathlib import Path

import numpy as np
import pytest
from fomo_network import make_network

from okapia.domain.types import BBox, Category, Detection
from okapia.models.card import read_card
from okapia.testing import DETECTOR_RULES, DetectorCase, Rule

CARD = read_card(Path(__file__).with_name("deer.toml").read_text(encoding="utf-8"), origin="deer.toml")


def two_deer() -> DetectorCase:
    """One deer in the upper left, one in the lower right; both sides of each fall on whole cells."""
    picture = np.zeros((96, 96, 3), dtype=np.uint8)
    picture[8:24, 8:40] = 255
    picture[48:72, 64:88] = 204
    expected = (
        Detection(BBox.from_corners(8 / 96, 8 / 96, 40 / 96, 24 / 96), Category.ANIMAL, 1.0, "roe deer"),
        Detection(BBox.from_corners(64 / 96, 48 / 96, 88 / 96, 72 / 96), Category.ANIMAL, 0.8, "roe deer"),
    )
    return DetectorCase(CARD, make_network(), picture, expected)


@pytest.mark.parametrize("rule", DETECTOR_RULES)
def test_the_family_keeps_to_the_rules(rule: Rule[DetectorCase]) -> None:
    rule(two_deer())
