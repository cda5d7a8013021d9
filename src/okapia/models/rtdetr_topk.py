"""RT-DETR whose best queries are taken inside the graph, as the public zoo exports it."""

import numpy as np

from okapia.domain.types import Size
from okapia.models.base import Tensor
from okapia.models.boxes import BoxNetwork, Candidates, corners_of


class RtDetrTopKDetector(BoxNetwork):
    """A network whose rows are centre x, centre y, width, height in 0..1, score, class.

    The fractions are of the stretched picture; queries need no merging.
    """

    merges = False

    def _decode(self, outputs: dict[str, Tensor], canvas: Size) -> Candidates:
        rows = self._rows(outputs, columns=6)
        corners = corners_of(rows) * np.array(canvas * 2, dtype=np.float32)
        return self._named_classes(corners, rows[:, 4], rows[:, 5])


build = RtDetrTopKDetector
