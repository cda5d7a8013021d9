"""What every result format offers: results in, one after the other; a whole file out, or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from okapia.domain.types import ImageResult

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | float | bool | None"


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What made a result file.

    Attributes:
        detector: id of the detector, or of the fused pair; readers pick default thresholds by it.
        detection_completed_at: local time, as the format wants it.
        typical_detection_threshold: what counted as found in this run, 0..1.
        classifier: None when nothing was classified.
        summary_report: text for people; readers such as Timelapse show it, as HTML.
        manifest: everything needed to make the numbers again.
    """

    detector: str
    detection_completed_at: datetime
    typical_detection_threshold: float
    classifier: str | None = None
    classification_completed_at: datetime | None = None
    summary_report: str | None = None
    manifest: Mapping[str, Json] = field(default_factory=dict)


class ResultWriter(Protocol):
    """Writes one result file, in constant memory.

    A context manager: leaving it without `finish` leaves no trace, and a file of that name
    that was there before stays as it was.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def add(self, result: ImageResult) -> None:
        """Take the next image's result; they are written in the order of the calls.

        Raises:
            OutputNotWritable: the disk is full or gone.
        """
        ...

    def finish(self, info: RunInfo, *, target: Path | None = None) -> None:
        """Put the whole file in its place, or in that of `target` in the same folder; once, last.

        Raises:
            OutputNotWritable: the disk is full, or the old file cannot be replaced.
        """
        ...
