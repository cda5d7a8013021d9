"""Fixtures that every tier shares."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real camera-trap pictures beside the checkout; the test skips where it is missing."""
    folder = (REPOSITORY / ".." / "shared" / "data").resolve()
    if not folder.is_dir():
        pytest.skip(f"needs the real pictures in {folder}")
    return folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tests to `make test-all`."""
    if os.environ.get("OKAPIA_TEST_ALL") or config.getoption("-m"):
        return
    skip = pytest.mark.skip(reason="slow; `make test-all` runs it")
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(skip)
