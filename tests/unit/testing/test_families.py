"""Every family of this version keeps to the rules that plug-ins are held to."""

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest

import okapia.models
from okapia.domain.types import BBox, Category, Detection, Size
from okapia.models.base import Tensor
from okapia.models.card import ModelCard, Preprocessing, builtin_cards
from okapia.testing import (
    CLASSIFIER_RULES,
    DETECTOR_RULES,
    FACE_READER_RULES,
    ClassifierCase,
    DetectorCase,
    FaceReaderCase,
    Rule,
)
from okapia.vision.resample import Pixels
from tests import networks
from tests.networks import SCORE

CANVAS = 64
SCALE = (255.0, 255.0, 255.0)
STRETCHED = Preprocessing(resize="stretch", interpolation="bilinear", std=SCALE)
LABELS = ("animal", "person", "vehicle")


def card(
    family: str,
    *,
    task: Literal["detector", "classifier", "face_reader"] = "detector",
    labels: Sequence[str] = LABELS,
    activation: Literal["none", "softmax"] = "none",
) -> ModelCard:
    return ModelCard(
        id=f"the-{family}",
        title=family,
        version="1",
        task=task,
        family=family,
        licence="none",
        canvas=(CANVAS, CANVAS),
        labels=tuple(labels),
        categories={"animal": "animal", "person": "person", "vehicle": "vehicle"}
        if task == "detector"
        else {},
        activation=activation,
        preprocessing=STRETCHED,
    )


def bright(family: str, layout: networks.Layout, declared: networks.Shape) -> DetectorCase:
    """A network that finds the bright rectangle, a person."""
    picture = np.zeros((CANVAS, CANVAS, 3), dtype=np.uint8)
    picture[16:48, 8:24] = 255
    network = networks.bright_box(layout, declared, shape=[1, 3, CANVAS, CANVAS])
    return DetectorCase(card(family), network, picture, (person(BBox(0.125, 0.25, 0.25, 0.5), SCORE),))


def always(model: ModelCard, answers: dict[str, Tensor], *expected: Detection) -> DetectorCase:
    """A network that says the same of every picture."""
    width, height = model.canvas
    network = networks.constants(answers, shape=[1, 3, height, width])
    return DetectorCase(model, network, black(model.canvas), expected)


def person(box: BBox, confidence: float) -> Detection:
    return Detection(box, Category.PERSON, confidence, "person")


def black(size: Size) -> Pixels:
    return np.zeros((size[1], size[0], 3), dtype=np.uint8)


def rtdetr() -> DetectorCase:
    rows = np.zeros((1, 300, 7), dtype=np.float32)
    rows[0, 17] = [0.5, 0.25, 0.2, 0.1, 0.0, 0.75, 0.1]
    return always(card("rtdetr"), {"output": rows}, person(BBox(0.4, 0.2, 0.2, 0.1), 0.75))


def yolox() -> DetectorCase:
    """One box at cell (3, 2) of stride 8: centre (28, 20), 16 x 16 pixels."""
    rows = np.zeros((1, 64 + 16 + 4, 8), dtype=np.float32)
    rows[0, 2 * 8 + 3] = [0.5, 0.5, np.log(2), np.log(2), 1.0, 0.0, 0.75, 0.0]
    return always(card("yolox"), {"output": rows}, person(BBox(20 / 64, 12 / 64, 0.25, 0.25), 0.75))


def nanodet() -> DetectorCase:
    """One box around the cell (1, 0) of stride 32, two of eight bins away from its centre on each side."""
    answers = {}
    for stride in (8, 16, 32):
        cells = (CANVAS // stride) ** 2
        answers[f"cls{stride}"] = np.zeros((1, cells, 3), dtype=np.float32)
        answers[f"reg{stride}"] = np.zeros((1, cells, 4 * 8), dtype=np.float32)
    answers["cls16"][0, 5, 1] = 0.75
    distances = np.full((4, 8), -50.0, dtype=np.float32)
    distances[:, 1] = 50.0
    answers["reg16"][0, 5] = distances.ravel()
    # Centre (1.5, 1.5) * 16, one stride to each side.
    return always(card("nanodet"), answers, person(BBox(8 / 64, 8 / 64, 0.5, 0.5), 0.75))


def centerface() -> DetectorCase:
    """One face of 24 x 12 pixels around the middle of the cell (10, 4)."""
    model = card("centerface", labels=["face"])
    heat, size, offset = (np.zeros((1, n, 16, 16), dtype=np.float32) for n in (1, 2, 2))
    heat[0, 0, 4, 10] = 0.75
    size[0, :, 4, 10] = np.log([3, 6])
    face = Detection(BBox(30 / 64, 12 / 64, 24 / 64, 12 / 64), Category.OTHER, 0.75, "face")
    return always(model, {"heat": heat, "size": size, "offset": offset}, face)


DETECTORS = (
    bright("yolov5", networks.yolov5_layout(3, winner=1), [1, 2, 8]),
    bright("yolo", networks.yolo_layout(3, winner=1), [1, 7, 1]),
    bright("yolo_e2e", networks.yolo_e2e_layout(winner=1), ["n", 6]),
    bright("rtdetr_topk", networks.rtdetr_topk_layout((CANVAS, CANVAS), winner=1), ["n", 6]),
    rtdetr(),
    yolox(),
    nanodet(),
    centerface(),
)
CLASSIFIER = ClassifierCase(
    card(
        "classifier",
        task="classifier",
        labels=["domestic cat", "red fox", "brown bear"],
        activation="softmax",
    ),
    networks.mean_colour(shape=["N", 3, CANVAS, CANVAS], gain=8.0),
    np.full((40, 60, 3), (0, 255, 0), dtype=np.uint8),
    "red fox",
)
READER = FaceReaderCase(
    card("gender", task="face_reader", labels=["man"]),
    networks.brightness(shape=["N", 3, CANVAS, CANVAS]),
    np.full((60, 50, 3), 204, dtype=np.uint8),
    0.8,
)


def family(case: DetectorCase) -> str:
    return case.card.family


@pytest.mark.parametrize("rule", DETECTOR_RULES)
@pytest.mark.parametrize("case", DETECTORS, ids=family)
def test_a_detector_family_keeps_to_the_rules(case: DetectorCase, rule: Rule[DetectorCase]) -> None:
    rule(case)


@pytest.mark.parametrize("rule", CLASSIFIER_RULES)
def test_the_classifier_family_keeps_to_the_rules(rule: Rule[ClassifierCase]) -> None:
    rule(CLASSIFIER)


@pytest.mark.parametrize("rule", FACE_READER_RULES)
def test_the_family_of_face_readers_keeps_to_the_rules(rule: Rule[FaceReaderCase]) -> None:
    rule(READER)


def test_no_family_is_left_out() -> None:
    names = [module.name for module in pkgutil.iter_modules(okapia.models.__path__)]
    families = {name for name in names if hasattr(importlib.import_module(f"okapia.models.{name}"), "build")}

    assert {case.card.family for case in (*DETECTORS, CLASSIFIER, READER)} == families
    assert {one.family for one in builtin_cards().values()} <= families
