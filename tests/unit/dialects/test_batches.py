"""Up to ten pictures a call: each its own answer, a bad one its own error."""

import base64
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from okapia.app import build_app
from okapia.settings import Settings
from tests.unit.dialects.bright import bright_service
from tests.unit.dialects.test_animaldetect import jpeg

Files = list[tuple[str, tuple[str, bytes, str]]]


def files(*contents: bytes) -> Files:
    return [("images", (f"{place}.jpg", data, "image/jpeg")) for place, data in enumerate(contents)]


def test_every_picture_has_its_answer_in_its_place(client: TestClient) -> None:
    body = client.post("/v1/batch-detect", files=files(jpeg(), jpeg()), data={"country": "DNK"}).json()

    assert [(r["index"], r["filename"]) for r in body["results"]] == [(0, "0.jpg"), (1, "1.jpg")]
    assert [r["annotations"][0]["label"] for r in body["results"]] == ["red fox", "red fox"]
    assert body["results"][0]["info"]["threshold_applied"] == 0.2
    assert (body["info"]["total_processed"], body["info"]["total_failed"]) == (2, 0)
    assert body["info"]["country_processed"] == "DNK"


def test_a_bad_picture_has_its_error_and_the_others_their_answers(client: TestClient) -> None:
    answer = client.post("/v1/batch-detect", files=files(jpeg(), b"no picture", jpeg()))

    assert answer.status_code == 200
    good, bad, last = answer.json()["results"]
    assert bad["error"]["code"] == "unsupported_format"
    assert bad["annotations"] == []
    assert good["annotations"]
    assert last["annotations"]
    assert answer.json()["info"]["total_failed"] == 1


def test_only_bad_pictures_are_a_bad_request(client: TestClient) -> None:
    answer = client.post("/v1/batch-filter", files=files(b"no", b"nothing"))

    assert (answer.status_code, answer.json()["code"]) == (400, "unsupported_format")


def test_pictures_may_come_as_json(client: TestClient) -> None:
    encoded = base64.b64encode(jpeg()).decode()
    images = [encoded, f"data:image/jpeg;base64,{encoded}"]

    body = client.post("/v1/batch-filter", json={"images": images, "threshold": 0.05}).json()

    assert [r["filename"] for r in body["results"]] == ["image-0", "image-1"]
    assert [d["label"] for d in body["results"][1]["detections"]] == ["animal", "human"]


@pytest.mark.parametrize("count", [0, 11])
def test_none_and_too_many_are_refused(client: TestClient, count: int) -> None:
    answer = client.post("/v1/batch-detect", files=files(*[jpeg()] * count) or {"other": b"x"})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "images")
    assert f"got {count}" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("images", "said"), [("not base64!", "images"), (["AAAA", 7], "images[1]"), ([], "got 0")]
)
def test_what_is_no_list_of_pictures_is_said(client: TestClient, images: object, said: str) -> None:
    answer = client.post("/v1/batch-detect", json={"images": images})

    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_towns_have_their_own_models_here_too(tmp_path: Path) -> None:
    app = build_app(Settings(home=tmp_path), bright_service(tmp_path))
    with TestClient(app, base_url="http://localhost") as client:
        wild = client.post("/v1/batch-filter", files=files(jpeg())).json()
        urban = client.post("/v1/batch-filter-urban", files=files(jpeg())).json()

    assert [b["results"][0]["detections"][0]["label"] for b in (wild, urban)] == ["animal", "human"]


@pytest.mark.parametrize("path", ["/v1/detect", "/api/v1/detect"])
def test_the_calls_are_to_be_had_under_api_as_well(client: TestClient, path: str) -> None:
    assert client.post(path, files={"image": jpeg()}).status_code == 200


def test_the_second_address_is_not_documented_twice(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]

    assert "/v1/batch-detect" in paths
    assert not [path for path in paths if path.startswith("/api") and path.removeprefix("/api") in paths]
