"""mlapi: what it answers about one picture, in its shapes and its errors."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from okapia.dialects.mlapi import dialect
from okapia.dialects.mlapi.answers import render_error
from okapia.dialects.mlapi.asking import MAX_BODY_BYTES
from okapia.domain.errors import ServerBusy
from okapia.domain.types import Failure
from okapia.web.context import Context, Limits
from okapia.web.problems import Problem
from tests.unit.dialects.conftest import DeskFor
from tests.unit.dialects.foxes import bare_service
from tests.unit.dialects.gate import Gate, gate_service, open_gate
from tests.unit.dialects.test_animaldetect import jpeg

ROUTE = "/api/v1/detect/object"
PICTURE = jpeg()  # 200 x 100
FILE = {"file": ("1.jpg", PICTURE, "image/jpeg")}
DOG = {"type": "dog", "label": "dog", "confidence": "99.69%", "box": [50, 25, 150, 75]}
PERSON = {"type": "person", "label": "person", "confidence": "31.00%", "box": [0, 0, 25, 13]}


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """A server that nobody has an account on."""
    with open_gate(tmp_path_factory.mktemp("gate")) as gate:
        yield gate


def picture(file_format: str = "JPEG", colour: int = 99) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (200, 100), (colour, colour, colour)).save(out, file_format)
    return out.getvalue()


# --- answers --------------------------------------------------------------------------


def test_the_list_of_2019_with_the_label_of_2021(gate: Gate) -> None:
    answer = gate.client.post(ROUTE, files=FILE)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == [DOG, PERSON]


def test_boxes_are_pixels_of_the_picture_as_it_is_looked_at(gate: Gate) -> None:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    Image.new("RGB", (200, 100), (9, 9, 9)).save(out, "JPEG", exif=exif)

    (dog, _) = gate.client.post(ROUTE, files={"file": ("1.jpg", out.getvalue())}).json()

    assert dog["box"] == [25, 50, 75, 150]


def test_an_empty_picture_is_an_empty_list(gate: Gate) -> None:
    answer = gate.client.post(ROUTE, files={"file": ("1.jpg", picture(colour=0))})

    assert answer.json() == []


def test_the_least_confidence_is_a_setting(tmp_path: Path) -> None:
    with open_gate(tmp_path, gateway_threshold=0.25) as gate:
        labels = [item["label"] for item in gate.client.post(ROUTE, files=FILE).json()]

    assert labels == ["dog", "person", "kite"]


def test_faces_are_found_without_gender_unless_it_is_asked_for(gate: Gate) -> None:
    (first, *_) = gate.client.post(f"{ROUTE}?type=face", files=FILE).json()

    assert first == {"type": "face", "label": "face", "confidence": "97.73%", "box": [20, 10, 60, 50]}


def test_gender_is_a_word_and_a_percentage(gate: Gate) -> None:
    faces = gate.client.post(f"{ROUTE}?type=face&gender=true", files=FILE).json()

    assert [(face["gender"], face["gender_confidence"]) for face in faces] == [
        ("man", "95.46%"),
        ("woman", "100.00%"),
        ("unknown", "60.00%"),
    ]


def test_objects_have_no_gender(gate: Gate) -> None:
    assert gate.client.post(f"{ROUTE}?gender=true", files=FILE).json() == [DOG, PERSON]


def test_zm_detect_gets_its_object(gate: Gate) -> None:
    answer = gate.client.post(f"{ROUTE}?type=object&delete=True&response_format=zm_detect", files=FILE)

    frame = {
        "frame_id": None,
        "boxes": [[50, 25, 150, 75], [0, 0, 25, 13]],
        "error_boxes": [],
        "labels": ["dog", "person"],
        "confidences": [0.9969, 0.31],
        "model_names": ["things", "things"],
    }
    assert answer.json() == {
        "matched_data": {
            **frame,
            "image_dimensions": {"original": [100, 200], "resized": None},
            "polygons": [],
            "image": None,
        },
        "all_matches": [{**frame, "detection_types": ["object", "object"]}],
    }


def test_zm_detect_gets_no_match_of_an_empty_picture(gate: Gate) -> None:
    body = gate.client.post(
        f"{ROUTE}?response_format=zm_detect", files={"file": ("1.jpg", picture(colour=0))}
    ).json()

    assert body["all_matches"] == []
    assert body["matched_data"]["labels"] == []
    assert body["matched_data"]["image_dimensions"]["original"] == [100, 200]


def test_health_is_a_text_in_json(gate: Gate) -> None:
    answer = gate.client.get("/api/v1/health")

    assert (answer.status_code, answer.text) == (200, '"ok"')


# --- the query ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["delete", "gender", "download"])
@pytest.mark.parametrize("value", ["true", "True", "TRUE", "1", "false", "False", "0"])
def test_booleans_are_spelled_as_in_flask_restful(gate: Gate, name: str, value: str) -> None:
    answer = gate.client.post(f"{ROUTE}?{name}={value}", files=FILE)

    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["delete", "gender", "download"])
@pytest.mark.parametrize("value", ["yes", "on", "2", "", "truee"])
def test_what_is_no_boolean_is_refused_by_its_name(gate: Gate, name: str, value: str) -> None:
    answer = gate.client.post(f"{ROUTE}?{name}={value}", files=FILE)

    assert (answer.status_code, answer.json()["code"]) == (400, 400)
    assert answer.json()["msg"] == f"{name}: expected true or false, got {value!r}"


@pytest.mark.parametrize("kind", ["alpr", "face_names", "Object", "person"])
def test_other_models_are_invalid(gate: Gate, kind: str) -> None:
    answer = gate.client.post(f"{ROUTE}?type={kind}", files=FILE)

    assert answer.status_code == 400
    assert answer.json() == {"code": 400, "msg": f"Invalid Model:{kind}; expected object or face"}


def test_another_format_of_the_answer_is_invalid(gate: Gate) -> None:
    answer = gate.client.post(f"{ROUTE}?response_format=xml", files=FILE)

    assert answer.status_code == 400
    assert answer.json()["msg"] == "response_format: expected legacy or zm_detect, got 'xml'"


# --- files ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "file_format"),
    [
        ("1.jpg", "JPEG"),
        ("1.JPG", "JPEG"),
        ("1.jpeg", "JPEG"),
        ("1.png", "PNG"),
        ("1.jpg", "PNG"),
        (".jpg", "JPEG"),
        ("a b.c/../d.PnG", "PNG"),
    ],
)
def test_names_end_as_pictures_do_and_the_content_decides(gate: Gate, name: str, file_format: str) -> None:
    answer = gate.client.post(ROUTE, files={"file": (name, picture(file_format))})

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", ["1.gif", "1.txt", "1", "jpg", "1.jpg.exe", "1.jpg ", "1.webp", "1.jpg/x"])
def test_a_bad_ending_is_the_callers_fault_and_no_500(gate: Gate, name: str) -> None:
    answer = gate.client.post(ROUTE, files={"file": (name, PICTURE)})

    assert (answer.status_code, answer.json()["code"]) == (400, 400)
    assert answer.json()["msg"].startswith("Bad file type ")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected an image, got 0 bytes"),
        (b"just a text", "that are none of them"),
        (b"%PDF-1.7\n", "that are none of them"),
        (b"\xff\xd8\xff\xe0 and nothing", ""),
        (picture("GIF"), "that are none of them"),
    ],
    ids=["nothing", "text", "PDF", "broken JPEG", "GIF"],
)
@pytest.mark.parametrize("shape", ["legacy", "zm_detect"])
def test_a_bad_picture_is_the_callers_fault_and_no_500(
    gate: Gate, data: bytes, message: str, shape: str
) -> None:
    before = gate.album

    answer = gate.client.post(f"{ROUTE}?response_format={shape}", files={"file": ("1.jpg", data)})

    assert (answer.status_code, answer.json()["code"]) == (400, 400)
    assert message in answer.json()["msg"]
    assert gate.album == before


@pytest.mark.parametrize("body", [{}, {"files": {"image": ("1.jpg", PICTURE)}}, {"content": PICTURE}])
def test_without_a_picture_no_type_can_be_told(gate: Gate, body: dict[str, bytes]) -> None:
    answer = gate.client.request("POST", ROUTE, **body)  # type: ignore[arg-type]

    assert (answer.status_code, answer.json()["code"]) == (400, 400)
    assert answer.json()["msg"].startswith("could not determine file type")


def test_two_pictures_are_one_too_many(gate: Gate) -> None:
    answer = gate.client.post(ROUTE, files=[("file", ("1.jpg", PICTURE)), ("file", ("1.jpg", PICTURE))])

    assert (answer.status_code, answer.json()["msg"]) == (
        400,
        "expected one image in the field 'file', got 2",
    )


def form(data: bytes) -> tuple[bytes, dict[str, str]]:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="1.jpg"\r\n\r\n'
    return head + data + b"\r\n--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}


def test_a_request_of_5_mib_passes_and_a_byte_more_does_not(gate: Gate) -> None:
    frame, headers = form(b"")
    padded = PICTURE + bytes(MAX_BODY_BYTES - len(frame) - len(PICTURE))
    body, _ = form(padded)

    passed = gate.client.post(ROUTE, content=body, headers=headers)
    refused = gate.client.post(ROUTE, content=form(padded + b"\0")[0], headers=headers)

    assert len(body) == 5 * 1024 * 1024
    assert passed.status_code == 200
    assert (refused.status_code, refused.json()) == (
        413,
        {"code": 413, "msg": "the body is larger than 5,242,880 bytes"},
    )


@given(st.binary(max_size=40), st.text(max_size=20), st.text(max_size=20))
@settings(max_examples=150)
def test_no_file_name_and_no_parameter_makes_the_server_fail(
    gate: Gate, name: bytes, parameter: str, value: str
) -> None:
    body = form(PICTURE)[0].replace(b"1.jpg", name)

    answer = gate.client.post(
        ROUTE,
        params={"delete": "1", parameter: value, "type": value[:4]},
        content=body,
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )

    assert answer.status_code in {200, 400}, answer.text


# --- no cross-talk --------------------------------------------------------------------


@pytest.fixture
def staffed(tmp_path: Path) -> Iterator[Gate]:
    """A server that two people have an account on."""
    with open_gate(tmp_path) as gate:
        gate.add("ada")
        gate.add("bob")
        yield gate


def test_two_users_with_different_parameters_at_once_get_their_own_answers(staffed: Gate) -> None:
    ada, bob = staffed.header_of("ada"), staffed.header_of("bob")
    calls = [
        (ada, "type=face&gender=true"),
        (bob, "type=object"),
        (ada, "type=face&delete=true"),
        (bob, "response_format=zm_detect&delete=true"),
    ]

    def ask(number: int) -> str:
        header, query = calls[number % len(calls)]
        return staffed.client.post(f"{ROUTE}?{query}", files=FILE, headers=header).text

    alone = [ask(number) for number in range(len(calls))]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(ask, range(80)))

    assert len({*alone}) == len(calls)
    assert together == alone * 20
    assert len(staffed.album) == 2 * 2 * 21  # two of the four calls keep, two files each


# --- when it cannot be done -----------------------------------------------------------


@pytest.mark.parametrize("kind", ["object", "face"])
def test_without_models_the_answer_says_how_to_get_them(tmp_path: Path, desk_for: DeskFor, kind: str) -> None:
    service = bare_service(tmp_path)
    app = FastAPI()
    app.include_router(dialect.build(Context(service, desk_for(service), Limits(10_000), 0.2)))

    answer = TestClient(app, base_url="http://localhost").post(f"{ROUTE}?type={kind}", files=FILE)

    service.close()
    assert (answer.status_code, answer.json()["code"]) == (503, 503)
    assert "okapia models pull" in answer.json()["msg"]


def test_a_smaller_limit_of_the_server_counts_as_well(tmp_path: Path, desk_for: DeskFor) -> None:
    service = gate_service(tmp_path)
    app = FastAPI()
    app.include_router(dialect.build(Context(service, desk_for(service), Limits(1000), 0.2)))

    answer = TestClient(app, base_url="http://localhost").post(ROUTE, files=FILE)

    service.close()
    assert (answer.status_code, answer.json()["code"]) == (413, 413)


def test_a_fault_is_a_500_and_a_full_queue_has_a_waiting_time() -> None:
    fault = render_error(Problem.of(Failure("internal_error", "this picture met a fault in Okapia")))
    busy = render_error(Problem.of(ServerBusy(waiting=9, retry_after_s=3)))

    assert (fault.status_code, fault.body) == (
        500,
        b'{"code":500,"msg":"this picture met a fault in Okapia"}',
    )
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "3")
