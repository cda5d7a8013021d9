"""What every result format offers: results in, one after the other; a whole file out, or none.

A format is one module that exports `result_format`: of this folder, or of any package that names it as an
entry point of the group `okapia.formats`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeAlias

import okapia.formats
from okapia.domain import plugins
from okapia.domain.errors import InvalidRequest
from okapia.domain.types import Crops, ImageResult

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


@dataclass(frozen=True, slots=True)
class Writing:
    """What a writer is told before the first picture; a format without room for it goes by its own rule.

    Attributes:
        keep_above: least confidence, 0..1, of a box that is written.
        models: ids of the networks that answer, joined by `+`.
        top_k: most classes written for a box, the answer among them; None for all.
    """

    keep_above: float
    models: str
    top_k: int | None = None


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


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of result file.

    Attributes:
        name: what a person asks for it by.
        source: document that says how its files look, and the state that is followed.
        suffix: of its files' names, with the dot.
        writer: opens a file; raises `OutputNotWritable` before any image is analysed.
        crops: by whose rules the answers that it holds are made.
    """

    name: str
    source: str
    suffix: str
    writer: Callable[[Path, Writing], ResultWriter]
    crops: Crops = Crops.ANIMALS


def discover() -> list[Format]:
    """Find the formats of this folder, then those of other packages; raises as `plugins.discover` does."""
    return plugins.discover(okapia.formats, "result_format", Format)


def format_named(name: str) -> Format:
    """Give a format by its name.

    Raises:
        InvalidRequest: there is none of this name.
        InvalidSettings: one that another package brings is broken.
    """
    by_name = {one.name: one for one in discover()}
    if name not in by_name:
        raise InvalidRequest(f"expected a format of {', '.join(by_name)}, got {name!r}", param="format")
    return by_name[name]
