"""The softmax family: classifiers of crops with one probability a class."""

from collections.abc import Sequence

import numpy as np

from okapia.domain.errors import ModelError
from okapia.domain.taxonomy import Taxon
from okapia.domain.types import Classification, ModelReport
from okapia.models.base import Session, Tensor
from okapia.models.card import ModelCard
from okapia.models.taxa import class_taxa
from okapia.models.tensors import to_tensor
from okapia.vision.geometry import Pixels, stretch

MAX_CROPS = 8
"""Crops that go through the network at once, so that a flock of 300 takes no more memory than
one (SpeciesNet 5.0.6 does the same)."""

SCORE_FLOOR = 0.005
"""Taxa below this probability are not reported; a hundred of them would add up to noise."""


class SoftmaxClassifier:
    """A network from (N, 3, H, W) crops to (N, classes) probabilities, classes mapped to taxa."""

    def __init__(self, card: ModelCard, session: Session, *, canvas: int, report: ModelReport) -> None:
        if not isinstance(card.labels, str):
            raise ModelError(f"{card.id}: a classifier's labels must name a table, got a list")
        self._card = card
        self._session = session
        self._taxa = class_taxa(card.labels)
        self.input_size = (canvas, canvas)
        self.reports = (report,)

    def classify(self, crops: Sequence[Pixels]) -> list[tuple[Classification, ...]]:
        pieces = (crops[start : start + MAX_CROPS] for start in range(0, len(crops), MAX_CROPS))
        return [self._by_taxon(row) for piece in pieces for row in self._probabilities(piece)]

    def _probabilities(self, crops: Sequence[Pixels]) -> Tensor:
        """(N, classes) of at most `MAX_CROPS` crops."""
        recipe = self._card.preprocessing
        rows = [to_tensor(stretch(crop, self.input_size), recipe) for crop in crops]
        (probabilities,) = self._session.run(np.concatenate(rows)).values()
        if not np.isfinite(probabilities).all():
            raise ModelError(f"{self._card.id} answered with numbers that are not finite")
        return probabilities

    def _by_taxon(self, probabilities: Tensor) -> tuple[Classification, ...]:
        """Sum the classes of one taxon: 118 dog breeds are one domestic dog."""
        sums: dict[Taxon, float] = {}
        for index, taxon in self._taxa.items():
            sums[taxon] = sums.get(taxon, 0.0) + float(probabilities[index])
        seen = [
            Classification(taxon, min(score, 1.0)) for taxon, score in sums.items() if score >= SCORE_FLOOR
        ]
        return tuple(sorted(seen, key=lambda c: c.score, reverse=True))


build = SoftmaxClassifier
