"""Classifiers: networks with one score a class for a part of a picture."""

from collections.abc import Sequence

import numpy as np

from okapia.domain.errors import ModelError
from okapia.domain.models import ModelReport
from okapia.domain.taxonomy import Taxon
from okapia.domain.types import BBox, Classification, Size
from okapia.models.base import Session, Tensor
from okapia.models.card import ModelCard
from okapia.models.taxa import class_taxa
from okapia.models.tensors import network_input, viewed
from okapia.vision.resample import Pixels

MAX_CROPS = 8
"""Crops that go through the network at once, so that a flock of 300 takes no more memory than
one (SpeciesNet 5.0.6 does the same)."""

SCORE_FLOOR = 0.005
"""Taxa below this probability are not reported; a hundred of them would add up to noise."""


class ScoreClassifier:
    """A network from (N, ...) crops to (N, classes) scores, classes mapped to taxa."""

    def __init__(self, card: ModelCard, session: Session, *, canvas: Size, report: ModelReport) -> None:
        self._card = card
        self._session = session
        self._canvas = canvas
        self._classes = class_taxa(card.labels, taxonomy=card.taxonomy)
        self._floor = max(SCORE_FLOOR, (card.confidence_threshold or 0) if _is_multilabel(card) else 0)
        self.taxonomy = self._classes.taxonomy
        self.crop_side = max(canvas)
        self.reports = (report,)

    def region(self, bbox: BBox, picture: Size) -> BBox:
        return viewed(bbox, picture, self._card.view)

    def classify(self, crops: Sequence[Pixels]) -> list[tuple[Classification, ...]]:
        pieces = (crops[start : start + MAX_CROPS] for start in range(0, len(crops), MAX_CROPS))
        return [self._by_taxon(row) for piece in pieces for row in self._scores(piece)]

    def _scores(self, crops: Sequence[Pixels]) -> Tensor:
        """(N, classes), 0..1, of at most `MAX_CROPS` crops."""
        recipe = self._card.preprocessing
        rows = np.concatenate([network_input(crop, recipe, self._canvas)[0] for crop in crops])
        output = self._only_output(self._session.run(rows), n_crops=len(crops))
        if not np.isfinite(output).all():
            raise ModelError(f"{self._card.id} answered with numbers that are not finite")
        match self._card.activation:
            case "none":
                return output
            case "softmax":
                return softmax(output)
            case "sigmoid":
                return sigmoid(output)

    def _only_output(self, outputs: dict[str, Tensor], *, n_crops: int) -> Tensor:
        """(N, classes), whatever axes of length 1 the network has besides."""
        (output, *more) = outputs.values()
        scores = output.reshape(n_crops, -1)
        expected = self._classes.n_classes
        if more or (expected is not None and scores.shape[1] != expected):
            raise ModelError(
                f"{self._card.id}: expected one output with a score for each of {expected} labels, the "
                f"network answers {', '.join(str(value.shape) for value in outputs.values())}"
            )
        return scores

    def _by_taxon(self, scores: Tensor) -> tuple[Classification, ...]:
        """Join the classes of one taxon: 118 dog breeds are one domestic dog."""
        joined: dict[Taxon, float] = {}
        join = max if _is_multilabel(self._card) else float.__add__
        for index, taxon in self._classes.by_class.items():
            joined[taxon] = join(joined.get(taxon, 0.0), float(scores[index]))
        seen = [
            Classification(taxon, min(score, 1.0)) for taxon, score in joined.items() if score >= self._floor
        ]
        return tuple(sorted(seen, key=lambda c: c.score, reverse=True))


build = ScoreClassifier


def softmax(logits: Tensor) -> Tensor:
    """Probabilities that sum to 1 a row; stable for large logits."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Tensor = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def sigmoid(logits: Tensor) -> Tensor:
    """Independent probabilities, 0..1; stable for large logits."""
    halves: Tensor = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return halves


def _is_multilabel(card: ModelCard) -> bool:
    return card.activation == "sigmoid"
