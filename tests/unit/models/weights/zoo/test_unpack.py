"""An archive is unpacked into one folder, or refused before a file is written."""

import stat
import zipfile
from pathlib import Path

import pytest

from okapia.domain.errors import ModelDamaged, PullFailed
from okapia.models.weights.zoo.unpack import Limits, unpack
from tests.unit.models.weights.zoo.folders import zip_of


def archive_of(tmp_path: Path, entries: dict[str, bytes]) -> Path:
    archive = tmp_path / "okapi.zip"
    archive.write_bytes(zip_of(entries))
    return archive


def below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def test_one_folder_is_unpacked(tmp_path: Path, target: Path) -> None:
    archive = archive_of(tmp_path, {"okapi/": b"", "okapi/a.txt": b"leaf", "okapi/deep/b.txt": b"bud"})

    folder = unpack(archive, target)

    assert folder == target / "okapi"
    assert below(target) == ["okapi", "okapi/a.txt", "okapi/deep", "okapi/deep/b.txt"]
    assert (folder / "deep" / "b.txt").read_bytes() == b"bud"


@pytest.mark.parametrize(
    "name",
    [
        "../outside.txt",
        "okapi/../../outside.txt",
        "/etc/outside.txt",
        "okapi//outside.txt",
        "okapi/./outside.txt",
        "C:/outside.txt",
        "okapi/C:outside.txt",
        "okapi\\..\\..\\outside.txt",
        "\\\\host\\outside.txt",
        "okapi/outside.txt:stream",
        "okapi/out\nside.txt",
        "okapi/outside.txt.",
        "outside.txt",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, target: Path, name: str) -> None:
    archive = archive_of(tmp_path, {"okapi/a.txt": b"leaf", name: b"poison"})

    with pytest.raises(PullFailed, match="refused"):
        unpack(archive, target)

    assert below(tmp_path) == ["okapi.zip", "target"]


def test_a_name_cut_by_a_zero_byte_is_refused(tmp_path: Path, target: Path) -> None:
    archive = archive_of(tmp_path, {"okapi/a.txtXevil": b"leaf"})
    archive.write_bytes(archive.read_bytes().replace(b"a.txtXevil", b"a.txt\0evil"))

    with pytest.raises(PullFailed, match="refused"):
        unpack(archive, target)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK])
def test_a_link_or_a_device_is_refused(tmp_path: Path, target: Path, kind: int) -> None:
    entry = zipfile.ZipInfo("okapi/a.txt")
    entry.external_attr = (kind | 0o777) << 16
    archive = tmp_path / "okapi.zip"
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr(entry, "/etc/passwd")

    with pytest.raises(PullFailed, match="link or a device"):
        unpack(archive, target)


def test_an_encrypted_entry_is_refused(tmp_path: Path, target: Path) -> None:
    archive = archive_of(tmp_path, {"okapi/a.txt": b"leaf"})
    data = bytearray(archive.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)

    with pytest.raises(PullFailed, match="is encrypted"):
        unpack(archive, target)


def test_two_top_folders_are_refused(tmp_path: Path, target: Path) -> None:
    archive = archive_of(tmp_path, {"okapi/a.txt": b"leaf", "bongo/a.txt": b"leaf"})

    with pytest.raises(PullFailed, match="expected one folder, got bongo, okapi"):
        unpack(archive, target)


def test_a_name_twice_is_refused_also_where_only_the_case_differs(tmp_path: Path, target: Path) -> None:
    archive = archive_of(tmp_path, {"okapi/a.txt": b"leaf", "okapi/A.TXT": b"bud"})

    with pytest.raises(PullFailed, match="twice"):
        unpack(archive, target)


def test_an_empty_archive_is_refused(tmp_path: Path, target: Path) -> None:
    with pytest.raises(PullFailed, match="expected 1 to 200 entries, got 0"):
        unpack(archive_of(tmp_path, {}), target)


def test_too_many_entries_are_refused(tmp_path: Path, target: Path) -> None:
    archive = archive_of(tmp_path, {f"okapi/{n}.txt": b"leaf" for n in range(4)})

    with pytest.raises(PullFailed, match="expected 1 to 3 entries, got 4"):
        unpack(archive, target, limits=Limits(entries=3))


def test_a_small_archive_that_unpacks_to_much_is_refused_before_a_file_is_written(
    tmp_path: Path, target: Path
) -> None:
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("okapi/zeros.bin", bytes(10_000_000))

    with pytest.raises(PullFailed, match="unpacks to 10,000,000 bytes; at most 1,000,000"):
        unpack(archive, target, limits=Limits(n_bytes=1_000_000))

    assert archive.stat().st_size < 20_000
    assert below(target) == []


def test_an_entry_that_holds_more_than_it_announces_never_becomes_larger(
    tmp_path: Path, target: Path
) -> None:
    archive = archive_of(tmp_path, {"okapi/a.bin": b"x" * 5000})
    data = archive.read_bytes()
    archive.write_bytes(data.replace((5000).to_bytes(4, "little"), (100).to_bytes(4, "little")))

    with pytest.raises(ModelDamaged, match="damaged"):
        unpack(archive, target)

    assert all(path.stat().st_size <= 100 for path in target.rglob("*.bin"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 an archive, once", b"<html></html>"])
def test_what_is_no_archive_is_damaged(tmp_path: Path, target: Path, content: bytes) -> None:
    archive = tmp_path / "okapi.zip"
    archive.write_bytes(content)

    with pytest.raises(ModelDamaged, match=r"okapi\.zip is damaged"):
        unpack(archive, target)


def test_a_changed_byte_is_damaged(tmp_path: Path, target: Path) -> None:
    archive = archive_of(tmp_path, {"okapi/a.txt": b"a juicy leaf"})
    archive.write_bytes(archive.read_bytes().replace(b"juicy", b"bitter"[:5]))

    with pytest.raises(ModelDamaged, match="damaged"):
        unpack(archive, target)
