"""Pictures for people: boxes with labels, people made unrecognisable, JPEG out."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from okapia.domain.types import BBox, Category, Detection
from okapia.vision.geometry import cover_px
from okapia.vision.resample import Pixels

_COLOURS: Final = {
    Category.ANIMAL: (230, 159, 0),
    Category.PERSON: (86, 180, 233),
    Category.VEHICLE: (204, 121, 167),
    Category.OTHER: (0, 158, 115),
}
"""Okabe and Ito's palette (2008), which colour-blind people can tell apart."""

_INK: Final = (0, 0, 0)
"""Black has at least 5 : 1 contrast on each of `_COLOURS`."""

_MIN_FONT_PX: Final = 8

_BLUR_BLOCKS: Final = 6
"""Mean colours along a blurred box's longer side. A face recogniser needs a face of some twenty
pixels; a face that is the whole box keeps at most 6 x 6, and one within a person's box one or two."""

_REDACTION_MARGIN: Final = 0.05
"""Fraction of a box's sides by which a redacted area is larger: detectors cut hair and hands."""


class Redaction(StrEnum):
    """How a part of a picture is made unrecognisable: colours stay, or nothing does."""

    BLUR = "blur"
    FILL = "fill"


def annotate(pixels: Pixels, detections: Sequence[Detection]) -> Pixels:
    """A copy of `pixels` with a box and a label for each detection, the most confident on top.

    The label is the prediction's common name where there is one, the detector's class
    otherwise, with the percentage of whoever said it. Lines and letters grow with the picture;
    a label never leaves it, and is shortened where the picture is narrower than its text.
    """
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    for detection in sorted(detections, key=lambda d: d.confidence):
        _draw_box(draw, detection, image.size)
        _draw_label(draw, detection, image.size)
    return np.array(image)


def redact(pixels: Pixels, boxes: Sequence[BBox], *, style: Redaction) -> Pixels:
    """A copy of `pixels` whose parts under `boxes`, and 5 % around them, cannot be recognised.

    What is hidden is gone: a blurred box holds at most 6 x 6 mean colours of the original.
    """
    result = pixels.copy()
    size = (pixels.shape[1], pixels.shape[0])
    for box in boxes:
        left, top, right, bottom = cover_px(_grown(box), size)
        part = result[top:bottom, left:right]
        part[:] = 0 if style is Redaction.FILL else _blurred(part)
    return result


def encode_jpeg(pixels: Pixels, quality: int = 90) -> bytes:
    """Encode `pixels` as a JPEG without metadata.

    Args:
        pixels: sides of at most 65,500 px, JPEG's limit.
        quality: 1..100, libjpeg's scale.

    Raises:
        ValueError: a side is too long.
    """
    if max(pixels.shape[:2]) > 65_500:
        raise ValueError(f"JPEG holds at most 65,500 px a side, got {pixels.shape[1]} x {pixels.shape[0]}")
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def _draw_box(draw: ImageDraw.ImageDraw, detection: Detection, size: tuple[int, int]) -> None:
    left, top, right, bottom = cover_px(detection.bbox, size)
    line = max(1, round(max(size) / 400))
    draw.rectangle((left, top, right - 1, bottom - 1), outline=_COLOURS[detection.category], width=line)


def _draw_label(draw: ImageDraw.ImageDraw, detection: Detection, size: tuple[int, int]) -> None:
    font = ImageFont.load_default(max(_MIN_FONT_PX, max(size) / 50))
    text = _shortened(draw, _label(detection), font, max_width=size[0])
    if not text:
        return
    _, _, width, height = (round(side + 0.5) for side in draw.textbbox((0, 0), text, font=font))
    left, top, _, bottom = cover_px(detection.bbox, size)
    above, inside = top - height, bottom - height
    x = max(0, min(left, size[0] - width))
    y = above if above >= 0 else max(0, min(top, inside, size[1] - height))
    draw.rectangle((x, y, x + width - 1, y + height - 1), fill=_COLOURS[detection.category])
    draw.text((x, y), text, fill=_INK, font=font)


def _label(detection: Detection) -> str:
    prediction = detection.prediction
    if prediction is None:
        return f"{detection.label} {detection.confidence:.0%}"
    taxon = prediction.taxon
    name = taxon.common_name or taxon.scientific_name or detection.label
    return f"{name} {prediction.score:.0%}"


def _shortened(
    draw: ImageDraw.ImageDraw,
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    *,
    max_width: int,
) -> str:
    """The text, or as much of it as `max_width` px hold; empty when not even a letter fits."""
    while text and draw.textlength(text, font=font) >= max_width:
        text = text[:-1]
    return text


def _grown(box: BBox) -> BBox:
    x, y = box.width * _REDACTION_MARGIN, box.height * _REDACTION_MARGIN
    return BBox.from_corners(box.x_min - x, box.y_min - y, box.x_max + x, box.y_max + y)


def _blurred(part: Pixels) -> Pixels:
    """A smooth picture of `part` made from at most 6 x 6 mean colours of it.

    Smoothed while it is small: a Gaussian as wide as a large box would take seconds.
    """
    height, width = part.shape[:2]
    longer = max(height, width)
    blocks = (max(1, _BLUR_BLOCKS * width // longer), max(1, _BLUR_BLOCKS * height // longer))
    means = cv2.resize(part, blocks, interpolation=cv2.INTER_AREA)
    fine = cv2.resize(means, (blocks[0] * 4, blocks[1] * 4), interpolation=cv2.INTER_NEAREST)
    smooth = cv2.GaussianBlur(fine, (0, 0), sigmaX=2)
    return np.asarray(cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
