"""`okapia run --watch`: files are taken when they are whole, and again when they change."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from okapia.batches.items import Item
from okapia.cli.run_halt import RunPaused
from okapia.cli.run_plan import Plan, SpeciesPlan
from okapia.cli.run_session import opened
from okapia.cli.run_summary import Summary
from okapia.cli.run_watch import Pace, Sightings, Watch
from okapia.domain.errors import InvalidRequest
from okapia.domain.types import People
from okapia.settings import load_settings
from tests.unit.cli.run_home import answers, begin, left_of, make_home, paint, run

SOON = Pace(settled_s=0.8, look_s=0.05)
"""Much sooner than for people, and late enough for a busy machine."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in make_home(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def watch(folder: Path, script: Callable[[int], None]) -> None:
    """Watch a folder; `script` is called with how often the results have been written by then."""
    plan = Plan.of(
        load_settings(),
        paths=[folder],
        output=None,
        file_format="megadetector",
        keep_above=0.05,
        classify=False,
        profile="wild",
        detector=None,
        classifier=None,
        canvas=None,
        species=SpeciesPlan(),
        render=None,
        people=People.BLUR,
        uses_cache=True,
        frames=None,
    )
    written: list[Summary] = []

    def show(summary: Summary) -> None:
        written.append(summary)
        script(len(written))

    with opened(plan) as shop, shop.run(plan, advance=lambda: None) as run:
        Watch(run, show=show, pace=SOON).until_stopped()


def age(*files: Path) -> None:
    """Have files that were written long before the watch begins."""
    for file in files:
        os.utime(file, (1_000_000_000, 1_000_000_000))


def test_what_comes_later_is_in_the_results_and_what_goes_is_not(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    paint(inbox / "first.png")
    paint(inbox / "gone.png")
    age(inbox / "first.png", inbox / "gone.png")
    seen = []

    def script(times: int) -> None:
        names = sorted(answers(inbox / "okapia_results.json"))
        seen.append(names)
        if times == 1:
            paint(inbox / "cam 1" / "second.png")
        if times == 2:
            (inbox / "gone.png").unlink()
        if times == 3:
            raise KeyboardInterrupt

    watch(inbox, script)

    assert seen == [
        ["first.png", "gone.png"],
        ["cam 1/second.png", "first.png", "gone.png"],
        ["cam 1/second.png", "first.png"],
    ]


def test_a_file_is_taken_when_it_grows_no_more_and_again_when_it_has_changed(
    tmp_path: Path,
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    paint(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    seen: list[object] = []

    def drip() -> None:
        with (inbox / "slow.png").open("wb", buffering=0) as file:
            for byte in whole:
                file.write(bytes([byte]))
                time.sleep(2.5 * SOON.settled_s / len(whole))

    def script(times: int) -> None:
        found = answers(inbox / "okapia_results.json")
        seen.append({name: image.get("failure") or left_of(image) for name, image in found.items()})
        if times == 1:
            threading.Thread(target=drip).start()
        if times == 2:
            paint(inbox / "slow.png", left=40)
        if times == 3:
            raise KeyboardInterrupt

    watch(inbox, script)

    assert seen == [
        {},
        {"slow.png": pytest.approx(0.25, abs=0.02)},
        {"slow.png": pytest.approx(0.625, abs=0.02)},
    ]


def test_a_folder_that_goes_away_ends_the_watch_and_leaves_the_results(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    paint(inbox / "first.png")
    age(inbox / "first.png")

    def script(_: int) -> None:
        inbox.rename(tmp_path / "elsewhere")

    with pytest.raises(RunPaused, match="run the same command to go on"):
        watch(inbox, script)

    assert list(answers(tmp_path / "elsewhere" / "okapia_results.json")) == ["first.png"]


def test_what_a_watch_has_got_the_next_run_takes_over(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    paint(inbox / "first.png")

    def script(times: int) -> None:
        paint(inbox / "second.png")
        if times == 2:
            raise KeyboardInterrupt

    watch(inbox, script)

    assert run(inbox, "--no-classify")["reused"] >= 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_watch_that_a_person_stops_ends_well_and_says_what_there_is(tmp_path: Path) -> None:
    paint(tmp_path / "inbox" / "first.png")
    age(tmp_path / "inbox" / "first.png")
    process = begin("inbox", "--watch")
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())

    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)

    assert first["images"] == 1
    assert process.returncode == 0, complaint


def test_a_watch_writes_one_file(tmp_path: Path) -> None:
    paint(tmp_path / "north" / "a.png")
    paint(tmp_path / "south" / "b.png")

    with pytest.raises(InvalidRequest, match="-o"):
        run("north", "south", "--watch")


class TestSightings:
    """When a file counts as whole; seconds are given, not waited for."""

    @pytest.fixture
    def sightings(self) -> Sightings:
        return Sightings(settled_s=10.0)

    def test_a_file_is_whole_when_it_stayed_as_it_was(self, sightings: Sightings) -> None:
        small, large = Item("a.jpg", n_bytes=1, version="1"), Item("a.jpg", n_bytes=2, version="2")

        assert sightings.settled([small], now=0.0) == []
        assert sightings.settled([large], now=9.0) == []
        assert sightings.settled([large], now=18.9) == []
        assert sightings.settled([large], now=19.0) == [large]

    def test_what_is_taken_is_left_alone_until_it_changes(self, sightings: Sightings) -> None:
        old, new = Item("a.jpg", n_bytes=1, version="1"), Item("a.jpg", n_bytes=1, version="2")
        sightings.take([old])

        assert sightings.settled([old], now=100.0) == []
        assert sightings.settled([new], now=101.0) == []
        assert sightings.settled([new], now=111.0) == [new]

    def test_a_file_that_went_and_came_back_is_waited_for_again(self, sightings: Sightings) -> None:
        item = Item("a.jpg", n_bytes=1, version="1")
        sightings.settled([item], now=0.0)

        assert sightings.settled([], now=5.0) == []
        assert sightings.settled([item], now=10.0) == []

    def test_files_that_are_gone_are_forgotten(self, sightings: Sightings) -> None:
        item = Item("a.jpg", n_bytes=1, version="1")
        sightings.take([item])

        assert not sightings.forget_missing([item])
        assert sightings.forget_missing([])
        assert sightings.taken == {}
