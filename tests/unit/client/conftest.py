"""The real application behind a real socket, around networks that see one red fox in every picture."""

import socket
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest
import uvicorn

from okapia.app import build_app
from okapia.cli.accounts_desk import Accounts, open_accounts
from okapia.client import Okapia
from okapia.domain.callers import Rates, Role, Scope
from okapia.settings import Settings
from tests.ledger_books import assert_balanced
from tests.unit.dialects.foxes import fox_service

_AS_THE_PLAN = Rates()


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    app = build_app(settings, fox_service(settings.home))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base URL of a server that needs no key."""
    home = tmp_path_factory.mktemp("home")
    with serving(Settings(home=home, max_body_bytes=2_000_000, private_webhooks=True)) as address:
        yield address


@pytest.fixture
def okapia(url: str) -> Iterator[Okapia]:
    with Okapia(url) as client:
        yield client


@dataclass(frozen=True, slots=True)
class House:
    """A server with people."""

    url: str
    accounts: Accounts

    def key(
        self,
        *,
        plan: str = "unlimited",
        scopes: Collection[Scope] | None = None,
        rates: Rates = _AS_THE_PLAN,
    ) -> str:
        """Give somebody new an account and a key."""
        with self.accounts.database.write() as connection:
            user = self.accounts.users.add(
                connection, uuid4().hex, role=Role.USER, plan=plan, password_hash=None, actor="a test"
            )
            made = self.accounts.keys.mint(
                connection, user, name="camera", scopes=scopes, rates=rates, actor="a test"
            )
        return made.text


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server with people; in the end its ledger is recounted."""
    home = tmp_path_factory.mktemp("house")
    settings = Settings(home=home, plans={"metered": {"included": 3}})
    accounts = open_accounts(settings)
    with serving(settings) as address:
        yield House(address, accounts)
    assert_balanced(accounts.database)
    accounts.database.close()
