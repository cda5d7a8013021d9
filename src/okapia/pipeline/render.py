"""Copies of a picture for people to look at: boxes drawn, persons made unrecognisable."""

from collections.abc import Sequence

from okapia.domain.types import Category, Detection, People
from okapia.vision.decode import DecodePolicy, Picture
from okapia.vision.draw import Redaction, annotate, encode_jpeg, redact
from okapia.vision.geometry import fit

RENDER_SIDE = 1920
"""A copy is decoded so that it fills about this many pixels: enough to look at, quick to draw."""

_REDACTIONS = {People.BLUR: Redaction.BLUR, People.FILL: Redaction.FILL}


def render(data: bytes, detections: Sequence[Detection], *, people: People, policy: DecodePolicy) -> bytes:
    """Draw the detections on a copy of the picture; gives a JPEG file.

    Args:
        people: how boxes of the category `person` are treated.

    Raises:
        BadImage: the bytes cannot become pixels.
    """
    picture = Picture.open(data, policy)
    with picture.in_memory():
        return _drawn(picture, detections, people)


def _drawn(picture: Picture, detections: Sequence[Detection], people: People) -> bytes:
    pixels = picture.pixels(fit((picture.info.width, picture.info.height), (RENDER_SIDE, RENDER_SIDE)))
    style = _REDACTIONS.get(people)
    if style is not None:
        persons = [d.bbox for d in detections if d.category is Category.PERSON]
        pixels = redact(pixels, persons, style=style)
    return encode_jpeg(annotate(pixels, detections))
