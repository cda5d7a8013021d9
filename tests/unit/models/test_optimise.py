"""Eight-bit variants of a small convolutional network that names the colour of a picture."""

import os
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto

from okapia.domain.errors import InvalidRequest, ModelError, VariantRefused
from okapia.domain.types import Classification, ModelReport
from okapia.models import classifier, nanodet, yolox
from okapia.models.agreement import Gate
from okapia.models.base import Classifier, Detector
from okapia.models.card import Fingerprint, ModelCard, Preprocessing, builtin_cards
from okapia.models.optimise import (
    LEAST_SAMPLES,
    MOST_TO_CALIBRATE,
    MOST_TO_JUDGE,
    Exam,
    Sample,
    Trial,
    classifier_exam,
    detector_exam,
    optimise,
    split,
    variant_id,
)
from okapia.models.quantise import LADDER, Recipe, quantise
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights.staging import staging
from okapia.models.weights.store import Installed, ModelStore
from okapia.vision.decode import Picture
from okapia.vision.resample import Pixels
from tests.networks import Graph

needs_nncf = pytest.mark.skipif(
    find_spec("nncf") is None or find_spec("openvino") is None,
    reason="needs NNCF and OpenVINO: pip install okapia[optimise]",
)
SIDE = 32
CARD = ModelCard(
    id="colours",
    title="Colours",
    version="1",
    task="classifier",
    family="classifier",
    licence="Apache-2.0",
    notes="Made for tests.",
    canvas=(SIDE, SIDE),
    canvases=((SIDE, SIDE), (64, 64)),
    labels=("red fox", "brown bear", "domestic cat"),
    activation="softmax",
    preprocessing=Preprocessing(resize="stretch", std=(255.0, 255.0, 255.0)),
    fingerprint=Fingerprint(values=(0, 0, 0), tolerance=1),
)
RUNTIME = Runtime(EngineChoice(), load=Load(), cores=1)


def colour_network(side: int | str = SIDE, *, kind: int = TensorProto.FLOAT) -> ModelProto:
    """Answer with the mean of each channel times 12, over three convolutions and a SiLU, plus noise."""
    chance = np.random.default_rng(7)
    graph = Graph()
    weights = chance.normal(0, 0.02, (3, 12, 3, 3)), chance.normal(0, 0.02, (12, 12, 3, 3))
    first = weights[0].transpose(1, 0, 2, 3)
    last = np.zeros((3, 12, 1, 1))
    for channel in range(3):
        first[channel, channel, 1, 1] = 4.0
        weights[1][channel, channel, 1, 1] = 1.0
        last[channel, channel] = 3.0
    value = graph.op("Cast", "images", to=TensorProto.FLOAT)
    for array in (first, weights[1]):
        bias = graph.constant(chance.normal(0, 0.1, array.shape[0]).astype(np.float32))
        value = graph.op("Conv", value, graph.constant(array.astype(np.float32)), bias, pads=[1, 1, 1, 1])
        value = graph.op("Mul", value, graph.op("Sigmoid", value))
    value = graph.op("Conv", value, graph.constant(last.astype(np.float32)))
    value = graph.op("Flatten", graph.op("GlobalAveragePool", value), axis=1)
    graph.nodes[-1].output[0] = "scores"
    graph.nodes.append(_cast("scores", "output", kind))
    return graph.model({"output": ["N", 3]}, shape=["N", 3, side, side], kind=kind)
