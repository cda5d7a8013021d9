"""Pictures whose animals are bright blobs, and detectors for them."""

from collections.abc import Sequence

import cv2
import numpy as np

from okapia.domain.models import ModelReport
from okapia.domain.types import BBox, Category, Detection, Size
from okapia.vision.geometry import fit
from okapia.vision.resample import Pixels

CANVAS = (400, 300)
PICTURE = (1600, 1200)
"""The whole picture is shown at 1 : 4. Tiles are 889 x 667, shown at 1 : 2.2; columns meet at 711..889."""
LEAST_PX = 5
"""Smallest side of a blob that the detector sees on its canvas: 20 px of the picture, 12 px of a tile."""

WHOLE = BBox(0.0, 0.0, 1.0, 1.0)

Rect = tuple[int, int, int, int]
"""left, top, right, bottom in pixels"""


class BlobDetector:
    """Finds bright blobs as a network does: on its canvas, and none that is too small there."""

    def __init__(self, *, category: Category = Category.ANIMAL, canvas: Size = CANVAS) -> None:
        self.reports: tuple[ModelReport, ...] = (
            ModelReport("blobs", "detector", canvas, "opencv", "cpu", "f32", ""),
        )
        self.canvas = canvas
        self.looks: list[Size] = []
        self._category = category

    def wanted(self, picture: Size) -> Size:
        return fit(picture, self.canvas)

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        size = (pixels.shape[1], pixels.shape[0])
        self.looks.append(size)
        content = fit(size, self.canvas)
        canvas = cv2.resize(pixels, content, interpolation=cv2.INTER_AREA)
        bright = (canvas[:, :, 0] > 127).astype(np.uint8)
        _, _, blobs, _ = cv2.connectedComponentsWithStats(bright)
        seen = [tuple(map(int, blob[:4])) for blob in blobs[1:] if min(blob[2:4]) >= LEAST_PX]
        found = (
            self._detection(BBox(x / content[0], y / content[1], w / content[0], h / content[1]))
            for x, y, w, h in seen
        )
        return tuple(sorted(found, key=lambda d: d.confidence, reverse=True))

    def _detection(self, bbox: BBox) -> Detection:
        """Larger is surer, so that parts that fill a tile are surer than the whole."""
        return Detection(bbox, self._category, min(0.3 + bbox.area, 0.9), self._category.value)


class ScriptedDetector:
    """Answers look after look with given boxes."""

    def __init__(self, answers: Sequence[Sequence[Detection]]) -> None:
        self.reports: tuple[ModelReport, ...] = ()
        self._answers = iter(answers)

    def wanted(self, picture: Size) -> Size:
        return fit(picture, CANVAS)

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        del pixels
        return tuple(next(self._answers))


def scene(*animals: Rect, size: Size = PICTURE) -> Pixels:
    pixels = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    for left, top, right, bottom in animals:
        pixels[top:bottom, left:right] = 255
    return pixels


def box_of(rect: Rect, size: Size = PICTURE) -> BBox:
    left, top, right, bottom = rect
    return BBox.from_corners(left / size[0], top / size[1], right / size[0], bottom / size[1])


def animal(confidence: float, bbox: BBox) -> Detection:
    return Detection(bbox, Category.ANIMAL, confidence, "animal")
