"""The YOLO family without objectness: YOLOv8, v9, v11 and MDv1000's YOLO11 as they are exported."""

from okapia.domain.errors import ModelError
from okapia.domain.types import Size
from okapia.models.base import Tensor
from okapia.models.boxes import BoxNetwork, Candidates, corners_of


class YoloDetector(BoxNetwork):
    """A network that answers (1, 4 + C, N): centre x, centre y, width, height in canvas pixels, classes."""

    def _decode(self, outputs: dict[str, Tensor], canvas: Size) -> Candidates:
        del canvas
        (output,) = outputs.values()
        rows = 4 + len(self._card.labels)
        if output.ndim not in {2, 3} or output.shape[-2] != rows:
            raise ModelError(
                f"{self._card.id}: expected an output (1, {rows}, N) for {rows - 4} labels, the network "
                f"answers {output.shape}"
            )
        columns = output.reshape(rows, -1)
        return self._best_classes(corners_of(columns[:4].T), columns[4:].T)


build = YoloDetector
