"""Archives are unpacked as they were packed, or not at all, and never beside their folder."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okapia.domain.errors import OkapiaError, OutputNotWritable
from okapia.domain.storage_errors import BackupDamaged
from okapia.storage.archive import pack, unpack

FILES = {"okapia.db": b"SQLite" * 100, "blobs/jobs/a.jpg": b"\xff\xd8" * 900, "blobs/b": b""}
FACTS: dict[str, object] = {"rows": {"users": 2}}


def unwatched(n_bytes: int) -> None:
    del n_bytes


def packed(folder: Path, files: Mapping[str, bytes] = FILES) -> Path:
    """An archive of files, which lie in `folder/source` before."""
    archive = folder / "backup.tar.gz"
    for name, data in files.items():
        path = folder / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    members = [(name, folder / "source" / name) for name in files]
    pack(archive, members, facts=FACTS, on_bytes=unwatched)
    return archive


def unpacked(archive: Path, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    unpack(archive, folder, on_bytes=unwatched)
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def forged(archive: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    """An archive with these members and a manifest that vouches for them."""
    checksums = {member.name: sha256(data).hexdigest() for member, data in members}
    manifest = json.dumps({"format": 1, "members": checksums, "facts": {}}).encode()
    with tarfile.open(archive, "w:gz") as tar:
        for member, data in [*members, (plain("manifest.json"), manifest)]:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return archive


def plain(name: str) -> tarfile.TarInfo:
    return tarfile.TarInfo(name)


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


NAMES = st.from_regex(r"(blobs|secrets)/[a-z0-9]([a-z0-9._-]{0,20}[a-z0-9])?", fullmatch=True)
FEW = settings(max_examples=25)  # each waits for the disk


@FEW
@given(st.dictionaries(NAMES, st.binary(max_size=3000), max_size=4))
def test_unpacked_is_as_packed(files: dict[str, bytes]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)

        assert unpacked(packed(folder, files), folder / "there") == files


def test_the_facts_of_the_manifest_come_back_and_every_byte_is_told_of(tmp_path: Path) -> None:
    archive = packed(tmp_path)
    told: list[int] = []

    facts = unpack(archive, tmp_path / "there", on_bytes=told.append)

    assert facts == FACTS
    assert sum(told) == archive.stat().st_size


def test_the_archive_and_all_that_comes_out_of_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    archive = packed(tmp_path)

    unpacked(archive, tmp_path / "there")

    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "there").rglob("*")}
    assert archive.stat().st_mode & 0o777 == 0o600
    assert modes == {0o600, 0o700}


def test_a_file_that_vanishes_meanwhile_is_left_out(tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar.gz"
    (tmp_path / "here").write_bytes(b"here")

    names = pack(
        archive, [("gone", tmp_path / "gone"), ("here", tmp_path / "here")], facts={}, on_bytes=unwatched
    )

    assert names == ["here"]
    assert unpacked(archive, tmp_path / "there") == {"here": b"here"}


def test_an_archive_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    archive = packed(tmp_path)
    before = archive.read_bytes()

    with pytest.raises(OutputNotWritable, match="is there already"):
        packed(tmp_path)

    assert archive.read_bytes() == before


def test_a_folder_that_is_not_there_is_said_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(OutputNotWritable) as refused:
        pack(tmp_path / "secret" / "b.tar.gz", [], facts={}, on_bytes=unwatched)

    assert "secret" not in str(refused.value)


@FEW
@given(st.floats(0, 1, exclude_max=True))
def test_a_cut_archive_is_refused(fraction: float) -> None:
    with TemporaryDirectory() as name:
        archive = packed(Path(name))
        data = archive.read_bytes()
        archive.write_bytes(data[: int(len(data) * fraction)])

        with pytest.raises(BackupDamaged):
            unpacked(archive, Path(name) / "there")


@FEW
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_changed_byte_is_found_or_was_of_no_consequence(place: float, change: int) -> None:
    with TemporaryDirectory() as name:
        archive = packed(Path(name))
        data = bytearray(archive.read_bytes())
        data[int(len(data) * place)] ^= change
        archive.write_bytes(data)

        try:
            found = unpacked(archive, Path(name) / "there")
        except OkapiaError:
            return

        assert found == FILES


@FEW
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_changed_byte_of_a_file_is_found_behind_every_checksum_of_gzip(place: float, change: int) -> None:
    with TemporaryDirectory() as name:
        archive = packed(Path(name))
        data = bytearray(gzip.decompress(archive.read_bytes()))
        begin = data.index(FILES["okapia.db"])
        data[begin + int(len(FILES["okapia.db"]) * place)] ^= change
        archive.write_bytes(gzip.compress(bytes(data)))

        with pytest.raises(BackupDamaged, match=r"okapia\.db differs"):
            unpacked(archive, Path(name) / "there")


@pytest.mark.parametrize(
    "member",
    [
        plain("../outside"),
        plain("blobs/../../outside"),
        plain("/outside"),
        plain("blobs//outside"),
        plain("./outside"),
        plain("blobs\\..\\..\\outside"),
        plain(".hidden"),
        special("link", tarfile.SYMTYPE, "/"),
        special("link", tarfile.LNKTYPE, "/etc/passwd"),
        special("device", tarfile.CHRTYPE),
        special("pipe", tarfile.FIFOTYPE),
        special("folder", tarfile.DIRTYPE),
    ],
    ids=lambda member: f"{member.name} {member.type.decode()}",
)
def test_what_leads_elsewhere_is_refused(tmp_path: Path, member: tarfile.TarInfo) -> None:
    archive = forged(tmp_path / "forged.tar.gz", (member, b"" if member.type != tarfile.REGTYPE else b"x"))

    with pytest.raises(BackupDamaged):
        unpacked(archive, tmp_path / "there")

    assert contents(tmp_path / "there") == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["forged.tar.gz", "there"]


def without_manifest(archive: Path) -> None:
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(plain("okapia.db"), io.BytesIO())


def with_something_behind_it(archive: Path) -> None:
    forged(archive, (plain("manifest.json"), b'{"format": 1, "members": {}, "facts": {}}'))


def of_a_newer_format(archive: Path) -> None:
    manifest = b'{"format": 2, "members": {}, "facts": {}}'
    with tarfile.open(archive, "w:gz") as tar:
        member = plain("manifest.json")
        member.size = len(manifest)
        tar.addfile(member, io.BytesIO(manifest))


def of_text(archive: Path) -> None:
    archive.write_text("these are my notes", encoding="utf-8")


def of_gzipped_text(archive: Path) -> None:
    archive.write_bytes(gzip.compress(b"these are my notes"))


def of_nothing(archive: Path) -> None:
    archive.write_bytes(b"")


@pytest.mark.parametrize(
    "make",
    [without_manifest, with_something_behind_it, of_a_newer_format, of_text, of_gzipped_text, of_nothing],
)
def test_what_is_no_backup_of_this_version_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "some.tar.gz")

    with pytest.raises(BackupDamaged):
        unpacked(tmp_path / "some.tar.gz", tmp_path / "there")
