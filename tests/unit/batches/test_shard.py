"""A shard is worked off as a whole or not at all, and a bad picture is a row like the others."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from okapia.batches.batch import Counts
from okapia.batches.folder_source import FolderSource
from okapia.batches.items import Item
from okapia.batches.shard import Interrupted, Picture, work_off
from okapia.batches.source import CredentialsNeeded, MissingPicture, SourceGone
from okapia.domain.errors import BadImage, DeviceLost, OkapiaError
from okapia.domain.types import Analysis, Failure, ImageInfo, ImageResult
from okapia.formats.shard_file import decode


def lengths(pictures: Iterator[Picture]) -> Iterator[ImageResult]:
    """Say of a picture how long its file is; as the service does, with failures as values."""
    for picture in pictures:
        try:
            info = ImageInfo(1, 1, "JPEG", len(picture.read()))
        except OkapiaError as error:
            yield ImageResult(picture.name, Failure.of(error))
        else:
            yield ImageResult(picture.name, Analysis(info, ()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    camera = tmp_path / "survey" / "cam 1"
    camera.mkdir(parents=True)
    for number, name in enumerate(["a.jpg", "b.jpg", "c.JPG"], start=1):
        (camera / name).write_bytes(b"x" * number)
    return tmp_path / "survey"


def test_a_folder_is_listed_with_what_tells_a_changed_picture(folder: Path) -> None:
    items = list(FolderSource(folder, max_bytes=100).items())

    assert [(item.name, item.n_bytes) for item in items] == [
        ("cam 1/a.jpg", 1),
        ("cam 1/b.jpg", 2),
        ("cam 1/c.JPG", 3),
    ]
    assert items[0].version == str((folder / "cam 1/a.jpg").stat().st_mtime_ns)


def test_a_shard_has_a_row_for_every_picture_in_the_order_of_the_listing(folder: Path) -> None:
    source = FolderSource(folder, max_bytes=2)
    items = list(source.items())
    (folder / "cam 1/a.jpg").unlink()

    result = work_off([*items, Item("cam 2", problem="a link to a folder")], source, lengths)

    rows = decode(result.data)
    assert [row.result.name for row in rows] == ["cam 1/a.jpg", "cam 1/b.jpg", "cam 1/c.JPG", "cam 2"]
    assert [row.verdict for row in rows] == ["missing", "done", "failed", "failed"]
    assert [row.result.sha256 for row in rows] == [None, hashlib.sha256(b"xx").hexdigest(), None, None]
    assert result.counts == Counts(done=1, missing=1, failed=2)


def test_a_folder_that_vanishes_is_no_pictures_fault(folder: Path) -> None:
    source = FolderSource(folder, max_bytes=100)
    items = list(source.items())
    folder.rename(folder.with_name("unmounted"))

    with pytest.raises(Interrupted) as interrupted:
        work_off(items, source, lengths)

    assert interrupted.value.failure.code == SourceGone.code
    with pytest.raises(SourceGone):
        list(source.items())


class Broken:
    """A source whose second picture meets something."""

    def __init__(self, error: OkapiaError) -> None:
        self._error = error

    def items(self) -> Iterator[Item]:
        yield from [Item("1.jpg"), Item("2.jpg")]

    def read(self, item: Item) -> bytes:
        if item.name == "2.jpg":
            raise self._error
        return b"x"


@pytest.mark.parametrize("error", [CredentialsNeeded("the SAS has expired"), DeviceLost("the GPU is gone")])
def test_trouble_of_all_pictures_interrupts_the_shard(error: OkapiaError) -> None:
    source = Broken(error)

    with pytest.raises(Interrupted) as interrupted:
        work_off(list(source.items()), source, lengths)

    assert interrupted.value.failure == Failure.of(error)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [(MissingPicture(), "missing"), (BadImage("no JPEG"), "undecodable")],
)
def test_trouble_of_one_picture_is_its_own(error: OkapiaError, verdict: str) -> None:
    source = Broken(error)

    rows = decode(work_off(list(source.items()), source, lengths).data)

    assert [row.verdict for row in rows] == ["done", verdict]
