"""Scanning folders and reading files."""

import inspect
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okapia.domain.clips import VIDEO_SUFFIXES
from okapia.domain.errors import InvalidRequest, UnreadableFile
from okapia.storage.folder import SUFFIXES, FoundImage, ScanProblem, read_image, scan

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode("utf-8", "surrogateescape"))


@pytest.fixture
def small_stack() -> Iterator[int]:
    """Lower the stack's limit, so that a folder tree that the system can still delete goes beyond it."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 150)
    yield 300
    sys.setrecursionlimit(limit)


def names(found: Iterable[FoundImage | ScanProblem]) -> list[str]:
    return [item.name for item in found]


def test_pictures_of_every_known_suffix_are_found_in_any_case(tmp_path: Path) -> None:
    pictures = ["A.JPG", "b.jpeg", "c.Png", "d.webp", "e.bmp", "f.tif", "g.TIFF", "h.gif"]
    make(tmp_path, *pictures, "notes.txt", "clip.mp4", "jpg", "model.jpg.part")

    assert names(scan([tmp_path])) == pictures


def test_clips_are_found_only_where_they_are_asked_for(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "b.MP4", "cam/c.avi", "cam/notes.txt")

    found = scan([tmp_path], suffixes=SUFFIXES.union(VIDEO_SUFFIXES))

    assert names(found) == ["a.jpg", "b.MP4", "cam/c.avi"]
    assert names(scan([tmp_path])) == ["a.jpg"]


def test_names_come_sorted_over_the_whole_tree(tmp_path: Path) -> None:
    make(tmp_path, "b/z.jpg", "b/a.jpg", "b.jpg", "b-2.jpg", "a/c/d/1.jpg", "a/c.jpg", "c.jpg")

    found = names(scan([tmp_path]))

    assert found == sorted(found)
    assert len(found) == 7


@given(
    st.lists(
        st.text("ab.- #é狐", min_size=1, max_size=5).map(lambda stem: f"x{stem}x"), min_size=1, unique=True
    ),
    st.integers(1, 3),
)
@settings(max_examples=25, deadline=None)
def test_every_file_is_found_once_and_opens(
    tmp_path_factory: pytest.TempPathFactory, stems: list[str], depth: int
) -> None:
    root = tmp_path_factory.mktemp("scan")
    wanted = ["/".join([stem] * (1 + index % depth)) + ".jpg" for index, stem in enumerate(stems)]
    make(root, *wanted)

    found = [item for item in scan([root]) if isinstance(item, FoundImage)]

    assert names(found) == sorted(wanted)
    assert [item.path.read_bytes().decode() for item in found] == sorted(wanted)


def test_hidden_files_shadows_and_system_folders_are_skipped(tmp_path: Path) -> None:
    make(
        tmp_path, "fox.jpg", "._fox.jpg", ".hidden.jpg", ".cache/1.jpg", "$RECYCLE.BIN/2.jpg", "@eaDir/3.jpg"
    )

    assert names(scan([tmp_path])) == ["fox.jpg"]


@needs_posix
def test_a_name_that_is_not_utf8_is_found_and_opens(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 #1.jpg")).write_bytes(b"fox")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")

    (found,) = scan([tmp_path])

    assert found.name == "caf\udce9 #1.jpg"
    assert read_image(found.path, max_bytes=3) == b"fox"


@needs_posix
def test_a_linked_folder_is_reported_and_not_followed(tmp_path: Path) -> None:
    make(tmp_path, "site/fox.jpg")
    (tmp_path / "site" / "loop").symlink_to(tmp_path, target_is_directory=True)

    problem, image = scan([tmp_path])

    assert image.name == "site/fox.jpg"
    assert isinstance(problem, ScanProblem)
    assert problem.name == "site/loop"
    assert problem.error.code == "unreadable_file"


@needs_posix
def test_a_linked_picture_is_taken(tmp_path: Path) -> None:
    make(tmp_path, "card/fox.jpg", "site/a.jpg")
    (tmp_path / "site" / "b.jpg").symlink_to(tmp_path / "card" / "fox.jpg")

    assert names(scan([tmp_path / "site"])) == ["a.jpg", "b.jpg"]


@needs_posix
def test_a_broken_link_and_a_pipe_are_reported(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe.txt")

    found = list(scan([tmp_path]))

    assert sorted(names(found)) == ["gone.jpg", "pipe.jpg"]
    assert all(isinstance(item, ScanProblem) for item in found)


@needs_posix
def test_a_forbidden_folder_is_reported_and_the_rest_is_found(tmp_path: Path) -> None:
    make(tmp_path, "a/1.jpg", "b/2.jpg")
    found = scan([tmp_path])

    first = next(found)
    (tmp_path / "b" / "2.jpg").unlink()
    (tmp_path / "b").rmdir()  # stands for any refusal: the tests may run as root, who is refused nothing
    rest = list(found)

    assert first.name == "a/1.jpg"
    assert [(item.name, type(item)) for item in rest] == [("b", ScanProblem)]


def test_folders_may_nest_deeper_than_the_stack(tmp_path: Path, small_stack: int) -> None:
    folder = tmp_path
    for _ in range(small_stack):
        folder /= "d"
        folder.mkdir()
    (folder / "fox.jpg").touch()

    (found,) = scan([tmp_path])

    assert found.name == "d/" * small_stack + "fox.jpg"


def test_a_file_named_itself_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    make(tmp_path, "upload.bin")

    assert names(scan([tmp_path / "upload.bin"])) == ["upload.bin"]


def test_pictures_of_several_folders_never_share_a_name(tmp_path: Path) -> None:
    make(tmp_path, "north/1.jpg", "south/1.jpg", "south/deep/1.jpg", "1.jpg")

    found = scan([tmp_path / "south", tmp_path / "north", tmp_path / "1.jpg"])

    assert names(found) == ["south/1.jpg", "south/deep/1.jpg", "north/1.jpg", "1.jpg"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["missing"], "does not exist"),
        (["a", "a"], "twice"),
        (["a", "a/../a/1.jpg"], "lies in"),
    ],
    ids=["missing", "twice", "one inside another"],
)
def test_paths_that_make_no_sense_are_refused_at_once(tmp_path: Path, asked: list[str], said: str) -> None:
    make(tmp_path, "a/1.jpg")

    with pytest.raises(InvalidRequest, match=said):
        scan([tmp_path / name for name in asked])


def test_no_paths_give_no_pictures() -> None:
    assert list(scan([])) == []


def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    make(tmp_path, "fox.jpg")

    assert read_image(tmp_path / "fox.jpg", max_bytes=7) == b"fox.jpg"
    with pytest.raises(UnreadableFile, match="at most 6 bytes, the file has 7"):
        read_image(tmp_path / "fox.jpg", max_bytes=6)


def test_a_missing_file_says_why_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read_image(tmp_path / "secret" / "fox.jpg", max_bytes=10)

    assert "secret" not in str(caught.value)


@needs_posix
def test_reading_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")

    with pytest.raises(UnreadableFile, match="regular file"):
        read_image(tmp_path / "pipe.jpg", max_bytes=10)
