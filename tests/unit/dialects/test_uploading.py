"""How the pictures of jobs come: uploaded to signed URLs, or fetched from where their owners say."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from okapia.app import build_app
from okapia.settings import Settings
from tests.unit.dialects.foxes import bare_service, fox_service
from tests.unit.dialects.job_steps import JPEG, NEW, create, ended, keys_of, upload
from tests.unit.dialects.test_animaldetect import jpeg


def test_the_upload_needs_no_key_and_no_host_of_ours(client: TestClient) -> None:
    url = create(client).json()["upload"]["url"]

    answer = client.put(url, content=jpeg(), headers={**JPEG, "Origin": "https://a.page"})

    assert answer.status_code == 204


def test_urls_are_of_the_public_address(tmp_path: Path) -> None:
    [ada] = keys_of(tmp_path, "ada")  # without an admin, no server that others reach starts
    settings = Settings(home=tmp_path, public_url="https://api.example.org/okapia")
    app = build_app(settings, fox_service(tmp_path))
    with TestClient(app, base_url="http://localhost") as client:
        made = client.post("/v1/jobs", json=NEW, headers=ada).json()
        path = made["upload"]["url"].removeprefix("https://api.example.org/okapia")
        uploaded = upload(client, path)

    assert made["status_url"] == f"https://api.example.org/okapia/v1/jobs/{made['id']}"
    assert uploaded.status_code == 204


@pytest.mark.parametrize("headers", [{"Content-Type": "image/png"}, {}], ids=["another type", "no type"])
def test_another_type_than_announced_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    made = create(client).json()

    answer = client.put(made["upload"]["url"], content=jpeg(), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a_changed_url_and_another_jobs_url_are_refused(client: TestClient) -> None:
    first, second = create(client).json(), create(client).json()
    swapped = second["upload"]["url"].replace(second["id"], first["id"])
    larger = first["upload"]["url"].replace("max_bytes=50000000", "max_bytes=99000000")

    for url in (swapped, larger, f"http://localhost/v1/uploads/{first['id']}"):
        answer = upload(client, url)
        assert (answer.status_code, answer.json()["code"]) == (403, "signature_invalid")

    assert client.get(first["status_url"]).json()["status"] == "awaiting_upload"


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[TestClient]:
    """A server that takes pictures of up to 10 kB for jobs, and bodies of up to 5 kB for everything else."""
    settings = Settings(home=tmp_path, max_job_bytes=10_000, max_body_bytes=5_000)
    app = build_app(settings, bare_service(tmp_path))
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def test_jobs_have_a_limit_of_their_own(narrow: TestClient) -> None:
    made = create(narrow).json()

    just = upload(narrow, made["upload"]["url"], b"x" * 10_000)
    over = upload(narrow, made["upload"]["url"], b"x" * 10_001)
    in_pieces = narrow.put(made["upload"]["url"], content=(b"x" * 1000 for _ in range(11)), headers=JPEG)

    assert just.status_code == 204
    assert (over.status_code, in_pieces.status_code) == (413, 413)
    assert over.json()["code"] == "payload_too_large"


def test_without_models_a_job_waits_and_costs_nothing_yet(narrow: TestClient) -> None:
    made = create(narrow).json()
    upload(narrow, made["upload"]["url"])
    narrow.post(made["submit_url"])

    for _ in range(2000):
        job = narrow.get(made["status_url"]).json()
        if job["attempts"] and job["status"] == "queued":
            break
        time.sleep(0.01)

    assert (job["status"], job["attempts"]) == ("queued", 1)


def test_an_empty_upload_is_refused(client: TestClient) -> None:
    answer = upload(client, create(client).json()["upload"]["url"], b"")

    assert (answer.status_code, answer.json()["code"]) == (400, "empty_image")


def test_where_nothing_is_fetched_a_url_is_refused_at_once(client: TestClient) -> None:
    answer = create(client, source_url="https://cam.example/fox.jpg")

    assert (answer.status_code, answer.json()["code"]) == (400, "source_refused")


def test_a_url_into_our_own_network_fails_its_job(tmp_path: Path) -> None:
    app = build_app(Settings(home=tmp_path, fetch_urls=True), bare_service(tmp_path))

    with TestClient(app, base_url="http://localhost") as client:
        made = create(client, source_url="http://127.0.0.1:8000/fox.jpg", content_type=None).json()
        job = ended(client, made["id"])

    assert made["upload"] is None
    assert job["status"] == "failed"
    assert job["error"]["code"] == "source_refused"
