"""Results as one Parquet file: a row a picture, its boxes as a list; for DuckDB, pandas, R and the like.

The manifest of the run is the file's metadata `okapia_manifest`, as JSON.
"""

from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from okapia.domain.types import Analysis, ImageResult
from okapia.formats.base import Format, ResultWriter, RunInfo, Writing
from okapia.formats.megadetector import valid
from okapia.formats.pending import PendingFile
from okapia.formats.shard_file import ResultTable


class ParquetWriter:
    """A `ResultWriter` of Parquet in row groups.

    Raises:
        OutputNotWritable: the target's folder cannot be written; before any image is analysed.
    """

    def __init__(self, target: Path, *, keep_above: float) -> None:
        self._keep_above = keep_above
        self._file = PendingFile(target)
        self._table = ResultTable(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._table.discard()
        self._file.discard()

    def add(self, result: ImageResult) -> None:
        """Write the next image."""
        if isinstance(result.outcome, Analysis):
            result = replace(result, outcome=result.outcome.above(self._keep_above))
        self._table.add(result)

    def finish(self, info: RunInfo, *, target: Path | None = None) -> None:
        """Put the whole file in its place, or in that of `target` in the same folder."""
        self._table.finish({"okapia_manifest": orjson.dumps(valid(info.manifest)).decode()})
        self._file.commit(instead=target)


def _writer(target: Path, writing: Writing) -> ResultWriter:
    return ParquetWriter(target, keep_above=writing.keep_above)


result_format = Format("parquet", "Okapia's own columns; Apache Parquet 2.6", ".parquet", _writer)
