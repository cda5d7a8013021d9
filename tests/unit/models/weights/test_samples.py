"""The sample pictures are the expected ones, with their origins beside them."""

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from okapia.domain.errors import ModelDamaged, OutputNotWritable, PullFailed
from okapia.models.card import Member
from okapia.models.weights import samples
from okapia.models.weights.clients import Pip
from okapia.models.weights.samples import take_samples

WHEEL = "scikit_image-0.26.0-cp311-cp311-win_amd64.whl"
MEMBERS = ("skimage/data/chelsea.png", "skimage/data/astronaut.png", "skimage/data/motorcycle_left.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a wheel of stand-ins: each picture holds its own path."""
    folder = tmp_path / "carried"
    folder.mkdir()
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        for path in MEMBERS:
            archive.writestr(path, path)
    return folder


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expect the stand-ins in place of the real pictures."""
    expected = [
        replace(
            sample,
            member=Member(
                path=sample.member.path, sha256=hashlib.sha256(sample.member.path.encode()).hexdigest()
            ),
        )
        for sample in samples._SAMPLES
    ]
    monkeypatch.setattr(samples, "_SAMPLES", tuple(expected))


def take(directory: Path, folder: Path) -> list[Path]:
    return take_samples(directory, client=Pip(), progress=lambda _: None, offline=folder)


@pytest.mark.usefixtures("stand_ins")
def test_each_picture_gets_its_name_and_a_note_of_its_origin(tmp_path: Path, folder: Path) -> None:
    files = take(tmp_path / "out", folder)

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in files)
    pictures = {path.name: path.read_text() for path in files if path.suffix == ".png"}
    assert pictures == dict(zip(("cat.png", "person.png", "vehicle.png"), MEMBERS, strict=True))
    licences = (tmp_path / "out" / "LICENSES.txt").read_text()
    assert all(name in licences for name in pictures)


def test_a_picture_with_other_bytes_is_refused_and_nothing_is_written(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ModelDamaged, match="expected sha256"):
        take(tmp_path / "out", folder)

    assert not (tmp_path / "out").exists()


def test_a_folder_without_the_wheel_is_said_with_the_command_that_gets_it(tmp_path: Path) -> None:
    with pytest.raises(PullFailed, match=r"pip download --no-deps scikit-image==0\.26\.0"):
        take(tmp_path / "out", tmp_path)


@pytest.mark.usefixtures("stand_ins")
def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "out").write_text("a file where the folder should be")

    with pytest.raises(OutputNotWritable, match="out"):
        take(tmp_path / "out", folder)
