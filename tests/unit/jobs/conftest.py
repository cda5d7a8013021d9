"""What the tests of jobs share."""

from pathlib import Path

import pytest

from okapia.database.engine import Database
from okapia.jobs.queue import JobQueue
from okapia.jobs.store import JobStore
from tests.unit.jobs.drafts import Watch, add_people
from tests.unit.jobs.office import Office


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def store(database: Database, watch: Watch) -> JobStore:
    """The jobs of `ada` and `ben`."""
    add_people(database)
    return JobStore(clock=watch)


@pytest.fixture
def queue(watch: Watch) -> JobQueue:
    return JobQueue(instance_id="run_here", clock=watch)


@pytest.fixture
def office(database: Database, tmp_path: Path, watch: Watch) -> Office:
    return Office(database, tmp_path, watch)
