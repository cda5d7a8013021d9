"""Pixels to network input, as a card's preprocessing section says."""

import numpy as np

from okapia.domain.types import BBox, Size
from okapia.models.base import Tensor
from okapia.models.card import CropResize, Preprocessing, View
from okapia.vision.geometry import (
    Placed,
    centre_part,
    fit,
    fit_min_max,
    letterbox,
    middle_strip,
    square_crop_box,
    whole_pixel_box,
)
from okapia.vision.resample import Interpolation, Pixels, resize

_WHOLE = BBox(0.0, 0.0, 1.0, 1.0)
_ORDER = {"rgb": (0, 1, 2), "bgr": (2, 1, 0)}


def network_input(pixels: Pixels, recipe: Preprocessing, canvas: Size) -> tuple[Tensor, Placed]:
    """Resize and normalise one picture.

    Returns:
        (1, 3, H, W) float32 for `nchw`, (1, H, W, 3) for `nhwc`, `(pixel - mean) / std`; and where on
        the canvas of (W, H) the picture lies.
    """
    placed = _place(pixels, recipe, canvas)
    return _to_tensor(placed, recipe), placed


def wanted_size(picture: Size, recipe: Preprocessing, canvas: Size) -> Size:
    """Size that a picture has to be decoded to at least, so that resizing it never enlarges it."""
    match recipe.resize:
        case "letterbox":
            return fit(picture, canvas)
        case "min_max":
            return fit_min_max(picture, shorter=min(canvas), longer=max(canvas))
        case "stretch" | "crop":
            return canvas


def viewed(bbox: BBox, picture: Size, view: View) -> BBox:
    """The part of an upright picture of this size that a network of crops looks at for one box."""
    match view.shape:
        case "square":
            return square_crop_box(bbox, picture, margin=view.margin)
        case "box":
            return whole_pixel_box(bbox, picture)
        case "image":
            return _WHOLE
        case "strip":
            return middle_strip(picture)


def _place(pixels: Pixels, recipe: Preprocessing, canvas: Size) -> Placed:
    way = recipe.interpolation
    match recipe.resize:
        case "letterbox":
            is_centred = recipe.placement == "centre"
            return letterbox(pixels, canvas, is_centred=is_centred, interpolation=way)
        case "min_max":
            size = (pixels.shape[1], pixels.shape[0])
            target = fit_min_max(size, shorter=min(canvas), longer=max(canvas))
            return Placed(resize(pixels, target, way), target)
        case "stretch":
            return Placed(resize(pixels, canvas, way), canvas)
        case "crop":
            return Placed(_crop(pixels, recipe.crop or CropResize(resize_size=canvas), way), canvas)


def _crop(pixels: Pixels, steps: CropResize, way: Interpolation) -> Pixels:
    if steps.pre_crop_square:
        side = min(pixels.shape[:2])
        pixels = np.ascontiguousarray(centre_part(pixels, (side, side)))
    resized = resize(pixels, _resized(pixels, steps), way)
    return resized if steps.center_crop is None else centre_part(resized, steps.center_crop)


def _resized(pixels: Pixels, steps: CropResize) -> Size:
    if steps.resize_mode == "exact":
        return steps.resize_size
    height, width, _ = pixels.shape
    side = min(steps.resize_size)
    # torchvision's `Resize(side)`: fractions of the longer side are cut off.
    return (side, int(side * height / width)) if width <= height else (int(side * width / height), side)


def _to_tensor(placed: Placed, recipe: Preprocessing) -> Tensor:
    width, height = placed.canvas
    (left, top), (wide, high) = placed.offset, placed.content
    planes = np.empty((1, 3, height, width), dtype=np.float32)
    is_padded = placed.content != placed.canvas
    for plane, channel in enumerate(_ORDER[recipe.channels]):
        mean, std = recipe.mean[plane], recipe.std[plane]
        if is_padded:
            planes[0, plane] = (recipe.pad_value[plane] - mean) / std
        target = planes[0, plane, top : top + high, left : left + wide]
        np.copyto(target, placed.pixels[:, :, channel])
        if mean:
            target -= np.float32(mean)
        if std != 1.0:
            target *= np.float32(1.0 / std)
    return planes if recipe.layout == "nchw" else np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
