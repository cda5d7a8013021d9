"""`okapia run` killed, stopped, or without its disk in the middle: the same command goes on."""

import json
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.unit.cli.run_home import Process, answers, begin, make_home, paint_many, run, without_times

PICTURES = 1500


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in make_home(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    paint_many(tmp_path / "survey", PICTURES)
    return tmp_path / "survey"


def wait_for_shards(process: Process, home: Path, number: int) -> None:
    """Wait until so many shards are on the disk, and the run is not over."""
    while len(list(home.glob("blobs/batches/*/*.parquet"))) < number:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def kill(process: Process) -> None:
    process.kill()
    process.communicate(timeout=60)


def test_a_run_that_is_killed_twice_ends_as_one_that_was_not(survey: Path, home: Path) -> None:
    for shards in (5, 24):
        process = begin(survey)
        wait_for_shards(process, home, shards)
        kill(process)
    assert not (survey / "okapia_results.json").exists()

    summary = run(survey)

    output = survey / "okapia_results.json"
    assert (summary["images"], summary["failed"]) == (PICTURES, 0)
    assert summary["reused"] >= 24
    assert len(answers(output)) == PICTURES
    whole = Path("whole.json")
    run(survey, "-o", whole, "--no-cache")
    assert without_times(output) == without_times(whole)


def test_what_is_new_since_the_kill_is_in_the_results(survey: Path, home: Path) -> None:
    process = begin(survey)
    wait_for_shards(process, home, 5)
    kill(process)
    paint_many(survey / "late", 6)

    summary = run(survey)

    assert summary["images"] == PICTURES + 6
    assert {name for name in answers(survey / "okapia_results.json") if name.startswith("late")} == {
        f"late/cam {place % 3}/{place:04d}.png" for place in range(6)
    }


def test_a_folder_that_goes_away_pauses_the_run_and_nothing_fails(survey: Path, home: Path) -> None:
    process = begin(survey, "-o", "results.json")
    wait_for_shards(process, home, 5)
    elsewhere = survey.rename(survey.with_name("elsewhere"))
    _, said = process.communicate(timeout=60)

    assert process.returncode == 3
    assert "run the same command to go on" in said
    assert "survey is not there" in said
    assert not Path("results.json").exists()

    elsewhere.rename(survey)
    summary = run(survey, "-o", "results.json")

    assert (summary["images"], summary["failed"]) == (PICTURES, 0)
    assert summary["reused"] > 0


def test_an_empty_folder_in_its_place_pauses_the_run_too(survey: Path, home: Path) -> None:
    process = begin(survey, "-o", "results.json")
    wait_for_shards(process, home, 5)
    elsewhere = survey.rename(survey.with_name("elsewhere"))
    survey.mkdir()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert "20 files in a row" in said

    # The disk is somewhere else now, and the run goes on there.
    summary = run(elsewhere, "-o", "results.json")

    assert (summary["images"], summary["failed"]) == (PICTURES, 0)
    assert summary["reused"] > 0


def test_a_second_run_on_the_same_results_is_refused_while_the_first_lives(survey: Path, home: Path) -> None:
    first = begin(survey)
    wait_for_shards(first, home, 3)
    psutil.Process(first.pid).suspend()
    second = begin(survey)
    _, said = second.communicate(timeout=60)
    kill(first)

    assert second.returncode == 2
    assert "error[output_in_use]" in said
    assert str(first.pid) in said
    assert run(survey)["images"] == PICTURES  # the lock fell with its process


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_run_that_a_person_stops_says_how_to_go_on(survey: Path, home: Path) -> None:
    process = begin(survey)
    wait_for_shards(process, home, 5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)

    partial = survey / "okapia_results.partial.json"
    had = len(json.loads(partial.read_text())["images"])
    assert process.returncode == 2
    assert "error[stopped]" in said
    assert "run the same command to go on" in said
    assert 0 < had < PICTURES

    assert run(survey)["reused"] >= had
