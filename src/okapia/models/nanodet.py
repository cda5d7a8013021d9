"""The NanoDet family (GFL head): class scores and side distances as distributions."""

import numpy as np

from okapia.domain.types import Size
from okapia.models.base import Tensor
from okapia.models.boxes import BoxNetwork, Candidates, above_floor

STRIDES = (8, 16, 32)

MAX_CANDIDATES = 300
"""Boxes of one stride that merging starts from. This network has 2,000 of at least 0.01 in one picture, all
over it: its own deployment stops at 0.05; the best 300 reach below that."""


class NanoDetDetector(BoxNetwork):
    """A NanoDet network: per stride `cls<s>` (1, n, classes) and `reg<s>` (1, n, 4 * bins).

    `cls` is after its sigmoid. `reg` holds, for left, top, right and bottom, a distribution
    over `bins` distances in strides, whose expected value is the distance from the cell centre.
    """

    def _decode(self, outputs: dict[str, Tensor], canvas: Size) -> Candidates:
        levels = [self._decode_level(outputs, stride, canvas) for stride in STRIDES]
        return Candidates(
            np.concatenate([level.corners for level in levels]),
            np.concatenate([level.scores for level in levels]),
            np.concatenate([level.classes for level in levels]),
        )

    def _decode_level(self, outputs: dict[str, Tensor], stride: int, canvas: Size) -> Candidates:
        class_scores = outputs[f"cls{stride}"][0]
        scores = class_scores.max(axis=1)
        found = above_floor(scores, model_id=self._card.id, most=MAX_CANDIDATES)
        wide = -(-canvas[0] // stride)
        centres = (np.stack([found % wide, found // wide], axis=1) + 0.5) * stride
        distances = expected_distances(outputs[f"reg{stride}"][0][found]) * stride
        corners = np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], axis=1)
        return Candidates(corners.astype(np.float32), scores[found], class_scores[found].argmax(axis=1))


build = NanoDetDetector


def expected_distances(logits: Tensor) -> Tensor:
    """Give the expected left, top, right and bottom distance, in strides.

    Args:
        logits: (N, 4 * bins) float32, one distribution a side (Generalized Focal Loss).

    Returns:
        (N, 4) float32, 0..bins - 1.
    """
    sides = logits.reshape(len(logits), 4, logits.shape[1] // 4)
    weights = np.exp(sides - sides.max(axis=2, keepdims=True))
    weights /= weights.sum(axis=2, keepdims=True)
    expected: Tensor = weights @ np.arange(sides.shape[2], dtype=np.float32)
    return expected
