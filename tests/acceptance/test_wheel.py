"""The wheel: built, installed and run away from the checkout, as `pip install okapia` gives it."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import orjson
import pytest

from okapia import __version__
from okapia.models.card import builtin_cards

REPOSITORY = Path(__file__).parents[2]
SCRIPTS, SUFFIX = ("Scripts", ".exe") if sys.platform == "win32" else ("bin", "")


def run(*command: str | Path, folder: Path) -> str:
    """Give what the command prints; no path of the checkout is in its environment."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["OKAPIA_HOME"] = str(folder / "home")
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation")
    run(*build, "--outdir", folder, REPOSITORY, folder=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a new environment's scripts, with Okapia from the wheel and its libraries from the tests' own."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    python = folder / SCRIPTS / f"python{SUFFIX}"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet")
    run(*pip, "--no-deps", "--no-index", wheel, folder=folder)
    # A path in a .pth file brings packages, but not the .pth files beside them: the tests'
    # editable install of the checkout stays out of sight.
    layout = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", vars=layout))
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return folder / SCRIPTS


def test_the_wheel_holds_cards_labels_type_marker_and_licences(wheel: Path) -> None:
    source = REPOSITORY / "src"
    data = [*source.rglob("cards/*.toml"), *source.rglob("labels/*.csv"), source / "okapia" / "py.typed"]
    info = f"okapia-{__version__}.dist-info"
    licences = {f"{info}/licenses/{name}" for name in ("LICENSE", "NOTICE")}

    with ZipFile(wheel) as archive:
        names = set(archive.namelist())

    assert len(data) > 3
    assert {path.relative_to(source).as_posix() for path in data} | licences <= names


def test_the_wheel_holds_nothing_but_the_package(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        folders = {name.partition("/")[0] for name in archive.namelist()}

    assert folders == {"okapia", f"okapia-{__version__}.dist-info"}


def test_the_installed_command_says_its_version(installed: Path, tmp_path: Path) -> None:
    assert run(installed / f"okapia{SUFFIX}", "--version", folder=tmp_path).strip() == f"okapia {__version__}"


def test_the_installed_command_lists_every_built_in_model(installed: Path, tmp_path: Path) -> None:
    models = orjson.loads(run(installed / f"okapia{SUFFIX}", "models", "list", "--json", folder=tmp_path))

    assert {model["id"] for model in models} >= builtin_cards().keys()


def test_the_installed_command_runs_from_the_wheel_not_from_the_checkout(
    installed: Path, tmp_path: Path
) -> None:
    python = installed / f"python{SUFFIX}"

    place = run(python, "-c", "import okapia; print(okapia.__file__)", folder=tmp_path).strip()

    assert Path(place).is_relative_to(installed.parent.resolve())
