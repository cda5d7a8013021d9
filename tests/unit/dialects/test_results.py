"""`/v1/detect/{id}`: answers again, until they expire or are deleted."""

import uuid

import pytest
from starlette.testclient import TestClient

from tests.unit.dialects.test_animaldetect import jpeg

ONE = {"image": ("fox.jpg", jpeg(), "image/jpeg")}
SEVERAL = [("images", ("a.jpg", jpeg(), "image/jpeg")), ("images", ("b.jpg", b"no", "image/jpeg"))]


@pytest.mark.parametrize("call", ["detect", "detect-urban", "filter", "filter-urban"])
def test_an_answer_comes_again_in_its_own_shape(client: TestClient, call: str) -> None:
    given = client.post(f"/v1/{call}", files=ONE, data={"metadata": "true"}).json()

    again = client.get(f"/v1/detect/{given['id']}")

    body = again.json()
    assert again.status_code == 200
    assert (body["status"], body["endpoint"]) == ("success", f"/v1/{call}")
    assert {name: body[name] for name in given} == given
    assert set(body) - set(given) == {"status", "endpoint", "created_at", "completed_at"}
    assert body["created_at"] <= body["completed_at"] < body["expires_at"]


@pytest.mark.parametrize("call", ["batch-detect", "batch-filter"])
def test_a_batch_comes_again_with_its_failures(client: TestClient, call: str) -> None:
    given = client.post(f"/v1/{call}", files=SEVERAL).json()

    body = client.get(f"/v1/detect/{given['id']}").json()

    assert body["results"] == given["results"]
    assert body["results"][1]["error"]["code"] == "unsupported_format"
    assert (body["status"], body["info"]) == ("success", given["info"])


def test_an_answer_that_is_deleted_is_gone(client: TestClient) -> None:
    given = client.post("/v1/detect", files=ONE).json()

    deleted = client.delete(f"/v1/detect/{given['id']}")

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert client.get(f"/v1/detect/{given['id']}").status_code == 404
    assert client.delete(f"/v1/detect/{given['id']}").status_code == 404


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_unknown_answers_and_no_ids_are_told_apart(client: TestClient, method: str) -> None:
    unknown = client.request(method, f"/v1/detect/{uuid.uuid4()}")
    no_id = client.request(method, "/v1/detect/fox")

    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert (no_id.status_code, no_id.json()["code"]) == (400, "invalid_request")


def test_an_id_may_be_written_in_capitals(client: TestClient) -> None:
    given = client.post("/v1/detect", files=ONE).json()

    assert client.get(f"/v1/detect/{given['id'].upper()}").status_code == 200


def test_an_answer_that_is_not_there_yet_is_not_deleted(client: TestClient) -> None:
    new = {"operation": "detect", "filename": "fox.jpg", "content_type": "image/jpeg"}
    job_id = client.post("/v1/jobs", json=new).json()["id"]

    answer = client.delete(f"/v1/detect/{job_id}")

    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_finished")
