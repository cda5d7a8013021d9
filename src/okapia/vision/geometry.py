"""Sizes and boxes: from a picture to a network's canvas and back."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor

import cv2
import numpy as np
from numpy.typing import NDArray

from okapia.domain.types import BBox, Size
from okapia.vision.resample import Interpolation, Pixels, resize


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture resized for a network, and where on the network's canvas it lies.

    Attributes:
        pixels: the resized picture; the rest of the canvas is padding.
        offset: canvas pixels to its left and above it.
    """

    pixels: Pixels
    canvas: Size
    offset: Size = (0, 0)

    @property
    def content(self) -> Size:
        """Size of the part of the canvas that the picture covers."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def fractions(self, xyxy_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map boxes from the canvas to fractions of the picture, clipped to 0..1.

        The content's whole-pixel size is the measure, not a scale: so the round trip also holds
        for strips whose short side was rounded up to one pixel.

        Args:
            xyxy_px: (N, 4) left, top, right, bottom in canvas pixels; not modified.

        Returns:
            (N, 4) float32, left, top, right, bottom.
        """
        shift = np.array(self.offset * 2, dtype=np.float32)
        measure = np.array(self.content * 2, dtype=np.float32)
        fractions: NDArray[np.float32] = np.clip((xyxy_px - shift) / measure, 0.0, 1.0)
        return fractions.astype(np.float32, copy=False)


def fit(size: Size, canvas: Size) -> Size:
    """Size of a picture of `size` fitted into `canvas` with its aspect kept, at least 1 x 1.

    Smaller pictures grow until one side touches the canvas. Halves of a pixel are rounded up.
    """
    scale = min(canvas[0] / size[0], canvas[1] / size[1])
    return max(1, floor(size[0] * scale + 0.5)), max(1, floor(size[1] * scale + 0.5))


def fit_min_max(size: Size, *, shorter: int, longer: int) -> Size:
    """Size of a picture whose shorter side becomes `shorter`, unless the longer would exceed `longer`.

    The rule of torchvision's detection transform, which cuts fractions off.
    """
    scale = min(shorter / min(size), longer / max(size))
    return max(1, floor(size[0] * scale)), max(1, floor(size[1] * scale))


def letterbox(
    pixels: Pixels, canvas: Size, *, is_centred: bool = False, interpolation: Interpolation = "fast"
) -> Placed:
    """Fit `pixels` into a canvas: top left, or in the middle as YOLOv5 and its successors do."""
    content = fit((pixels.shape[1], pixels.shape[0]), canvas)
    # Half a pixel goes to the right and below (YOLOv5's `round(d - 0.1)`).
    offset = (round((canvas[0] - content[0]) / 2 - 0.1), round((canvas[1] - content[1]) / 2 - 0.1))
    return Placed(resize(pixels, content, interpolation), canvas, offset if is_centred else (0, 0))


def centre_part(pixels: Pixels, size: Size) -> Pixels:
    """Cut `size` out of the middle; sides that are shorter stay (torchvision's `CenterCrop`)."""
    height, width, _ = pixels.shape
    left = max(round((width - size[0]) / 2), 0)
    top = max(round((height - size[1]) / 2), 0)
    return pixels[top : top + size[1], left : left + size[0]]


def nms(
    xyxy: NDArray[np.float32],
    scores: NDArray[np.float32],
    *,
    classes: NDArray[np.int64],
    iou: float,
) -> NDArray[np.int64]:
    """Indices of the boxes that no better box of the same class overlaps, best first.

    Greedy, as in torchvision: a box goes when its intersection over union with a kept one
    exceeds `iou`. Of equal scores the lower index wins.

    Args:
        xyxy: (N, 4) corners in any unit.
        scores: (N,).
        classes: (N,); boxes of different classes never suppress each other.
        iou: 0..1.
    """
    boxes = np.concatenate([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]], axis=1)
    # 300 boxes take 0.7 ms here and 10 ms in numpy. A score of 0 must not be cut off.
    kept = cv2.dnn.NMSBoxesBatched(boxes.tolist(), scores.tolist(), classes.tolist(), -1.0, iou)
    return np.array(kept, dtype=np.int64).reshape(-1)


