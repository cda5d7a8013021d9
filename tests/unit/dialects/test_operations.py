"""Health, readiness, counters and documentation."""

from pathlib import Path

from starlette.testclient import TestClient

from okapia.app import build_app
from okapia.domain.errors import ServerBusy
from okapia.settings import Settings
from okapia.web.problems import Problem, problem_json
from tests.unit.dialects.foxes import bare_service


def test_healthz_says_ok(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


def test_readyz_names_the_models_and_how_they_run(client: TestClient) -> None:
    body = client.get("/readyz").json()

    assert body["status"] == "ready"
    assert [m["model_id"] for m in body["models"]] == ["one-fox", "fox-namer"]
    assert body["models"][0]["device"] == "cpu"


def test_a_server_without_models_starts_and_says_what_to_pull(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    app = build_app(settings, bare_service(tmp_path))
    with TestClient(app, base_url="http://localhost") as client:
        alive = client.get("/healthz")
        ready = client.get("/readyz")
        detect = client.post("/v1/detect", content=b"x", headers={"Content-Type": "image/jpeg"})

    assert alive.status_code == 200
    assert ready.status_code == 503
    assert detect.status_code == 503
    assert detect.json()["code"] == "model_not_installed"
    assert "okapia models pull" in detect.json()["detail"]


def test_metrics_count_pictures_by_outcome(client: TestClient) -> None:
    client.post("/v1/detect", content=b"", headers={"Content-Type": "image/jpeg"})

    text = client.get("/metrics").text

    assert 'okapia_images_total{outcome="empty_image"} 1.0' in text


def test_the_openapi_document_describes_the_calls(client: TestClient) -> None:
    document = client.get("/openapi.json").json()

    call = document["paths"]["/v1/detect"]["post"]
    assert set(call["requestBody"]["content"]) == {"multipart/form-data", "application/json", "image/jpeg"}
    assert {p["name"] for p in call["parameters"]} == {
        "threshold",
        "classify",
        "country",
        "state",
        "latitude",
        "longitude",
        "smooth_herd",
        "top_candidate",
        "metadata",
        "render",
        "people",
        "detector",
        "classifier",
        "tiles",
    }
    assert set(call["responses"]) == {*("200", "400", "401", "402", "403", "413", "415", "429", "503")}


def test_the_documentation_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs").text

    assert "swagger" in page.lower()
    assert "cdn" not in page.lower()


def test_a_full_server_says_when_to_come_again() -> None:
    problem = Problem.of(ServerBusy(waiting=64, retry_after_s=7))

    answer = problem_json(problem)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
