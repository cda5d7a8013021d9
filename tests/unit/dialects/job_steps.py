"""What a client of `/v1/jobs` does, step by step."""

import time
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from okapia.cli.accounts_desk import open_accounts
from okapia.domain.callers import Role
from okapia.settings import Settings
from tests.unit.dialects.test_animaldetect import jpeg

JPEG = {"Content-Type": "image/jpeg"}
NEW: dict[str, object] = {"operation": "detect", "filename": "fox.jpg", "content_type": "image/jpeg"}


def create(client: TestClient, **fields: object) -> Response:
    return client.post("/v1/jobs", json=NEW | fields)


def upload(client: TestClient, url: str, picture: bytes | None = None) -> Response:
    return client.put(url, content=jpeg() if picture is None else picture, headers=JPEG)


def submitted(client: TestClient, picture: bytes | None = None, **fields: object) -> str:
    """Give the id of a job that was uploaded and submitted."""
    made = create(client, **fields).json()
    assert upload(client, made["upload"]["url"], picture).status_code == 204
    assert client.post(made["submit_url"]).status_code == 202
    return str(made["id"])


def ended(client: TestClient, job_id: str) -> dict[str, Any]:
    """Wait for a job as a client does."""
    for _ in range(2000):
        answer = client.get(f"/v1/jobs/{job_id}")
        job: dict[str, Any] = answer.json()
        if "Retry-After" not in answer.headers:
            return job
        time.sleep(0.01)
    pytest.fail(f"job {job} did not end")


def keys_of(home: Path, *names: str) -> list[dict[str, str]]:
    """Give the headers of new people's keys; the first of them is an admin."""
    accounts = open_accounts(Settings(home=home))
    headers: list[dict[str, str]] = []
    with accounts.database.write() as connection:
        for name in names:
            role = Role.USER if headers else Role.ADMIN
            accounts.users.add(connection, name, role=role, plan="core", password_hash=None, actor="a test")
            user = accounts.users.by_name(connection, name)
            key = accounts.keys.mint(connection, user, name="first", scopes=None, actor="a test")
            headers.append({"Authorization": f"Bearer {key.text}"})
    accounts.database.close()
    return headers
