"""`okapia run --dry-run`: how much there is and how long it would take; nothing is written."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from okapia.cli import run_estimate
from okapia.cli.main import app
from okapia.domain.errors import NothingToDo
from okapia.domain.models import ModelChoice
from tests.unit.cli.run_home import make_home, paint_many


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which the profile `lite` is installed and `field` is not."""
    for name, value in make_home(tmp_path).items():
        monkeypatch.setenv(name, value)
    profiles = {"lite": ModelChoice("stripes", None), "field": ModelChoice("not-here", None)}
    monkeypatch.setattr(run_estimate, "PROFILES", profiles)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def test_pictures_are_counted_and_some_of_them_timed(tmp_path: Path, home: Path) -> None:
    paint_many(tmp_path / "survey", 50)
    n_bytes = sum(file.stat().st_size for file in (tmp_path / "survey").rglob("*.png"))

    done = CliRunner().invoke(app, ["run", "survey", "--dry-run", "--json"], catch_exceptions=False)

    said = json.loads(done.stdout)
    lite = said["profiles"]["lite"]
    assert (said["images"], said["bytes"]) == (50, n_bytes)
    assert lite["images"] == 20
    assert lite["hours"] == pytest.approx(lite["seconds"] / 20 * 50 / 3600, abs=1e-4)
    assert said["profiles"]["field"] is None
    assert not (home / "okapia.db").exists()
    assert not list((tmp_path / "survey").glob("*okapia*"))


def test_people_read_it_as_lines(tmp_path: Path) -> None:
    paint_many(tmp_path / "survey", 3)

    done = CliRunner().invoke(app, ["run", "survey", "--dry-run"], catch_exceptions=False)

    head, lite, field = done.stdout.splitlines()
    assert head.startswith("3 pictures, ")
    assert lite.startswith("lite: ")
    assert "by 3 of them" in lite
    assert field == "field: not installed (`okapia models pull field`)"


def test_nothing_to_count_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(NothingToDo):
        CliRunner().invoke(app, ["run", "empty", "--dry-run"], catch_exceptions=False)
