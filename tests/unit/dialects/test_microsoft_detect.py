"""Microsoft's synchronous detector API: its answer, its parameters of all ages, and what is ours beside."""

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from okapia.app import build_app
from okapia.dialects.microsoft_detect.asking import prefers_json
from okapia.settings import Settings
from tests.unit.dialects.shades import box_of, shade, shades_service
from tests.unit.dialects.toolbelt import Part, decode

PREFIX = "/v1/camera-trap/sync"
DETECT = f"{PREFIX}/detect"
ANIMAL, PERSON, VEHICLE = 1, 2, 3

Picture = tuple[str, tuple[str, bytes, str]]
Boxes = dict[str, list[list[float]]]
ClientOf = Callable[..., TestClient]


def picture(field: str, level: int, *, name: str = "a.jpg", kind: str = "image/jpeg") -> Picture:
    return field, (name, shade(level), kind)


def parts_of(answer: httpx2.Response) -> dict[str, Part]:
    assert answer.status_code == 200, answer.text
    return decode(answer.content, answer.headers["content-type"])


def boxes_of(answer: httpx2.Response) -> Boxes:
    boxes: Boxes = parts_of(answer)["detection_result"].document
    return boxes


@pytest.fixture
def client_of(tmp_path: Path) -> Iterator[ClientOf]:
    """Give a function that starts the application with some settings; one a test."""
    opened: list[TestClient] = []

    def start(**settings: Any) -> TestClient:
        app = build_app(Settings(home=tmp_path, **settings), shades_service(tmp_path))
        opened.append(TestClient(app, base_url="http://localhost").__enter__())
        return opened[0]

    yield start
    for client in opened:
        client.__exit__()


@pytest.fixture
def client(client_of: ClientOf) -> TestClient:
    return client_of()


def test_boxes_have_y_first_cut_off_numbers_and_a_whole_number_for_the_category(client: TestClient) -> None:
    boxes = boxes_of(client.post(DETECT, files=[picture("first", 40), picture("second", 200)]))

    assert boxes == {
        "first": [[*box_of(40), 0.987, ANIMAL], [*box_of(40), 0.5, PERSON], [*box_of(40), 0.0123, VEHICLE]],
        "second": [
            [*box_of(200), 0.987, ANIMAL],
            [*box_of(200), 0.5, PERSON],
            [*box_of(200), 0.0123, VEHICLE],
        ],
    }
    assert all(isinstance(row[5], int) for rows in boxes.values() for row in rows)


def test_the_form_is_as_programs_of_all_languages_read_it(client: TestClient) -> None:
    answer = client.post(DETECT, files=[picture("one", 90)])

    parts = parts_of(answer)
    assert answer.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert [*parts] == ["detection_result", "classification_result"]
    assert {part.content_type for part in parts.values()} == {"application/json"}
    assert parts["classification_result"].document == {}
    # Node's superagent only gives parts as files that have a file name.
    assert all(f'filename="{name}"' in part.disposition for name, part in parts.items())


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ({"confidence": "0.8"}, ["detection_result", "classification_result"]),
        ({"confidence": "0.8", "min_confidence": "0.5"}, ["detection_result", "classification_result"]),
        ({"classification": "serengeti"}, ["detection_result", "classification_result"]),
        ({"min_confidence": "0.8"}, ["detection_result"]),
        ({"min_rendering_confidence": "0.8"}, ["detection_result"]),
    ],
)
def test_programs_of_the_last_age_find_their_result_in_the_last_json_part(
    client: TestClient, query: dict[str, str], parts: list[str]
) -> None:
    answer = client.post(DETECT, params=query, files=[picture("one", 90)])

    assert [*parts_of(answer)] == parts


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ({}, [ANIMAL, PERSON, VEHICLE]),
        ({"confidence": "0.4"}, [ANIMAL, PERSON]),
        ({"min_confidence": "0.4"}, [ANIMAL, PERSON]),
        ({"confidence": "0.9", "min_confidence": "0.4"}, [ANIMAL, PERSON]),
        ({"confidence": "0.5"}, [ANIMAL]),
        ({"min_confidence": "0.49999"}, [ANIMAL, PERSON]),
        ({"confidence": "0"}, [ANIMAL, PERSON, VEHICLE]),
        ({"confidence": "1"}, []),
        ({"min_rendering_confidence": "0.9"}, [ANIMAL, PERSON, VEHICLE]),
    ],
)
def test_boxes_are_strictly_more_confident_than_asked(
    client: TestClient, query: dict[str, str], seen: list[int]
) -> None:
    boxes = boxes_of(client.post(DETECT, params=query, files=[picture("one", 90)]))

    assert [row[5] for row in boxes["one"]] == seen


def test_parameters_may_stand_in_the_form_and_the_query_wins(client: TestClient) -> None:
    image = [picture("one", 90)]

    from_form = boxes_of(client.post(DETECT, data={"confidence": "0.6"}, files=image))
    from_query = boxes_of(
        client.post(DETECT, params={"confidence": "0.4"}, data={"confidence": "2"}, files=image)
    )

    assert ([*from_form], len(from_form["one"])) == (["one"], 1)
    assert ([*from_query], len(from_query["one"])) == (["one"], 2)


