"""DeepStack's and CodeProject.AI's contract: what their clients send, and what they read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from okapia.dialects.deepstack import render_error
from okapia.domain.errors import ServerBusy
from okapia.domain.types import Failure
from okapia.settings import Settings
from okapia.web.problems import Problem
from tests.unit.dialects.foxes import fox_service
from tests.unit.dialects.watchers import BOX, SCORE, Site, bearer, gateway_service, opened_site, picture

Answer = dict[str, Any]
"""JSON as a test reads it."""

Part = tuple[str, tuple[str | None, bytes | str]]
"""Of a form: its field, and the file's name with what is in it."""

DETECTION = "/v1/vision/detection"
LOOKING = pytest.mark.parametrize(
    "route",
    [DETECTION, "/v1/vision/face", "/v1/vision/custom/guard", "/compat/deepstack/v1/vision/detection"],
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A server without people, for programs on this machine."""
    home = tmp_path_factory.mktemp("home")
    with opened_site(Settings(home=home), gateway_service(home)) as site:
        yield site.client


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with somebody who has keys."""
    home = tmp_path_factory.mktemp("staffed")
    with opened_site(Settings(home=home), gateway_service(home), admin="ada") as site:
        yield site


@pytest.fixture
def fox(tmp_path: Path) -> Iterator[TestClient]:
    """A server that sees a fox at 0.9 and a person at 0.1 in every picture."""
    with opened_site(Settings(home=tmp_path), fox_service(tmp_path)) as site:
        yield site.client


def send(client: TestClient, route: str = DETECTION, *, data: bytes | None = None, **fields: str) -> Answer:
    """Send a picture as these clients do, fields first; gives the answer with its status."""
    files = {"image": ("image", picture() if data is None else data)}
    answer = client.post(route, data=fields, files=files)
    found: Answer = answer.json() | {"status": answer.status_code}
    return found


# --- the answer -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "label", "model", "command"),
    [
        ("/v1/vision/detection", "person", "guard", "detect"),
        ("/v1/vision/face", "face", "looker", "detect"),
        ("/v1/vision/custom/stoat", "animal", "stoat", "custom"),
        ("/v1/vision/custom/faces", "face", "looker", "custom"),
        ("/v1/vision/custom/stoat+guard", "animal", "stoat+guard", "custom"),
        ("/compat/deepstack/v1/vision/detection", "person", "guard", "detect"),
    ],
)
def test_an_answer_has_deepstacks_predictions(
    client: TestClient, route: str, label: str, model: str, command: str
) -> None:
    answer = send(client, route)

    first = answer["predictions"][0]
    corners = [first.pop(name) for name in ("x_min", "y_min", "x_max", "y_max")]
    assert (answer["status"], answer["success"]) == (200, True)
    assert first == {"label": label, "confidence": SCORE}
    assert all(isinstance(at, int) for at in corners)
    assert all(abs(at - expected) <= 4 for at, expected in zip(corners, BOX, strict=True))
    assert (answer["command"], answer["moduleName"]) == (command, model)


def test_an_answer_has_codeprojects_fields_beside_them(client: TestClient) -> None:
    answer = send(client)

    assert (answer["message"], answer["count"], answer["code"]) == ("Found person", 1, 200)
    assert answer["moduleId"] == "okapia"
    assert 0 <= answer["inferenceMs"] <= answer["processMs"] <= answer["analysisRoundTripMs"]
    assert answer["duration"] == pytest.approx(answer["processMs"] / 1000, abs=0.001)
    assert answer["timestampUTC"].endswith("GMT")
    assert "userid" not in str(answer)


def test_an_empty_picture_has_no_predictions(client: TestClient) -> None:
    answer = send(client, data=picture(colour=(0, 0, 0)))

    assert (answer["success"], answer["predictions"], answer["count"]) == (True, [], 0)
    assert answer["message"] == "No objects found"


def test_the_most_confident_prediction_stands_first(fox: TestClient) -> None:
    answer = send(fox, min_confidence="0.05")

    assert [prediction["confidence"] for prediction in answer["predictions"]] == [0.9, 0.1]
    assert answer["message"] == "Found red fox, person"


def test_a_prediction_below_0_4_is_left_out_where_a_call_says_nothing(fox: TestClient) -> None:
    assert [prediction["confidence"] for prediction in send(fox)["predictions"]] == [0.9]


@pytest.mark.parametrize(("least", "found"), [("0", 1), ("0.875", 1), ("0.88", 0), ("1", 0), ("", 1)])
def test_min_confidence_is_the_calls(client: TestClient, least: str, found: int) -> None:
    assert send(client, min_confidence=least)["count"] == found


