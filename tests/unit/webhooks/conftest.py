"""What the tests of webhooks share."""

from collections.abc import Iterator

import pytest
from sqlalchemy import insert

from okapia.database.engine import Database
from okapia.database.instances import Instance
from okapia.database.tables import users
from tests.unit.jobs.drafts import NOON, Watch
from tests.unit.webhooks.house import House
from tests.unit.webhooks.receiver import Receiver, receiving


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def house(database: Database, instance: Instance, watch: Watch) -> House:
    """The webhooks of `ada` and `ben`."""
    with database.write() as connection:
        rows = [{"id": name, "name": name, "role": "user", "created_at": NOON} for name in ("ada", "ben")]
        connection.execute(insert(users), rows)
    return House(database, instance, watch)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one
