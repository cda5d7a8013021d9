"""The fixture `books`: after a test that spends, the whole ledger is counted again from its raw rows.

Import it into the `conftest.py` of a folder, or name it in a test.
"""

from collections.abc import Iterator

import pytest

from okapia.accounts.recount import check
from okapia.database.engine import Database


def assert_balanced(database: Database) -> None:
    """Fail where anything in the ledger does not add up."""
    with database.read() as connection:
        assert check(connection) == []


@pytest.fixture
def books(database: Database) -> Iterator[None]:
    """Recount the ledger when the test is over."""
    yield
    assert_balanced(database)
