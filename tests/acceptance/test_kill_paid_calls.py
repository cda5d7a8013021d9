"""A server that is killed in the middle of paid calls: no credit is lost, none is charged twice."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from threading import Event

import httpx
import pytest
from sqlalchemy import func, select

from okapia.accounts.recount import check
from okapia.database.engine import Database
from okapia.database.tables import billing, credit_entries, open_holds
from tests.acceptance.okapia_process import okapia, server

pytestmark = pytest.mark.models

CALLS = 200
CREDITS = 500


@dataclass(frozen=True, slots=True)
class Shop:
    """A server's settings, somebody's key, and the database that both are in."""

    settings: dict[str, str]
    key: str
    database: Database

    def left(self) -> int:
        with self.database.read() as connection:
            return int(connection.execute(select(func.sum(billing.c.top_up))).scalar_one())

    def open(self) -> int:
        with self.database.read() as connection:
            return connection.execute(select(func.count()).select_from(open_holds)).scalar_one()

    def settled(self) -> int:
        with self.database.read() as connection:
            images = select(func.sum(credit_entries.c.images)).where(credit_entries.c.kind == "settle")
            return connection.execute(images).scalar_one() or 0

    def mistakes(self) -> list[object]:
        with self.database.read() as connection:
            return list(check(connection))


@pytest.fixture
def shop(lite: None, tmp_path: Path) -> Iterator[Shop]:
    """Somebody with 500 credits on a plan that includes none."""
    del lite
    address = f"sqlite:///{tmp_path}/okapia.db"
    plans = {"metered": {"included": 0}}
    settings = {"OKAPIA_DATABASE": address, "OKAPIA_PLANS": json.dumps(plans), "OKAPIA_QUEUE_DEPTH": "512"}
    for command in (
        ["users", "add", "ada", "--role", "admin", "--plan", "metered"],
        ["credits", "grant", "ada", str(CREDITS)],
    ):
        done = okapia(*command, settings=settings)
        assert done.returncode == 0, done.stderr
    key = json.loads(okapia("keys", "create", "--name", "camera", "--json", settings=settings).stdout)["key"]
    database = Database.open(address)
    yield Shop(settings, key, database)
    database.close()


def detect(url: str, shop: Shop, number: int, picture: bytes, answered: Event) -> int:
    """Make call number N; gives the status, 0 when the server went away."""
    headers = {"Authorization": f"Bearer {shop.key}", "Idempotency-Key": f"picture {number}"}
    try:
        answer = httpx.post(f"{url}/v1/filter", files={"image": picture}, headers=headers, timeout=120)
    except httpx.TransportError:
        return 0
    if answer.status_code == 200:
        answered.set()
    return answer.status_code


def make_calls(
    url: str, shop: Shop, picture: bytes, interrupt: Callable[[], object] | None = None
) -> list[int]:
    """Make all calls, twenty at a time, and `interrupt` when the first answer is there."""
    answered = Event()
    with ThreadPoolExecutor(20) as callers:
        calls = callers.map(
            detect, repeat(url), repeat(shop), range(CALLS), repeat(picture), repeat(answered)
        )
        if interrupt is not None:
            assert answered.wait(120)
            interrupt()
        return list(calls)


def test_after_kill_9_every_hold_is_settled_or_refunded(shop: Shop, samples: Path) -> None:
    picture = (samples / "cat.png").read_bytes()
    with server(settings=shop.settings) as (url, _, process):
        before = make_calls(url, shop, picture, process.kill)
        process.wait()
    held = shop.open()

    with server(settings=shop.settings) as (url, _, _):
        httpx.get(f"{url}/healthz").raise_for_status()
        open_after = shop.open()
        settled = shop.settled()
        again = make_calls(url, shop, picture)

    assert 0 in before
    assert held > 0
    assert open_after == 0
    assert before.count(200) <= settled < CALLS
    assert again == [200] * CALLS
    assert shop.settled() == CALLS
    assert shop.left() == CREDITS - CALLS
    assert shop.mistakes() == []
