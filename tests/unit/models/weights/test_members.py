"""Only the named files leave an archive, and only when they are what the card says."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from okapia.domain.errors import ModelDamaged
from okapia.models.card import Member
from okapia.models.weights.members import read_members

FILES = {"package/okapi.bin": b"okapi" * 100, "package/readme.md": b"read me", "package/bongo.bin": b"bongo"}

Pack = Callable[[Path, Mapping[str, bytes]], Path]


def pack_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def pack_tgz(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def member(path: str) -> Member:
    return Member(path=path, sha256=hashlib.sha256(FILES[path]).hexdigest())


both_kinds = pytest.mark.parametrize("pack", [pack_zip, pack_tgz])


@both_kinds
def test_the_named_members_are_read(tmp_path: Path, pack: Pack) -> None:
    archive = pack(tmp_path / "archive", FILES)

    files = read_members(archive, [member("package/bongo.bin"), member("package/okapi.bin")])

    assert files == {path: FILES[path] for path in ("package/okapi.bin", "package/bongo.bin")}


@both_kinds
def test_a_member_with_another_checksum_is_refused(tmp_path: Path, pack: Pack) -> None:
    archive = pack(tmp_path / "archive", FILES | {"package/okapi.bin": b"zebra"})
    expected, actual = member("package/okapi.bin").sha256, hashlib.sha256(b"zebra").hexdigest()

    with pytest.raises(ModelDamaged, match=f"expected sha256 {expected}, got {actual}"):
        read_members(archive, [member("package/okapi.bin")])


@both_kinds
def test_a_missing_member_is_named(tmp_path: Path, pack: Pack) -> None:
    archive = pack(tmp_path / "archive", {"package/readme.md": b"read me"})

    with pytest.raises(ModelDamaged, match=r"has no package/okapi\.bin"):
        read_members(archive, [member("package/okapi.bin")])


@both_kinds
def test_a_member_larger_than_the_bound_is_not_read(tmp_path: Path, pack: Pack) -> None:
    archive = pack(tmp_path / "archive", FILES)

    with pytest.raises(ModelDamaged, match="larger than 499 bytes"):
        read_members(archive, [member("package/okapi.bin")], max_bytes=499)


@both_kinds
def test_paths_outside_the_archive_lead_nowhere(tmp_path: Path, pack: Pack) -> None:
    (tmp_path / "deep").mkdir()
    archive = pack(tmp_path / "deep" / "archive", {"../escaped.bin": b"x", "/escaped.bin": b"x"} | FILES)

    read_members(archive, [member("package/okapi.bin")])

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["archive", "deep"]


def test_a_link_in_a_members_place_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(FILES["package/okapi.bin"])
    with tarfile.open(tmp_path / "archive", "w:gz") as archive:
        link = tarfile.TarInfo("package/okapi.bin")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(link)

    with pytest.raises(ModelDamaged, match="is a link or a folder"):
        read_members(tmp_path / "archive", [member("package/okapi.bin")])


def test_a_tgz_is_left_after_the_last_member_wanted(tmp_path: Path) -> None:
    archive = pack_tgz(tmp_path / "archive", FILES | {"package/z.bin": bytes(1_000_000)})
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) * 3 // 4])

    files = read_members(archive, [member("package/bongo.bin")])

    assert files == {"package/bongo.bin": b"bongo"}


@both_kinds
def test_an_archive_that_is_cut_off_is_damaged(tmp_path: Path, pack: Pack) -> None:
    archive = pack(tmp_path / "archive", FILES)
    archive.write_bytes(archive.read_bytes()[:60])

    with pytest.raises(ModelDamaged):
        read_members(archive, [member("package/bongo.bin")])
