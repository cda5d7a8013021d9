"""The pictures of a run on disks that vanish, fail, or hold odd files."""

import errno
from pathlib import Path

import pytest

from okapia.batches.items import Item
from okapia.batches.source import MissingPicture, SourceGone
from okapia.cli import run_source
from okapia.cli.run_source import PATIENCE, DiskSource
from okapia.domain.errors import UnreadableFile


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """Thirty pictures in two folders."""
    for place in range(30):
        file = tmp_path / "survey" / f"cam {place % 2}" / f"{place:02d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes([place]))
    return tmp_path / "survey"


class Failing:
    """Stands for `read_image` on a disk that answers with an error."""

    def __init__(self, code: int) -> None:
        self.code: int | None = code

    def __call__(self, path: Path, *, max_bytes: int) -> bytes:
        if self.code is None:
            return path.read_bytes()[:max_bytes]
        raise UnreadableFile("cannot read the file") from OSError(self.code, "Input/output error")


def test_the_listing_is_in_the_order_of_names_whatever_order_was_typed(survey: Path) -> None:
    (survey / "cam 0.jpg").write_bytes(b"between")
    typed = [survey / "cam 1", survey / "cam 0.jpg", survey / "cam 0"]

    names = [item.name for item in DiskSource(typed, max_bytes=9).items()]

    assert names == sorted(names)
    assert len(names) == 31


def test_what_was_listed_is_read_by_its_name(survey: Path) -> None:
    source = DiskSource([survey / "cam 1", survey / "cam 0"], max_bytes=9)

    found = {item.name: source.read(item) for item in source.items()}

    assert found["cam 0/02.jpg"] == bytes([2])
    assert found["cam 1/03.jpg"] == bytes([3])


def test_clips_are_listed_where_they_are_asked_for(survey: Path) -> None:
    (survey / "cam 0" / "fox.MP4").write_bytes(b"x" * 99)

    pictures = DiskSource([survey], max_bytes=9)
    both = DiskSource([survey], max_bytes=9, suffixes={".jpg", ".mp4"})
    clip = next(item for item in both.items() if item.name.endswith("MP4"))

    assert not any(item.name.endswith("MP4") for item in pictures.items())
    assert len(both.read(clip)) == 99


def test_a_folder_that_is_not_there_any_more_is_no_pictures_fault(survey: Path) -> None:
    source = DiskSource([survey], max_bytes=9)
    (item, *_) = source.items()
    survey.rename(survey.with_name("elsewhere"))

    with pytest.raises(SourceGone, match="survey is not there"):
        source.read(item)
    with pytest.raises(SourceGone):
        list(source.items())


def test_a_folder_of_another_disk_in_its_place_is_no_pictures_fault(
    survey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = DiskSource([survey], max_bytes=9)
    (item, *_) = source.items()
    monkeypatch.setattr(run_source, "_disk", lambda _: -1)
    (survey / item.name).unlink()

    with pytest.raises(SourceGone):
        source.read(item)


def test_a_picture_that_was_deleted_is_missing(survey: Path) -> None:
    source = DiskSource([survey], max_bytes=9)
    (item, *_) = source.items()
    (survey / item.name).unlink()

    with pytest.raises(MissingPicture):
        source.read(item)


def test_a_disk_that_fails_again_and_again_stops_the_run(
    survey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = DiskSource([survey], max_bytes=9)
    items = list(source.items())
    monkeypatch.setattr(run_source, "read_image", Failing(errno.EIO))

    for item in items[: PATIENCE - 1]:
        with pytest.raises(UnreadableFile):
            source.read(item)

    with pytest.raises(SourceGone, match="20 files in a row"):
        source.read(items[PATIENCE])


def test_a_read_that_works_in_between_begins_the_count_anew(
    survey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = DiskSource([survey], max_bytes=9)
    items = list(source.items())
    disk = Failing(errno.EIO)
    monkeypatch.setattr(run_source, "read_image", disk)
    for place, item in enumerate(items):
        disk.code = None if place == PATIENCE - 1 else errno.EIO
        if disk.code is None:
            source.read(item)
            continue
        with pytest.raises(UnreadableFile):
            source.read(item)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
def test_files_that_nobody_may_read_fail_by_themselves_however_many(
    survey: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    source = DiskSource([survey], max_bytes=9)
    items = list(source.items())
    monkeypatch.setattr(run_source, "read_image", Failing(code))

    for item in items:
        with pytest.raises(UnreadableFile):
            source.read(item)


def test_files_that_are_too_large_fail_by_themselves_however_many(survey: Path) -> None:
    source = DiskSource([survey], max_bytes=0)

    for item in source.items():
        with pytest.raises(UnreadableFile, match="at most 0 bytes"):
            source.read(item)


def test_an_item_knows_the_size_and_time_of_its_file(survey: Path) -> None:
    (item, *_) = DiskSource([survey], max_bytes=9).items()

    stamp = str((survey / item.name).stat().st_mtime_ns)
    assert item == Item("cam 0/00.jpg", n_bytes=1, version=stamp)
