"""The CenterFace family: a heat map of faces' centres, and the size of the face at each."""

import numpy as np

from okapia.domain.errors import ModelError
from okapia.domain.types import Size
from okapia.models.base import Tensor
from okapia.models.boxes import BoxNetwork, Candidates, above_floor

STRIDE = 4


class CenterFaceDetector(BoxNetwork):
    """A CenterFace network: `images` (N, 3, H, W) to one value a cell of 4 x 4 pixels.

    `heat` (N, 1, h, w) is after its sigmoid, `size` (N, 2, h, w) the log of height and width in cells,
    `offset` (N, 2, h, w) what the centre lies below and right of the cell's middle, in cells.
    """

    def _decode(self, outputs: dict[str, Tensor], canvas: Size) -> Candidates:
        wide, high = canvas[0] // STRIDE, canvas[1] // STRIDE
        heat, size, offset = (
            self._cells(outputs, name, shape=(channels, wide * high))
            for name, channels in (("heat", 1), ("size", 2), ("offset", 2))
        )
        found = above_floor(heat[0], model_id=self._card.id)
        centres = np.stack([found % wide, found // wide], axis=1) + 0.5 + offset[::-1, found].T
        halves = np.exp(size[::-1, found].T) / 2
        corners = np.concatenate([centres - halves, centres + halves], axis=1) * STRIDE
        return Candidates(corners.astype(np.float32), heat[0, found], np.zeros_like(found))

    def _cells(self, outputs: dict[str, Tensor], name: str, *, shape: tuple[int, int]) -> Tensor:
        """One output as (channels, cells), row by row."""
        values = outputs.get(name)
        if values is None or values.size != shape[0] * shape[1]:
            answers = ", ".join(f"{key} {value.shape}" for key, value in outputs.items())
            raise ModelError(
                f"{self._card.id}: expected `{name}` with {shape[0]} values for each of {shape[1]} cells, "
                f"the network answers {answers}"
            )
        return values.reshape(shape)


build = CenterFaceDetector
