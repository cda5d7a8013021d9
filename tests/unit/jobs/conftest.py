"""What the tests of jobs share."""

from pathlib import Path

import pytest
from sqlalchemy import insert

from okapia.database.engine import Database
from okapia.database.tables import users
from okapia.jobs.queue import JobQueue
from okapia.jobs.store import JobStore
from tests.unit.jobs.drafts import NOON, Watch
from tests.unit.jobs.office import Office

ADA, BEN = "ada", "ben"


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def store(database: Database, watch: Watch) -> JobStore:
    """The jobs of `ada` and `ben`."""
    with database.write() as connection:
        rows = [{"id": name, "name": name, "role": "user", "created_at": NOON} for name in (ADA, BEN)]
        connection.execute(insert(users), rows)
    return JobStore(clock=watch)


@pytest.fixture
def queue(watch: Watch) -> JobQueue:
    return JobQueue(instance_id="run_here", clock=watch)


@pytest.fixture
def office(store: JobStore, database: Database, tmp_path: Path, watch: Watch) -> Office:
    del store  # it makes the users
    return Office(database, tmp_path, watch)
