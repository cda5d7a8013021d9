"""Detectors that have merged their boxes inside the graph: MegaDetector v6, YOLOv10, exports with NMS."""

from okapia.domain.types import Size
from okapia.models.base import Tensor
from okapia.models.boxes import BoxNetwork, Candidates


class EndToEndDetector(BoxNetwork):
    """A network whose rows are x_min, y_min, x_max, y_max in canvas pixels, confidence, class.

    The output is (1, N, 6) or (N, 6), and N may be 0.
    """

    merges = False

    def _decode(self, outputs: dict[str, Tensor], canvas: Size) -> Candidates:
        del canvas
        rows = self._rows(outputs, columns=6)
        return self._named_classes(rows[:, :4], rows[:, 4], rows[:, 5])


build = EndToEndDetector
