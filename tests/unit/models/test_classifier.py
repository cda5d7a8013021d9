"""Classifiers against a network that answers with the mean of each channel."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from okapia.domain.errors import ModelError
from okapia.domain.models import ModelReport
from okapia.domain.types import BBox
from okapia.models.card import CropResize, ModelCard, Preprocessing, View
from okapia.models.classifier import ScoreClassifier
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.vision.resample import Pixels
from tests import networks
from tests.networks import Shape

RUNTIME = Runtime(EngineChoice(), load=Load(), cores=1)
LABELS = ("red fox", "brown bear", "domestic cat")
SCALE = (255.0, 255.0, 255.0)
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


def card(
    recipe: Preprocessing,
    *,
    labels: tuple[str, ...] = LABELS,
    activation: Literal["none", "softmax", "sigmoid"] = "softmax",
    threshold: float | None = None,
    view: View | None = None,
) -> ModelCard:
    return ModelCard(
        id="generated",
        title="generated",
        version="1",
        task="classifier",
        family="classifier",
        licence="none",
        canvas=(224, 224),
        labels=labels,
        activation=activation,
        confidence_threshold=threshold,
        preprocessing=recipe,
        view=view or View(),
    )


def classifier(network: bytes, model: ModelCard, folder: Path) -> ScoreClassifier:
    file = folder / "network.onnx"
    file.write_bytes(network)
    session = RUNTIME.open(file, model.input_shape(model.canvas))
    report = ModelReport(model.id, "classifier", model.canvas, "", "", "", "0")
    return ScoreClassifier(model, session, canvas=model.canvas, report=report)


def coloured(red: int, green: int, blue: int) -> Pixels:
    return np.full((100, 150, 3), (red, green, blue), dtype=np.uint8)


def softmax(*logits: float) -> list[float]:
    powers = np.exp(np.array(logits) - max(logits))
    return [float(share) for share in powers / powers.sum()]


@pytest.mark.parametrize(("layout", "shape"), [("nchw", ["N", 3, 224, 224]), ("nhwc", ["N", 224, 224, 3])])
def test_logits_become_probabilities_in_either_layout(
    layout: Literal["nchw", "nhwc"], shape: Shape, tmp_path: Path
) -> None:
    recipe = Preprocessing(resize="stretch", layout=layout, std=SCALE)
    model = classifier(networks.mean_colour(shape=shape, gain=3.0), card(recipe), tmp_path)

    (scores,) = model.classify([coloured(255, 51, 0)])

    assert [c.taxon.common_name for c in scores] == ["red fox", "brown bear", "domestic cat"]
    assert [c.score for c in scores] == pytest.approx(softmax(3.0, 0.6, 0.0), abs=1e-4)


def test_imagenet_normalisation_and_bgr_reach_the_network(tmp_path: Path) -> None:
    recipe = Preprocessing(resize="stretch", channels="bgr", mean=IMAGENET_MEAN[::-1], std=IMAGENET_STD[::-1])
    model = classifier(networks.mean_colour(), card(recipe), tmp_path)

    (scores,) = model.classify([coloured(10, 20, 250)])

    values = [(250 - 103.53) / 57.375, (20 - 116.28) / 57.12, (10 - 123.675) / 58.395]
    by_name = {c.taxon.common_name: c.score for c in scores}
    assert [by_name.get(name, 0.0) for name in LABELS] == pytest.approx(softmax(*values), abs=5e-3)


def test_sigmoid_classes_are_independent_and_weak_ones_are_left_out(tmp_path: Path) -> None:
    recipe = Preprocessing(resize="stretch", std=SCALE)
    model = classifier(
        networks.mean_colour(gain=4.0), card(recipe, activation="sigmoid", threshold=0.6), tmp_path
    )

    (scores,) = model.classify([coloured(255, 204, 0)])

    assert [c.score for c in scores] == pytest.approx(
        [1 / (1 + np.exp(-4.0)), 1 / (1 + np.exp(-3.2))], abs=1e-4
    )


def test_crops_go_through_a_network_of_one_row_one_by_one(tmp_path: Path) -> None:
    recipe = Preprocessing(resize="stretch", std=SCALE)
    model = classifier(networks.mean_colour(shape=[1, 3, 224, 224], gain=9.0), card(recipe), tmp_path)

    answers = model.classify([coloured(255, 0, 0), coloured(0, 255, 0), coloured(0, 0, 255)] * 4)

    assert [scores[0].taxon.common_name for scores in answers] == list(LABELS) * 4


def test_the_steps_of_resize_crop_cut_what_torchvision_cuts(tmp_path: Path) -> None:
    recipe = Preprocessing(
        resize="crop",
        interpolation="bilinear",
        std=SCALE,
        crop=CropResize(resize_size=(256, 256), resize_mode="shorter_side", center_crop=(224, 224)),
    )
    model = classifier(networks.mean_colour(), card(recipe, activation="none"), tmp_path)
    # 512 x 256 shrinks not at all; the middle 224 columns begin at 144: only they are red.
    pixels = np.zeros((256, 512, 3), dtype=np.uint8)
    pixels[:, 144 : 144 + 224, 0] = 255

    (scores,) = model.classify([pixels])

    assert {c.taxon.common_name: c.score for c in scores} == {"red fox": pytest.approx(1.0, abs=1e-4)}


def test_blank_is_an_answer_and_unknown_names_stay_as_they_are(tmp_path: Path) -> None:
    recipe = Preprocessing(resize="stretch", std=SCALE)
    labels = ("Empty", "Vulpes cana", "grumbling thing")
    model = classifier(networks.mean_colour(), card(recipe, labels=labels, activation="none"), tmp_path)

    (scores,) = model.classify([coloured(255, 204, 51)])

    assert [(c.taxon.common_name, c.taxon.family) for c in scores] == [
        ("blank", ""),
        ("vulpes cana", "canidae"),
        ("grumbling thing", ""),
    ]
    assert [c.score for c in scores] == pytest.approx([1.0, 0.8, 0.2], abs=1e-4)


def test_labels_of_another_number_than_the_outputs_are_an_error(tmp_path: Path) -> None:
    recipe = Preprocessing(resize="stretch")
    model = classifier(networks.mean_colour(), card(recipe, labels=("one", "two")), tmp_path)

    with pytest.raises(ModelError, match=r"each of 2 labels, the network answers \(1, 3\)"):
        model.classify([coloured(1, 2, 3)])


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (View(shape="square", margin=0.0), (0.25, 0.2, 0.2, 0.4)),
        (View(shape="box"), (0.3, 0.2, 0.1, 0.4)),
        (View(shape="image"), (0.0, 0.0, 1.0, 1.0)),
        (View(shape="strip"), (0.0, 0.15, 1.0, 0.7)),
    ],
    ids=lambda value: value.shape if isinstance(value, View) else "",
)
def test_the_view_says_what_the_network_looks_at(
    view: View, expected: tuple[float, ...], tmp_path: Path
) -> None:
    recipe = Preprocessing(resize="stretch")
    model = classifier(networks.mean_colour(), card(recipe, view=view), tmp_path)

    region = model.region(BBox(0.3, 0.2, 0.1, 0.4), (200, 100))

    assert (region.x_min, region.y_min, region.width, region.height) == pytest.approx(expected)
