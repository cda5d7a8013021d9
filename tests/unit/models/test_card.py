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
    assert all(card.allows(card.canvas) for card in cards.values())
    assert all(card.licence for card in cards.values())


def test_the_lite_profile_names_cards_that_exist() -> None:
    assert set(PROFILES["lite"].model_ids) <= set(builtin_cards())


@pytest.mark.parametrize("model_id", PROFILES["faces"].model_ids)
def test_the_pack_of_faces_is_pulled_as_one_and_says_first_what_it_is(model_id: str) -> None:
    card = builtin_cards()[model_id]

    assert card.pull_command == "okapia models pull faces"
    assert "GDPR" in card.notice


def test_a_model_of_no_pack_is_pulled_by_its_id() -> None:
    assert builtin_cards()["nanodet-coco"].pull_command == "okapia models pull nanodet-coco"


def test_a_minimal_card_is_enough() -> None:
    card = read_card(SMALL, origin="stoat.toml")

    assert (card.id, card.canvas) == ("stoat", (64, 64))


def test_numbers_stand_for_squares_and_for_all_channels() -> None:
    card = read_card(
        SMALL.replace("canvas = 64\ncanvases = [64]", "canvas = [64, 48]") + "pad_value = 114\nstd = 255",
        origin="stoat.toml",
    )

    assert card.canvas == (64, 48)
    assert (card.preprocessing.pad_value, card.preprocessing.std) == ((114,) * 3, (255,) * 3)
    assert card.input_shape(card.canvas) == (1, 3, 48, 64)


def test_a_network_with_open_sides_has_none_in_its_shape() -> None:
    card = read_card(SMALL.replace('"letterbox"', '"min_max"'), origin="stoat.toml")

    assert card.input_shape(card.canvas) == (1, 3, None, None)


CLASSIFIER = SMALL.replace('"detector"', '"classifier"').replace('"letterbox"', '"crop"')


@pytest.mark.parametrize(
    ("crop", "fault"),
    [
        ("resize_size = 64", ""),
        ('resize_size = 80\nresize_mode = "shorter_side"\ncenter_crop = 64', ""),
        ('resize_size = 64\nresize_mode = "shorter_side"\npre_crop_square = true', ""),
        ('resize_size = 64\nresize_mode = "shorter_side"', "needs pre_crop_square or center_crop"),
        ("resize_size = 64\ncenter_crop = 80", "larger than what is resized"),
        ("resize_size = 80", r"crop gives \(80, 80\), the canvas is \(64, 64\)"),
    ],
)
def test_the_steps_of_crop_have_to_end_at_the_canvas(crop: str, fault: str) -> None:
    text = f"{CLASSIFIER}[preprocessing.crop]\n{crop}\n"

    if fault:
        with pytest.raises(ModelError, match=fault):
            read_card(text, origin="stoat.toml")
    else:
        assert read_card(text, origin="stoat.toml").preprocessing.crop is not None


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("canvas = 64", "canvas = 128", "does not hold the default canvas"),
        ('"letterbox"', '"crop"', "section `crop`"),
        ('labels = ["animal"]', 'labels = "imagenet-animals.csv"', "labels are a list"),
        ('task = "detector"', 'task = "face_reader"', "whose label is 'man'"),
        ('task = "detector"', 'task = "classifier"\nactivation = "sigmoid"', "needs a confidence_threshold"),
    ],
)
def test_facts_that_contradict_each_other_are_refused(old: str, new: str, fault: str) -> None:
    with pytest.raises(ModelError, match=fault):
        read_card(SMALL.replace(old, new, 1), origin="stoat.toml")


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
