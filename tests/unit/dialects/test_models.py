"""The routes about models: what there is, loading and dropping, and profiles that change under way."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from okapia.app import build_app
from okapia.service import Service
from okapia.settings import Settings
from tests.unit.dialects.bright import bright_service
from tests.unit.dialects.test_animaldetect import jpeg


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = bright_service(tmp_path)
    yield service
    service.close()


@pytest.fixture
def client(service: Service, tmp_path: Path) -> TestClient:
    app = build_app(Settings(home=tmp_path), service)
    return TestClient(app, base_url="http://localhost")


def test_every_known_model_is_listed_with_what_it_is(client: TestClient) -> None:
    rows = {row["id"]: row for row in client.get("/v1/models").json()["models"]}

    assert {"stoat", "guard", "namer", "megadetector-lite", "efficientnet-lite0"} <= set(rows)
    assert rows["stoat"]["classes"] == ["animal"]
    assert (rows["stoat"]["task"], rows["stoat"]["licence"]) == ("detector", "MIT")
    assert len(rows["stoat"]["sha256"]) == 64
    assert rows["megadetector-lite"]["installed"] is False
    assert "red fox" in rows["efficientnet-lite0"]["classes"]


def test_a_model_is_loaded_and_dropped_on_request(client: TestClient) -> None:
    before = client.get("/v1/models/stoat").json()
    loaded = client.post("/v1/models/stoat/load").json()
    dropped = client.post("/v1/models/stoat/unload").json()

    assert [row["loaded"] for row in (before, loaded, dropped)] == [False, True, False]
    assert (loaded["device"], loaded["precision"]) == ("cpu", "f32")
    assert loaded["memory_bytes"] >= 0
    assert loaded["load_seconds"] > 0


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/models/weasel", 400, "unknown_model"),
        ("POST", "/v1/models/weasel/load", 400, "unknown_model"),
        ("POST", "/v1/models/megadetector-lite/load", 503, "model_not_installed"),
    ],
)
def test_what_is_not_there_is_said(
    client: TestClient, method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_caller_may_name_the_models(client: TestClient) -> None:
    default = client.post("/v1/detect", files={"image": jpeg()}).json()
    other = client.post("/v1/detect", files={"image": jpeg()}, data={"detector": "guard"}).json()

    assert [a["category"] for a in default["annotations"]] == ["animal"]
    assert [a["category"] for a in other["annotations"]] == ["human"]
    assert other["info"]["model_id"] == "guard+namer"


def test_a_caller_who_names_what_is_not_there_is_told_so(client: TestClient) -> None:
    unknown = client.post("/v1/detect", files={"image": jpeg()}, data={"detector": "../weasel"})
    swapped = client.post("/v1/detect", files={"image": jpeg()}, data={"classifier": "stoat"})

    assert (unknown.status_code, unknown.json()["code"]) == (400, "unknown_model")
    assert "expected a classifier, stoat is a detector" in swapped.json()["detail"]


def test_towns_have_a_profile_of_their_own(client: TestClient) -> None:
    detected = client.post("/v1/detect-urban", files={"image": jpeg()}).json()
    filtered = client.post("/v1/filter-urban", files={"image": jpeg()}).json()

    assert detected["info"]["model_id"] == "guard"
    assert [d["label"] for d in filtered["detections"]] == ["human"]


def test_a_profile_is_changed_while_the_server_runs(client: TestClient) -> None:
    changed = client.put("/v1/profiles/wild", json={"detector": "guard", "classifier": None})
    after = client.post("/v1/detect", files={"image": jpeg()}).json()

    assert changed.status_code == 200
    assert [m["model_id"] for m in changed.json()["models"]] == ["guard"]
    assert client.get("/v1/profiles").json()["profiles"]["wild"]["detector"] == "guard"
    assert after["info"]["model_id"] == "guard"


@pytest.mark.parametrize(
    ("name", "body", "status", "code"),
    [
        ("wild", {"detector": "weasel"}, 400, "unknown_model"),
        ("wild", {"detector": "megadetector-lite"}, 503, "model_not_installed"),
        ("wild", {"detector": "namer"}, 400, "invalid_request"),
        ("rural", {"detector": "stoat"}, 400, "invalid_request"),
        ("wild", {"detector": "stoat", "colour": "brown"}, 400, "invalid_request"),
        ("wild", {}, 400, "invalid_request"),
    ],
)
def test_a_change_that_cannot_work_changes_nothing(
    client: TestClient, name: str, body: dict[str, str], status: int, code: str
) -> None:
    answer = client.put(f"/v1/profiles/{name}", json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert client.get("/v1/profiles").json()["profiles"]["wild"]["detector"] == "stoat"
