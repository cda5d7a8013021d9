"""The YOLOX family: anchor-free detectors whose raw outputs are decoded here.

The grid is not baked into the graph, so one file serves every canvas (decision 0017).
"""

from functools import lru_cache

import numpy as np

from okapia.domain.types import Detection
from okapia.models.base import Tensor
from okapia.models.boxes import BoxNetwork, above_floor, to_detections
from okapia.vision.geometry import Pixels, boxes_from_letterbox

STRIDES = (8, 16, 32)


class YoloxDetector(BoxNetwork):
    """A YOLOX network of any size: `images` (N, 3, H, W) to (N, anchors, 5 + classes).

    A row holds the raw centre offset and log size, then objectness and class scores after
    their sigmoid; the strides 8, 16, 32 follow one another, each row by row.
    """

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        placed, outputs = self._infer(pixels)
        (output,) = outputs.values()
        rows = output[0]
        class_scores = rows[:, 5:] * rows[:, 4:5]
        classes = class_scores.argmax(axis=1)
        scores = class_scores.max(axis=1)
        found = above_floor(scores, model_id=self._card.id)
        corners = boxes_from_letterbox(decode(rows[found, :4], found, canvas=self._canvas), placed)
        return to_detections(corners, scores[found], classes[found], card=self._card)


build = YoloxDetector


def decode(raw: Tensor, places: np.ndarray[tuple[int], np.dtype[np.intp]], *, canvas: int) -> Tensor:
    """Turn raw offsets into corners (formula of YOLOX's `decode_outputs`).

    Args:
        raw: (N, 4) float32: offset x, offset y, log width, log height, in strides.
        places: (N,) indices of these rows among all anchors of the canvas.

    Returns:
        (N, 4) float32 x_min, y_min, x_max, y_max in pixels of the canvas.
    """
    cells, strides = _grid(canvas)
    stride = strides[places]
    centre = (raw[:, :2] + cells[places]) * stride
    half = np.exp(raw[:, 2:]) * stride / 2
    return np.concatenate([centre - half, centre + half], axis=1)


@lru_cache(maxsize=16)
def _grid(canvas: int) -> tuple[Tensor, Tensor]:
    """Cell (x, y) and stride of every anchor: (anchors, 2) and (anchors, 1) float32."""
    cells, strides = [], []
    for stride in STRIDES:
        side = canvas // stride
        y, x = np.mgrid[:side, :side]
        cells.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        strides.append(np.full((side * side, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
