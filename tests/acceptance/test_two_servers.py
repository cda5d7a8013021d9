"""Two servers on one PostgreSQL: one set of accounts, one ledger, and each takes up what the other leaves."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from okapia.accounts.recount import check
from okapia.database.engine import Database
from tests.acceptance.okapia_process import okapia, server
from tests.databases import PostgresqlTemplate

pytestmark = pytest.mark.models


@dataclass(frozen=True, slots=True)
class House:
    """The settings that both servers have, somebody's key, and the database."""

    settings: dict[str, str]
    key: str
    database: Database

    def headers(self, call: str = "") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} | ({"Idempotency-Key": call} if call else {})


@pytest.fixture
def house(lite: None, tmp_path: Path) -> Iterator[House]:
    """A PostgreSQL with an admin who has a key."""
    del lite
    with PostgresqlTemplate(tmp_path).copy() as database:
        address = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        settings = {"OKAPIA_DATABASE": address}
        assert okapia("users", "add", "ada", "--role", "admin", settings=settings).returncode == 0
        made = okapia("keys", "create", "--name", "camera", "--json", settings=settings)
        yield House(settings, json.loads(made.stdout)["key"], database)
        with database.read() as connection:
            assert check(connection) == []


def filter_picture(url: str, house: House, picture: bytes, call: str) -> httpx.Response:
    return httpx.post(f"{url}/v1/filter", files={"image": picture}, headers=house.headers(call), timeout=120)


def test_two_servers_are_one_to_their_callers(house: House, samples: Path) -> None:
    picture = (samples / "cat.png").read_bytes()
    with server(settings=house.settings) as (one, _, _), server(settings=house.settings) as (other, _, _):
        first = filter_picture(one, house, picture, "night 7")
        again = filter_picture(other, house, picture, "night 7")
        with ThreadPoolExecutor(8) as callers:
            urls = [one, other] * 8
            calls = list(
                callers.map(lambda n: filter_picture(urls[n], house, picture, f"call {n}"), range(16))
            )
        found = httpx.get(f"{other}/v1/detect/{first.json()['id']}", headers=house.headers())
        usage = httpx.get(f"{one}/v1/usage", headers=house.headers()).json()
        key_id = httpx.get(f"{one}/v1/keys", headers=house.headers()).json()["keys"][0]["id"]
        httpx.delete(f"{one}/v1/keys/{key_id}", headers=house.headers()).raise_for_status()
        refused = httpx.get(f"{other}/v1/countries", headers=house.headers())

    assert first.status_code == 200
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert [answer.status_code for answer in calls] == [200] * 16
    assert found.json()["detections"] == first.json()["detections"]
    assert usage["requests"]["today"] == 17
    assert refused.status_code == 401


def test_a_job_of_a_server_that_was_killed_is_done_by_the_other(house: House, samples: Path) -> None:
    picture = (samples / "cat.png").read_bytes()
    with server(settings=house.settings) as (one, _, process):
        wanted = {"operation": "filter", "filename": "cat.png", "content_type": "image/png"}
        jobs = [httpx.post(f"{one}/v1/jobs", json=wanted, headers=house.headers()).json() for _ in range(12)]
        for job in jobs:
            place = job["upload"]
            httpx.put(place["url"], content=picture, headers=place["headers"]).raise_for_status()
            httpx.post(job["submit_url"], headers=house.headers()).raise_for_status()
        os.kill(process.pid, 9)
        process.wait()

    with server(settings=house.settings) as (other, _, _):
        client = httpx.Client(base_url=other, headers=house.headers(), timeout=60)
        states = [wait(client, job["id"]) for job in jobs]
        client.close()

    assert states == ["succeeded"] * 12


def wait(client: httpx.Client, job_id: str) -> str:
    """Ask for a job until it has ended."""
    while (job := client.get(f"/v1/jobs/{job_id}").json())["completed_at"] is None:
        pass
    return str(job["status"])