@pytest.mark.parametrize(
    ("render", "rendered"),
    [("true", True), ("True", True), ("TRUE", True), ("1", False), ("yes", False), ("", False)],
)
def test_only_the_word_true_renders(client: TestClient, *, render: str, rendered: bool) -> None:
    parts = parts_of(client.post(DETECT, params={"render": render}, files=[picture("one", 90)]))

    assert ("one" in parts) is rendered


def test_rendered_copies_are_jpegs_for_png_files_too_and_change_no_number(client: TestClient) -> None:
    files = [picture("a.jpg", 90), ("b.png", ("b.png", shade(200, "PNG"), "image/png"))]

    plain = boxes_of(client.post(DETECT, files=files))
    parts = parts_of(client.post(DETECT, params={"render": "true"}, files=files))

    assert parts["detection_result"].document == plain
    assert [name for name, part in parts.items() if part.content_type == "image/jpeg"] == ["a.jpg", "b.png"]
    for name in ("a.jpg", "b.png"):
        with Image.open(io.BytesIO(parts[name].content)) as copy:
            copy.load()
            assert (copy.format, copy.size) == ("JPEG", (64, 48))


def ink(jpeg: bytes) -> int:
    """Count the pixels that are no longer grey."""
    with Image.open(io.BytesIO(jpeg)) as copy:
        pixels = np.asarray(copy.convert("RGB")).astype(int)
    return int((np.ptp(pixels, axis=2) > 40).sum())


@pytest.mark.parametrize(
    ("query", "is_drawn"),
    [
        ({"confidence": "0.9"}, True),
        ({"confidence": "0.99"}, False),
        ({"min_confidence": "0.1", "min_rendering_confidence": "0.99"}, False),
        ({"min_confidence": "0.99", "min_rendering_confidence": "0.1"}, False),
        ({}, True),
    ],
)
def test_boxes_are_drawn_that_are_listed_and_confident_enough(
    client: TestClient, *, query: dict[str, str], is_drawn: bool
) -> None:
    files = [("one", ("a.png", shade(128, "PNG", size=(640, 480)), "image/png"))]

    parts = parts_of(client.post(DETECT, params={**query, "render": "true"}, files=files))

    assert (ink(parts["one"].content) > 0) is is_drawn


def test_png_and_jpeg_of_one_picture_agree(client: TestClient) -> None:
    levels = (10, 128, 250)
    files = [
        (f"{level}.{kind}", (f"{level}.{kind}", shade(level, kind), f"image/{kind}"))
        for level in levels
        for kind in ("jpeg", "png")
    ]

    boxes = boxes_of(client.post(DETECT, files=files))

    for level in levels:
        for one, other in zip(boxes[f"{level}.jpeg"], boxes[f"{level}.png"], strict=True):
            assert one == pytest.approx(other, abs=0.001)


def test_parts_of_other_types_are_passed_over(client: TestClient) -> None:
    files: list[tuple[str, tuple[str | None, bytes, str]]] = [
        ("note", ("note.txt", b"hello" * 20_000, "text/plain")),
        ("one", ("a.jpg", shade(90), "image/jpeg")),
        ("gif", ("a.gif", shade(90, "GIF"), "image/gif")),
        ("two", ("b", shade(30), "Application/Octet-Stream")),
        ("three", ("c.png", shade(60, "PNG"), "image/png; charset=binary")),
    ]

    assert [*boxes_of(client.post(DETECT, files=files))] == ["one", "two", "three"]


@pytest.mark.parametrize(("setting", "keys"), [("field", ["x", "y"]), ("filename", ["b.jpg", "c d.jpg"])])
def test_pictures_are_called_by_field_or_by_file_name(
    client_of: ClientOf, setting: str, keys: list[str]
) -> None:
    client = client_of(microsoft_image_keys=setting)

    answer = client.post(DETECT, files=[picture("x", 10, name="b.jpg"), picture("y", 20, name="c d.jpg")])

    assert [*boxes_of(answer)] == keys


@pytest.mark.parametrize("setting", ["field", "filename"])
def test_pictures_of_one_name_are_numbered_and_none_takes_a_name_of_the_answer(
    client_of: ClientOf, setting: str
) -> None:
    client = client_of(microsoft_image_keys=setting)
    names = ("image", "image", "image (2)", "detection_result", "image")
    files = [picture(name, 10 * place, name=name) for place, name in enumerate(names, 1)]

    answer = client.post(DETECT, params={"render": "true", "confidence": "0.9"}, files=files)

    keys = ["image", "image (2)", "image (2) (2)", "detection_result (2)", "image (3)"]
    assert boxes_of(answer) == {key: [[*box_of(10 * n), 0.987, ANIMAL]] for n, key in enumerate(keys, 1)}
    assert [*parts_of(answer)] == ["detection_result", "classification_result", *keys]


HOSTILE = ["../../etc/passwd", "/etc/passwd", "..", "C:x.jpg", "füchse 🦊.jpg", "a;b=c.jpg"]