def square_crop_box(bbox: BBox, image: Size, *, margin: float = 0.1) -> BBox:
    """Box around `bbox` that is square in pixels, for a classifier that stretches to a square.

    The longer side grows by `margin` of itself at both ends. A square that leaves the picture
    is moved inside; it is cut, and no longer square, only where the picture is too small.

    Args:
        bbox: fractions of the picture.
        image: the upright picture's size.
        margin: fraction of the longer side, 0 or more.
    """
    side_px = max(bbox.width * image[0], bbox.height * image[1]) * (1 + 2 * margin)
    left, right = _span(bbox.x_min + bbox.width / 2, side_px / image[0])
    top, bottom = _span(bbox.y_min + bbox.height / 2, side_px / image[1])
    return BBox.from_corners(left, top, right, bottom)


def whole_pixel_box(bbox: BBox, image: Size) -> BBox:
    """The box in whole pixels, cut down by `int()` as SpeciesNet's `always_crop` does; at least one pixel."""
    width, height = image
    left, top = min(int(bbox.x_min * width), width - 1), min(int(bbox.y_min * height), height - 1)
    right, bottom = left + max(int(bbox.width * width), 1), top + max(int(bbox.height * height), 1)
    return BBox.from_corners(left / width, top / height, right / width, bottom / height)


def middle_strip(image: Size) -> BBox:
    """The rows in the middle, without the info strips of cameras: `max(int(0.7 h), h - 400)` of h rows.

    The part of the picture that SpeciesNet's `full_image` looks at.
    """
    height = image[1]
    kept = max(int(0.7 * height), height - 400)
    top = (height - kept) // 2
    return BBox.from_corners(0.0, top / height, 1.0, (top + kept) / height)


def cover_px(bbox: BBox, size: Size) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the whole pixels that `bbox` touches; at least one pixel."""
    left, right = _cover(bbox.x_min, bbox.x_max, size[0])
    top, bottom = _cover(bbox.y_min, bbox.y_max, size[1])
    return left, top, right, bottom


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn stored pixels the way that EXIF `orientation` says; values other than 2..8 change nothing."""
    turn = _TURNS.get(orientation)
    return pixels if turn is None else turn(pixels)


def _turn(code: int) -> Callable[[Pixels], Pixels]:
    return lambda pixels: np.asarray(cv2.rotate(pixels, code), dtype=np.uint8)


def _flip(code: int) -> Callable[[Pixels], Pixels]:
    return lambda pixels: np.asarray(cv2.flip(pixels, code), dtype=np.uint8)


def _transpose(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.transpose(pixels), dtype=np.uint8)


_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    2: _flip(1),
    3: _turn(cv2.ROTATE_180),
    4: _flip(0),
    5: _transpose,
    6: _turn(cv2.ROTATE_90_CLOCKWISE),
    7: lambda pixels: _transpose(_turn(cv2.ROTATE_180)(pixels)),
    8: _turn(cv2.ROTATE_90_COUNTERCLOCKWISE),
}
"""What undoes each stored orientation (EXIF 2.3, tag 274); 1 is upright already."""


def _span(centre: float, length: float) -> tuple[float, float]:
    """Place `length` around `centre` so that it stays within 0..1 where it fits."""
    if length >= 1:
        return 0.0, 1.0
    low = min(max(centre - length / 2, 0.0), 1.0 - length)
    return low, low + length


def _cover(low: float, high: float, length: int) -> tuple[int, int]:
    # Fractions of whole pixels are not exact: 0.3 * 10 must not reach into the next pixel.
    noise = 1e-4
    first = min(max(floor(low * length + noise), 0), length - 1)
    last = min(max(ceil(high * length - noise), first + 1), length)
    return first, last
