"""What only a folder of blobs has to mind: modes, links, leftovers, faults of the disk."""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from okapia.domain.storage_errors import StorageRefused, StorageUnavailable
from okapia.storage.blob_stores import open_blobs
from okapia.storage.folder_blobs import FolderBlobs

if sys.platform == "win32":
    pytest.skip("links, modes and limits are POSIX's", allow_module_level=True)

import resource

KEY = "uploads/lynx.jpg"

UPLOADER = """
import sys
from pathlib import Path
from okapia.storage.folder_blobs import FolderBlobs

def chunks():
    yield bytes(1_000_000)
    print("half way", flush=True)
    sys.stdin.read()

FolderBlobs(Path(sys.argv[1])).put("uploads/lynx.jpg", chunks(), max_bytes=10**9)
"""


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


@pytest.fixture
def careless_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file of somebody else."""
    path = tmp_path / "outside" / "lynx.jpg"
    path.parent.mkdir()
    path.write_bytes(b"private")
    return path


def test_without_an_address_blobs_lie_in_the_home_folder(tmp_path: Path) -> None:
    blobs = open_blobs("", home=tmp_path / "home")

    blobs.put(KEY, [b"lynx"], max_bytes=100)

    assert (tmp_path / "home" / "blobs" / "uploads" / "lynx.jpg").read_bytes() == b"lynx"


def test_nobody_else_may_read_blobs(tmp_path: Path, careless_umask: None) -> None:
    del careless_umask
    root = tmp_path / "blobs"
    root.mkdir(mode=0o777)

    FolderBlobs(root).put("uploads/night/lynx.jpg", [b"lynx"], max_bytes=100)

    modes = {stat.S_IMODE(path.stat().st_mode) for path in (root, *root.rglob("*")) if path.is_dir()}
    assert modes == {0o700}
    assert stat.S_IMODE((root / "uploads/night/lynx.jpg").stat().st_mode) == 0o600


def test_a_linked_file_is_no_blob(blobs: FolderBlobs, tmp_path: Path, outside: Path) -> None:
    (tmp_path / "blobs" / "lynx.jpg").symlink_to(outside)

    for look in (blobs.size, lambda key: blobs.read(key, max_bytes=100), lambda key: list(blobs.chunks(key))):
        with pytest.raises(StorageRefused, match="expected a regular file"):
            look("lynx.jpg")

    assert list(blobs.keys("")) == []


@pytest.mark.parametrize("change", ["put", "delete"])
def test_a_link_is_replaced_or_deleted_and_not_what_it_leads_to(
    blobs: FolderBlobs, tmp_path: Path, outside: Path, change: str
) -> None:
    (tmp_path / "blobs" / "lynx.jpg").symlink_to(outside)

    if change == "put":
        blobs.put("lynx.jpg", [b"lynx"], max_bytes=100)
    else:
        blobs.delete("lynx.jpg")

    assert outside.read_bytes() == b"private"
    assert blobs.size("lynx.jpg") == (4 if change == "put" else None)


def test_a_linked_folder_is_not_passed_through(blobs: FolderBlobs, tmp_path: Path, outside: Path) -> None:
    (tmp_path / "blobs" / "uploads").symlink_to(outside.parent)
    calls: list[Callable[[], object]] = [
        lambda: blobs.put(KEY, [b"lynx"], max_bytes=100),
        lambda: blobs.read(KEY, max_bytes=100),
        lambda: list(blobs.chunks(KEY)),
        lambda: blobs.size(KEY),
        lambda: blobs.delete(KEY),
        lambda: list(blobs.keys("uploads")),
    ]

    for call in calls:
        with pytest.raises(StorageRefused, match="one of them is a link"):
            call()

    assert outside.read_bytes() == b"private"
    assert list(blobs.keys("")) == []


def test_files_that_others_dropped_are_not_listed(blobs: FolderBlobs, tmp_path: Path) -> None:
    blobs.put(KEY, [b"lynx"], max_bytes=100)
    for name in (".DS_Store", "a lynx.jpg", "fuchs-ä"):
        (tmp_path / "blobs" / name).write_bytes(b"")

    assert list(blobs.keys("")) == [KEY]


def test_a_killed_upload_leaves_no_blob_and_its_file_goes_after_a_day(tmp_path: Path) -> None:
    root = tmp_path / "blobs"
    command = [sys.executable, "-c", UPLOADER, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as uploader:
        assert uploader.stdout is not None
        uploader.stdout.readline()
        uploader.kill()

    (left,) = root.iterdir()
    assert list(FolderBlobs(root).keys("")) == []
    assert left.exists(), "another process may still be writing it"

    yesterday = time.time() - 25 * 3600
    os.utime(left, (yesterday, yesterday))
    FolderBlobs(root)
    assert not left.exists()


@pytest.fixture
def full_disk() -> Iterator[None]:
    """The system lets no file grow beyond 1,000 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_no_more_is_unavailable_and_keeps_nothing(
    blobs: FolderBlobs, tmp_path: Path, full_disk: None
) -> None:
    del full_disk

    with pytest.raises(StorageUnavailable, match="File too large") as caught:
        blobs.put(KEY, [bytes(5000)], max_bytes=10_000)

    assert list((tmp_path / "blobs").iterdir()) == []
    assert str(tmp_path) not in str(caught.value)


def test_a_folder_that_is_a_file_is_refused_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_bytes(b"")

    with pytest.raises(StorageRefused, match="cannot use the folder of blobs") as caught:
        FolderBlobs(tmp_path / "blobs")

    assert str(tmp_path) not in str(caught.value)


def test_a_blob_where_a_folder_is_needed_is_refused(blobs: FolderBlobs) -> None:
    blobs.put("uploads", [b"lynx"], max_bytes=100)

    with pytest.raises(StorageRefused, match="cannot use the folder of blobs"):
        blobs.put(KEY, [b"lynx"], max_bytes=100)

    assert list(blobs.keys("")) == ["uploads"]
