"""`okapia cameras`: the cameras of a folder, by the headers of its pictures."""

import csv
import json
from datetime import datetime
from pathlib import Path

import pytest
import typer
from PIL import ExifTags, Image
from typer.testing import CliRunner

from okapia.cli.camera_survey import HEAD_BYTES, read_header
from okapia.cli.cameras import cameras
from okapia.domain.errors import BadImage, InvalidRequest, NothingToDo, OutputNotWritable

app = typer.Typer()
app.command()(cameras)


def run(*arguments: object) -> str:
    """Run the command; gives what it prints, raises what it raises."""
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False).stdout


def warnings(*arguments: object) -> str:
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False).stderr


def take(path: Path, time: str | None = None, *, serial: str | None = None) -> None:
    """Save a picture as a camera would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if time:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = time
    if serial:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.BodySerialNumber] = serial
    Image.new("RGB", (16, 8), "green").save(path, exif=exif)


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """Two cameras, three pictures."""
    folder = tmp_path / "survey"
    take(folder / "river" / "DCIM" / "100RECNX" / "1.jpg", "2024:05:02 06:00:00", serial="H1")
    take(folder / "river" / "DCIM" / "100RECNX" / "2.jpg", "2024:05:01 23:10:30", serial="H2")
    take(folder / "salt lick" / "1.jpg", "2024:06:01 12:00:00", serial="H1")
    return folder


def test_the_table_holds_every_camera_with_its_first_and_last_picture(survey: Path, tmp_path: Path) -> None:
    table = tmp_path / "deployments.csv"

    text = run(survey, "-o", table)

    rows = list(csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines()))
    assert [row["camera"] for row in rows] == ["river", "salt lick"]
    assert rows[0]["first_picture"] == "2024-05-01 23:10:30"
    assert rows[0]["last_picture"] == "2024-05-02 06:00:00"
    assert rows[0]["latitude"] == rows[0]["start"] == rows[0]["timezone"] == ""
    assert "2 cameras, 3 pictures" in text
    assert "fill in latitude, longitude, start, end and timezone" in text


def test_without_an_output_the_cameras_are_only_listed(survey: Path) -> None:
    lines = run(survey).splitlines()

    assert lines[0].split() == ["river", "2", "2024-05-01", "23:10", "to", "2024-05-02", "06:00"]
    assert lines[-1] == "Write the table to fill in with -o deployments.csv"


def test_the_cameras_are_to_be_had_as_json(survey: Path, tmp_path: Path) -> None:
    answer = json.loads(run(survey, "--json", "-o", tmp_path / "d.csv"))

    assert answer["pictures"] == 3
    assert answer["output"] == str(tmp_path / "d.csv")
    assert answer["cameras"][1] == {
        "camera": "salt lick",
        "pictures": 1,
        "first_picture": "2024-06-01T12:00:00",
        "last_picture": "2024-06-01T12:00:00",
        "folders": ["salt lick"],
    }


def test_another_rule_tells_cameras_by_serial_number(survey: Path) -> None:
    answer = json.loads(run(survey, "--camera", "exif:serial", "--json"))

    assert {c["camera"]: c["pictures"] for c in answer["cameras"]} == {"H1": 2, "H2": 1}


def test_a_table_that_is_there_is_left_alone(survey: Path, tmp_path: Path) -> None:
    table = tmp_path / "deployments.csv"
    table.write_text("filled in")

    with pytest.raises(OutputNotWritable, match="is there already and may have been filled in"):
        run(survey, "-o", table)

    assert table.read_text() == "filled in"


def test_what_is_doubtful_is_warned_of_once(tmp_path: Path) -> None:
    take(tmp_path / "north" / "C1" / "1.jpg", "2024:05:01 06:00:00")
    take(tmp_path / "south" / "C1" / "1.jpg")
    (tmp_path / "south" / "C1" / "broken.jpg").write_bytes(b"no picture")

    text = warnings(tmp_path)

    assert "C1: pictures in 2 folders of that name (north/C1, south/C1)" in text
    assert "1 picture (south/C1/1.jpg) without a time of capture" in text
    assert "1 picture (south/C1/broken.jpg) could not be read" in text
    assert text.count("warning") == 3


def test_pictures_that_show_no_camera_are_named(survey: Path) -> None:
    text = warnings(survey, "--camera", "folder:3")

    assert "1 picture (salt lick/1.jpg) without a camera; another --camera rule may tell it" in text


def test_a_camera_without_any_time_is_said_to_have_none(tmp_path: Path) -> None:
    take(tmp_path / "C1" / "1.jpg")

    assert "no time in any picture" in run(tmp_path)


@pytest.mark.parametrize("rule", ["folder:0", "folder:x", "regex:", "regex:(", "serial"])
def test_a_rule_that_is_none_is_refused(survey: Path, rule: str) -> None:
    with pytest.raises(InvalidRequest, match="expected"):
        run(survey, "--camera", rule)


def test_a_folder_that_is_none_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="expected a folder of pictures"):
        run(tmp_path / "missing")
    with pytest.raises(NothingToDo, match="no pictures in"):
        run(tmp_path)


def test_only_the_head_of_a_large_jpeg_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    take(path, "2024:05:01 06:00:00")
    path.write_bytes(path.read_bytes() + bytes(HEAD_BYTES * 2))
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(path.read_bytes()[:HEAD_BYTES])

    assert read_header(path) == read_header(cut)
    assert read_header(path).captured_at == datetime(2024, 5, 1, 6)  # noqa: DTZ001 - camera time


def test_metadata_at_the_end_of_a_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "large.tif"
    exif = Image.Exif()
    exif[ExifTags.Base.DateTime] = "2024:05:01 06:00:00"
    Image.new("RGB", (400, 400), "green").save(path, exif=exif)
    assert path.stat().st_size > HEAD_BYTES

    assert read_header(path).captured_at == datetime(2024, 5, 1, 6)  # noqa: DTZ001 - camera time


def test_a_file_that_is_no_picture_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"no picture")

    with pytest.raises(BadImage):
        read_header(tmp_path / "x.jpg")
