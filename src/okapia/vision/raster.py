"""Pictures that Pillow decodes: every format but plain JPEG, and JPEG in CMYK.

Pillow can keep the rows of a cut-off file only by a flag of the whole process
(`ImageFile.LOAD_TRUNCATED_IMAGES`), which threads with another policy would feel. Here the
same is had per picture: a failed `load` leaves the rows that it decoded in the image's memory.
"""

import struct
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from okapia.domain.errors import BadImage
from okapia.vision.resample import Pixels

_BROKEN = (OSError, SyntaxError, ValueError, IndexError, EOFError, struct.error, zlib.error)
"""What Pillow's plug-ins raise when the data ends early or makes no sense."""

_INK = 90
"""Value of the bands that no row of a cut-off file has reached: dark grey, rare in a whole row."""


def load(reopen: Callable[[], ImageFile.ImageFile]) -> tuple[Image.Image, float]:
    """Decode the first frame; keep the rows that a broken file still has.

    Args:
        reopen: opens the same bytes anew, header only; called once, twice for a broken file.

    Returns:
        The picture, and the fraction of its rows that hold data (below 1 if it is broken).

    Raises:
        BadImage: no row could be decoded.
    """
    image = reopen()
    try:
        image.load()
    except _BROKEN as error:
        broken = reopen()
        fraction = _load_broken(broken)
        if fraction == 0:
            raise BadImage(f"no row of the {broken.format} data can be decoded: {error}") from error
        return broken, fraction
    return image, 1.0


def rows_with_data(stored: NDArray[np.generic], blank: NDArray[np.generic]) -> float:
    """Fraction of the rows of a *damaged* picture that hold data; below 1, as some data is missing.

    Args:
        stored: (height, width) or (height, width, bands), as stored in the file.
        blank: value of one pixel that was never decoded; a row of nothing else counts as missing.
    """
    height: int = stored.shape[0]
    filled = int(np.any((stored != blank).reshape(height, -1), axis=1).sum())
    # The row at the cut is itself incomplete, and behind corrupt data we cannot know: at least
    # one row is not what the camera saw. Of a picture of one row, half of it is a fair word.
    return min(filled / height, 1 - 1 / max(height, 2))


def to_rgb(image: Image.Image) -> Pixels:
    """8-bit RGB of a loaded picture of any mode.

    16-bit grey keeps its upper byte. 32-bit integers and floats have no nominal range: their
    least and greatest finite values become 0 and 255. Transparent parts become black: it is
    what encoders store below them, and so what MegaDetector and SpeciesNet see, which drop
    the alpha channel.
    """
    if image.mode.startswith("I;16"):
        return _grey((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        return _grey(_stretch_range(np.asarray(image, dtype=np.float64)))
    if image.has_transparency_data:
        return np.array(_on_black(image.convert("RGBA")))
    return np.array(image.convert("RGB"))


def _load_broken(image: ImageFile.ImageFile) -> float:
    transparent = image.info.get("transparency")
    # GIF fills its canvas with the transparent index itself, whatever we put there.
    ink = transparent if image.mode == "P" and isinstance(transparent, int) else _INK
    colour = ink if len(image.getbands()) == 1 else (ink,) * len(image.getbands())
    image.im = Image.new(image.mode, image.size, colour).im
    try:
        image.load()
    except _BROKEN:
        image.tile = []  # what is decoded is the picture; another `load` would start again
    return rows_with_data(np.asarray(image), np.asarray(Image.new(image.mode, (1, 1), colour))[0, 0])


def _grey(values: NDArray[np.uint8]) -> Pixels:
    return np.repeat(values[:, :, np.newaxis], 3, axis=2)


def _stretch_range(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    span = high - low if high > low else 1.0
    scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) * (255 / span)
    return np.rint(scaled).astype(np.uint8)


def _on_black(image: Image.Image) -> Image.Image:
    canvas = Image.new("RGB", image.size)
    canvas.paste(image, mask=image.getchannel("A"))
    return canvas
