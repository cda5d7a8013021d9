"""`/v1/jobs`: from a job's making to its answer, over HTTP, on the real application."""

import uuid
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from starlette.testclient import TestClient

from okapia.app import build_app
from okapia.settings import Settings
from tests.unit.dialects.bright import bright_service
from tests.unit.dialects.job_steps import NEW, create, ended, keys_of, submitted, upload
from tests.unit.dialects.test_animaldetect import jpeg


def test_a_job_says_everything_that_its_client_needs(client: TestClient) -> None:
    answer = create(client, client_reference_id="camera 7", options={"threshold": 0.5})

    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == made["status_url"]
    assert uuid.UUID(made["id"]).version == 4
    assert (made["status"], made["operation"]) == ("awaiting_upload", "detect")
    assert (made["filename"], made["client_reference_id"]) == ("fox.jpg", "camera 7")
    assert made["upload"]["method"] == "PUT"
    assert made["upload"]["headers"] == {"Content-Type": "image/jpeg"}
    assert made["upload"]["max_bytes"] == 50_000_000
    url = f"http://localhost/v1/jobs/{made['id']}"
    assert made["submit_url"] == f"{url}/submit"
    assert (made["status_url"], made["result_url"]) == (url, f"{url}/result")
    assert made["expires_at"].endswith("Z")


def test_uploaded_and_submitted_a_picture_is_answered_as_at_once(client: TestClient) -> None:
    job_id = submitted(client)

    job = ended(client, job_id)
    result = client.get(f"/v1/jobs/{job_id}/result").json()

    at_once = client.post("/v1/detect", files={"image": ("fox.jpg", jpeg(), "image/jpeg")}).json()
    assert job["status"] == "succeeded"
    assert result["annotations"] == at_once["annotations"]
    assert result["info"]["model_id"] == at_once["info"]["model_id"]
    assert (result["id"], result["endpoint"], result["status"]) == (job_id, "/v1/detect", "success")
    assert result["expires_at"] == job["expires_at"]
    assert result == client.get(f"/v1/detect/{job_id}").json()


def test_a_coarse_job_is_a_filter(client: TestClient) -> None:
    job_id = submitted(client, operation="filter", options={"threshold": 0.05, "metadata": True})

    ended(client, job_id)
    result = client.get(f"/v1/jobs/{job_id}/result").json()

    assert [d["label"] for d in result["detections"]] == ["animal", "human"]
    assert result["endpoint"] == "/v1/filter"
    assert result["metadata"]["image_width"] == 200


def test_a_job_may_read_the_strip_in_place_of_the_animals(client: TestClient) -> None:
    picture = Image.new("RGB", (1600, 1200), "black")
    ImageDraw.Draw(picture).text((30, 1140), "Bushnell 09-15-2019", "white", ImageFont.load_default(44))
    buffer = BytesIO()
    picture.save(buffer, "JPEG")
    job_id = submitted(client, buffer.getvalue(), operation="scan-image-text")

    ended(client, job_id)
    result = client.get(f"/v1/jobs/{job_id}/result").json()

    assert (result["id"], result["endpoint"]) == (job_id, "/v1/scan-image-text")
    assert (result["date"], result["camera_brand"]) == ("2019-09-15", "bushnell")


def test_towns_have_their_own_models_here_too(tmp_path: Path) -> None:
    app = build_app(Settings(home=tmp_path), bright_service(tmp_path))
    labels = []

    with TestClient(app, base_url="http://localhost") as client:
        for operation in ("filter", "filter-urban"):
            job_id = submitted(client, operation=operation)
            ended(client, job_id)
            result = client.get(f"/v1/jobs/{job_id}/result").json()
            labels.append([detection["label"] for detection in result["detections"]])

    assert labels == [["animal"], ["human"]]


def test_a_bad_picture_fails_its_job_and_the_error_is_kept(client: TestClient) -> None:
    job_id = submitted(client, b"this is a text, not a picture")

    job = ended(client, job_id)
    answer = client.get(f"/v1/jobs/{job_id}/result")

    assert job["status"] == "failed"
    assert answer.status_code == 200
    assert answer.json()["status"] == "error"
    assert answer.json()["error"] == job["error"]
    assert answer.json()["error"]["code"] == "unsupported_format"


