"""Packages of other people, as pip leaves them: a module, and a folder that names its entry points."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Give a function that installs a package of one module for the time of the test."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    modules = set()

    def install_package(package: str, *, group: str, point: str, code: str) -> None:
        """Install `package` 1.0, whose entry point `point` leads to what its module calls `plugin`."""
        module = package.replace("-", "_")
        modules.add(module)
        (site / f"{module}.py").write_text(dedent(code))
        about = site / f"{module}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[{group}]\n{point} = {module}:plugin\n")
        importlib.invalidate_caches()

    yield install_package
    for module in modules:
        sys.modules.pop(module, None)
