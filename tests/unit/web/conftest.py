"""A server with people: the whole application around a fox, and keys for whoever a test needs."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from okapia.accounts.keys import ApiKey, NewKey
from okapia.app import build_app
from okapia.cli.accounts_desk import Accounts, open_accounts
from okapia.domain.callers import Rates, Role, Scope
from okapia.settings import Settings
from tests.ledger_books import assert_balanced
from tests.unit.dialects.foxes import fox_service

_PLANS = Rates()


@dataclass(frozen=True, slots=True)
class House:
    """A server and the accounts behind it."""

    app: FastAPI
    client: TestClient
    accounts: Accounts

    def add(self, name: str, *, role: Role = Role.USER, plan: str = "unlimited") -> None:
        """Give somebody an account."""
        with self.accounts.database.write() as connection:
            self.accounts.users.add(
                connection, name, role=role, plan=plan, password_hash=None, actor="a test"
            )

    def key_of(self, name: str, *, scopes: Collection[Scope] | None = None, rates: Rates = _PLANS) -> NewKey:
        """Make somebody a key."""
        with self.accounts.database.write() as connection:
            user = self.accounts.users.by_name(connection, name)
            return self.accounts.keys.mint(
                connection, user, name="camera", scopes=scopes, rates=rates, actor="a test"
            )

    def revoke(self, key: ApiKey) -> None:
        with self.accounts.database.write() as connection:
            self.accounts.keys.revoke(connection, key.id, actor="a test")


def bearer(key: NewKey) -> dict[str, str]:
    """Give the header that presents a key."""
    return {"Authorization": f"Bearer {key.text}"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A server without people yet; after the test its ledger is recounted."""
    settings = Settings(
        home=tmp_path,
        max_body_bytes=2_000_000,
        max_image_bytes=1_000_000,
        max_filter_batch_bytes=500_000,
        max_body_s=0.5,
        plans={"metered": {"included": 0}},
    )
    accounts = open_accounts(settings)
    app = build_app(settings, fox_service(tmp_path))
    with TestClient(app, base_url="http://localhost") as client:
        yield House(app, client, accounts)
    assert_balanced(accounts.database)
    accounts.database.close()
