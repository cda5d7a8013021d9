"""What a batch says it did can be counted again from its files."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from okapia.batches.batch import Counts, LeaseLost, ShardFile, Verdict
from okapia.batches.items import Item, pack
from okapia.batches.results import BatchResults, KeptFile, ShardDamaged
from okapia.batches.verdicts import count, verdict_of
from okapia.domain.types import Analysis, BBox, Category, Detection, Failure, ImageInfo, ImageResult
from okapia.formats.shard_file import ShardRow, encode
from okapia.storage.folder_blobs import FolderBlobs

BOX = Detection(BBox(0.1, 0.2, 0.3, 0.4), Category.ANIMAL, 0.75, "animal")


def picture(name: str) -> ImageResult:
    return ImageResult(name, Analysis(ImageInfo(640, 480, "JPEG", 1000), (BOX,)))


def gone(name: str) -> ImageResult:
    return ImageResult(name, Failure("missing", "not there any more"))


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


@pytest.fixture
def shards(blobs: FolderBlobs) -> list[tuple[ShardFile, Counts]]:
    """Two shards of three pictures, one of which is missing."""
    kept = []
    for number, results in enumerate([[picture("a.jpg"), gone("b.jpg")], [picture("c.jpg")]]):
        rows = [ShardRow(result, verdict_of(result).value) for result in results]
        data = encode(rows)
        name = f"batches/7f/{number:07d}-1.parquet"
        blobs.put(name, [data], max_bytes=10_000_000)

        file = ShardFile(name, hashlib.sha256(data).hexdigest(), len(data))
        kept.append((file, count(verdict_of(result) for result in results)))
    return kept


def test_files_that_are_as_they_were_committed_add_up(
    blobs: FolderBlobs, shards: list[tuple[ShardFile, Counts]]
) -> None:
    recount = BatchResults(blobs).recount(shards)

    assert recount.counts == Counts(done=2, missing=1)
    assert recount.problems == ()


def test_a_ledger_that_says_something_else_is_found_out(
    blobs: FolderBlobs, shards: list[tuple[ShardFile, Counts]]
) -> None:
    (first, said), second = shards

    recount = BatchResults(blobs).recount([(first, replace(said, done=2, missing=0)), second])

    assert len(recount.problems) == 1
    assert "0000000-1.parquet" in recount.problems[0]


@pytest.mark.parametrize("harm", ["changed", "deleted"])
def test_a_damaged_file_is_found_out_and_never_merged(
    blobs: FolderBlobs, shards: list[tuple[ShardFile, Counts]], harm: str
) -> None:
    name = shards[1][0].name
    if harm == "deleted":
        blobs.delete(name)
    else:
        data = blobs.read(name, max_bytes=10_000_000)
        blobs.put(name, [data[:-1] + b"!"], max_bytes=10_000_000)
    results = BatchResults(blobs)

    assert "0000001-1.parquet" in results.recount(shards).problems[0]
    with pytest.raises(ShardDamaged):
        list(results.rows(file for file, _ in shards))


def test_pictures_that_were_listed_have_to_be_in_their_file_once(
    blobs: FolderBlobs, shards: list[tuple[ShardFile, Counts]]
) -> None:
    listed = [pack([Item("a.jpg"), Item("b.jpg")]), pack([Item("c.jpg")])]
    other = [pack([Item("a.jpg"), Item("a.jpg"), Item("b.jpg")]), pack([Item("d.jpg")])]
    results = BatchResults(blobs)

    assert results.recount(shards, listed=listed).problems == ()
    assert results.recount(shards, listed=other).problems == (
        "batches/7f/0000000-1.parquet: 1 listed pictures are not in the file, 0 are too many",
        "batches/7f/0000001-1.parquet: 1 listed pictures are not in the file, 1 are too many",
    )


def test_the_pictures_come_in_the_order_of_the_listing(
    blobs: FolderBlobs, shards: list[tuple[ShardFile, Counts]]
) -> None:
    results, files = BatchResults(blobs), [file for file, _ in shards]

    assert [row.result.name for row in results.rows(files)] == ["a.jpg", "b.jpg", "c.jpg"]
    assert [row.result for row in results.rows(files, is_wanted=lambda name: name > "b")] == [
        gone("b.jpg"),
        picture("c.jpg"),
    ]
    assert [results.names(file) for file in files] == [["a.jpg", "b.jpg"], ["c.jpg"]]


def test_a_finished_file_is_kept_as_it_is(blobs: FolderBlobs, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(b"x" * 3_000_000)

    kept = BatchResults(blobs).keep(path, "batches/7f/megadetector.json", check=lambda: None)

    assert kept == KeptFile(3_000_000, hashlib.sha256(path.read_bytes()).hexdigest())
    assert blobs.read("batches/7f/megadetector.json", max_bytes=3_000_000) == path.read_bytes()


def test_keeping_a_file_can_be_called_off(blobs: FolderBlobs, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(b"x" * 3_000_000)
    turns = iter([None, None])

    def check() -> None:
        if next(turns, LeaseLost) is LeaseLost:
            raise LeaseLost

    with pytest.raises(LeaseLost):
        BatchResults(blobs).keep(path, "batches/7f/megadetector.json", check=check)

    assert list(blobs.keys("")) == []


def test_every_verdict_has_a_count() -> None:
    assert count(Verdict) == Counts(1, 1, 1, 1, 1, 1)
