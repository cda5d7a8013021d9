"""Files that callers may name: what is read, and that nothing outside can be read or found out."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.errors import BadImage, InvalidSettings, SourceRefused, UnreadableFile
from okapia.storage.roots import SourceRoots

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc and O_PATH")

FOX = b"\xff\xd8 a fox \xff\xd9"
SECRET = b"a secret"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder that may be read; its sibling `outside` holds a secret."""
    folder = tmp_path / "pictures"
    (folder / "cam 1").mkdir(parents=True)
    (folder / "cam 1" / "fox.jpg").write_bytes(FOX)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "key.jpg").write_bytes(SECRET)
    return folder


def read(path: Path | str, *, roots: Sequence[Path], max_bytes: int = 1000) -> bytes:
    return SourceRoots(roots).read(str(path), max_bytes=max_bytes)


def failure(path: Path | str, *, roots: Sequence[Path]) -> tuple[str, str]:
    """Give the code and the sentence with which a path is refused."""
    with pytest.raises(BadImage) as failed:
        read(path, roots=roots)
    return failed.value.code, str(failed.value)


def test_a_file_below_a_root_is_read(pictures: Path, tmp_path: Path) -> None:
    assert read(pictures / "cam 1" / "fox.jpg", roots=[tmp_path / "outside", pictures]) == FOX
    assert read(f"{pictures}/.//cam 1/./fox.jpg", roots=[pictures / "cam 1"]) == FOX


def test_without_roots_every_file_is_refused(pictures: Path) -> None:
    assert failure(pictures / "cam 1" / "fox.jpg", roots=[]) == (
        "source_refused",
        "naming files is off; set OKAPIA_SOURCE_ROOTS",
    )


def test_a_folder_whose_name_begins_like_a_root_is_outside(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures-2").mkdir()
    (tmp_path / "pictures-2" / "fox.jpg").write_bytes(SECRET)

    assert failure(tmp_path / "pictures-2" / "fox.jpg", roots=[pictures])[0] == "source_refused"


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "fox.jpg",
        "cam 1/fox.jpg",
        "./fox.jpg",
        "~/fox.jpg",
        "file:///etc/passwd",
        "s3://bucket/fox.jpg",
        "\0",
    ],
)
def test_relative_paths_and_other_schemes_are_refused(
    pictures: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pictures)

    assert failure(path, roots=[pictures])[0] == "source_refused"


@pytest.mark.parametrize("tail", ["/../outside/key.jpg", "/cam 1/../cam 1/fox.jpg", "/cam 1/fox.jpg\0"])
def test_dots_and_nul_are_refused(pictures: Path, tail: str) -> None:
    assert failure(f"{pictures}{tail}", roots=[pictures])[0] == "source_refused"


@needs_posix
def test_half_a_character_is_refused(pictures: Path) -> None:
    assert failure(f"{pictures}/\ud800.jpg", roots=[pictures])[0] == "source_refused"


