"""Pixels to network input, as a card's preprocessing section says."""

import numpy as np

from okapia.models.base import Tensor
from okapia.models.card import Preprocessing
from okapia.vision.geometry import Pixels

_ORDER = {"rgb": (0, 1, 2), "bgr": (2, 1, 0)}


def to_tensor(canvas: Pixels, recipe: Preprocessing) -> Tensor:
    """Normalise one picture that already has the network's size.

    Args:
        canvas: (H, W, 3) uint8 RGB.

    Returns:
        (1, 3, H, W) float32 for `nchw`, (1, H, W, 3) for `nhwc`; `(pixel - mean) / std`.
    """
    height, width, _ = canvas.shape
    planes = np.empty((1, 3, height, width), dtype=np.float32)
    for plane, (channel, mean, std) in enumerate(
        zip(_ORDER[recipe.channels], recipe.mean, recipe.std, strict=True)
    ):
        target = planes[0, plane]
        np.copyto(target, canvas[:, :, channel])
        if mean:
            target -= np.float32(mean)
        if std != 1.0:
            target *= np.float32(1.0 / std)
    return planes if recipe.layout == "nchw" else np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
