"""mlapi: which pictures stay, where and for how long; and pictures that the server fetches."""

import os
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from okapia.dialects.mlapi import dialect
from okapia.dialects.mlapi.asking import MAX_BODY_BYTES
from okapia.domain.clock import utc_now
from okapia.service import Service
from okapia.service.desk import Desk
from okapia.web.context import Context, Limits
from tests.unit.dialects.conftest import DeskFor
from tests.unit.dialects.gate import Gate, gate_service, open_gate
from tests.unit.dialects.test_animaldetect import jpeg
from tests.unit.dialects.test_mlapi import DOG, FILE, PERSON, PICTURE, ROUTE, picture

URL = "https://pictures.example/cam1/dog.jpg"
Reader = Callable[[str], bytes]
NAME = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with open_gate(tmp_path / "srv" / "okapia") as gate:
        yield gate


# --- kept -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", ["", "?delete=false", "?delete=0&download=true", "?response_format=zm_detect"]
)
def test_a_picture_is_kept_with_its_copy_unless_it_is_to_be_deleted(gate: Gate, query: str) -> None:
    gate.client.post(f"{ROUTE}{query}", files=FILE)

    copy, kept = gate.album
    assert re.fullmatch(rf"{NAME}\.jpg", kept.name)
    assert copy.name == kept.name.replace(".jpg", "-object.jpg")
    assert kept.read_bytes() == PICTURE
    with Image.open(copy) as drawn:
        assert drawn.size == (200, 100)
    assert copy.read_bytes() != kept.read_bytes()


def test_the_copy_of_faces_says_so_in_its_name_and_shows_the_gender(gate: Gate) -> None:
    gate.client.post(f"{ROUTE}?type=face", files=FILE)
    gate.client.post(f"{ROUTE}?type=face&gender=true", files=FILE)

    copies = [path for path in gate.album if path.name.endswith("-face.jpg")]
    assert len(copies) == 2
    assert copies[0].read_bytes() != copies[1].read_bytes()


@pytest.mark.parametrize("query", ["delete=true", "delete=True", "delete=1&response_format=zm_detect"])
def test_what_is_to_be_deleted_never_lies_there(gate: Gate, query: str) -> None:
    answer = gate.client.post(f"{ROUTE}?{query}", files=FILE)

    assert answer.status_code == 200
    assert gate.album == []


def test_an_operator_may_keep_nothing(tmp_path: Path) -> None:
    with open_gate(tmp_path, album_days=0) as gate:
        answer = gate.client.post(ROUTE, files=FILE)

    assert answer.json() == [DOG, PERSON]
    assert not (tmp_path / "album").exists()


def test_an_operator_chooses_the_folder(tmp_path: Path) -> None:
    with open_gate(tmp_path / "home", album=tmp_path / "pictures") as gate:
        gate.client.post(ROUTE, files=FILE)

    assert len([*(tmp_path / "pictures").iterdir()]) == 2


@pytest.mark.parametrize(
    ("files", "query"),
    [
        ({"file": ("1.gif", PICTURE)}, ""),
        ({"file": ("1.jpg", b"no picture")}, ""),
        ({"file": ("1.jpg", b"")}, "?delete=false"),
        (FILE, "?type=alpr"),
        (FILE, "?delete=perhaps"),
    ],
)
def test_nothing_stays_of_a_picture_that_was_refused(
    gate: Gate, files: dict[str, tuple[str, bytes]], query: str
) -> None:
    answer = gate.client.post(f"{ROUTE}{query}", files=files)

    assert answer.status_code == 400
    assert gate.album == []


@pytest.mark.parametrize(
    "name",
    [
        "../../../outside.png",
        "{outside}/outside.png",
        "..\\..\\outside.png",
        "a\x00b.png",
        "~/outside.png",
        ".png",
    ],
)
def test_a_file_name_is_never_a_path(gate: Gate, tmp_path: Path, name: str) -> None:
    answer = gate.client.post(
        ROUTE, files={"file": (name.format(outside=tmp_path.as_posix()), picture("PNG"))}
    )

    assert answer.status_code == 200
    (_, kept) = gate.album
    assert re.fullmatch(rf"{NAME}\.png", kept.name)
    assert [*tmp_path.rglob("*.png")] == [kept]


def test_pictures_of_one_name_do_not_replace_each_other(gate: Gate) -> None:
    for colour in (1, 2, 3):
        gate.client.post(ROUTE, files={"file": ("image.jpg", picture(colour=colour))})

    kept = [path.read_bytes() for path in gate.album if "-object" not in path.name]
    assert sorted(kept) == sorted(picture(colour=colour) for colour in (1, 2, 3))


def test_the_housekeeper_removes_what_is_kept_no_longer(
    tmp_path: Path, fetching: Callable[[Reader], TestClient], desk: Desk
) -> None:
    client = fetching(lambda _: PICTURE)
    client.post(ROUTE, files=FILE)
    month_ago = (utc_now() - timedelta(days=30, hours=1)).timestamp()
    for old in (tmp_path / "album").iterdir():
        os.utime(old, (month_ago, month_ago))
    client.post(ROUTE, files=FILE)

    desk.sweep()

    assert len([*(tmp_path / "album").iterdir()]) == 2


def test_other_contracts_keep_nothing(gate: Gate) -> None:
    for route, field in (("/v1/detect", "image"), ("/uploadfile/", "file")):
        answer = gate.client.post(route, files={field: ("1.jpg", PICTURE, "image/jpeg")})
        assert answer.status_code == 200

    assert gate.album == []


