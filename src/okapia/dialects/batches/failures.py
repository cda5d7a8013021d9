"""The pictures without an answer, as JSON lines: their number has no limit, and no page holds them."""

from collections.abc import Iterator
from itertools import islice

from okapia.dialects.batches.answers import ShownFailure
from okapia.domain.types import Failure
from okapia.formats.shard_file import ShardRow

JSON_LINES = "application/jsonl"

_LINES_AT_ONCE = 256


def failure_lines(rows: Iterator[ShardRow]) -> Iterator[bytes]:
    """Write a line for each failure; the first at once, so that what stands in the way is raised now."""
    lines = (
        ShownFailure.of(row, row.result.outcome).model_dump_json()
        for row in rows
        if isinstance(row.result.outcome, Failure)
    )
    return _joined(list(islice(lines, _LINES_AT_ONCE)), lines)


def _joined(some: list[str], rest: Iterator[str]) -> Iterator[bytes]:
    while some:
        yield ("\n".join(some) + "\n").encode()
        some = list(islice(rest, _LINES_AT_ONCE))
