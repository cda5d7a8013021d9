"""Results as Parquet, as programs that are not Okapia read them."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

from okapia.domain.errors import OutputNotWritable
from okapia.formats.parquet import result_format
from tests.unit.formats.answers import BLANK, GONE, TWO_BOXES, write

if sys.platform == "win32":
    pytest.skip("limits are POSIX's", allow_module_level=True)

import resource


@pytest.fixture
def full_disk() -> Iterator[None]:
    """The system lets no file grow beyond 1,000 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_picture_is_a_row_and_its_boxes_a_list(tmp_path: Path) -> None:
    path = write(result_format, tmp_path / "results.parquet", TWO_BOXES, BLANK, GONE)

    rows = pq.read_table(path).to_pylist()

    assert [row["file"] for row in rows] == ["cam 1/a.jpg", "cam 1/b.jpg", "cam 1/%FF.jpg"]
    assert [len(row["detections"]) for row in rows] == [2, 0, 0]
    assert rows[0]["detections"][0]["confidence"] == 2 / 3
    assert (rows[0]["meta"], rows[1]["decoded_fraction"]) == ("site 7", 0.5)
    assert [row["failure_code"] for row in rows] == [None, None, "missing"]


def test_the_manifest_is_the_files_metadata(tmp_path: Path) -> None:
    path = write(result_format, tmp_path / "results.parquet", BLANK)

    metadata = pq.read_metadata(path).metadata

    assert orjson.loads(metadata[b"okapia_manifest"]) == {"country": "KEN", "odd": "%FF"}


def test_many_pictures_come_in_row_groups_and_in_their_order(tmp_path: Path) -> None:
    results = [replace(BLANK, name=f"{number}.jpg") for number in range(20_000)]

    file = pq.ParquetFile(write(result_format, tmp_path / "results.parquet", *results))

    assert file.metadata.num_row_groups == 3
    assert file.read(["file"])["file"].to_pylist() == [result.name for result in results]


def test_a_full_disk_is_told_as_such_and_leaves_nothing(tmp_path: Path, full_disk: None) -> None:
    del full_disk

    results = [replace(BLANK, name=f"{number}.jpg") for number in range(1000)]

    with pytest.raises(OutputNotWritable, match="File too large"):
        write(result_format, tmp_path / "results.parquet", *results)

    assert list(tmp_path.iterdir()) == []
