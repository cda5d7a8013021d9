"""A picture that the server fetches: where it may, from where it may, and what is said otherwise."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from okapia.dialects.animaldetect import dialect
from okapia.domain.errors import SourceRefused, SourceUnavailable
from okapia.web.context import Context, Limits, refuse_source
from tests.unit.dialects.conftest import DeskFor
from tests.unit.dialects.foxes import fox_service
from tests.unit.dialects.test_animaldetect import jpeg

URL = "https://pictures.example/cam1/fox.jpg"


def client_with(folder: Path, desk_for: DeskFor, read: Callable[[str], bytes] = refuse_source) -> TestClient:
    app = FastAPI()
    limits = Limits(max_body_bytes=1_000_000)
    service = fox_service(folder)
    app.include_router(dialect.build(Context(service, desk_for(service), limits, 0.2, read)))
    return TestClient(app, base_url="http://localhost")


def test_a_picture_is_fetched_and_answered_like_one_that_was_sent(tmp_path: Path, desk_for: DeskFor) -> None:
    asked: list[str] = []

    def read(url: str) -> bytes:
        asked.append(url)
        return jpeg()

    body = (
        client_with(tmp_path, desk_for, read)
        .post("/v1/detect-url", json={"url": URL, "country": "DNK"})
        .json()
    )

    assert asked == [URL]
    assert body["annotations"][0]["label"] == "red fox"
    assert body["info"]["source_url"] == URL
    assert body["info"]["country_processed"] == "DNK"


def test_it_is_off_unless_the_operator_says_so(tmp_path: Path, desk_for: DeskFor) -> None:
    answer = client_with(tmp_path, desk_for).post("/v1/detect-url", json={"url": URL})

    assert (answer.status_code, answer.json()["code"]) == (400, "source_refused")


@pytest.mark.parametrize(
    ("error", "code"),
    [(SourceRefused("no"), "source_refused"), (SourceUnavailable("gone"), "source_unavailable")],
)
def test_what_cannot_be_fetched_is_the_callers_to_mend(
    tmp_path: Path, desk_for: DeskFor, error: Exception, code: str
) -> None:
    def read(_: str) -> bytes:
        raise error

    answer = client_with(tmp_path, desk_for, read).post("/v1/detect-url", json={"url": URL})

    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize("url", [None, 7, "", "/etc/passwd", "file:///etc/passwd", "ftp://host/a.jpg"])
def test_only_http_urls_are_urls(tmp_path: Path, desk_for: DeskFor, url: object) -> None:
    def read(_: str) -> bytes:
        raise AssertionError("nothing may be read")

    answer = client_with(tmp_path, desk_for, read).post("/v1/detect-url", json={"url": url})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "url")


def test_what_is_fetched_may_be_no_picture(tmp_path: Path, desk_for: DeskFor) -> None:
    answer = client_with(tmp_path, desk_for, lambda _: b"<html>").post("/v1/detect-url", json={"url": URL})

    assert (answer.status_code, answer.json()["code"]) == (400, "unsupported_format")


def test_a_slow_host_holds_no_worker(tmp_path: Path, desk_for: DeskFor) -> None:
    released = threading.Event()

    def read(_: str) -> bytes:
        released.wait(20)
        return jpeg()

    with client_with(tmp_path, desk_for, read) as client, ThreadPoolExecutor(4) as callers:
        slow = [callers.submit(client.post, "/v1/detect-url", json={"url": URL}) for _ in range(3)]
        quick = client.post("/v1/detect", files={"image": jpeg()})
        waiting = [call.done() for call in slow]
        released.set()

    assert quick.status_code == 200
    assert waiting == [False] * 3
    assert [call.result().status_code for call in slow] == [200] * 3
