"""A model family for Okapia: FOMO, the detectors that run on microcontrollers.

A FOMO network answers with a grid of class scores instead of boxes, background first. Cells of one class that
touch are one animal.
"""

import cv2
import numpy as np

from okapia.domain.errors import ModelError
from okapia.domain.types import Size
from okapia.models.base import Tensor
from okapia.models.boxes import BoxNetwork, Candidates

LEAST = 0.5
"""A cell counts from this score on, as in the programs that come with these networks."""


class FomoDetector(BoxNetwork):
    """A FOMO network: one output (1, rows, columns, 1 + labels), scores 0..1."""

    merges = False

    def _decode(self, outputs: dict[str, Tensor], canvas: Size) -> Candidates:
        grid = self._grid(outputs)
        rows, columns, _ = grid.shape
        cell = np.array([canvas[0] / columns, canvas[1] / rows] * 2, dtype=np.float32)
        corners, scores, classes = [], [], []
        for place in range(len(self._card.labels)):
            of_class = grid[:, :, 1 + place]
            n_blobs, blobs, stats, _ = cv2.connectedComponentsWithStats((of_class >= LEAST).astype(np.uint8))
            for blob in range(1, n_blobs):  # 0 is what belongs to none
                left, top, wide, high, _ = stats[blob]
                corners.append(np.array([left, top, left + wide, top + high], dtype=np.float32) * cell)
                scores.append(of_class[blobs == blob].max())
                classes.append(place)
        return Candidates(
            np.array(corners, dtype=np.float32).reshape(-1, 4),
            np.array(scores, dtype=np.float32),
            np.array(classes, dtype=np.intp),
        )

    def _grid(self, outputs: dict[str, Tensor]) -> Tensor:
        """(rows, columns, 1 + labels); raises `ModelError` for anything else, and for NaN."""
        (output, *more) = outputs.values()
        channels = 1 + len(self._card.labels)
        if more or output.ndim < 3 or output.shape[-1] != channels:
            shapes = [value.shape for value in outputs.values()]
            raise ModelError(f"{self._card.id}: expected one grid of {channels} scores a cell, got {shapes}")
        if not np.isfinite(output).all():
            raise ModelError(f"{self._card.id} answered with numbers that are not finite")
        return output.reshape(output.shape[-3:])


build = FomoDetector
