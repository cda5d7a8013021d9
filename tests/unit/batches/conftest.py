"""What the tests of batches share."""

import pytest

from okapia.database.engine import Database
from tests.unit.batches.floor import Floor


@pytest.fixture
def floor(database: Database) -> Floor:
    """A process with its batches; every test runs on each kind of database."""
    return Floor(database)
