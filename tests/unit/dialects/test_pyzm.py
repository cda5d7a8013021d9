"""pyzm's gateway: what its two ages of clients send, and what they read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from okapia.settings import Settings
from tests.unit.dialects.watchers import BOX, SCORE, SIZE, gateway_service, opened_site, picture

Answer = dict[str, Any]
"""JSON as a test reads it."""

SEEN = {"label": "person", "confidence": SCORE, "type": "object", "model_name": "guard"}
PREFIXES = pytest.mark.parametrize("prefix", ["", "/api/v1", "/compat/pyzm", "/compat/pyzm/api/v1"])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[TestClient]:
    """A server without people, for programs on this machine."""
    with opened_site(Settings(home=home), gateway_service(home)) as site:
        yield site.client


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[TestClient]:
    """The same, with nothing in memory yet."""
    with opened_site(Settings(home=tmp_path), gateway_service(tmp_path)) as site:
        yield site.client


def infer(client: TestClient, *, prefix: str = "", **fields: str) -> Answer:
    """Send a frame as pyzm 2.5 does; gives the answer."""
    files = {"image": ("frame.png", picture("PNG"), "image/png")}
    answer = client.post(f"{prefix}/infer", data=fields, files=files)
    assert answer.status_code == 200, answer.text
    found: Answer = answer.json()
    return found


def is_the_box(corners: list[int]) -> bool:
    """Say whether these are the corners of the bright box, to within a pixel of the network's 64."""
    return all(abs(at - expected) <= 4 for at, expected in zip(corners, BOX, strict=True))


# --- 2.5: /infer ----------------------------------------------------------------------


@PREFIXES
def test_infer_answers_with_boxes_in_pixels_and_confidences_as_fractions(
    client: TestClient, prefix: str
) -> None:
    answer = infer(client, prefix=prefix, type="object", name="", min_confidence="0.3")

    assert answer["error"] is None
    [seen] = answer["detections"]
    box = seen.pop("box")
    assert is_the_box(box)
    assert all(isinstance(corner, int) for corner in box)
    assert seen == SEEN


@pytest.mark.parametrize(
    ("kind", "name", "label", "model"),
    [
        ("object", "", "person", "guard"),
        ("object", "guard", "person", "guard"),
        ("object", "stoat", "animal", "stoat"),
        ("object", "objects", "person", "guard"),
        ("object", "stoat+guard", "animal", "stoat+guard"),
        ("face", "", "face", "looker"),
        ("face", "looker", "face", "looker"),
        ("face", "faces", "face", "looker"),
    ],
)
def test_type_and_name_say_which_model_looks(
    client: TestClient, kind: str, name: str, label: str, model: str
) -> None:
    answer = infer(client, type=kind, name=name)

    assert answer["error"] is None
    first = answer["detections"][0]
    assert (first["label"], first["model_name"], first["type"]) == (label, model, kind)


def test_a_classifiers_word_for_an_animal_is_its_label(client: TestClient) -> None:
    reddish = {"image": picture(colour=(255, 180, 180))}

    answer = client.post("/infer", data={"type": "object", "name": "wild"}, files=reddish).json()

    assert [seen["label"] for seen in answer["detections"]] == ["red fox"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("object", "yolov11"),
        ("object", "Guard"),
        ("object", "looker"),
        ("object", "../guard"),
        ("face", "guard"),
        ("face", "namer"),
        ("alpr", ""),
        ("alpr", "guard"),
        ("audio", "BirdNET"),
    ],
)
def test_a_model_that_there_is_not_is_an_error_with_200(client: TestClient, kind: str, name: str) -> None:
    answer = infer(client, type=kind, name=name)

    assert answer == {"detections": [], "error": f"no model loaded for type={kind} name={name!r}"}


def test_a_model_that_is_not_installed_is_an_error_with_200_that_names_the_command(
    client: TestClient,
) -> None:
    answer = infer(client, type="object", name="urban")

    assert answer["detections"] == []
    assert "okapia models pull megadetector-lite" in answer["error"]


