"""The page about the Python client, run as it stands against a real server with the lite models."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from okapia.models.card import PROFILES
from okapia.settings import load_settings
from tests.acceptance.okapia_process import server

pytestmark = pytest.mark.models

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "client.md"
BASE_URL = "http://127.0.0.1:8000"


@pytest.fixture
def home(lite: None, tmp_path: Path) -> Path:
    """A home of its own, so that nobody's jobs and answers are in the way."""
    del lite
    models = load_settings().models_dir
    for model_id in PROFILES["lite"].model_ids:
        shutil.copytree(models / model_id, tmp_path / "models" / model_id)
    return tmp_path


def blocks(language: str) -> list[str]:
    """The page's blocks of a language; those without one are what is printed."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [text for name, text in fences if name == language]


def test_the_page_prints_what_it_says(home: Path, samples: Path, tmp_path: Path) -> None:
    shutil.copytree(samples, tmp_path / "pictures")
    program = "\n".join(blocks("python"))
    assert program.count(BASE_URL) == 1

    with server(settings={"OKAPIA_HOME": str(home)}) as (url, _, _):
        run = subprocess.run(
            [sys.executable, "-c", program.replace(BASE_URL, url)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")},
            timeout=120,
            check=False,
        )

    assert run.stderr == ""
    assert run.stdout == "".join(blocks(""))
