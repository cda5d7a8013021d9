"""What a batch is for: files of all its results, whole ones or none."""

import csv
import hashlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

from okapia.batches.batch import Batch, LeaseLost, ShardFile
from okapia.batches.results import BatchResults, ShardDamaged
from okapia.batches.verdicts import verdict_of
from okapia.domain.models import ModelChoice
from okapia.domain.storage_errors import StorageRefused, StorageUnavailable
from okapia.domain.types import Analysis, BBox, Category, Detection, Failure, ImageInfo, ImageResult
from okapia.formats.base import RunInfo
from okapia.formats.megadetector_rules import validate
from okapia.formats.shard_file import ShardRow, encode
from okapia.service.batch_outputs import OutputFile, OutputMaker, output_files
from okapia.service.batch_request import BatchRequest, Outputs, PlaceOfPictures, Split
from okapia.storage.folder_blobs import FolderBlobs
from tests.unit.batches.floor import new_batch

BOX = Detection(BBox(0.1, 0.2, 0.3, 0.4), Category.ANIMAL, 0.75, "animal")
INFO = RunInfo("megadetector-lite", datetime(2026, 6, 1), 0.2, manifest={"country": "KEN"})  # noqa: DTZ001 - local time, as the format wants it
ALL = ("csv", "jsonl", "megadetector", "parquet")


def fox(name: str) -> ImageResult:
    return ImageResult(name, Analysis(ImageInfo(640, 480, "JPEG", 1000), (BOX,)), meta=f"about {name}")


def gone(name: str) -> ImageResult:
    return ImageResult(name, Failure("missing", "not there"))


def asking(
    *formats: str, split: Split = Split.WHOLE, name: str = "", address: str = "/survey"
) -> BatchRequest:
    return BatchRequest(
        place=PlaceOfPictures(address=address),
        choice=ModelChoice("megadetector-lite", None),
        outputs=Outputs(formats=formats, split=split),
        name=name,
    )


