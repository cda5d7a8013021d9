"""Cards are checked when they are read."""

import pytest

from okapia.domain.errors import ModelError
from okapia.models.card import PROFILES, builtin_cards, read_card

SMALL = """
id = "stoat"
title = "Stoat"
version = "1"
task = "detector"
family = "yolox"
licence = "MIT"
citation = "nobody"
canvas = 64
canvases = [64]
labels = ["animal"]
[preprocessing]
resize = "letterbox"
"""


def test_the_builtin_cards_are_whole() -> None:
    cards = builtin_cards()

    assert {"megadetector-lite", "nanodet-coco", "efficientnet-lite0"} <= set(cards)
    assert all(card.canvas in card.canvases for card in cards.values())
    assert all(card.licence for card in cards.values())


def test_profiles_name_cards_that_exist() -> None:
    cards = builtin_cards()

    assert all(model_id in cards for choice in PROFILES.values() for model_id in choice.model_ids)


def test_a_minimal_card_is_enough() -> None:
    assert read_card(SMALL, origin="stoat.toml").id == "stoat"


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('colour = "brown"', "colour"),
        ('task = "guess"', "stoat.toml"),
        ("nms_iou = 2.0", "nms_iou"),
        ("canvas = [", "stoat.toml"),
    ],
    ids=["unknown key", "key twice", "out of range", "not TOML"],
)
def test_a_bad_card_is_refused_and_named(line: str, word: str) -> None:
    with pytest.raises(ModelError, match=word):
        read_card(line + "\n" + SMALL, origin="stoat.toml")
