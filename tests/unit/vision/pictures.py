"""Pictures that the vision tests make for themselves."""

import io

import cv2
import numpy as np
from PIL import Image

from okapia.domain.types import Size
from okapia.vision.decode import Picture
from okapia.vision.geometry import fit
from okapia.vision.resample import Pixels


def scene(width: int, height: int, *, seed: int = 0, noise: float = 4.0) -> Pixels:
    """Smooth coloured blobs with a little noise: it compresses as a photograph does."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (max(2, height // 40), max(2, width // 40), 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float64)
    return (smooth + rng.normal(0, noise, smooth.shape)).clip(0, 255).astype(np.uint8)


def fitted(picture: Picture, canvas: Size) -> Pixels:
    """The picture, decoded no larger than fitting it into a canvas needs."""
    return picture.pixels(fit((picture.info.width, picture.info.height), canvas))


def encode(image: Image.Image | Pixels, kind: str, **options: object) -> bytes:
    """Encode with Pillow; `options` are those of the format's writer."""
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif_with(**tags: object) -> Image.Exif:
    """EXIF whose first directory holds `tags`, given by name."""
    exif = Image.Exif()
    for name, value in tags.items():
        exif[_TAGS[name]] = value
    return exif


_TAGS = {"orientation": 0x0112, "make": 0x010F, "model": 0x0110, "changed": 0x0132}


def difference(one: Pixels, other: Pixels) -> float:
    """Mean absolute difference of two pictures of the same size, 0..255."""
    return float(np.abs(one.astype(np.int16) - other.astype(np.int16)).mean())