@dataclass
class Press:
    """A batch whose shards are done, and what makes its files."""

    root: Path

    def __post_init__(self) -> None:
        self.blobs = FolderBlobs(self.root / "blobs")
        self.temporary = self.root / "tmp"
        self.temporary.mkdir()
        self.batch: Batch = new_batch()
        self.shards: list[ShardFile] = []

    def add(self, *results: ImageResult) -> None:
        """Have another shard done."""
        data = encode([ShardRow(result, verdict_of(result).value) for result in results])
        key = f"batches/{self.batch.id}/{len(self.shards):07d}-1.parquet"
        self.blobs.put(key, [data], max_bytes=len(data))
        self.shards.append(ShardFile(key, hashlib.sha256(data).hexdigest(), len(data)))

    def make(
        self,
        request: BatchRequest,
        *,
        put_outside: Callable[[Path, str], None] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> dict[str, OutputFile]:
        maker = OutputMaker(BatchResults(self.blobs), home_tmp=self.temporary)
        made = maker.make(self.batch, request, self.shards, INFO, put_outside=put_outside, check=check)
        return {file.name: file for file in made}

    def read(self, file: OutputFile) -> bytes:
        return self.blobs.read(file.key, max_bytes=file.n_bytes)

    def pictures(self, file: OutputFile) -> list[str]:
        """Names in a file of JSON lines."""
        return [orjson.loads(line)["file"] for line in self.read(file).splitlines()]

    def assert_nothing_left(self) -> None:
        """Neither a blob beside the shards', nor a file on its way."""
        assert sorted(self.blobs.keys("")) == [shard.name for shard in self.shards]
        assert list(self.temporary.iterdir()) == []


@pytest.fixture
def press(tmp_path: Path) -> Press:
    return Press(tmp_path)


@pytest.fixture
def done(press: Press) -> Press:
    """Three pictures in two shards; one is gone."""
    press.add(fox("cam 1/a.jpg"), gone("cam 1/b.jpg"))
    press.add(fox("cam 2/c.jpg"))
    return press


def rows_of(data: bytes) -> list[list[str]]:
    return list(csv.reader(data.decode("utf-8-sig").splitlines()))


def test_every_format_holds_every_picture_in_the_order_of_the_listing(done: Press, tmp_path: Path) -> None:
    made = done.make(asking(*ALL))

    document, table = tmp_path / "a.json", tmp_path / "a.parquet"
    document.write_bytes(done.read(made["results.megadetector.json"]))
    table.write_bytes(done.read(made["results.parquet"]))
    names = ["cam 1/a.jpg", "cam 1/b.jpg", "cam 2/c.jpg"]
    assert validate(document) == []
    assert [image["file"] for image in orjson.loads(document.read_bytes())["images"]] == names
    assert [image.get("meta") for image in orjson.loads(document.read_bytes())["images"]] == [
        "about cam 1/a.jpg",
        None,
        "about cam 2/c.jpg",
    ]
    assert done.pictures(made["results.jsonl"]) == names
    assert [row[0] for row in rows_of(done.read(made["results.csv"]))] == ["file", *names]
    assert pq.read_table(table)["file"].to_pylist() == names


def test_a_file_is_recorded_as_it_is_kept(done: Press) -> None:
    made = done.make(asking("csv", "megadetector", name="Mara 2026/1"))

    assert {name: (file.format, file.images) for name, file in made.items()} == {
        "Mara-2026-1.csv": ("csv", 3),
        "Mara-2026-1.megadetector.json": ("megadetector", 3),
        "Mara-2026-1.failures.csv": ("failures", 1),
        "Mara-2026-1.manifest.json": ("manifest", 3),
    }
    for file in made.values():
        data = done.read(file)
        assert (file.n_bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert list(done.temporary.iterdir()) == []


def test_the_failures_name_every_picture_without_an_answer(done: Press) -> None:
    made = done.make(asking("jsonl"))

    assert rows_of(done.read(made["results.failures.csv"])) == [
        ["file", "verdict", "code", "message"],
        ["cam 1/b.jpg", "missing", "missing", "not there"],
    ]


def test_the_manifest_is_in_the_files_that_can_hold_it_and_by_itself(done: Press) -> None:
    made = done.make(asking("megadetector"))

    document = orjson.loads(done.read(made["results.megadetector.json"]))
    assert document["info"]["custom_metadata"] == INFO.manifest
    assert orjson.loads(done.read(made["results.manifest.json"])) == INFO.manifest


def test_what_is_recorded_comes_back_with_the_batch(done: Press) -> None:
    made = tuple(done.make(asking("csv", split=Split.FOLDER)).values())

    batch = replace(done.batch, outputs=orjson.loads(orjson.dumps([asdict(file) for file in made])))

    assert output_files(batch) == made
    assert output_files(done.batch) == ()


def by_part(press: Press, made: dict[str, OutputFile]) -> dict[str, list[str]]:
    return {file.part: press.pictures(file) for file in made.values() if file.format == "jsonl"}


def test_each_top_folder_has_files_of_its_own(press: Press) -> None:
    press.add(fox("a.jpg"), fox("north/1/a.jpg"), gone("south/a.jpg"))
    press.add(fox("south/b.jpg"), fox("north/2/b.jpg"))

    made = press.make(asking("jsonl", "megadetector", split=Split.FOLDER))

    assert by_part(press, made) == {
        "": ["a.jpg"],
        "north": ["north/1/a.jpg", "north/2/b.jpg"],
        "south": ["south/a.jpg", "south/b.jpg"],
    }
    assert sorted(name for name in made if "south" in name) == [
        "results.south.jsonl",
        "results.south.megadetector.json",
    ]
    assert made["results.failures.csv"].images == 1
    assert made["results.manifest.json"].images == 5


def test_each_camera_has_files_of_its_own(press: Press) -> None:
    press.add(fox("2025/cam 1/DCIM/100RECNX/a.jpg"), fox("2025/cam 2/2025-05-01/a.jpg"))
    press.add(fox("2026/cam 1/b.jpg"), fox("DCIM/c.jpg"))

    made = press.make(
        asking("jsonl", split=Split.CAMERA, address="s3://bucket/mara/plot 7?endpoint=http://a")
    )

    assert by_part(press, made) == {
        "cam 1": ["2025/cam 1/DCIM/100RECNX/a.jpg", "2026/cam 1/b.jpg"],
        "cam 2": ["2025/cam 2/2025-05-01/a.jpg"],
        "plot 7": ["DCIM/c.jpg"],
    }


def test_the_folders_of_urls_begin_behind_the_host(press: Press) -> None:
    press.add(fox("https://a.example/north/cam 1/a.jpg"), fox("https://b.example/a.jpg"))

    made = press.make(asking("jsonl", split=Split.FOLDER, address=""))

    assert by_part(press, made) == {
        "north": ["https://a.example/north/cam 1/a.jpg"],
        "": ["https://b.example/a.jpg"],
    }


def test_more_cameras_than_files_may_be_open_take_several_turns(press: Press) -> None:
    cameras = [f"cam {number}" for number in range(80)]
    for turn in range(3):
        press.add(*(fox(f"{camera}/{turn}.jpg") for camera in cameras))

    made = press.make(asking("jsonl", "csv", split=Split.CAMERA))

    assert by_part(press, made) == {
        camera: [f"{camera}/{turn}.jpg" for turn in range(3)] for camera in cameras
    }
    assert made["results.manifest.json"].images == 240


def test_parts_whose_names_are_alike_have_files_of_different_names(press: Press) -> None:
    folders = ["Füchse", "F chse", "f-chse", "f-chse-2", "\u72d0", "\udcff", "failures"]
    press.add(*(replace(fox(f"{folder}/a.jpg"), meta=None) for folder in folders))

    made = press.make(asking("csv", split=Split.FOLDER))

    assert len({name.lower() for name in made}) == len(folders) + 2
    assert all(name.isascii() and " " not in name for name in made)
    assert {file.part for file in made.values()} == {*folders[:5], "%FF", "failures", ""}


def test_a_batch_without_pictures_has_its_files_too(press: Press) -> None:
    made = press.make(asking(*ALL))

    assert orjson.loads(press.read(made["results.megadetector.json"]))["images"] == []
    assert press.read(made["results.jsonl"]) == b""
    assert {file.images for file in made.values()} == {0}


def after(turns: int, error: Exception) -> Callable[[], None]:
    """Give a check that raises when it is asked once more."""
    left = iter(range(turns))

    def check() -> None:
        if next(left, None) is None:
            raise error

    return check


@pytest.mark.parametrize("turns", [0, 1, 2, 4, 5])
def test_a_canceled_merge_leaves_nothing(done: Press, turns: int) -> None:
    with pytest.raises(LeaseLost):
        done.make(asking("csv", "jsonl"), check=after(turns, LeaseLost()))

    done.assert_nothing_left()


def test_a_canceled_survey_leaves_nothing(done: Press) -> None:
    with pytest.raises(LeaseLost):
        done.make(asking("csv", split=Split.CAMERA), check=after(1, LeaseLost()))

    done.assert_nothing_left()


def test_a_damaged_shard_is_never_merged(done: Press) -> None:
    shard = done.shards[1]
    done.shards[1] = replace(shard, sha256="0" * 64)

    with pytest.raises(ShardDamaged, match=r"0000001-1\.parquet"):
        done.make(asking(*ALL))

    done.assert_nothing_left()


def test_the_files_go_to_another_place_as_well_when_that_is_asked(done: Press) -> None:
    outside: dict[str, bytes] = {}

    made = done.make(asking("csv"), put_outside=lambda path, name: outside.update({name: path.read_bytes()}))

    assert outside == {name: done.read(file) for name, file in made.items()}


def test_a_place_that_refuses_the_files_ends_the_merge(done: Press) -> None:
    def refuse(path: Path, name: str) -> None:
        if name == "results.failures.csv":
            raise StorageRefused(f"no right to write, {path.suffix}")

    with pytest.raises(StorageRefused):
        done.make(asking("csv"), put_outside=refuse)

    done.assert_nothing_left()


def test_of_two_merges_neither_touches_the_others_files(done: Press) -> None:
    first = done.make(asking("csv"))

    with pytest.raises(LeaseLost):
        done.make(asking("csv"), check=after(4, LeaseLost()))
    second = done.make(asking("csv"))

    assert {file.key for file in first.values()}.isdisjoint(file.key for file in second.values())
    assert done.read(first["results.csv"]) == done.read(second["results.csv"])


@pytest.fixture
def full_disk() -> Iterator[None]:
    """The system lets no file grow beyond 1,000 bytes."""
    if sys.platform == "win32":
        pytest.skip("limits are POSIX's")
    import resource  # noqa: PLC0415 - not there on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def long(press: Press) -> Press:
    """A batch whose files are larger than 1,000 bytes."""
    press.add(*(fox(f"cam {number}/a.jpg") for number in range(40)))
    return press


@pytest.mark.parametrize("format_name", ALL)
def test_a_full_disk_leaves_nothing_and_is_worth_another_try(
    long: Press, full_disk: None, format_name: str
) -> None:
    del full_disk

    with pytest.raises(StorageUnavailable, match="cannot write results: File too large") as caught:
        long.make(asking(format_name))

    assert str(long.root) not in str(caught.value)
    long.assert_nothing_left()
