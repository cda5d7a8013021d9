"""From a detector network's candidate boxes to detections: shared by the detector families."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from okapia.domain.errors import ModelError
from okapia.domain.models import ModelReport
from okapia.domain.types import BBox, Category, Classification, Detection, Size
from okapia.models.base import CONFIDENCE_FLOOR, Session, Tensor
from okapia.models.card import ModelCard
from okapia.models.taxa import class_taxa
from okapia.models.tensors import network_input, wanted_size
from okapia.vision.geometry import nms
from okapia.vision.resample import Pixels

MAX_CANDIDATES = 3000
"""Boxes of one output that merging starts from, the best first. Merging 3,000 boxes that lie on ten animals
takes 2 ms. (YOLOv5 takes 30,000, of which this floor leaves fewer.)"""

Classes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a network proposes, before boxes of one class are merged.

    Attributes:
        corners: (N, 4) float32 x_min, y_min, x_max, y_max in pixels of the canvas.
        scores: (N,) float32, 0..1.
        classes: (N,) indices into the card's labels.
    """

    corners: Tensor
    scores: Tensor
    classes: Classes


class BoxNetwork(ABC):
    """What every family of detectors is built on: a card, a network and a canvas."""

    merges = True
    """False where the network has merged its boxes itself."""

    def __init__(self, card: ModelCard, session: Session, *, canvas: Size, report: ModelReport) -> None:
        self._card = card
        self._session = session
        self._canvas = canvas
        self._taxa = class_taxa(card.labels).by_class if card.names_species else {}
        self.reports = (report,)

    def wanted(self, picture: Size) -> Size:
        return wanted_size(picture, self._card.preprocessing, self._canvas)

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        tensor, placed = network_input(pixels, self._card.preprocessing, self._canvas)
        candidates = self._decode(self._session.run(tensor), placed.canvas)
        corners = placed.fractions(candidates.corners)
        return tuple(
            self._detection(corners[place], candidates.scores[place], int(candidates.classes[place]))
            for place in self._kept(corners, candidates)
        )

    @abstractmethod
    def _decode(self, outputs: dict[str, Tensor], canvas: Size) -> Candidates:
        """Turn the outputs for one picture into boxes.

        Raises:
            ModelError: they have not the shape of the family, or hold NaN.
        """

    def _kept(self, corners: Tensor, candidates: Candidates) -> NDArray[np.intp]:
        """Places of the boxes that stay, most confident first."""
        scores, most = candidates.scores, self._card.max_detections
        if not self.merges:
            return np.argsort(-scores, kind="stable")[:most]
        return nms(corners, scores, classes=candidates.classes, iou=self._card.nms_iou)[:most]

    def _detection(self, corners: Tensor, score: float, place: int) -> Detection:
        card = self._card
        label = card.labels[place]
        confidence = min(float(score), 1.0)
        x_min, y_min, x_max, y_max = (float(side) for side in corners)
        category = Category(card.categories.get(label, card.default_category))
        taxon = self._taxa.get(place) if category is Category.ANIMAL else None
        return Detection(
            BBox.from_corners(x_min, y_min, x_max, y_max),
            category,
            confidence,
            label,
            (Classification(taxon, confidence),) if taxon else (),
        )

    def _rows(self, outputs: dict[str, Tensor], *, columns: int) -> Tensor:
        """Give the only output as (N, columns), whether or not it has an axis for the picture.

        Raises:
            ModelError: there are more outputs, or they have another number of columns.
        """
        shapes = ", ".join(f"{name} {value.shape}" for name, value in outputs.items())
        (output, *more) = outputs.values()
        if more or output.ndim < 2 or output.size != len(output.reshape(-1, output.shape[-1])) * columns:
            raise ModelError(
                f"{self._card.id}: expected one output with {columns} columns for {len(self._card.labels)} "
                f"labels (family {self._card.family}), the network answers {shapes}"
            )
        return output.reshape(-1, columns)

    def _best_classes(self, corners: Tensor, class_scores: Tensor) -> Candidates:
        """Keep each box's best class, of the boxes that are above the floor.

        Args:
            corners: (N, 4) in pixels of the canvas.
            class_scores: (N, C), 0..1.
        """
        classes, scores = class_scores.argmax(axis=1), class_scores.max(axis=1)
        found = above_floor(scores, model_id=self._card.id)
        return Candidates(corners[found], scores[found], classes[found])

    def _named_classes(self, corners: Tensor, scores: Tensor, classes: Tensor) -> Candidates:
        """Keep the boxes above the floor of a network that answers with one class a box.

        Args:
            classes: (N,) whole numbers as float32.

        Raises:
            ModelError: a class has no label.
        """
        found = above_floor(scores, model_id=self._card.id)
        named = classes[found].astype(np.intp)
        if named.size and not 0 <= named.min() <= named.max() < len(self._card.labels):
            raise ModelError(
                f"{self._card.id} answers with class {named.max()}, it has {len(self._card.labels)} labels"
            )
        return Candidates(corners[found], scores[found], named)


def above_floor(scores: Tensor, *, model_id: str, most: int = MAX_CANDIDATES) -> NDArray[np.intp]:
    """Give the places of the scores of at least `CONFIDENCE_FLOOR`, of the best `most`.

    Raises:
        ModelError: the network answered NaN or infinity.
    """
    if not np.isfinite(scores).all():
        raise ModelError(f"{model_id} answered with numbers that are not finite")
    places = np.flatnonzero(scores >= CONFIDENCE_FLOOR)
    if len(places) <= most:
        return places
    best = np.argpartition(-scores[places], most)[:most]
    return np.sort(places[best])


def corners_of(centre_size: Tensor) -> Tensor:
    """Turn (N, 4) centre x, centre y, width, height into x_min, y_min, x_max, y_max."""
    centre, half = centre_size[:, :2], centre_size[:, 2:4] / 2
    return np.concatenate([centre - half, centre + half], axis=1)
