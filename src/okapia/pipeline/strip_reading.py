"""An encoded picture -> the values of its info strip."""

from collections.abc import Iterable, Iterator
from math import ceil
from typing import Final

import numpy as np

from okapia.domain.types import BBox
from okapia.models.text_reader import TextLine, TextReader
from okapia.pipeline.info_strip import InfoStrip, parse_info_strip
from okapia.vision.decode import DecodePolicy, Picture
from okapia.vision.resample import Pixels, resize

_WIDTH: Final = 1600
"""Pixels across, at which strips are read."""

_EDGE: Final = 0.1
"""Fraction of a picture's height that is read above and below; strips take 2 to 9 %."""

_LEAST_EDGE, _MOST_EDGE = 0.06, 0.25
"""Fractions of its width: a picture of nothing but a strip is read whole, a tall one only in part."""


def read_info_strip(data: bytes, reader: TextReader, policy: DecodePolicy | None = None) -> InfoStrip:
    """Read what the camera printed along the upper and the lower edge of its picture.

    A picture without text gives an `InfoStrip` with empty `raw_text`.

    Args:
        data: the encoded file. Its own date is used only where the printed one can be read in two ways.

    Raises:
        BadImage: as `Picture.open` and `Picture.crop`.
        OcrNotInstalled: as `TextReader.read`.
        ModelError: as `TextReader.read`.
    """
    picture = Picture.open(data, policy)
    lines = reader.read(_edges(picture))
    taken = picture.info.capture.captured_at
    return parse_info_strip(list(_rows(lines)), captured_on=taken.date() if taken else None)


def _edges(picture: Picture) -> Pixels:
    """Cut out both edges, one above the other."""
    shape = picture.info.width / picture.info.height
    edge = min(max(_EDGE, _LEAST_EDGE * shape), _MOST_EDGE * shape, 0.5)
    boxes = BBox(0.0, 0.0, 1.0, edge), BBox(0.0, 1.0 - edge, 1.0, edge)
    both = np.vstack([picture.crop(box, side=_WIDTH) for box in boxes])
    return resize(both, (_WIDTH, ceil(both.shape[0] * _WIDTH / both.shape[1])))


def _rows(lines: Iterable[TextLine]) -> Iterator[str]:
    """Join what stands side by side, left to right, and give the rows from top to bottom."""
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=_middle):
        if rows and _middle(line) - _middle(rows[-1][0]) < line.bbox.height / 2:
            rows[-1].append(line)
        else:
            rows.append([line])
    for row in rows:
        yield " ".join(line.text for line in sorted(row, key=lambda line: line.bbox.x_min))


def _middle(line: TextLine) -> float:
    return line.bbox.y_min + line.bbox.height / 2
