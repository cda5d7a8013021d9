"""Resizing, in each of the ways that networks were trained with.

OpenCV is told to use one thread: the pipeline runs one single-threaded stream per core and owns
the parallelism, and OpenCV's own pool would fight it for the same cores.
"""

from collections.abc import Callable
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from okapia.domain.types import Size

cv2.setNumThreads(1)

Pixels = NDArray[np.uint8]
"""(height, width, 3) uint8, RGB, upright, C-contiguous."""

Interpolation = Literal["fast", "bilinear", "bicubic", "lanczos", "cv2_bilinear"]
"""`fast` is ours; the next three anti-alias as Pillow does; `cv2_bilinear` does not anti-alias."""


def resize(pixels: Pixels, size: Size, interpolation: Interpolation = "fast") -> Pixels:
    """Resize `pixels` to exactly `size`; the aspect is lost where it differs.

    The result is `pixels` itself when it already has that size.
    """
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    return _WAYS[interpolation](pixels, size)


def _fast(pixels: Pixels, size: Size) -> Pixels:
    """Average areas when it shrinks twice or more, otherwise interpolate linearly.

    Measured on 14 camera-trap pictures (YOLOX-tiny at 640, mean IoU of its boxes to those after
    Pillow's full decode and anti-aliased bicubic resize, November 2026): from a full decode areas
    0.977, linear 0.937, cubic 0.905; from a scaled decode areas and linear 0.973, cubic 0.952.
    """
    shrink = max(pixels.shape[1] / size[0], pixels.shape[0] / size[1])
    if shrink >= 2:
        return _opencv(_shrink_strip(pixels, size), size, cv2.INTER_AREA)
    return _opencv(pixels, size, cv2.INTER_LINEAR)


def _shrink_strip(pixels: Pixels, size: Size) -> Pixels:
    """Shrink along one axis first where the other one grows.

    OpenCV's INTER_AREA averages only if both axes shrink; otherwise it interpolates and aliases.
    """
    grows = (pixels.shape[1] < size[0], pixels.shape[0] < size[1])
    if not any(grows):
        return pixels
    smaller = (min(pixels.shape[1], size[0]), min(pixels.shape[0], size[1]))
    return _opencv(pixels, smaller, cv2.INTER_AREA)


def _opencv(pixels: Pixels, size: Size, way: int) -> Pixels:
    return np.asarray(cv2.resize(pixels, size, interpolation=way), dtype=np.uint8)


def _pillow(way: Image.Resampling) -> Callable[[Pixels, Size], Pixels]:
    return lambda pixels, size: np.asarray(Image.fromarray(pixels).resize(size, way))


_WAYS: dict[Interpolation, Callable[[Pixels, Size], Pixels]] = {
    "fast": _fast,
    "bilinear": _pillow(Image.Resampling.BILINEAR),
    "bicubic": _pillow(Image.Resampling.BICUBIC),
    "lanczos": _pillow(Image.Resampling.LANCZOS),
    "cv2_bilinear": lambda pixels, size: _opencv(pixels, size, cv2.INTER_LINEAR),
}
