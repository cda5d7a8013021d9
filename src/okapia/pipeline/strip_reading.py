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
"""Pixels across, at which strips are read. 1280 and 2048 gave fewer right values on real strips."""

_EDGE: Final = 0.06
"""Height that is read above and below, as a fraction of the width: strips take 0.01 to 0.05 of it."""

_LEAST_HEIGHT: Final = 32
"""Pixels, of the smallest picture that the text reader's networks take."""


def read_info_strip(data: bytes, reader: TextReader, policy: DecodePolicy | None = None) -> InfoStrip:
    """Read what the camera printed along the upper and the lower edge of its picture.

    A picture without text gives an `InfoStrip` with empty `raw_text`.

    Args:
        data: the encoded file. Its own date is used only where the printed one can be read in two ways.

    Raises:
        BadImage: as `Picture.open` and `Picture.crop`.
        ServerBusy: as `Picture.in_memory`.
        OcrNotInstalled: as `TextReader.read`.
        ModelError: as `TextReader.read`.
    """
    picture = Picture.open(data, policy)
    with picture.in_memory():
        edges = _edges(picture)
    lines = reader.read(edges)
    taken = picture.info.capture.captured_at
    return parse_info_strip(list(_rows(lines)), captured_on=taken.date() if taken else None)


def _edges(picture: Picture) -> Pixels:
    """Cut out both edges, one above the other; that is the whole of a picture of nothing but a strip."""
    edge = min(_EDGE * picture.info.width / picture.info.height, 0.5)
    boxes = BBox(0.0, 0.0, 1.0, edge), BBox(0.0, 1.0 - edge, 1.0, edge)
    both = np.vstack([picture.crop(box, side=_WIDTH) for box in boxes])
    height = ceil(both.shape[0] * _WIDTH / both.shape[1])
    return resize(both, (_WIDTH, max(height, _LEAST_HEIGHT)))


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
