"""Folders that go away, empty mount points, and links that lead out of what callers may name."""

from pathlib import Path

import pytest

from okapia.batches.folder_source import FolderSource
from okapia.batches.items import Item
from okapia.batches.source import MissingPicture, SourceGone
from okapia.domain.errors import SourceRefused, UnreadableFile
from okapia.storage.roots import SourceRoots

FOX = Item("cam/fox.jpg")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ["cam/fox.jpg", "cam/lynx.jpg"]:
        path = tmp_path / "survey" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "key.jpg").write_bytes(b"secret")
    return tmp_path / "survey"


def source_of(folder: Path, *, root: Path | None = None) -> FolderSource:
    return FolderSource(folder, max_bytes=100, roots=SourceRoots([root]) if root else None)


def empty(folder: Path) -> None:
    """Leave what is left of a mount point when its disk is gone."""
    folder.rename(folder.with_name("disk"))
    folder.mkdir()


def test_clips_are_listed_and_other_files_are_not(folder: Path) -> None:
    (folder / "cam/fox.MP4").write_bytes(b"a clip")
    (folder / "cam/notes.txt").write_bytes(b"notes")

    names = [item.name for item in source_of(folder).items()]

    assert names == ["cam/fox.MP4", "cam/fox.jpg", "cam/lynx.jpg"]


def test_a_deleted_picture_is_missing(folder: Path) -> None:
    (folder / "cam/fox.jpg").unlink()

    with pytest.raises(MissingPicture):
        source_of(folder).read(FOX)


def test_an_empty_mount_point_is_not_taken_for_deleted_pictures(folder: Path) -> None:
    source = source_of(folder)
    empty(folder)

    with pytest.raises(SourceGone, match="a mount"):
        source.read(FOX)


def test_a_disk_that_goes_during_the_listing_does_not_end_it(folder: Path) -> None:
    items = source_of(folder).items()
    next(items)
    empty(folder)

    with pytest.raises(SourceGone):
        list(items)


def test_an_empty_folder_has_no_pictures(tmp_path: Path) -> None:
    assert list(source_of(tmp_path).items()) == []


def test_the_same_folder_mounted_elsewhere_has_the_same_pictures(folder: Path) -> None:
    before = list(source_of(folder).items())
    moved = folder.rename(folder.with_name("mounted elsewhere"))

    source = source_of(moved)

    assert list(source.items()) == before
    assert source.read(FOX) == b"cam/fox.jpg"


def test_a_read_only_folder_is_fine(folder: Path) -> None:
    (folder / "cam/fox.jpg").chmod(0o444)
    folder.chmod(0o555)

    source = source_of(folder)

    assert [item.name for item in source.items()] == ["cam/fox.jpg", "cam/lynx.jpg"]
    assert source.read(FOX) == b"cam/fox.jpg"
    folder.chmod(0o755)


def test_a_file_in_place_of_the_folder_is_no_folder(folder: Path) -> None:
    with pytest.raises(SourceGone):
        list(source_of(folder / "cam/fox.jpg").items())


def test_what_is_no_file_is_the_pictures_own_fault(folder: Path) -> None:
    (folder / "cam/fox.jpg").unlink()
    (folder / "cam/fox.jpg").mkdir()

    with pytest.raises(UnreadableFile):
        source_of(folder).read(FOX)


# --- below roots -----------------------------------------------------------------------


def test_links_are_followed_below_the_roots(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(folder)
    (folder / "cam/best.jpg").symlink_to(folder / "cam/fox.jpg")

    source = source_of(tmp_path / "latest", root=tmp_path)

    assert [item.name for item in source.items()] == ["cam/best.jpg", "cam/fox.jpg", "cam/lynx.jpg"]
    assert source.read(Item("cam/best.jpg")) == b"cam/fox.jpg"


def test_a_linked_file_outside_the_roots_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "cam/fox.jpg").unlink()
    (folder / "cam/fox.jpg").symlink_to(tmp_path / "outside/key.jpg")

    with pytest.raises(SourceRefused):
        source_of(folder, root=folder).read(FOX)


def test_a_folder_that_becomes_a_link_out_of_the_roots_is_gone(folder: Path, tmp_path: Path) -> None:
    source = source_of(folder / "cam", root=folder)
    (folder / "cam").rename(folder / "old")
    (folder / "cam").symlink_to(tmp_path / "outside")

    with pytest.raises(SourceGone):
        list(source.items())
    with pytest.raises(SourceRefused):
        source.read(Item("key.jpg"))


def test_a_folder_below_the_roots_that_is_not_there_is_gone(folder: Path) -> None:
    source = source_of(folder / "cam", root=folder)
    (folder / "cam").rename(folder / "old")

    with pytest.raises(SourceGone):
        source.read(Item("fox.jpg"))
