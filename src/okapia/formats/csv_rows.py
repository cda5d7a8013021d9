"""Results as CSV: a row a box; a picture without one, and one that failed, has a row of its own.

A text that a spreadsheet would take for a formula begins with an apostrophe here, a file's name too (OWASP,
"CSV Injection").
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Final

from okapia.domain.types import Analysis, Detection, Failure, ImageResult, Prediction
from okapia.formats.base import Format, ResultWriter, Writing
from okapia.formats.lines import LineWriter
from okapia.formats.megadetector import as_utf8

Cell = str | float | None

COLUMNS: Final = (
    *("file", "meta", "sha256", "failure_code", "failure_message"),
    *("captured_at", "camera_serial", "width", "height", "decoded_fraction", "boxes"),
    *("box", "frame", "category", "label", "confidence", "x_min", "y_min", "box_width", "box_height"),
    *("scientific_name", "common_name", "taxon", "score", "source"),
)
"""In this order for good; later ones come last. `boxes` is how many the picture has, `box` which one."""

SPREADSHEET_MARK: Final = b"\xef\xbb\xbf"
"""By which spreadsheets know UTF-8."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NOTHING: Sequence[Cell] = (None,) * len(COLUMNS)


def lines(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Give rows as CSV; a text that is no UTF-8 is written as `as_utf8` says."""
    file = StringIO()
    csv.writer(file).writerows(map(_safe, row) for row in rows)
    return file.getvalue().encode()


def _writer(target: Path, writing: Writing) -> ResultWriter:
    picture = partial(_picture, keep_above=writing.keep_above)
    return LineWriter(target, picture, head=SPREADSHEET_MARK + lines([COLUMNS]))


result_format = Format("csv", "Okapia's own columns; CSV by RFC 4180", ".csv", _writer)


def _picture(result: ImageResult, *, keep_above: float) -> bytes:
    return lines((*row, *_NOTHING[len(row) :]) for row in _rows(result, keep_above))


def _rows(result: ImageResult, keep_above: float) -> Iterator[Sequence[Cell]]:
    about = (result.name, result.meta, result.sha256)
    match result.outcome:
        case Failure(code, message):
            yield (*about, code, message)
        case Analysis() as analysis:
            kept = [found for found in analysis.detections if found.confidence >= keep_above]
            facts = (*about, None, None, *_facts(analysis), len(kept))
            yield from [(*facts, *_box(number, found)) for number, found in enumerate(kept, 1)] or [facts]


def _facts(analysis: Analysis) -> Sequence[Cell]:
    image = analysis.image
    taken = image.capture.captured_at
    written = taken.isoformat(" ", "seconds") if taken else None
    return written, image.capture.camera_serial, image.width, image.height, image.decoded_fraction


def _box(number: int, found: Detection) -> Sequence[Cell]:
    box, answer = found.bbox, found.prediction
    place = (box.x_min, box.y_min, box.width, box.height)
    seen = (number, found.frame, found.category.value, found.label, found.confidence, *place)
    return (*seen, *_answer(answer)) if answer else seen


def _answer(answer: Prediction) -> Sequence[Cell]:
    taxon = answer.taxon
    return taxon.scientific_name, taxon.common_name, taxon.label, answer.score, answer.source


def _safe(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    text = as_utf8(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text