def test_a_damaged_model_is_an_error_with_200(fresh: TestClient, tmp_path: Path) -> None:
    for path in (tmp_path / "models" / "stoat").rglob("*.onnx"):
        path.unlink()
    (tmp_path / "stoat.onnx").unlink()

    answer = infer(fresh, type="object", name="stoat")

    assert answer["detections"] == []
    assert answer["error"]


@pytest.mark.parametrize(("least", "found"), [("0", 1), ("0.875", 1), ("0.876", 0), ("1", 0), ("", 1)])
def test_the_calls_least_confidence_counts_in_place_of_the_servers(
    client: TestClient, least: str, found: int
) -> None:
    answer = infer(client, type="object", min_confidence=least)

    assert len(answer["detections"]) == found


def test_without_one_the_servers_least_confidence_counts(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, gateway_threshold=0.9)
    with opened_site(settings, gateway_service(tmp_path)) as site:
        assert infer(site.client, type="object")["detections"] == []


@pytest.mark.parametrize("least", ["1.2", "-0.1", "nan", "inf", "abc", "0,5", "1e400"])
def test_a_confidence_that_is_none_is_refused(client: TestClient, least: str) -> None:
    answer = client.post(
        "/infer", data={"type": "object", "min_confidence": least}, files={"image": picture()}
    )

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("min_confidence: expected a number from 0 to 1")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_pictures_of_all_kinds_are_told_by_content(client: TestClient, kind: str) -> None:
    files = {"image": ("frame.png", picture(kind), "image/png")}

    answer = client.post("/infer", data={"type": "object"}, files=files)

    assert len(answer.json()["detections"]) == 1


@pytest.mark.parametrize("name", ["../../etc/passwd", "..\\..\\x.png", "/root/x.png", "a\0b.png", "x" * 300])
def test_a_files_name_leads_nowhere(client: TestClient, home: Path, name: str) -> None:
    before = sorted(home.rglob("*.png"))

    answer = client.post(
        "/infer", data={"type": "object"}, files={"image": (name, picture("PNG"), "image/png")}
    )

    assert answer.status_code == 200
    assert sorted(home.rglob("*.png")) == before


@pytest.mark.parametrize(
    ("route", "field"), [("/infer", "image"), ("/detect", "file"), ("/compat/pyzm/api/v1/detect", "file")]
)
@pytest.mark.parametrize(
    "data", [b"", b"no picture", b"%PDF-1.7\n", b"\xff\xd8\xff\xe0nothing", b"\x89PNG\r\n\x1a\n"]
)
def test_a_file_that_is_no_picture_is_a_400_with_detail(
    client: TestClient, route: str, field: str, data: bytes
) -> None:
    answer = client.post(route, data={"type": "object"}, files={field: ("a.jpg", data, "image/jpeg")})

    assert answer.status_code == 400
    assert isinstance(answer.json()["detail"], str)


def test_an_empty_file_is_refused_in_pyzms_words(client: TestClient) -> None:
    answer = client.post("/infer", data={"type": "object"}, files={"image": ("a.png", b"", "image/png")})

    assert (answer.status_code, answer.json()) == (400, {"detail": "Empty file"})


def test_without_a_type_a_call_is_refused(client: TestClient) -> None:
    answer = client.post("/infer", files={"image": picture()})

    assert (answer.status_code, answer.json()) == (
        400,
        {"detail": "type: expected object or face, got none"},
    )


@pytest.mark.parametrize("route", ["/infer", "/detect"])
@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "multipart/form-data; boundary=x", 400),
        (b"--x\r\nno", "multipart/form-data; boundary=x", 400),
        (b"--x", "multipart/form-data", 400),
        (b"<x/>", "application/xml", 415),
        (b"", "", 415),
    ],
)
def test_a_body_that_is_none_is_said_in_detail(
    client: TestClient, route: str, body: bytes, content_type: str, status: int
) -> None:
    answer = client.post(route, content=body, headers={"Content-Type": content_type})

    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)


