"""What a client of `/v1/batches` does, step by step."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from okapia.app import build_app
from okapia.settings import Settings
from tests.unit.dialects.foxes import fox_service
from tests.unit.dialects.test_animaldetect import jpeg

NO_HEADERS: Mapping[str, str] = {}
NO_PICTURE = b"%PDF-1.7 is no picture"


@contextmanager
def house_of(home: Path, **settings: object) -> Iterator[TestClient]:
    """The real application around a fox; callers may name what lies in the folder `pictures` of its home."""
    roots = (make_pictures(home),)
    given = Settings.model_validate({"home": home, "source_roots": roots, **settings})
    with TestClient(build_app(given, fox_service(home)), base_url="http://localhost") as client:
        yield client


def make_pictures(home: Path) -> Path:
    """Make a folder with three foxes, two of them below another folder, and a file that is no picture."""
    folder = home / "pictures"
    (folder / "site 1").mkdir(parents=True, exist_ok=True)
    for name in ("a.jpg", "site 1/b.jpg", "site 1/c.jpg"):
        (folder / name).write_bytes(jpeg())
    (folder / "site 1" / "broken.jpg").write_bytes(NO_PICTURE)
    return folder


def source_of(home: Path, **fields: object) -> dict[str, object]:
    return {"folder": str(home / "pictures"), **fields}


def create(client: TestClient, source: dict[str, object], **fields: object) -> Response:
    return client.post("/v1/batches", json={"source": source, **fields})


def ended(client: TestClient, batch_id: str, *, headers: Mapping[str, str] = NO_HEADERS) -> dict[str, Any]:
    """Wait for a batch as a client does."""
    for _ in range(2000):
        answer = client.get(f"/v1/batches/{batch_id}", headers=headers)
        batch: dict[str, Any] = answer.json()
        if "Retry-After" not in answer.headers:
            return batch
        time.sleep(0.01)
    pytest.fail(f"batch {batch} did not end")


def counts_of(batch: dict[str, Any]) -> dict[str, int]:
    """Give the numbers of its progress that are not 0, without its pace."""
    pace = {"per_second", "seconds_left"}
    return {name: number for name, number in batch["progress"].items() if number and name not in pace}


def events_of(client: TestClient, batch_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Give the events of a batch until it has ended, each with what it holds."""
    answer = client.get(f"/v1/batches/{batch_id}/events")
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    told = []
    for event in answer.text.strip().split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in event.splitlines())
        if "event" in fields:
            told.append((fields["event"], json.loads(fields["data"])))
    return told
