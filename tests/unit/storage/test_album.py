"""The album of kept pictures: names of its own, private, for a time, and no more than fits."""

import os
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from okapia.domain.clock import utc_now
from okapia.domain.storage_errors import StorageUnavailable
from okapia.storage.album import Album

LIFE = timedelta(days=3)
KILOBYTE = b"x" * 1000


def album(folder: Path, *, life: timedelta = LIFE, max_bytes: int = 1_000_000) -> Album:
    return Album(folder, life=life, max_bytes=max_bytes)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def lay(folder: Path, *, days_ago: float, ending: str = ".jpg", data: bytes = KILOBYTE) -> Path:
    """Put a picture into an album as if it had been kept some days ago."""
    path = folder / f"{uuid4()}{ending}"
    path.write_bytes(data)
    moment = (utc_now() - timedelta(days=days_ago)).timestamp()
    os.utime(path, (moment, moment))
    return path


def test_files_that_belong_together_share_a_name_that_nobody_chose(tmp_path: Path) -> None:
    album(tmp_path).add({".png": b"a picture", "-object.jpg": b"its copy"})

    copy, picture = names(tmp_path)
    assert re.fullmatch(r"[0-9a-f-]{36}\.png", picture)
    assert copy == picture.replace(".png", "-object.jpg")
    assert (tmp_path / picture).read_bytes() == b"a picture"
    assert (tmp_path / copy).read_bytes() == b"its copy"


def test_the_same_picture_twice_is_two_files(tmp_path: Path) -> None:
    kept = album(tmp_path)

    kept.add({".jpg": KILOBYTE})
    kept.add({".jpg": KILOBYTE})

    assert len(names(tmp_path)) == 2


@pytest.mark.skipif(os.name != "posix", reason="Windows has other rights")
def test_nobody_else_may_look_into_it(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"

    album(folder).add({".jpg": KILOBYTE})

    (picture,) = folder.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert picture.stat().st_mode & 0o777 == 0o600


def test_a_sweep_removes_what_is_too_old(tmp_path: Path) -> None:
    kept = album(tmp_path)
    lay(tmp_path, days_ago=3.1)
    young = lay(tmp_path, days_ago=2.9, ending="-face.jpg")

    kept.sweep()

    assert names(tmp_path) == [young.name]


def test_what_is_too_old_goes_at_the_start_already(tmp_path: Path) -> None:
    lay(tmp_path, days_ago=4)

    album(tmp_path)

    assert names(tmp_path) == []


def test_the_oldest_make_room_for_new_ones(tmp_path: Path) -> None:
    old = [lay(tmp_path, days_ago=days) for days in (2.0, 1.5, 1.0)]
    kept = album(tmp_path, max_bytes=4000)

    kept.add({".jpg": KILOBYTE})
    assert len(names(tmp_path)) == 4
    kept.add({".jpg": KILOBYTE})

    assert [path.exists() for path in old] == [False, False, True]
    assert len(names(tmp_path)) == 3


def test_the_album_never_stays_larger_than_it_may_be(tmp_path: Path) -> None:
    kept = album(tmp_path, max_bytes=20_000)
    sizes = []

    for _ in range(60):
        kept.add({".jpg": KILOBYTE})
        sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))

    assert max(sizes) == 20_000
    assert min(sizes[20:]) == 18_000


def test_the_folder_is_not_looked_through_for_each_picture(tmp_path: Path) -> None:
    sweeps = []

    def clock() -> datetime:
        """Every sweep asks for the time once."""
        sweeps.append(utc_now())
        return sweeps[-1]

    kept = Album(tmp_path, life=LIFE, max_bytes=100_000, clock=clock)
    for _ in range(200):
        kept.add({".jpg": KILOBYTE})

    assert len(sweeps) == 1 + 10  # at the start; then for each tenth of the album
    assert len(names(tmp_path)) <= 100


def test_what_another_process_added_counts_after_a_sweep(tmp_path: Path) -> None:
    ours, theirs = album(tmp_path, max_bytes=3000), album(tmp_path, max_bytes=3000)
    for kept in (ours, ours, theirs, theirs):
        kept.add({".jpg": KILOBYTE})

    ours.sweep()

    assert len(names(tmp_path)) == 2


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    foreign = ["holiday.jpg", "notes.txt", f"{uuid4()}.jpg.bak", f"{uuid4()}.JPG", f"x{uuid4()}.jpg"]
    for name in foreign:
        (tmp_path / name).write_bytes(KILOBYTE)
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / f"{uuid4()}.jpg").mkdir()

    kept = album(tmp_path, max_bytes=1000)
    kept.add({".jpg": KILOBYTE})

    assert {*foreign} <= {*names(tmp_path)}
    assert len(names(tmp_path)) == len(foreign) + 2


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_links_are_not_followed(tmp_path: Path) -> None:
    folder, outside = tmp_path / "pictures", tmp_path / "treasure.jpg"
    outside.write_bytes(KILOBYTE)
    os.utime(outside, (0, 0))
    kept = album(folder)
    link = folder / f"{uuid4()}.jpg"
    link.symlink_to(outside)

    kept.sweep()

    assert outside.exists()
    assert link.is_symlink()


def removed(folder: Path) -> None:
    folder.rmdir()


def replaced(folder: Path) -> None:
    folder.rmdir()
    folder.write_bytes(b"")


@pytest.mark.parametrize("break_", [removed, replaced])
def test_a_folder_that_is_gone_is_an_error_without_its_path(
    tmp_path: Path, break_: Callable[[Path], None]
) -> None:
    folder = tmp_path / "pictures"
    kept = album(folder)
    break_(folder)

    with pytest.raises(StorageUnavailable) as of_adding:
        kept.add({".jpg": KILOBYTE})
    with pytest.raises(StorageUnavailable) as of_sweeping:
        kept.sweep()

    assert str(tmp_path) not in f"{of_adding.value} {of_sweeping.value}"


def test_a_file_in_the_folders_place_stops_the_start(tmp_path: Path) -> None:
    place = tmp_path / "pictures"
    place.write_bytes(b"")

    with pytest.raises(StorageUnavailable, match="album of kept pictures: File exists") as caught:
        album(place)

    assert str(tmp_path) not in str(caught.value)