def test_a_body_over_the_limit_is_a_413(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, max_body_bytes=1000)
    with opened_site(settings, gateway_service(tmp_path)) as site:
        answer = site.client.post("/infer", data={"type": "object"}, files={"image": b"x" * 2000})

    assert answer.status_code == 413
    assert "detail" in answer.json()


# --- 2.0 to 2.4: /detect --------------------------------------------------------------


@PREFIXES
def test_detect_answers_with_a_detection_result(client: TestClient, prefix: str) -> None:
    answer = client.post(f"{prefix}/detect", files={"file": ("image.jpg", picture(), "image/jpeg")}).json()

    [box] = answer.pop("boxes")
    assert is_the_box(box)
    assert answer == {
        "labels": ["person"],
        "confidences": [SCORE],
        "frame_id": None,
        "image_dimensions": {"original": [SIZE[1], SIZE[0]], "resized": None},
        "error_boxes": [],
        "model_names": ["guard"],
        "detection_types": ["object"],
        "polygons": [],
    }


def test_detect_without_its_models_is_a_503_that_names_the_command(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with opened_site(settings, gateway_service(tmp_path, objects="megadetector-lite")) as site:
        answer = site.client.post("/detect", files={"file": picture()})

    assert answer.status_code == 503
    assert "okapia models pull" in answer.json()["detail"]


# --- what is there --------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/models", "/compat/pyzm/models", "/compat/pyzm/api/v1/models"])
def test_models_lists_what_is_installed_with_type_and_state(fresh: TestClient, path: str) -> None:
    before = {row["name"]: row for row in fresh.get(path).json()["models"]}

    infer(fresh, type="object")

    after = {row["name"]: row for row in fresh.get(path).json()["models"]}
    assert sorted(before) == ["guard", "looker", "namer", "stoat"]
    assert (before["guard"]["loaded"], after["guard"]["loaded"]) == (False, True)
    assert after["guard"] == {
        "name": "guard",
        "type": "object",
        "framework": "onnxruntime",
        "loaded": True,
        "processor": "cpu",
        "requested_processor": None,
    }
    assert after["looker"]["type"] == "face"


def test_models_below_api_has_the_fields_of_both_contracts(client: TestClient) -> None:
    rows = {row["name"]: row for row in client.get("/api/v1/models").json()["models"]}

    assert rows["guard"]["id"] == "guard"
    assert rows["guard"]["type"] == "object"
    assert {"title", "sha256", "framework", "processor", "requested_processor"} <= set(rows["guard"])


def test_health_says_whether_the_models_are_in_memory(fresh: TestClient) -> None:
    before = fresh.get("/health").json()

    infer(fresh, type="object")

    assert before == {"status": "ok", "models_loaded": False}
    assert fresh.get("/health").json() == {"status": "ok", "models_loaded": True}


def test_health_is_speciesnets_by_setting_and_pyzms_below_compat(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, health="speciesnet")
    with opened_site(settings, gateway_service(tmp_path)) as site:
        assert site.client.get("/health").text == "ok"
        assert site.client.get("/compat/pyzm/health").json()["status"] == "ok"


# --- one path, two contracts ----------------------------------------------------------


def test_post_api_v1_detect_with_the_field_image_is_the_native_contract(client: TestClient) -> None:
    answer = client.post("/api/v1/detect", files={"image": picture()}).json()

    assert {"annotations", "info"} <= set(answer)


def test_post_api_v1_detect_with_the_field_file_is_pyzms(client: TestClient) -> None:
    answer = client.post("/api/v1/detect", files={"file": ("image.jpg", picture(), "image/jpeg")}).json()

    assert answer["labels"] == ["person"]


def test_switched_off_its_paths_are_gone_and_the_native_contract_has_its_own(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, dialects_off=("pyzm",))
    with opened_site(settings, gateway_service(tmp_path)) as site:
        gone = [site.client.post(path).status_code for path in ("/infer", "/login", "/compat/pyzm/infer")]
        detected = site.client.post("/api/v1/detect", files={"file": picture()})

    assert gone == [404, 404, 404]
    assert "detail" in detected.json()
    assert "labels" not in detected.json()
