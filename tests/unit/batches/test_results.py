"""What a batch says it did can be counted again from its files, and becomes one result file."""

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from okapia.batches.batch import Counts, ShardFile, Verdict
from okapia.batches.results import BatchResults, ShardDamaged
from okapia.batches.verdicts import count, verdict_of
from okapia.domain.types import Analysis, BBox, Category, Detection, Failure, ImageInfo, ImageResult
from okapia.formats.base import RunInfo, Writing, format_named
from okapia.formats.shard_file import ShardRow, encode
from okapia.storage.folder_blobs import FolderBlobs

BOX = Detection(BBox(0.1, 0.2, 0.3, 0.4), Category.ANIMAL, 0.75, "animal")
INFO = RunInfo("megadetector-lite", datetime(2026, 6, 1), 0.2)  # noqa: DTZ001 - local time, as the format wants it
WRITING = Writing(keep_above=0.05, models="megadetector-lite")


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
    blobs: FolderBlobs, shards: list[tuple[ShardFile, Counts]], harm: str, tmp_path: Path
) -> None:
    name = shards[1][0].name
    if harm == "deleted":
        blobs.delete(name)
    else:
        data = blobs.read(name, max_bytes=10_000_000)
        blobs.put(name, [data[:-1] + b"!"], max_bytes=10_000_000)
    results, target = BatchResults(blobs), tmp_path / "results.json"

    assert "0000001-1.parquet" in results.recount(shards).problems[0]
    with pytest.raises(ShardDamaged):
        results.write(
            [file for file, _ in shards], target, format_named("megadetector"), writing=WRITING, info=INFO
        )
    assert not target.exists()


def test_the_shards_become_one_file_in_the_order_of_the_listing(
    blobs: FolderBlobs, shards: list[tuple[ShardFile, Counts]], tmp_path: Path
) -> None:
    target = tmp_path / "results.json"
    files = [file for file, _ in shards]

    BatchResults(blobs).write(files, target, format_named("megadetector"), writing=WRITING, info=INFO)

    document = json.loads(target.read_text())
    assert [image["file"] for image in document["images"]] == ["a.jpg", "b.jpg", "c.jpg"]
    assert document["images"][1]["failure"] == "missing: not there any more"
    assert document["images"][2]["detections"][0]["conf"] == 0.75


def test_a_finished_file_is_kept_as_it_is(blobs: FolderBlobs, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(b"x" * 3_000_000)

    size = BatchResults(blobs).keep(path, "batches/7f/megadetector.json")

    assert size == 3_000_000
    assert blobs.read("batches/7f/megadetector.json", max_bytes=size) == path.read_bytes()


def test_every_verdict_has_a_count() -> None:
    assert count(Verdict) == Counts(1, 1, 1, 1, 1, 1)
