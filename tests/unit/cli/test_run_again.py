"""The same `okapia run` again: what is answered stays, what is new, changed or failed is done."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from okapia.cli.main import app
from okapia.cli.run_lock import OutputInUse, OutputLock
from okapia.domain.errors import InvalidRequest, NothingToDo
from tests.unit.cli.run_home import answers, left_of, make_home, paint, paint_many, run


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in make_home(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """Twelve pictures of three cameras."""
    paint_many(tmp_path / "survey", 12)
    return tmp_path / "survey"


def test_a_run_again_takes_every_answer_over_and_writes_the_same_file(survey: Path) -> None:
    first = run(survey)
    written = answers(survey / "okapia_results.json")

    again = run(survey)

    assert (first["images"], first["reused"]) == (12, 0)
    assert (again["images"], again["reused"], again["found"]) == (12, 12, first["found"])
    assert answers(survey / "okapia_results.json") == written


def test_new_pictures_are_added_in_their_places_and_missing_ones_go(survey: Path) -> None:
    run(survey)
    paint(survey / "cam 1" / "0000b.png")
    (survey / "cam 2" / "0002.png").unlink()

    again = run(survey)

    names = list(answers(survey / "okapia_results.json"))
    assert (again["images"], again["reused"]) == (12, 11)
    assert names == sorted(names)
    assert "cam 1/0000b.png" in names
    assert "cam 2/0002.png" not in names


def test_a_picture_that_has_changed_is_done_anew(survey: Path) -> None:
    run(survey)
    changed = survey / "cam 0" / "0000.png"
    paint(changed, left=40)

    again = run(survey)

    assert again["reused"] == 11
    assert left_of(answers(survey / "okapia_results.json")["cam 0/0000.png"]) == pytest.approx(
        0.625, abs=0.02
    )


def test_a_changed_picture_of_the_same_size_is_told_by_its_time(survey: Path) -> None:
    run(survey)
    picture = survey / "cam 0" / "0000.png"
    later = picture.stat().st_mtime_ns + 1_000_000_000
    os.utime(picture, ns=(later, later))

    assert run(survey)["reused"] == 11


def test_pictures_that_failed_are_tried_again(survey: Path) -> None:
    broken = survey / "cam 0" / "broken.png"
    broken.write_bytes(b"not yet a picture")
    first = run(survey, exit_code=1)
    still = run(survey, exit_code=1)
    stamp = broken.stat()

    paint(broken)
    repaired = run(survey)

    assert [first["failed"], still["failed"], repaired["failed"]] == [1, 1, 0]
    assert [first["reused"], still["reused"], repaired["reused"]] == [0, 12, 12]
    assert stamp != broken.stat()


def test_a_folder_that_is_mounted_elsewhere_is_the_same_run(survey: Path) -> None:
    run(survey)
    moved = survey.rename(survey.with_name("drive E"))

    again = run(moved)

    assert again["reused"] == 12


@pytest.mark.parametrize(
    "options", [["--threshold", "0.3"], ["--tiles", "2"], ["--render", "drawn"], ["--country", "KEN"]]
)
def test_options_that_answers_depend_on_begin_a_new_run(survey: Path, options: list[str]) -> None:
    run(survey)

    assert run(survey, *options)["reused"] == 0
    assert run(survey, *options)["reused"] == 12


def test_what_only_the_file_depends_on_is_written_from_the_same_answers(survey: Path) -> None:
    run(survey)

    again = run(survey, "--keep-above", "0.1", "--smooth", "off")

    assert again["reused"] == 12


def test_another_model_begins_a_new_run(survey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(survey)
    monkeypatch.setenv("OKAPIA_PRECISION", "f32")
    same = run(survey)
    monkeypatch.setenv("OKAPIA_SCALING", "exact")

    other = run(survey)

    assert (same["reused"], other["reused"]) == (12, 0)


def test_without_the_cache_a_finished_run_is_begun_anew(survey: Path) -> None:
    run(survey)

    assert run(survey, "--no-cache")["reused"] == 0
    assert run(survey, "--no-cache")["reused"] == 0


def test_a_finished_run_leaves_no_more_behind_than_its_own_answers(survey: Path, home: Path) -> None:
    for _ in range(3):
        run(survey)

    batches = list((home / "blobs" / "batches").iterdir())
    kept = [batch for batch in batches if any(batch.iterdir())]
    assert len(kept) == 1


def test_several_folders_have_a_results_file_each(tmp_path: Path) -> None:
    paint(tmp_path / "north" / "a.png")
    paint(tmp_path / "south" / "b.png")

    run("north", "south")

    assert list(answers(tmp_path / "north" / "okapia_results.json")) == ["a.png"]
    assert list(answers(tmp_path / "south" / "okapia_results.json")) == ["b.png"]


def test_several_folders_share_the_file_that_is_named(tmp_path: Path) -> None:
    paint(tmp_path / "south" / "b.png")
    paint(tmp_path / "north" / "a.png")

    run("south", "north", "-o", "all.json")
    paint(tmp_path / "north" / "c.png")
    again = run("north", "south", "-o", "all.json")

    assert again["reused"] == 2
    assert list(answers(tmp_path / "all.json")) == ["north/a.png", "north/c.png", "south/b.png"]


def test_a_named_file_is_looked_at_whatever_its_name(tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "upload.tmp")

    summary = run("upload.tmp")

    assert (summary["images"], summary["failed"]) == (1, 0)


def test_nothing_is_begun_when_one_of_the_folders_is_empty(tmp_path: Path) -> None:
    paint(tmp_path / "north" / "a.png")
    (tmp_path / "south").mkdir()

    with pytest.raises(NothingToDo):
        run("north", "south")

    assert not (tmp_path / "north" / "okapia_results.json").exists()


def test_an_empty_folder_where_a_disk_was_forgets_nothing(survey: Path) -> None:
    run(survey)
    away = survey.rename(survey.with_name("unmounted"))
    survey.mkdir()
    with pytest.raises(NothingToDo):
        run(survey)
    survey.rmdir()
    away.rename(survey)

    assert run(survey)["reused"] == 12


def test_two_runs_on_one_results_file_refuse_each_other(survey: Path) -> None:
    output = survey / "okapia_results.json"

    with OutputLock(output), pytest.raises(OutputInUse, match=str(os.getpid())):
        run(survey)

    assert run(survey)["images"] == 12


def test_folders_within_each_other_are_refused(survey: Path) -> None:
    with pytest.raises(InvalidRequest, match="lies in"):
        run(survey, survey / "cam 1")


def test_damaged_answers_of_before_are_made_anew(survey: Path, home: Path) -> None:
    run(survey)
    file = next((home / "blobs" / "batches").rglob("*.parquet"))
    file.write_bytes(b"damaged")

    again = run(survey)

    assert (again["images"], again["failed"], again["reused"]) == (12, 0, 11)


def test_a_home_that_keeps_nothing_more_pauses_the_run(survey: Path, home: Path) -> None:
    (home / "blobs").mkdir(parents=True)
    (home / "blobs" / "batches").write_text("in the way of every answer")
    done = CliRunner().invoke(app, ["run", str(survey)], catch_exceptions=False)
    (home / "blobs" / "batches").unlink()

    summary = run(survey)

    assert done.exit_code == 3
    assert "run the same command to go on" in done.stderr
    assert (summary["images"], summary["failed"]) == (12, 0)
