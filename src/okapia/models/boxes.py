"""From a detector network's candidate boxes to detections: shared by the detector families."""

import numpy as np
from numpy.typing import NDArray

from okapia.domain.errors import ModelError
from okapia.domain.types import BBox, Category, Detection, ModelReport
from okapia.models.base import CONFIDENCE_FLOOR, Session, Tensor
from okapia.models.card import ModelCard
from okapia.models.tensors import to_tensor
from okapia.vision.geometry import Letterbox, Pixels, letterbox, nms

MAX_DETECTIONS = 300
"""Boxes kept of one picture, as YOLOv5, MegaDetector and SpeciesNet do."""


MAX_CANDIDATES = 300
"""Boxes of one output that merging starts from. NanoDet has 2,000 of at least 0.01 in one picture: its own
deployment stops at 0.05; the best 300 reach below that."""


class BoxNetwork:
    """What every family of detectors is built on: a card, a network and a square canvas."""

    def __init__(self, card: ModelCard, session: Session, *, canvas: int, report: ModelReport) -> None:
        self._card = card
        self._session = session
        self._canvas = canvas
        self.input_size = (canvas, canvas)
        self.reports = (report,)

    def _infer(self, pixels: Pixels) -> tuple[Letterbox, dict[str, Tensor]]:
        """Fit a picture into the canvas and run the network on it."""
        recipe = self._card.preprocessing
        placed = letterbox(pixels, self.input_size, pad_value=recipe.pad_value)
        return placed, self._session.run(to_tensor(placed.pixels, recipe))


def above_floor(scores: Tensor, *, model_id: str) -> NDArray[np.intp]:
    """Give the places of the scores of at least `CONFIDENCE_FLOOR`, of the best `MAX_CANDIDATES`.

    Raises:
        ModelError: the network answered NaN or infinity.
    """
    if not np.isfinite(scores).all():
        raise ModelError(f"{model_id} answered with numbers that are not finite")
    places = np.flatnonzero(scores >= CONFIDENCE_FLOOR)
    if len(places) <= MAX_CANDIDATES:
        return places
    best = np.argpartition(-scores[places], MAX_CANDIDATES)[:MAX_CANDIDATES]
    return np.sort(places[best])


def to_detections(
    corners: Tensor, scores: Tensor, classes: NDArray[np.intp], *, card: ModelCard
) -> tuple[Detection, ...]:
    """Merge overlapping boxes of one class and name the rest, most confident first.

    Args:
        corners: (N, 4) float32 x_min, y_min, x_max, y_max as fractions of the upright image.
        scores: (N,) float32, 0..1.
        classes: (N,) indices into the card's labels.
    """
    kept = nms(corners, scores, classes=classes, iou=card.nms_iou)[:MAX_DETECTIONS]
    return tuple(
        _detection(corners[place], float(scores[place]), card.labels[int(classes[place])], card)
        for place in kept
    )


def _detection(corners: Tensor, score: float, label: str, card: ModelCard) -> Detection:
    x_min, y_min, x_max, y_max = (float(side) for side in corners)
    category = Category(card.categories.get(label, "other"))
    return Detection(BBox.from_corners(x_min, y_min, x_max, y_max), category, min(score, 1.0), label)
