"""A result format for Okapia: one CSV line a box, for a spreadsheet."""

import csv
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Self

from okapia.domain.types import Analysis, ImageResult
from okapia.formats.base import Format, RunInfo, Writing
from okapia.formats.megadetector import as_utf8
from okapia.formats.pending import PendingFile


class BoxListWriter:
    """Writes `file,category,confidence`; a picture without a box, and one that failed, has no line."""

    def __init__(self, target: Path, writing: Writing) -> None:
        self._keep_above = writing.keep_above
        self._file = PendingFile(target)
        self._write("file", "category", "confidence")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.discard()

    def add(self, result: ImageResult) -> None:
        if isinstance(result.outcome, Analysis):
            for found in result.outcome.above(self._keep_above).detections:
                self._write(result.name, found.category.value, f"{found.confidence:.4f}")

    def finish(self, info: RunInfo, *, target: Path | None = None) -> None:
        del info  # the format has no room for it
        self._file.commit(instead=target)

    def _write(self, *values: str) -> None:
        line = StringIO()
        csv.writer(line).writerow(map(as_utf8, values))
        self._file.write(line.getvalue().encode())


result_format = Format("boxlist", "examples/own-format, an example", ".csv", BoxListWriter)
