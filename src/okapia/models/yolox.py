"""The YOLOX family: anchor-free detectors whose raw outputs are decoded here.

The grid is not baked into the graph, so one file serves every canvas (decision 0017).
"""

from functools import lru_cache

import numpy as np

from okapia.domain.types import Size
from okapia.models.base import Tensor
from okapia.models.boxes import BoxNetwork, Candidates, Classes, above_floor

STRIDES = (8, 16, 32)


class YoloxDetector(BoxNetwork):
    """A YOLOX network of any size: `images` (N, 3, H, W) to (N, anchors, 5 + classes).

    A row holds the raw centre offset and log size, then objectness and class scores after
    their sigmoid; the strides 8, 16, 32 follow one another, each row by row.
    """

    def _decode(self, outputs: dict[str, Tensor], canvas: Size) -> Candidates:
        rows = self._rows(outputs, columns=5 + len(self._card.labels))
        class_scores = rows[:, 5:] * rows[:, 4:5]
        scores = class_scores.max(axis=1)
        found = above_floor(scores, model_id=self._card.id)
        corners = decode(rows[found, :4], found, canvas=canvas)
        return Candidates(corners, scores[found], class_scores[found].argmax(axis=1))


build = YoloxDetector


def decode(raw: Tensor, places: Classes, *, canvas: Size) -> Tensor:
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
def _grid(canvas: Size) -> tuple[Tensor, Tensor]:
    """Cell (x, y) and stride of every anchor: (anchors, 2) and (anchors, 1) float32."""
    cells, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: canvas[1] // stride, : canvas[0] // stride]
        cells.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        strides.append(np.full((x.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
