"""A backup of a server that is answering paid calls: restored elsewhere, its ledger adds up."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from okapia.settings import load_settings
from tests.acceptance.okapia_process import okapia, server

pytestmark = pytest.mark.models


@pytest.fixture
def home(tmp_path: Path, lite: None) -> dict[str, str]:
    """The settings of a home of its own, which has the installed models."""
    del lite
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").symlink_to(load_settings().models_dir)
    return {"OKAPIA_HOME": str(tmp_path / "home")}


def told(*arguments: str | Path, settings: dict[str, str]) -> dict[str, Any]:
    result = okapia(*arguments, "--json", settings=settings)
    assert result.returncode == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@contextmanager
def calling(url: str, key: str, picture: Path) -> Iterator[list[int]]:
    """Have somebody send the picture again and again; gives the statuses of the answers."""
    statuses: list[int] = []
    stop = threading.Event()

    def call() -> None:
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
            while not stop.is_set():
                answer = client.post("/v1/filter", files={"image": picture.read_bytes()})
                statuses.append(answer.status_code)

    caller = threading.Thread(target=call)
    caller.start()
    try:
        yield statuses
    finally:
        stop.set()
        caller.join(timeout=60)


def test_a_backup_of_a_busy_server_adds_up_elsewhere(
    home: dict[str, str], samples: Path, tmp_path: Path
) -> None:
    okapia("users", "add", "ben", "--plan", "core", settings=home)
    key = told("keys", "create", "--name", "camera", settings=home)["key"]

    with server(settings=home) as (url, _, _), calling(url, key, samples / "cat.png") as statuses:
        made = [told("backup", tmp_path / f"{number}.tar.gz", settings=home) for number in range(2)]
    back = [
        told("restore", tmp_path / f"{number}.tar.gz", "--into", tmp_path / f"new {number}", settings=home)
        for number in range(2)
    ]

    assert set(statuses) == {200}
    assert [each["rows"] for each in back] == [each["rows"] for each in made]
    assert made[0]["rows"]["answers"] <= made[1]["rows"]["answers"] <= len(statuses)
    assert made[1]["rows"]["answers"] > 0
    assert back[1]["secrets"] > 0
    check = okapia("credits", "check", settings={"OKAPIA_HOME": str(tmp_path / "new 1")})
    assert check.returncode == 0, check.stdout
