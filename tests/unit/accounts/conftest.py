"""Accounts with credits, and a recount after every test that spends them."""

import pytest

from okapia.database.engine import Database
from tests.ledger_books import books
from tests.unit.accounts.bank import Bank

__all__ = ["books"]


@pytest.fixture
def bank(database: Database, books: None) -> Bank:
    """A ledger of which every entry is counted again when the test is over."""
    del books
    return Bank(database)
