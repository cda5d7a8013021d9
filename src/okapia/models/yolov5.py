"""The YOLOv5 family: MegaDetector v5, MDv1000's YOLOv5 ones, and any YOLO head with objectness."""

from okapia.domain.types import Size
from okapia.models.base import Tensor
from okapia.models.boxes import BoxNetwork, Candidates, corners_of


class Yolov5Detector(BoxNetwork):
    """A network whose rows are centre x, centre y, width, height in canvas pixels, objectness, classes.

    The output is (1, N, 5 + C) or (N, 5 + C); a box's score is objectness times class.
    """

    def _decode(self, outputs: dict[str, Tensor], canvas: Size) -> Candidates:
        del canvas
        rows = self._rows(outputs, columns=5 + len(self._card.labels))
        return self._best_classes(corners_of(rows), rows[:, 5:] * rows[:, 4:5])


build = Yolov5Detector
