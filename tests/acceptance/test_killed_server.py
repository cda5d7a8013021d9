"""A server that is killed in the middle of a batch: the next one ends it, and each picture counts once."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from okapia.settings import load_settings
from tests.acceptance.okapia_process import okapia, server
from tests.databases import Template, make_template

pytestmark = pytest.mark.models

PICTURES = 300
"""A shard, and a part of another."""


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, samples: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The settings of every server of one home, and a folder of pictures that may be named."""
    (tmp_path / "survey").mkdir()
    for number in range(PICTURES):
        shutil.copy(samples / "cat.png", tmp_path / "survey" / f"{number:04d}.png")
    home = tmp_path / "home"
    home.mkdir()
    (home / "models").symlink_to(load_settings().models_dir)
    template: Template = make_template(request.param, tmp_path)
    with template.copy() as database:
        address = database.engine.url
        if request.param == "postgresql":
            address = address.set(drivername="postgresql")
        yield {
            "OKAPIA_DATABASE": address.render_as_string(hide_password=False),
            "OKAPIA_HOME": str(home),
            "OKAPIA_SOURCE_ROOTS": f'["{tmp_path / "survey"}"]',
        }


def progress_of(url: str, batch_id: str) -> dict[str, Any]:
    batch: dict[str, Any] = httpx.get(f"{url}/v1/batches/{batch_id}").raise_for_status().json()
    return batch


def wait_for(url: str, batch_id: str, *statuses: str) -> dict[str, Any]:
    until = time.monotonic() + 120
    while (batch := progress_of(url, batch_id))["status"] not in statuses and time.monotonic() < until:
        time.sleep(0.1)
    return batch


def test_the_next_server_ends_what_a_killed_one_began(settings: dict[str, str], tmp_path: Path) -> None:
    wanted = {"source": {"folder": str(tmp_path / "survey")}, "no_cache": True}
    with server(settings=settings) as (url, _, process):
        batch_id = httpx.post(f"{url}/v1/batches", json=wanted).raise_for_status().json()["id"]
        wait_for(url, batch_id, "running")
        time.sleep(1)
        unfinished = progress_of(url, batch_id)
        process.kill()
        process.wait()

    with server(settings=settings) as (url, _, _):
        ended = wait_for(url, batch_id, "completed", "failed", "paused")
    verified = okapia("batch", "verify", batch_id, "--json", settings=settings)

    assert unfinished["status"] == "running"
    assert unfinished["progress"]["ended"] < PICTURES
    assert ended["status"] == "completed"
    assert ended["progress"]["done"] == PICTURES
    assert verified.returncode == 0, verified.stdout + verified.stderr
