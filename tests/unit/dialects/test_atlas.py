"""Atlas Backend: the order of its checks, their sentences, and its two answers."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from okapia.dialects.atlas import MAX_FILE_BYTES, dialect, render_error
from okapia.domain.errors import ServerBusy
from okapia.domain.types import Failure
from okapia.service import Service
from okapia.service.desk import Desk
from okapia.web.context import Context, Limits
from okapia.web.problems import Problem
from tests.unit.dialects.conftest import DeskFor
from tests.unit.dialects.foxes import RED_FOX, bare_service, fox_service
from tests.unit.dialects.test_animaldetect import jpeg

PICTURE = jpeg()
WRONG_TYPE = {"detail": "Invalid file type. Only JPG, PNG, WEBP allowed."}
TOO_LARGE = {"detail": "File too large. Maximum size is 5MB."}
WRONG_SIGNATURE = {"detail": "Invalid image file signature."}
ROUTES = pytest.mark.parametrize("route", ["/uploadfile/", "/analyze/"])


def client_of(service: Service, desk: Desk, *, max_body_bytes: int = 20_000_000) -> TestClient:
    app = FastAPI()
    app.include_router(dialect.build(Context(service, desk, Limits(max_body_bytes), 0.2)))
    return TestClient(app, base_url="http://localhost")


@pytest.fixture
def fox(tmp_path: Path, desk_for: DeskFor) -> Iterator[TestClient]:
    service = fox_service(tmp_path)
    yield client_of(service, desk_for(service))
    service.close()


def encoded(file_format: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (60, 40)).save(out, file_format)
    return out.getvalue()


def test_uploadfile_answers_in_the_old_shape(fox: TestClient) -> None:
    answer = fox.post("/uploadfile/", files={"file": ("My Fox.JPG", PICTURE, "image/jpeg")})

    assert answer.status_code == 200
    assert answer.json() == {
        "filename": "My Fox.JPG",
        "content_size": len(PICTURE),
        "speciesnet": {
            "prediction": RED_FOX.label,
            "prediction_score": 0.95,
            "prediction_source": "classifier",
            "model_version": "one-fox+fox-namer",
            "top_classes": [{"label": RED_FOX.label, "score": 0.95}],
            "detections": [
                {"category": "1", "label": "animal", "conf": 0.9, "bbox": [0.25, 0.25, 0.5, 0.5]},
                {"category": "2", "label": "human", "conf": 0.1, "bbox": [0.0, 0.0, 0.1, 0.1]},
            ],
            "failures": None,
        },
    }


def test_analyze_adds_names_to_display(fox: TestClient) -> None:
    summary = fox.post("/analyze/", files={"file": ("a.jpg", PICTURE, "image/jpeg")}).json()["speciesnet"]

    best = {"label_raw": RED_FOX.label, "display_name": "red fox", "score": 0.95}
    assert summary["top_classes"] == [best]
    assert summary["best_class"] == best
    assert summary["prediction_display_name"] == "red fox"
    assert [box["label_display"] for box in summary["detections"]] == ["animal", "human"]


@ROUTES
@pytest.mark.parametrize(
    ("file_format", "content_type"),
    [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp"), ("PNG", "image/jpeg")],
)
def test_three_kinds_of_picture_pass(
    fox: TestClient, route: str, file_format: str, content_type: str
) -> None:
    answer = fox.post(route, files={"file": ("a", encoded(file_format), content_type)})

    assert answer.status_code == 200
    assert answer.json()["speciesnet"]["failures"] is None


def padded(data: bytes, size: int) -> bytes:
    return data + b"\0" * (size - len(data))


@ROUTES
def test_exactly_5_mib_pass_and_a_byte_more_does_not(fox: TestClient, route: str) -> None:
    largest = padded(PICTURE, 5 * 1024 * 1024)

    passed = fox.post(route, files={"file": ("a.jpg", largest, "image/jpeg")})
    refused = fox.post(route, files={"file": ("a.jpg", largest + b"\0", "image/jpeg")})

    assert (passed.status_code, passed.json()["content_size"]) == (200, 5_242_880)
    assert (refused.status_code, refused.json()) == (400, TOO_LARGE)


@pytest.mark.parametrize(
    ("data", "content_type", "answer"),
    [
        (padded(b"text", MAX_FILE_BYTES + 1), "text/plain", WRONG_TYPE),
        (padded(b"text", MAX_FILE_BYTES + 1), "image/png", TOO_LARGE),
        (b"text", "image/png", WRONG_SIGNATURE),
        (b"GIF89a", "image/gif", WRONG_TYPE),
        (PICTURE, "application/octet-stream", WRONG_TYPE),
        (PICTURE, "image/tiff", WRONG_TYPE),
        (b"", "image/jpeg", WRONG_SIGNATURE),
        (b"RIFF1234WAVE", "image/webp", WRONG_SIGNATURE),
        (b"GIF89a", "image/webp", WRONG_SIGNATURE),
    ],
    ids=[
        "type before size",
        "size before signature",
        "signature",
        "GIF",
        "octets",
        "TIFF",
        "empty",
        "WAVE",
        "GIF in disguise",
    ],
)
def test_the_checks_come_in_atlas_s_order(
    fox: TestClient, data: bytes, content_type: str, answer: dict[str, str]
) -> None:
    refused = fox.post("/uploadfile/", files={"file": ("a", data, content_type)})

    assert (refused.status_code, refused.json()) == (400, answer)


def test_the_right_signature_on_what_does_not_decode_is_a_failure_in_the_answer(fox: TestClient) -> None:
    answer = fox.post("/uploadfile/", files={"file": ("a.jpg", b"\xff\xd8\xff\xe0nothing", "image/jpeg")})

    assert answer.status_code == 200
    assert answer.json()["speciesnet"] == {
        "prediction": None,
        "prediction_score": None,
        "prediction_source": None,
        "model_version": "one-fox+fox-namer",
        "top_classes": [],
        "detections": [],
        "failures": ["CLASSIFIER", "DETECTOR"],
    }


def test_analyze_says_nothing_of_a_picture_that_does_not_decode(fox: TestClient) -> None:
    answer = fox.post("/analyze/", files={"file": ("a.jpg", b"\xff\xd8\xff\xe0nothing", "image/jpeg")})

    summary = answer.json()["speciesnet"]
    assert (summary["best_class"], summary["prediction_display_name"]) == (None, None)


@ROUTES
def test_without_the_field_file_the_answer_is_fastapis_422(fox: TestClient, route: str) -> None:
    other = fox.post(route, files={"image": ("a.jpg", PICTURE, "image/jpeg")})
    no_form = fox.post(route, json={"file": "x"})

    assert (other.status_code, no_form.status_code) == (422, 422)
    assert other.json()["detail"][0]["loc"] == ["body", "file"]
    assert other.json()["detail"][0]["type"] == "missing"


def test_a_body_over_the_servers_limit_is_too_large_in_atlas_s_words(
    tmp_path: Path, desk_for: DeskFor
) -> None:
    service = fox_service(tmp_path)

    answer = client_of(service, desk_for(service), max_body_bytes=1000).post(
        "/uploadfile/", files={"file": ("a.jpg", b"x" * 2000, "image/jpeg")}
    )

    service.close()
    assert (answer.status_code, answer.json()) == (400, TOO_LARGE)


def test_a_broken_form_is_a_400_with_detail(fox: TestClient) -> None:
    answer = fox.post(
        "/uploadfile/", content=b"--b\r\nno", headers={"Content-Type": "multipart/form-data; boundary=b"}
    )

    assert answer.status_code == 400
    assert "malformed" in answer.json()["detail"]


def test_without_models_the_answer_says_how_to_get_them(tmp_path: Path, desk_for: DeskFor) -> None:
    service = bare_service(tmp_path)

    answer = client_of(service, desk_for(service)).post(
        "/uploadfile/", files={"file": ("a.jpg", PICTURE, "image/jpeg")}
    )

    service.close()
    assert answer.status_code == 503
    assert "okapia models pull" in answer.json()["detail"]


def test_a_fault_of_ours_has_atlas_s_sentence_and_a_full_queue_a_waiting_time() -> None:
    fault = render_error(Problem.of(Failure("internal_error", "this picture met a fault in Okapia")))
    busy = render_error(Problem.of(ServerBusy(waiting=9, retry_after_s=3)))

    expected = b'{"detail":"SpeciesNet inference failed. Check server logs for details."}'
    assert (fault.status_code, fault.body) == (500, expected)
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "3")