@pytest.mark.parametrize(
    ("options", "param", "code"),
    [
        ({"threshold": 0}, "threshold", "invalid_request"),
        ({"threshold": "high"}, "threshold", "invalid_request"),
        ({"country": "Atlantis"}, "country", "unknown_country"),
        ({"latitude": 56.0}, "longitude", "coordinates_incomplete"),
        ({"render": True}, "render", "invalid_request"),
        ({"top_candidate": 11}, "top_candidate", "invalid_request"),
        ({"detector": "yeti"}, None, "unknown_model"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_wrong_options_are_refused_before_anything_is_uploaded(
    client: TestClient, options: dict[str, object], param: str | None, code: str
) -> None:
    answer = create(client, options=options)

    assert answer.status_code == 400, answer.text
    assert (answer.json()["code"], answer.json()["error"]["param"]) == (code, param)
    assert client.get("/v1/jobs").json()["jobs"] == []


@pytest.mark.parametrize(
    "fields",
    [
        {"operation": "paint"},
        {"content_type": None},
        {"content_type": "text/html"},
        {"content_type": "image/jpeg\r\nX-Evil: 1"},
        {"filename": ""},
        {"filename": "fox\x00.jpg"},
        {"filename": "x" * 256},
        {"client_reference_id": "x" * 256},
        {"priority": -1},
        {"source_url": "file:///etc/passwd"},
        {"source_url": "ftp://cam.example/fox.jpg"},
        {"options": [1]},
    ],
    ids=str,
)
def test_a_job_that_cannot_be_is_refused(client: TestClient, fields: dict[str, object]) -> None:
    answer = create(client, **fields)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("text", ["ascii", "Füchse 狐", "' OR 1=1 --", "%s {0}", "🦊" * 255])
def test_names_come_back_as_they_were_given(client: TestClient, text: str) -> None:
    made = create(client, filename=text, client_reference_id=text).json()

    shown = client.get(f"/v1/jobs/{made['id']}").json()
    found = client.get("/v1/jobs", params={"client_reference_id": text}).json()["jobs"]

    assert (shown["filename"], shown["client_reference_id"]) == (text, text)
    assert [job["id"] for job in found] == [made["id"]]


def test_the_same_creation_again_is_the_same_job(client: TestClient) -> None:
    headers = {"Idempotency-Key": "one"}

    first = client.post("/v1/jobs", json=NEW, headers=headers)
    again = client.post("/v1/jobs", json=NEW, headers=headers)
    other = client.post("/v1/jobs", json=NEW | {"filename": "stoat.jpg"}, headers=headers)

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again.json() == first.json()
    assert len(client.get("/v1/jobs").json()["jobs"]) == 1


def test_what_is_not_uploaded_is_not_submitted(client: TestClient) -> None:
    answer = client.post(create(client).json()["submit_url"])

    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")


def test_submitting_twice_is_submitting_once(client: TestClient) -> None:
    job_id = submitted(client)
    ended(client, job_id)

    again = client.post(f"/v1/jobs/{job_id}/submit")

    assert (again.status_code, again.json()["status"]) == (202, "succeeded")


def test_a_result_before_its_time_says_when_to_ask_again(client: TestClient) -> None:
    made = create(client).json()

    early = client.get(made["result_url"])
    answer = client.get(f"/v1/detect/{made['id']}")

    assert (early.status_code, early.json()["code"]) == (409, "job_not_finished")
    assert early.headers["Retry-After"]
    assert (answer.status_code, answer.json()["status"]) == (202, "awaiting_upload")
    assert answer.headers["Retry-After"]


def test_a_canceled_job_has_no_result(client: TestClient) -> None:
    made = create(client).json()

    first, second = (client.post(f"{made['status_url']}/cancel") for _ in range(2))

    assert (first.status_code, first.json()["status"]) == (200, "canceled")
    assert second.json() == first.json()
    assert client.get(made["result_url"]).status_code == 410
    assert client.get(f"/v1/detect/{made['id']}").status_code == 404
    assert client.post(made["submit_url"]).status_code == 409
    assert upload(client, made["upload"]["url"]).status_code == 409


def test_what_is_done_is_not_canceled(client: TestClient) -> None:
    job_id = submitted(client)
    ended(client, job_id)

    answer = client.post(f"/v1/jobs/{job_id}/cancel")

    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")


def test_jobs_are_listed_newest_first_a_part_at_a_time(client: TestClient) -> None:
    made = [create(client, client_reference_id="burst").json()["id"] for _ in range(5)]
    client.post(f"/v1/jobs/{made[0]}/cancel")

    first = client.get("/v1/jobs", params={"limit": 3, "client_reference_id": "burst"})
    link = first.headers["Link"]
    rest = client.get(link.partition(">")[0].removeprefix("<"))
    canceled = client.get("/v1/jobs?status=canceled").json()["jobs"]

    assert link.endswith('>; rel="next"')
    ids = [job["id"] for part in (first, rest) for job in part.json()["jobs"]]
    assert ids == made[::-1]
    assert rest.json()["next_cursor"] is None
    assert "Link" not in rest.headers
    assert [job["id"] for job in canceled] == [made[0]]


@pytest.mark.parametrize(
    "query", ["status=lost", "limit=0", "limit=101", "limit=x", "cursor=fox", "client_reference_id=%00"]
)
def test_a_list_that_cannot_be_is_refused(client: TestClient, query: str) -> None:
    answer = client.get(f"/v1/jobs?{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def test_somebody_elses_job_and_answer_are_as_unknown_as_none(tmp_path: Path, client: TestClient) -> None:
    ada, ben = keys_of(tmp_path, "ada", "ben")
    made = client.post("/v1/jobs", json=NEW, headers=ada).json()
    job, answer = made["status_url"], f"http://localhost/v1/detect/{made['id']}"
    calls = [("GET", job), ("GET", made["result_url"]), ("POST", made["submit_url"])]
    calls += [("POST", f"{job}/cancel"), ("GET", answer), ("DELETE", answer)]

    refused = {(client.request(*call, headers=ben).status_code) for call in calls}

    assert refused == {404}
    assert client.get("/v1/jobs", headers=ben).json()["jobs"] == []
    assert client.get(job, headers=ada).json()["status"] == "awaiting_upload"


@pytest.mark.parametrize("path", ["", "/result", "/submit", "/cancel"])
def test_unknown_jobs_and_no_ids_are_told_apart(client: TestClient, path: str) -> None:
    method = "GET" if path in {"", "/result"} else "POST"

    unknown = client.request(method, f"/v1/jobs/{uuid.uuid4()}{path}")
    no_id = client.request(method, f"/v1/jobs/fox{path}")

    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert (no_id.status_code, no_id.json()["code"]) == (400, "invalid_request")


def test_jobs_are_to_be_had_under_api_as_well(client: TestClient) -> None:
    made = client.post("/api/v1/jobs", json=NEW).json()

    assert client.get(f"/api/v1/jobs/{made['id']}").json()["status"] == "awaiting_upload"