def test_models_are_reported_by_their_aliases(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, model_aliases={"guard": "ipcam-general"})
    with opened_site(settings, gateway_service(tmp_path)) as site:
        assert send(site.client)["moduleName"] == "ipcam-general"


# --- where the picture stands ---------------------------------------------------------


@LOOKING
@pytest.mark.parametrize("field", ["image", "image1", "file", "upload"])
def test_a_picture_is_found_in_whatever_field_is_the_first_file(
    client: TestClient, route: str, field: str
) -> None:
    answer = client.post(route, data={"min_confidence": "0.3"}, files={field: ("a.jpg", picture())})

    assert (answer.status_code, answer.json()["count"]) == (200, 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_pictures_of_all_kinds_are_told_by_content(client: TestClient, kind: str) -> None:
    assert send(client, data=picture(kind))["count"] == 1


def test_fields_after_the_picture_count_too(client: TestClient) -> None:
    parts: list[Part] = [("image", ("a.jpg", picture())), ("min_confidence", (None, "0.9"))]

    assert client.post(DETECTION, files=parts).json()["count"] == 0


@pytest.mark.parametrize("name", ["../../etc/passwd", "..\\x", "/root/x.jpg", "x" * 300])
def test_a_files_name_leads_nowhere(client: TestClient, name: str) -> None:
    assert client.post(DETECTION, files={"image": (name, picture())}).status_code == 200


# --- errors ---------------------------------------------------------------------------


@LOOKING
@pytest.mark.parametrize("data", [b"", b"no picture", b"%PDF-1.7\n", b"\xff\xd8\xff\xe0nothing"])
def test_a_file_that_is_no_picture_is_a_400(client: TestClient, route: str, data: bytes) -> None:
    answer = send(client, route, data=data)

    assert (answer["status"], answer["success"], answer["code"]) == (400, False, 400)
    assert answer["error"]
    assert "predictions" not in answer


def test_a_form_without_a_picture_is_a_400(client: TestClient) -> None:
    parts: list[Part] = [("min_confidence", (None, "0.5"))]

    answer = client.post(DETECTION, files=parts)

    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert answer.json()["error"] == "expected a picture in the field 'image', got none"


@pytest.mark.parametrize("least", ["1.2", "-0.1", "nan", "inf", "abc", "40", "0,5"])
def test_a_confidence_that_is_none_is_refused(client: TestClient, least: str) -> None:
    answer = send(client, min_confidence=least)

    assert (answer["status"], answer["success"]) == (400, False)
    assert answer["error"].startswith("min_confidence: expected a number from 0 to 1")


@pytest.mark.parametrize("model", ["weasel", "Guard", "..%2Fguard", "guard+weasel", "a+b+c", "%00"])
def test_a_model_that_there_is_not_is_a_404(client: TestClient, model: str) -> None:
    answer = client.post(f"/v1/vision/custom/{model}", files={"image": picture()})

    assert answer.status_code == 404


def test_a_model_that_there_is_not_is_named(client: TestClient) -> None:
    answer = send(client, "/v1/vision/custom/weasel")

    assert (answer["status"], answer["success"], answer["code"]) == (404, False, 404)
    assert "weasel" in answer["error"]


def test_three_detectors_are_not_joined(client: TestClient) -> None:
    answer = send(client, "/v1/vision/custom/guard+stoat+looker")

    assert (answer["status"], answer["success"]) == (400, False)


def test_a_model_that_is_not_installed_is_an_endpoint_that_is_not_activated(client: TestClient) -> None:
    answer = send(client, "/v1/vision/custom/urban")

    assert (answer["status"], answer["success"]) == (403, False)
    assert "okapia models pull megadetector-lite" in answer["error"]


def test_a_fault_and_a_full_queue_have_their_status() -> None:
    fault = render_error(Problem.of(Failure("internal_error", "this picture met a fault in Okapia")))
    busy = render_error(Problem.of(ServerBusy(waiting=9, retry_after_s=3)))

    assert fault.body == b'{"success":false,"error":"this picture met a fault in Okapia","code":500}'
    assert (fault.status_code, busy.status_code, busy.headers["retry-after"]) == (500, 503, "3")


@pytest.mark.parametrize("body", [b"", b"--x\r\nno", b"--x--"])
def test_a_broken_form_is_a_400(client: TestClient, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}

    answer = client.post(DETECTION, content=body, headers=headers)

    assert (answer.status_code, answer.json()["success"]) == (400, False)


# --- the list of models ---------------------------------------------------------------


def test_the_list_names_what_is_installed_by_get_and_by_post(client: TestClient) -> None:
    got, posted = client.get("/v1/vision/custom/list").json(), client.post("/v1/vision/custom/list").json()

    assert got == posted
    assert (got["success"], got["command"]) == (True, "list-custom")
    assert sorted(got["models"]) == ["faces", "guard", "looker", "namer", "objects", "stoat", "wild"]


def test_every_model_of_the_list_looks(client: TestClient) -> None:
    models = client.get("/v1/vision/custom/list").json()["models"]

    statuses = {model: send(client, f"/v1/vision/custom/{model}")["status"] for model in models}

    assert set(statuses.values()) == {200}


# --- keys -----------------------------------------------------------------------------


@LOOKING
def test_a_key_may_stand_in_the_form_or_in_a_header(staffed: Site, route: str) -> None:
    key = staffed.key_of("ada")
    files = {"image": picture()}

    by_field = staffed.client.post(route, data={"api_key": key, "min_confidence": "0.4"}, files=files)
    by_header = staffed.client.post(route, data={"api_key": ""}, files=files, headers=bearer(key))
    by_name = staffed.client.post(route, files=files, headers={"X-API-Key": key})

    assert [answer.status_code for answer in (by_field, by_header, by_name)] == [200, 200, 200]


@LOOKING
@pytest.mark.parametrize("fields", [{}, {"api_key": ""}, {"api_key": "  "}])
def test_without_a_key_nothing_is_looked_at(staffed: Site, route: str, fields: dict[str, str]) -> None:
    answer = staffed.client.post(route, data=fields, files={"image": picture()})

    assert (answer.status_code, answer.json()["success"], answer.json()["code"]) == (401, False, 401)


@pytest.mark.parametrize("key", ["ok_live_nobody_has_this", "mysecretkey", "\N{SNOWMAN}", "x" * 5000])
def test_a_wrong_key_is_a_401_even_where_a_header_has_a_right_one(staffed: Site, key: str) -> None:
    right = bearer(staffed.key_of("ada"))

    answer = staffed.client.post(DETECTION, data={"api_key": key}, files={"image": picture()}, headers=right)

    assert (answer.status_code, answer.json()["success"]) == (401, False)


def test_a_wrong_key_is_a_401_where_none_is_needed(client: TestClient) -> None:
    assert send(client, api_key="mysecretkey")["status"] == 401


def test_a_key_behind_the_picture_is_not_seen(staffed: Site) -> None:
    parts: list[Part] = [("image", ("a.jpg", picture())), ("api_key", (None, staffed.key_of("ada")))]

    assert staffed.client.post(DETECTION, files=parts).status_code == 401


def test_a_key_in_two_halves_is_none(staffed: Site) -> None:
    key = staffed.key_of("ada")
    parts: list[Part] = [
        ("api_key", (None, key[:20])),
        ("api_key", (None, key[20:])),
        ("image", ("a.jpg", picture())),
    ]

    assert staffed.client.post(DETECTION, files=parts).status_code == 401


def test_a_key_given_twice_is_refused(staffed: Site) -> None:
    key = staffed.key_of("ada")
    parts: list[Part] = [("api_key", (None, key)), ("api_key", (None, key)), ("image", ("a.jpg", picture()))]

    answer = staffed.client.post(DETECTION, files=parts)

    assert (answer.status_code, answer.json()["error"]) == (400, "the field 'api_key' came twice")


def test_the_list_needs_a_key_too(staffed: Site) -> None:
    route, headers = "/v1/vision/custom/list", bearer(staffed.key_of("ada"))

    assert staffed.client.get(route).status_code == 401
    assert staffed.client.post(route).status_code == 401
    assert staffed.client.get(route, headers=headers).status_code == 200


def test_a_key_is_in_no_answer(staffed: Site) -> None:
    key = "ok_live_5ecr3t5ecr3t"

    answers = [
        send(staffed.client, api_key=key),
        send(staffed.client, "/v1/vision/custom/weasel", api_key=staffed.key_of("ada")),
    ]

    assert "5ecr3t" not in str(answers)
    assert "api_key" not in str(answers)


def test_switched_off_its_paths_are_gone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, dialects_off=("deepstack",))
    with opened_site(settings, gateway_service(tmp_path)) as site:
        statuses = {
            site.client.post(path, files={"image": picture()}).status_code
            for path in (DETECTION, "/compat/deepstack/v1/vision/detection", "/v1/vision/custom/list")
        }

    assert statuses == {404}
