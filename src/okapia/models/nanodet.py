"""The NanoDet family (GFL head): class scores and side distances as distributions."""

import numpy as np

from okapia.domain.types import Detection
from okapia.models.base import Tensor
from okapia.models.boxes import BoxNetwork, above_floor, to_detections
from okapia.vision.geometry import Pixels, boxes_from_letterbox

STRIDES = (8, 16, 32)


class NanoDetDetector(BoxNetwork):
    """A NanoDet network: per stride `cls<s>` (1, n, classes) and `reg<s>` (1, n, 4 * bins).

    `cls` is after its sigmoid. `reg` holds, for left, top, right and bottom, a distribution
    over `bins` distances in strides, whose expected value is the distance from the cell centre.
    """

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        placed, outputs = self._infer(pixels)
        levels = [self._decode_level(outputs, stride) for stride in STRIDES]
        corners, scores, classes = (np.concatenate(parts) for parts in zip(*levels, strict=True))
        return to_detections(boxes_from_letterbox(corners, placed), scores, classes, card=self._card)

    def _decode_level(
        self, outputs: dict[str, Tensor], stride: int
    ) -> tuple[Tensor, Tensor, np.ndarray[tuple[int], np.dtype[np.intp]]]:
        """Corners in canvas pixels (n, 4), scores (n,) and classes (n,) of one stride."""
        class_scores = outputs[f"cls{stride}"][0]
        classes = class_scores.argmax(axis=1)
        scores = class_scores.max(axis=1)
        found = above_floor(scores, model_id=self._card.id)
        side = -(-self._canvas // stride)
        centres = (np.stack([found % side, found // side], axis=1) + 0.5) * stride
        distances = expected_distances(outputs[f"reg{stride}"][0][found]) * stride
        corners = np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], axis=1)
        return corners.astype(np.float32), scores[found], classes[found]


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
