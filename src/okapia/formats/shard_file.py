"""Results as Parquet: in columns for anybody's queries, and in a batch's own files exact for Okapia as well.

A shard's column `result` holds what is known of a picture, as JSON whose numbers come back as they were; the
columns that people ask for repeat it, so that a query needs no JSON.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from okapia.domain.types import Analysis, Detection, Failure, ImageResult
from okapia.formats.megadetector import as_utf8

_ANALYSIS = msgspec.json.Decoder(Analysis)
_FAILURE = msgspec.json.Decoder(Failure)

_BOX = pa.struct(
    [
        ("category", pa.string()),
        ("label", pa.string()),
        ("confidence", pa.float64()),
        ("x_min", pa.float64()),
        ("y_min", pa.float64()),
        ("width", pa.float64()),
        ("height", pa.float64()),
        ("taxon", pa.string()),
        ("score", pa.float64()),
        ("frame", pa.int64()),
    ]
)
_ASKED_FOR = pa.schema(
    [
        ("file", pa.string()),
        ("failure_code", pa.string()),
        ("failure_message", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("decoded_fraction", pa.float64()),
        ("captured_at", pa.timestamp("us")),
        ("camera_serial", pa.string()),
        ("detections", pa.list_(_BOX)),
        ("meta", pa.string()),
        ("sha256", pa.string()),
    ]
)
_SHARD = pa.schema(
    [
        *_ASKED_FOR,
        ("verdict", pa.string()),
        ("seconds", pa.float64()),
        ("raw_file", pa.binary()),
        ("result", pa.binary()),
    ]
)
_REPEATING = [
    "failure_code",
    "camera_serial",
    "verdict",
    *(f"detections.list.element.{name}" for name in ("category", "label", "taxon")),
]
"""Columns whose values are few enough for a dictionary."""

_ROWS_AT_ONCE = 256
_ROWS_A_GROUP = 8192
"""Few enough that dozens of files can be open at once, 2 MB each; many enough that footers stay small."""


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One picture of a shard.

    Attributes:
        verdict: how it ended, in the words of the batch.
    """

    result: ImageResult
    verdict: str


def encode(rows: Sequence[ShardRow]) -> bytes:
    """Write the pictures of a shard, in their order."""
    results = [row.result for row in rows]
    columns = _asked_for(results) | {
        "verdict": [row.verdict for row in rows],
        "seconds": [result.seconds for result in results],
        "raw_file": [result.name.encode("utf-8", "surrogateescape") for result in results],
        "result": [msgspec.json.encode(_as_utf8(result.outcome)) for result in results],
    }
    table, file = pa.table(columns, schema=_SHARD), pa.BufferOutputStream()
    pq.write_table(table, file, compression="zstd", use_dictionary=_REPEATING, write_statistics=False)
    data: bytes = file.getvalue().to_pybytes()
    return data


def decode(data: bytes, *, is_wanted: Callable[[str], bool] = lambda _: True) -> list[ShardRow]:
    """Read what `encode` wrote.

    Args:
        is_wanted: tells by its name whether a picture is given.

    Raises:
        ValueError: it is something else.
    """
    table = _read(data, ["raw_file", "verdict", "failure_code", "result", "seconds", "meta", "sha256"])
    return [
        ShardRow(ImageResult(name, _outcome(result, code), seconds, meta, sha256), verdict)
        for raw_name, verdict, code, result, seconds, meta, sha256 in zip(*table, strict=True)
        if is_wanted(name := _name(raw_name))
    ]


def names_in(data: bytes) -> list[str]:
    """Read of what `encode` wrote the pictures' names alone; raises as `decode`."""
    (raw_names,) = _read(data, ["raw_file"])
    return [_name(raw_name) for raw_name in raw_names]


class Sink(Protocol):
    """Takes the bytes of a file one after the other."""

    def write(self, data: bytes) -> None: ...


