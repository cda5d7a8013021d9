"""Batches that go on from earlier ones take over every answer that still counts, and no other."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from okapia.batches.batch import Batch, Counts, Kind, ShardFile, Verdict
from okapia.batches.items import Item, pack, unpack
from okapia.batches.results import BatchResults
from okapia.batches.shard import ShardResult, work_off
from okapia.batches.top_up import EarlierAnswers, TopUp, batches_of
from okapia.batches.verdicts import count
from okapia.domain.types import Analysis, Failure, ImageInfo, ImageResult
from okapia.formats.shard_file import ShardRow, decode, encode
from okapia.storage.folder_blobs import FolderBlobs
from tests.unit.batches.floor import Floor, new_batch

RUN = "a" * 32


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


def item(name: str, *, n_bytes: int = 10, version: str | None = "1") -> Item:
    return Item(name, n_bytes=n_bytes, version=version)


def row(name: str, *, width: int = 1, verdict: Verdict = Verdict.DONE) -> ShardRow:
    if verdict is Verdict.DONE:
        return ShardRow(ImageResult(name, Analysis(ImageInfo(width, 1, "JPEG", 10), ())), verdict.value)
    return ShardRow(ImageResult(name, Failure("undecodable_image", "broken")), verdict.value)


def answered(floor: Floor, blobs: FolderBlobs, shards: Sequence[dict[Item, ShardRow]]) -> Batch:
    """A batch whose shards are finished, with these answers."""
    batch = floor.submit(replace(new_batch(), worked_by=f"{RUN}/{uuid4().hex[:16]}"))
    with floor.database.write() as connection:
        lease = floor.ledger.claim(connection, worker=batch.worked_by)
        assert lease is not None
        floor.ledger.add_shards(connection, lease, [list(shard) for shard in shards], first=0)
        floor.ledger.commit_listing(connection, lease)
    for shard in shards:
        _answer(floor, blobs, batch, list(shard.values()))
    return batch


def _answer(floor: Floor, blobs: FolderBlobs, batch: Batch, rows: list[ShardRow]) -> None:
    result = ShardResult(encode(rows), count(Verdict(row.verdict) for row in rows))
    with floor.database.write() as connection:
        lease = floor.ledger.claim(connection, worker=batch.worked_by)
    assert lease is not None
    assert lease.kind is Kind.SHARD
    file = ShardFile(f"batches/{batch.id}/{lease.file_stem}.parquet", result.sha256, len(result.data))
    blobs.put(file.name, [result.data], max_bytes=1 << 20)
    with floor.database.write() as connection:
        floor.ledger.commit_shard(connection, lease, file, result.counts)


def earlier(floor: Floor, blobs: FolderBlobs, *batches: Batch) -> EarlierAnswers:
    return EarlierAnswers(floor.database, BatchResults(blobs), of=batches)


def test_answers_are_found_by_name_size_and_version_wherever_the_shards_end(
    floor: Floor, blobs: FolderBlobs
) -> None:
    names = [f"cam/{place:02d}.jpg" for place in range(12)]
    rows = {item(name): row(name, width=place + 1) for place, name in enumerate(names)}
    pairs = list(rows.items())
    batch = answered(floor, blobs, [dict(pairs[:5]), dict(pairs[5:6]), dict(pairs[6:])])

    found = earlier(floor, blobs, batch).find([item("cam/03b.jpg"), *map(item, names[4:8])])

    assert {place: one.result.name for place, one in found.items()} == dict(enumerate(names[4:8], 1))
    assert found[2] == rows[item(names[5])]


@pytest.mark.parametrize(
    "changed",
    [item("a.jpg", n_bytes=11), item("a.jpg", version="2"), item("b.jpg"), item("a.jpg", version=None)],
)
def test_a_picture_that_is_another_one_has_no_answer(floor: Floor, blobs: FolderBlobs, changed: Item) -> None:
    batch = answered(floor, blobs, [{item("a.jpg"): row("a.jpg")}])

    assert earlier(floor, blobs, batch).find([changed]) == {}


def test_what_failed_has_no_answer(floor: Floor, blobs: FolderBlobs) -> None:
    shard = {item("a.jpg"): row("a.jpg", verdict=Verdict.UNDECODABLE), item("b.jpg"): row("b.jpg")}
    batch = answered(floor, blobs, [shard])

    assert list(earlier(floor, blobs, batch).find(list(shard))) == [1]


def test_answers_of_several_batches_are_found_together(floor: Floor, blobs: FolderBlobs) -> None:
    whole = answered(floor, blobs, [{item(f"{n}.jpg"): row(f"{n}.jpg") for n in "aceg"}])
    part = answered(floor, blobs, [{item("b.jpg"): row("b.jpg")}, {item("c.jpg", version="2"): row("c.jpg")}])

    found = earlier(floor, blobs, whole, part).find(
        [item("a.jpg"), item("b.jpg"), item("c.jpg", version="2"), item("d.jpg"), item("g.jpg")]
    )

    assert sorted(found) == [0, 1, 2, 4]


def test_a_file_that_is_gone_means_that_its_pictures_have_no_answer(floor: Floor, blobs: FolderBlobs) -> None:
    batch = answered(floor, blobs, [{item("a.jpg"): row("a.jpg")}, {item("b.jpg"): row("b.jpg")}])
    blobs.delete(min(blobs.keys(f"batches/{batch.id}")))

    assert list(earlier(floor, blobs, batch).find([item("a.jpg"), item("b.jpg")])) == [1]


def test_the_rest_of_a_shard_is_worked_off_and_all_stand_in_their_order(
    floor: Floor, blobs: FolderBlobs
) -> None:
    batch = answered(floor, blobs, [{item("b.jpg"): row("b.jpg", width=7), item("d.jpg"): row("d.jpg")}])
    asked: list[str] = []
    taken: list[str] = []

    def rest(_: Batch, packed: bytes) -> ShardResult:
        items = unpack(packed)
        asked.extend(one.name for one in items)
        return work_off(items, _Nowhere(), lambda pictures: (row(p.name).result for p in pictures))

    top_up = TopUp(
        earlier(floor, blobs, batch), rest, also=lambda rows: taken.extend(r.result.name for r in rows)
    )
    result = top_up.work_off(batch, pack([item(f"{n}.jpg") for n in "abcd"]))

    rows = decode(result.data)
    assert [one.result.name for one in rows] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert rows[1] == row("b.jpg", width=7)
    assert (asked, sorted(taken)) == (["a.jpg", "c.jpg"], ["b.jpg", "d.jpg"])
    assert result.counts == Counts(done=4)


def test_the_batches_of_a_run_are_those_of_its_workers(floor: Floor) -> None:
    first = floor.submit(replace(new_batch(), worked_by=f"{RUN}/1"))
    second = floor.submit(replace(new_batch(), worked_by=f"{RUN}/2"))
    floor.submit(replace(new_batch(), worked_by=f"{'b' * 32}/1"))
    floor.submit()

    with floor.database.read() as connection:
        found = batches_of(connection, RUN)

    assert {batch.id for batch in found} == {first.id, second.id}


class _Nowhere:
    """A source that nobody has to read."""

    def items(self) -> Iterator[Item]:
        return iter(())

    def read(self, item: Item) -> bytes:
        raise AssertionError(item)