def test_an_answer_that_cannot_be_kept_is_given_all_the_same(gate: Gate) -> None:
    (gate.settings.home / "album").rmdir()

    assert gate.client.post(ROUTE, files=FILE).json() == [DOG, PERSON]


# --- fetched --------------------------------------------------------------------------


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = gate_service(tmp_path)
    yield service
    service.close()


@pytest.fixture
def desk(service: Service, desk_for: DeskFor) -> Desk:
    return desk_for(service)


@pytest.fixture
def fetching(service: Service, desk: Desk) -> Callable[[Reader], TestClient]:
    """Give a function that makes a client of a server with this way to read what callers name."""

    def client(read: Reader) -> TestClient:
        app = FastAPI()
        app.include_router(dialect.build(Context(service, desk, Limits(20_000_000), 0.2, read_source=read)))
        return TestClient(app, base_url="http://localhost")

    return client


WAYS: dict[str, Callable[[TestClient, str], object]] = {
    "query": lambda client, url: client.post(ROUTE, params={"url": url}).json(),
    "JSON": lambda client, url: client.post(
        ROUTE, json={"url": url, "ml_overrides": {"model_sequence": "x"}}
    ).json(),
    "form": lambda client, url: client.post(ROUTE, data={"url": url}).json(),
    "multipart": lambda client, url: client.post(ROUTE, files={"url": (None, url)}).json(),
}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_url_may_come_in_the_query_in_json_or_in_a_form(
    fetching: Callable[[Reader], TestClient], way: str
) -> None:
    asked: list[str] = []

    def read(url: str) -> bytes:
        asked.append(url)
        return PICTURE

    answer = WAYS[way](fetching(read), URL)

    assert (answer, asked) == ([DOG, PERSON], [URL])


def test_a_file_that_was_sent_wins_over_a_url(fetching: Callable[[Reader], TestClient]) -> None:
    def read(url: str) -> bytes:
        raise AssertionError(url)

    answer = fetching(read).post(f"{ROUTE}?url={URL}", files=FILE)

    assert answer.json() == [DOG, PERSON]


@pytest.mark.parametrize(("file_format", "suffix"), [("PNG", ".png"), ("JPEG", ".jpg")])
def test_a_fetched_picture_is_kept_by_its_content(
    fetching: Callable[[Reader], TestClient], tmp_path: Path, file_format: str, suffix: str
) -> None:
    fetching(lambda _: picture(file_format)).post(ROUTE, json={"url": f"{URL}.exe"})

    (_, kept) = sorted((tmp_path / "album").iterdir())
    assert kept.suffix == suffix


def test_a_fetched_picture_may_be_as_large_as_one_that_is_sent(
    fetching: Callable[[Reader], TestClient],
) -> None:
    largest = jpeg() + bytes(MAX_BODY_BYTES - len(jpeg()))

    passed = fetching(lambda _: largest).post(ROUTE, json={"url": URL})
    refused = fetching(lambda _: largest + b"\0").post(ROUTE, json={"url": URL})

    assert (passed.status_code, refused.status_code, refused.json()["code"]) == (200, 413, 413)


@pytest.mark.parametrize("url", ["/etc/passwd", "file:///etc/passwd", "ftp://a.example/1.jpg", "1.jpg", "5"])
def test_a_url_is_a_url_of_the_web(tmp_path: Path, url: str) -> None:
    with open_gate(tmp_path, fetch_urls=True, source_roots=["/etc"]) as gate:
        answer = gate.client.post(ROUTE, json={"url": url})

    assert answer.status_code == 400
    assert answer.json()["msg"].startswith("url: expected an http or https URL")


def test_without_the_setting_no_url_is_fetched(gate: Gate) -> None:
    answer = gate.client.post(f"{ROUTE}?url={URL}")

    assert answer.status_code == 400
    assert answer.json() == {"code": 400, "msg": "naming files and URLs is off"}


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/1.jpg",
        "http://localhost/1.jpg",
        "http://[::1]/1.jpg",
        "http://10.0.0.1/1.jpg",
        "http://192.168.1.1/1.jpg",
        "http://169.254.169.254/latest/meta-data/",
        "http://0.0.0.0/1.jpg",
        "http://2130706433/1.jpg",
        "http://[::ffff:127.0.0.1]/1.jpg",
        "http://user:secret@127.0.0.1/1.jpg",
        "http://127.0.0.1:22/1.jpg",
    ],
)
def test_a_url_into_ones_own_network_is_refused(tmp_path: Path, url: str) -> None:
    with open_gate(tmp_path, fetch_urls=True) as gate:
        answer = gate.client.post(ROUTE, json={"url": url})

        assert (answer.status_code, answer.json()["code"]) == (400, 400)
        assert gate.album == []


def test_a_stream_of_zoneminder_is_refused_with_what_to_send_instead(gate: Gate) -> None:
    body = {"version": "6.1", "mid": 2, "reason": "Motion", "stream": "1234", "stream_options": {"api": None}}

    answer = gate.client.post(f"{ROUTE}?response_format=zm_detect&delete=True", json=body)

    assert answer.status_code == 400
    assert "`stream` asks for the frames of a ZoneMinder event" in answer.json()["msg"]
    assert "--file" in answer.json()["msg"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"", "application/json"),
        (b"a=1&" * 100, "application/x-www-form-urlencoded"),
        (b"\xff", "application/x-www-form-urlencoded"),
        (b"--x\r\nno", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data"),
    ],
)
def test_a_broken_body_is_a_400(gate: Gate, body: bytes, kind: str) -> None:
    answer = gate.client.post(ROUTE, content=body, headers={"Content-Type": kind})

    assert (answer.status_code, answer.json()["code"]) == (400, 400)
