"""Fixtures that every tier shares."""

import os
from collections.abc import Callable, Generator, Iterator
from functools import cache, partial
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from okapia.database.engine import Database
from okapia.database.instances import Instance
from tests.databases import BACKENDS, Template, make_template

# A busy machine is no reason to fail.
settings.register_profile("okapia", deadline=None)
settings.load_profile("okapia")

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Undo what a command did to the logs: it writes to its own standard error, which is closed then."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real camera-trap pictures beside the checkout; the test skips where it is missing."""
    folder = (REPOSITORY / ".." / "shared" / "data").resolve()
    if not folder.is_dir():
        pytest.skip(f"needs the real pictures in {folder}")
    return folder


@pytest.fixture(scope="session")
def _template_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Template]:
    """Give a kind's template database, made when first needed."""
    return cache(partial(make_template, folder=tmp_path_factory.mktemp("databases")))


@pytest.fixture(params=BACKENDS)
def database(request: pytest.FixtureRequest, _template_of: Callable[[str], Template]) -> Iterator[Database]:
    """A migrated database, empty but for the user `local`: every test runs on each kind."""
    with _template_of(request.param).copy() as database:
        yield database


@pytest.fixture
def instance(database: Database) -> Instance:
    """This process, known to the database."""
    return Instance(database)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the committed OpenAPI document be written anew."""
    parser.addoption("--write-openapi", action="store_true", help="write docs/reference/openapi.json")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tests to `make test-all`: deselected, for a skipped one would fail in CI."""
    if os.environ.get("OKAPIA_TEST_ALL") or config.getoption("-m"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one where OKAPIA_REQUIRE_ALL is set, as in CI."""
    report = yield
    if report.skipped and os.environ.get("OKAPIA_REQUIRE_ALL") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and OKAPIA_REQUIRE_ALL is set: {report.longreprtext}"
    return report
