"""Result files of lines: each picture's are written as it comes."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from okapia.domain.types import ImageResult
from okapia.formats.base import RunInfo
from okapia.formats.pending import PendingFile


class LineWriter:
    """A `ResultWriter` of a format without room for what is told of the run.

    Raises:
        OutputNotWritable: the target's folder cannot be written; before any image is analysed.
    """

    def __init__(self, target: Path, lines_of: Callable[[ImageResult], bytes], *, head: bytes = b"") -> None:
        """Begin with `head`; `lines_of` gives a picture's lines, each with its end."""
        self._lines_of = lines_of
        self._file = PendingFile(target)
        self._file.write(head)

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
        """Write the next image."""
        self._file.write(self._lines_of(result))

    def finish(self, info: RunInfo, *, target: Path | None = None) -> None:
        """Put the whole file in its place, or in that of `target` in the same folder."""
        del info
        self._file.commit(instead=target)