class ResultTable:
    """Writes the columns that people ask for as one Parquet file, in constant memory.

    Either `finish` or `discard` ends it; what the sink raises comes through.
    """

    def __init__(self, sink: Sink) -> None:
        self._stream = _Stream(sink)
        self._writer = pq.ParquetWriter(
            self._stream, _ASKED_FOR, compression="zstd", use_dictionary=_REPEATING
        )
        self._due: list[ImageResult] = []
        self._group: list[pa.RecordBatch] = []

    def add(self, result: ImageResult) -> None:
        """Take the next picture."""
        self._due.append(result)
        if len(self._due) == _ROWS_AT_ONCE:
            self._pack()
        if len(self._group) * _ROWS_AT_ONCE >= _ROWS_A_GROUP:
            self._flush()

    def finish(self, about: Mapping[str, str]) -> None:
        """Write what is due and the footer, with `about` as the file's metadata."""
        self._pack()
        self._flush()
        self._writer.add_key_value_metadata(about)
        self._writer.close()

    def discard(self) -> None:
        """Write no more; nothing to do after `finish`."""
        self._stream.is_over = True
        self._writer.close()

    def _pack(self) -> None:
        """Keep pictures as columns, which take a tenth of the memory."""
        self._group.append(pa.record_batch(_asked_for(self._due), schema=_ASKED_FOR))
        self._due = []

    def _flush(self) -> None:
        self._writer.write_table(pa.Table.from_batches(self._group, _ASKED_FOR), _ROWS_A_GROUP)
        self._group = []


class _Stream:
    """A sink as Arrow wants its files."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.is_over = False
        self.closed = False

    def write(self, data: bytes) -> None:
        if not self.is_over:
            self._sink.write(data)

    def flush(self) -> None: ...

    def close(self) -> None:
        self.closed = True


def _asked_for(results: Sequence[ImageResult]) -> dict[str, object]:
    """Give pictures column by column."""
    analyses = [result.outcome if isinstance(result.outcome, Analysis) else None for result in results]
    failures = [result.outcome if isinstance(result.outcome, Failure) else None for result in results]
    images = [analysis.image if analysis else None for analysis in analyses]
    return {
        "file": [as_utf8(result.name) for result in results],
        "failure_code": [failure.code if failure else None for failure in failures],
        "failure_message": [as_utf8(failure.message) if failure else None for failure in failures],
        "width": [image.width if image else None for image in images],
        "height": [image.height if image else None for image in images],
        "decoded_fraction": [image.decoded_fraction if image else None for image in images],
        "captured_at": [image.capture.captured_at if image else None for image in images],
        "camera_serial": [image.capture.camera_serial if image else None for image in images],
        "detections": _boxes([analysis.detections if analysis else () for analysis in analyses]),
        "meta": [as_utf8(result.meta) if result.meta else result.meta for result in results],
        "sha256": [result.sha256 for result in results],
    }


def _boxes(pictures: Sequence[tuple[Detection, ...]]) -> pa.ListArray:
    """Write the boxes of all pictures column by column: row by row takes twice as long."""
    boxes = [detection for picture in pictures for detection in picture]
    said = [box.prediction for box in boxes]
    columns = (
        [box.category.value for box in boxes],
        [box.label for box in boxes],
        [box.confidence for box in boxes],
        [box.bbox.x_min for box in boxes],
        [box.bbox.y_min for box in boxes],
        [box.bbox.width for box in boxes],
        [box.bbox.height for box in boxes],
        [answer.taxon.label if answer else None for answer in said],
        [answer.score if answer else None for answer in said],
        [box.frame for box in boxes],
    )
    arrays = [pa.array(values, field.type) for values, field in zip(columns, _BOX, strict=True)]
    ends = list(accumulate((len(picture) for picture in pictures), initial=0))
    return pa.ListArray.from_arrays(
        pa.array(ends, pa.int32()), pa.StructArray.from_arrays(arrays, fields=_BOX)
    )


def _as_utf8(outcome: Analysis | Failure) -> Analysis | Failure:
    """Make a message fit for JSON; it may repeat a file's name."""
    return Failure(outcome.code, as_utf8(outcome.message)) if isinstance(outcome, Failure) else outcome


def _read(data: bytes, names: Sequence[str]) -> list[list[Any]]:  # untyped, as all that pyarrow gives
    table = pq.ParquetFile(pa.BufferReader(data)).read(columns=names, use_threads=False)
    return [table[name].to_pylist() for name in names]


def _name(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _outcome(result: bytes, failure_code: str | None) -> Analysis | Failure:
    return _ANALYSIS.decode(result) if failure_code is None else _FAILURE.decode(result)
