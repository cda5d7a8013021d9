"""RT-DETR with a score a class, as Ultralytics exports it."""

import numpy as np

from okapia.domain.types import Size
from okapia.models.base import Tensor
from okapia.models.boxes import BoxNetwork, Candidates, corners_of


class RtDetrDetector(BoxNetwork):
    """A network whose rows are centre x, centre y, width, height in 0..1, then C class scores.

    The fractions are of the stretched picture; queries need no merging.
    """

    merges = False

    def _decode(self, outputs: dict[str, Tensor], canvas: Size) -> Candidates:
        rows = self._rows(outputs, columns=4 + len(self._card.labels))
        return self._best_classes(corners_of(rows) * np.array(canvas * 2, dtype=np.float32), rows[:, 4:])


build = RtDetrDetector