@given(st.text())
def test_whatever_the_path_is_the_error_is_one_of_ours(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    root = tmp_path_factory.getbasetemp()

    for path in (text, f"{root}/{text}", f"/{text}"):
        assert failure(path, roots=[root])[0] in {"source_refused", "unreadable_file"}


def test_a_missing_file_below_a_root_is_said_to_be_missing(pictures: Path) -> None:
    code, message = failure(pictures / "none.jpg", roots=[pictures])

    assert code == "unreadable_file"
    assert "cannot read the file" in message


def test_a_file_above_the_limit_is_not_read(pictures: Path) -> None:
    path = pictures / "cam 1" / "fox.jpg"

    assert read(path, roots=[pictures], max_bytes=len(FOX)) == FOX
    with pytest.raises(UnreadableFile, match=f"at most {len(FOX) - 1} bytes, the file has {len(FOX)}"):
        read(path, roots=[pictures], max_bytes=len(FOX) - 1)


def test_folders_are_refused_the_root_among_them(pictures: Path) -> None:
    assert failure(pictures, roots=[pictures])[0] == "source_refused"
    assert failure(pictures / "cam 1", roots=[pictures])[0] == "source_refused"


# --- nothing outside can be found out --------------------------------------------------


def test_outside_files_that_exist_and_that_do_not_are_refused_alike(pictures: Path, tmp_path: Path) -> None:
    existing = failure(tmp_path / "outside" / "key.jpg", roots=[pictures])
    missing = failure(tmp_path / "outside" / "none.jpg", roots=[pictures])
    folder = failure(tmp_path / "outside", roots=[pictures])

    assert existing == missing == folder
    assert existing[0] == "source_refused"


@needs_posix
def test_links_lead_outside_alike_whether_something_is_there_or_not(pictures: Path, tmp_path: Path) -> None:
    (pictures / "door").symlink_to(tmp_path / "outside")
    (pictures / "key.jpg").symlink_to(tmp_path / "outside" / "key.jpg")
    (pictures / "none.jpg").symlink_to(tmp_path / "outside" / "none.jpg")
    (pictures / "relative.jpg").symlink_to("../outside/key.jpg")

    names = ["door", "door/key.jpg", "door/none.jpg", "key.jpg", "none.jpg", "relative.jpg"]

    assert {failure(pictures / name, roots=[pictures]) for name in names} == {
        failure(tmp_path / "outside" / "key.jpg", roots=[pictures])
    }


@needs_posix
def test_a_link_outside_is_refused_even_where_it_leads_into_a_root(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "outside" / "fox.jpg").symlink_to(pictures / "cam 1" / "fox.jpg")

    assert failure(tmp_path / "outside" / "fox.jpg", roots=[pictures]) == failure(
        tmp_path / "outside" / "none.jpg", roots=[pictures]
    )


# --- links that stay inside ------------------------------------------------------------


@needs_posix
def test_links_within_the_roots_are_followed(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "badger.jpg").write_bytes(b"a badger")
    (pictures / "last.jpg").symlink_to("cam 1/fox.jpg")
    (pictures / "cam 2").symlink_to(tmp_path / "second")

    assert read(pictures / "last.jpg", roots=[pictures]) == FOX
    assert read(pictures / "cam 2" / "badger.jpg", roots=[pictures, tmp_path / "second"]) == b"a badger"


@needs_posix
def test_a_root_that_is_a_link_may_be_named_both_ways(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(pictures)

    for name in ("data", "pictures"):
        assert read(tmp_path / name / "cam 1" / "fox.jpg", roots=[tmp_path / "data"]) == FOX


@needs_posix
def test_links_in_a_circle_are_an_error_of_that_file(pictures: Path) -> None:
    (pictures / "a.jpg").symlink_to("b.jpg")
    (pictures / "b.jpg").symlink_to("a.jpg")

    assert failure(pictures / "a.jpg", roots=[pictures])[0] in {"source_refused", "unreadable_file"}


# --- links that change while we look ---------------------------------------------------


@needs_posix
@pytest.mark.parametrize("swapped", ["cam 1", "cam 1/fox.jpg"])
def test_a_link_that_appears_after_the_check_is_not_followed(
    pictures: Path, tmp_path: Path, swapped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outside" / "fox.jpg").write_bytes(SECRET)
    target = tmp_path / "outside" / "fox.jpg" if swapped.endswith(".jpg") else tmp_path / "outside"
    resolve = os.path.realpath

    def resolve_then_swap(path: Path) -> str:
        real = resolve(path)
        (pictures / swapped).rename(tmp_path / "aside")
        (pictures / swapped).symlink_to(target)
        return real

    roots = SourceRoots([pictures])
    monkeypatch.setattr(os.path, "realpath", resolve_then_swap)

    with pytest.raises((SourceRefused, UnreadableFile)):
        roots.read(str(pictures / "cam 1" / "fox.jpg"), max_bytes=1000)

    assert (pictures / swapped).is_symlink()


@needs_posix
def test_a_link_that_appears_between_looking_and_opening_is_not_followed(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fox, look = pictures / "cam 1" / "fox.jpg", os.stat

    def look_then_swap(
        name: str, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> os.stat_result:
        status = look(name, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        if dir_fd is not None:
            fox.unlink()
            fox.symlink_to(tmp_path / "outside" / "key.jpg")
        return status

    roots = SourceRoots([pictures])
    monkeypatch.setattr(os, "stat", look_then_swap)

    with pytest.raises(UnreadableFile):
        roots.read(str(fox), max_bytes=1000)

    assert fox.is_symlink()


# --- what is no regular file -----------------------------------------------------------


@needs_posix
def test_a_pipe_is_refused_without_waiting_for_a_writer(pictures: Path) -> None:
    if sys.platform != "win32":
        os.mkfifo(pictures / "pipe.jpg")

    assert failure(pictures / "pipe.jpg", roots=[pictures])[0] == "source_refused"


@needs_posix
def test_links_to_devices_are_refused(pictures: Path) -> None:
    (pictures / "zero.jpg").symlink_to("/dev/zero")

    assert failure(pictures / "zero.jpg", roots=[pictures])[0] == "source_refused"


@needs_linux
@pytest.mark.parametrize("way", ["root", "cwd", "fd"])
def test_the_links_of_proc_lead_nowhere(pictures: Path, tmp_path: Path, way: str) -> None:
    with (tmp_path / "outside" / "key.jpg").open("rb") as held:
        target = f"/proc/self/fd/{held.fileno()}" if way == "fd" else f"/proc/self/{way}/etc/hostname"
        (pictures / "link.jpg").symlink_to(target)

        assert failure(pictures / "link.jpg", roots=[pictures])[0] == "source_refused"
        assert failure(target, roots=[pictures])[0] == "source_refused"


@needs_linux
def test_folders_that_may_be_passed_but_not_listed_are_passed(pictures: Path) -> None:
    (pictures / "cam 1").chmod(0o311)

    try:
        assert read(pictures / "cam 1" / "fox.jpg", roots=[pictures]) == FOX
    finally:
        (pictures / "cam 1").chmod(0o755)


@needs_posix
def test_no_descriptor_is_left_open(pictures: Path) -> None:
    before = len(list(Path("/dev/fd").iterdir()))

    for _ in range(20):
        read(pictures / "cam 1" / "fox.jpg", roots=[pictures])
        for name in ("cam 1", "cam 1/none.jpg", "none/fox.jpg"):
            failure(pictures / name, roots=[pictures])

    # Other tests' servers may close theirs meanwhile.
    assert len(list(Path("/dev/fd").iterdir())) < before + 20


@pytest.mark.parametrize("tail", ["\\cam 1\\fox.jpg:stream", "\\NUL", "\\cam 1\\CON"])
def test_streams_and_devices_of_windows_are_refused(pictures: Path, tail: str) -> None:
    assert failure(f"{pictures}{tail}", roots=[pictures])[0] in {"source_refused", "unreadable_file"}


# --- roots -----------------------------------------------------------------------------


def test_a_root_has_to_be_an_existing_folder_named_absolutely(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pictures)

    for root in (Path("cam 1"), pictures / "none", pictures / "cam 1" / "fox.jpg", pictures / "cam 1" / ".."):
        with pytest.raises(InvalidSettings, match="source_roots"):
            SourceRoots([root])


@needs_posix
@pytest.mark.parametrize("root", ["/", "/dev", "/dev/fd"])
def test_the_whole_machine_and_the_kernels_folders_are_no_roots(root: str) -> None:
    with pytest.raises(InvalidSettings, match="folders of pictures"):
        SourceRoots([Path(root)])


# --- folders ---------------------------------------------------------------------------


def test_a_folder_is_where_its_links_lead(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(pictures / "cam 1")

    assert SourceRoots([tmp_path]).folder(str(tmp_path / "latest")) == pictures / "cam 1"
    assert SourceRoots([pictures]).folder(str(pictures)) == pictures


@pytest.mark.parametrize("name", ["outside", "nowhere", "pictures/way out", "pictures/../outside"])
def test_a_folder_outside_is_refused_whether_it_is_there_or_not(
    pictures: Path, tmp_path: Path, name: str
) -> None:
    (pictures / "way out").symlink_to(tmp_path / "outside")

    with pytest.raises(SourceRefused):
        SourceRoots([pictures]).folder(f"{tmp_path}/{name}")


@pytest.mark.parametrize("name", ["gone", "cam 1/fox.jpg", "cam 1/fox.jpg/deeper"])
def test_what_is_no_folder_is_unreadable(pictures: Path, name: str) -> None:
    with pytest.raises(UnreadableFile):
        SourceRoots([pictures]).folder(str(pictures / name))


def test_without_roots_every_folder_is_refused(pictures: Path) -> None:
    with pytest.raises(SourceRefused, match="OKAPIA_SOURCE_ROOTS"):
        SourceRoots([]).folder(str(pictures))