@pytest.mark.parametrize("setting", ["field", "filename"])
def test_hostile_names_come_back_as_they_are_and_touch_no_file(
    client_of: ClientOf, tmp_path: Path, setting: str
) -> None:
    client = client_of(microsoft_image_keys=setting)
    files = [picture(name, 10 * place, name=name) for place, name in enumerate(HOSTILE, 1)]
    before = sorted(tmp_path.rglob("*.jpg")) + sorted(tmp_path.rglob("*passwd*"))

    answer = client.post(DETECT, params={"render": "true"}, files=files)

    assert [*boxes_of(answer)] == HOSTILE
    assert len(parts_of(answer)) == 2 + len(HOSTILE)
    assert sorted(tmp_path.rglob("*.jpg")) + sorted(tmp_path.rglob("*passwd*")) == before == []


def test_names_cannot_write_headers_of_the_answer(client: TestClient) -> None:
    name = b'Content-Disposition: form-data; name="a%22%0D%0AX-Evil: 1"; filename="b"'
    head = b"--x\r\n" + name + b"\r\nContent-Type: image/jpeg\r\n\r\n"
    body = head + shade(90) + b"\r\n--x--\r\n"

    answer = client.post(
        DETECT,
        params={"render": "true"},
        content=body,
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )

    assert answer.status_code == 200
    assert b"\r\nX-Evil" not in answer.content


def test_eight_pictures_pass(client: TestClient) -> None:
    files = [picture(f"p{place}", 20 * place) for place in range(8)]

    boxes = boxes_of(client.post(DETECT, params={"confidence": "0.9"}, files=files))

    assert boxes == {f"p{place}": [[*box_of(20 * place), 0.987, ANIMAL]] for place in range(8)}


def test_who_prefers_json_gets_one_document(client: TestClient) -> None:
    files = [picture("one", 90)]
    headers = {"Accept": "application/json"}

    plain = client.post(DETECT, params={"confidence": "0.9"}, files=files, headers=headers)
    drawn = client.post(DETECT, params={"confidence": "0.9", "render": "true"}, files=files, headers=headers)

    results = {"detection_result": {"one": [[*box_of(90), 0.987, ANIMAL]]}, "classification_result": {}}
    assert plain.headers["content-type"] == "application/json"
    assert plain.json() == results
    images = drawn.json().pop("images")
    assert base64.b64decode(images["one"]).startswith(b"\xff\xd8")
    assert {name: drawn.json()[name] for name in results} == results


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/json", True),
        ("application/*", True),
        ("application/json, */*;q=0.5", True),
        ("multipart/form-data;q=0.1, application/json", True),
        ("*/*", False),
        ("", False),
        ("application/json, text/plain, */*", False),
        ("application/json, multipart/form-data", False),
        ("application/json;q=0.2, multipart/*", False),
        ("application/json;q=high", False),
        ("text/html", False),
    ],
)
def test_which_callers_prefer_json(*, accept: str, expected: bool) -> None:
    assert prefers_json(accept) is expected


def test_one_bad_picture_may_fail_alone(client: TestClient) -> None:
    files = [picture("good", 90), ("bad", ("bad.jpg", b"%PDF-1.7", "image/jpeg"))]

    parts = parts_of(client.post(DETECT, params={"failures": "per_image", "render": "true"}, files=files))

    assert [*parts] == ["failures", "detection_result", "classification_result", "good"]
    assert [*parts["detection_result"].document] == ["good"]
    assert [*parts["failures"].document] == ["bad"]
    assert parts["failures"].document["bad"]["code"] == "unsupported_format"


def test_a_setting_lets_bad_pictures_fail_alone_and_calls_may_say_otherwise(client_of: ClientOf) -> None:
    client = client_of(microsoft_failures="per_image")
    files = [picture("good", 90), ("bad", ("bad.jpg", b"%PDF-1.7", "image/jpeg"))]
    json = {"Accept": "application/json"}

    alone = client.post(DETECT, files=files, headers=json)
    strict = client.post(DETECT, params={"failures": "strict"}, files=files, headers=json)
    none_good = client.post(DETECT, files=files[1:], headers=json)

    assert (alone.status_code, [*alone.json()["failures"]]) == (200, ["bad"])
    assert strict.status_code == none_good.status_code == 400


@pytest.mark.parametrize("route", ["detector_model_version", "model_version"])
def test_the_version_is_the_detector_that_answers(client_of: ClientOf, route: str) -> None:
    client = client_of(model_aliases={"shades": "v4.1.0"})

    answer = client.get(f"{PREFIX}/{route}")

    assert (answer.status_code, answer.text) == (200, "v4.1.0")
    assert answer.headers["content-type"].startswith("text/plain")


def test_the_version_without_an_alias_is_the_models_id(client: TestClient) -> None:
    assert client.get(f"{PREFIX}/detector_model_version").text == "shades"


@pytest.mark.parametrize("base", ["", "/api", "/compat/microsoft_detect"])
def test_health_and_detect_are_there_under_every_base(client: TestClient, base: str) -> None:
    assert client.get(f"{base}{PREFIX}/").text == "Health check OK"
    assert client.post(f"{base}{DETECT}", files=[picture("one", 90)]).status_code == 200
