"""Batches that go on from earlier ones: what was answered and has not changed is taken over, not done again.

A picture is the same while its name below the root, its size and its version are; where the root is mounted
does not matter. Pictures that have no answer are looked at again.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import structlog
from sqlalchemy import Connection, select

from okapia.batches.batch import Batch, Kind, ShardFile, Verdict
from okapia.batches.items import Item, pack, unpack
from okapia.batches.results import BatchResults, ShardDamaged
from okapia.batches.rows import AnyRow, batch_of, file_of
from okapia.batches.shard import ShardResult
from okapia.batches.verdicts import count
from okapia.database.engine import Database
from okapia.database.tables import batch_tasks as tasks
from okapia.database.tables import batches
from okapia.formats.shard_file import ShardRow, decode, encode

_log = structlog.get_logger(__name__)

_ANSWERED = frozenset({Verdict.DONE.value, Verdict.DAMAGED.value})
_ROWS_AT_ONCE = 64

WorkOff = Callable[[Batch, bytes], ShardResult]
"""Analyses the packed pictures of a shard (`okapia.batches.worker.Trade`)."""


def batches_of(connection: Connection, run_id: str) -> list[Batch]:
    """Give the batches of a run, whose workers are called `RUN_ID/…`; the oldest first."""
    found = select(batches).where(batches.c.worked_by.startswith(f"{run_id}/", autoescape=True))
    return [batch_of(row) for row in connection.execute(found.order_by(batches.c.created_at, batches.c.id))]


@dataclass(frozen=True, slots=True)
class _Shard:
    """A finished shard: the span of its pictures' names, and where its answers are."""

    first: str
    last: str
    task_id: int
    file: ShardFile


class EarlierAnswers:
    """The answers of finished shards, found by picture; from any number of threads.

    Memory: two names a shard.
    """

    def __init__(self, database: Database, results: BatchResults, *, of: Iterable[Batch]) -> None:
        self._database = database
        self._results = results
        self._shards = sorted(_shards(database, [batch.id for batch in of]), key=lambda shard: shard.first)
        self._firsts = [shard.first for shard in self._shards]
        # Listings are in the order of names, so that a shard's span is short and the rows below rise.
        self._furthest = list(accumulate((shard.last for shard in self._shards), max))

    def find(self, items: Sequence[Item]) -> dict[int, ShardRow]:
        """Give the answers to those of the pictures that have not changed since, by their place."""
        wanted = {_identity(item): place for place, item in enumerate(items) if _is_known(item)}
        found: dict[int, ShardRow] = {}
        for shard in self._about([items[place].name for place in wanted.values()]):
            for item, row in self._read(shard):
                place = wanted.get(_identity(item))
                if place is not None and row.verdict in _ANSWERED:
                    found[place] = row
        return found

    def _about(self, names: Sequence[str]) -> Iterator[_Shard]:
        """Give the shards that may hold pictures of these names."""
        if not names:
            return
        low, high = min(names), max(names)
        start, stop = bisect_left(self._furthest, low), bisect_right(self._firsts, high)
        yield from (shard for shard in self._shards[start:stop] if shard.last >= low)

    def _read(self, shard: _Shard) -> Iterator[tuple[Item, ShardRow]]:
        """Give a shard's pictures with their answers; none when its file is damaged or gone."""
        packed = select(tasks.c["items"]).where(tasks.c.id == shard.task_id)
        with self._database.read() as connection:
            items = connection.execute(packed).scalar_one_or_none()
        if items is None:
            return
        try:
            yield from zip(unpack(items), list(self._results.rows([shard.file])), strict=True)
        except ShardDamaged as error:
            _log.warning("earlier_answers_lost", reason=str(error))


class TopUp:
    """Works shards off, but for what earlier batches have answered."""

    def __init__(
        self, earlier: EarlierAnswers, work_off: WorkOff, *, also: Callable[[Sequence[ShardRow]], None]
    ) -> None:
        """Hand the rest to `work_off`; call `also` with what is taken over of a shard."""
        self._earlier = earlier
        self._rest = work_off
        self._also = also

    def work_off(self, batch: Batch, packed: bytes) -> ShardResult:
        """Give a shard's answers, in the order of its pictures; raises what the other `work_off` raises."""
        items = unpack(packed)
        known = self._earlier.find(items)
        if not known:
            return self._rest(batch, packed)
        self._also(list(known.values()))
        fresh = [item for place, item in enumerate(items) if place not in known]
        made = iter(decode(self._rest(batch, pack(fresh)).data) if fresh else ())
        rows = [known[place] if place in known else next(made) for place in range(len(items))]
        return ShardResult(encode(rows), count(Verdict(row.verdict) for row in rows))


def _shards(database: Database, batch_ids: Sequence[str]) -> Iterator[_Shard]:
    """Give the finished shards of batches that hold any picture with an identity."""
    columns = (tasks.c.id, tasks.c["items"], tasks.c.file, tasks.c.file_sha256, tasks.c.file_bytes)
    finished = (tasks.c.kind == Kind.SHARD.value, tasks.c.finished_at.is_not(None))
    for batch_id in batch_ids:
        its_own = select(*columns).where(tasks.c.batch_id == batch_id, *finished).order_by(tasks.c.number)
        with database.read() as connection:
            for row in connection.execute(its_own).yield_per(_ROWS_AT_ONCE):
                yield from _shard(row)


def _shard(row: AnyRow) -> Iterator[_Shard]:
    names = [item.name for item in unpack(row.items) if _is_known(item)]
    if names:
        yield _Shard(min(names), max(names), row.id, file_of(row))


def _is_known(item: Item) -> bool:
    """Say whether it can be told that a picture is still the same."""
    return item.problem is None and item.n_bytes is not None and item.version is not None


def _identity(item: Item) -> tuple[str, int | None, str | None]:
    return item.name, item.n_bytes, item.version
