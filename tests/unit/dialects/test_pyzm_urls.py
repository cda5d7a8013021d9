"""pyzm's URL mode: frames that the server fetches, only where it may, and credentials that nobody reads."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from okapia.dialects.pyzm import dialect
from okapia.dialects.pyzm.asking import MAX_FRAMES
from okapia.domain.errors import SourceUnavailable
from okapia.settings import Settings
from okapia.web.context import Context, Limits
from tests.unit.dialects.conftest import DeskFor
from tests.unit.dialects.watchers import SCORE, Site, gateway_service, opened_site, picture

Answer = dict[str, Any]

ZM = "https://zm.example/index.php?view=image&eid=7&fid="
AUTH = "auth=5f4dcc3b5aa765d61d8327deb882cf99"
PRIVATE = [
    "http://127.0.0.1/index.php",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:10.0.0.1]/",
    "http://10.0.0.4/",
    "http://[::1]/",
    "http://localhost/",
    "http://0x7f000001/",
]


class Zone:
    """ZoneMinder, as far as frames go: what it was asked for, and what it gives."""

    def __init__(self) -> None:
        self.frames = {"1": picture(), "2": _dark(), "alarm": picture("PNG"), "text": b"<html>"}
        self.asked: list[str] = []

    def read(self, url: str) -> bytes:
        self.asked.append(url)
        frame = url.partition("fid=")[2].partition("&")[0]
        if frame not in self.frames:
            raise SourceUnavailable("expected status 200, the server answered 404")
        return self.frames[frame]


def _dark() -> bytes:
    return picture(colour=(0, 0, 0))


@pytest.fixture
def zone() -> Zone:
    return Zone()


@pytest.fixture
def client(tmp_path: Path, desk_for: DeskFor, zone: Zone) -> Iterator[TestClient]:
    """The contract alone, on a server that may fetch from ZoneMinder."""
    service = gateway_service(tmp_path)
    context = Context(service, desk_for(service), Limits(1_000_000), 0.2, read_source=zone.read)
    app = FastAPI()
    app.include_router(dialect.build(context))
    yield TestClient(app, base_url="http://localhost")
    service.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def fetching(home: Path) -> Iterator[Site]:
    """A whole server that may fetch, guarded as it is."""
    settings = Settings(home=home, fetch_urls=True, source_roots=(home,))
    with opened_site(settings, gateway_service(home)) as site:
        yield site


def infer(client: TestClient, **fields: str) -> Answer:
    """Name a frame as pyzm 2.5 does: without a file `requests` sends a URL-encoded form."""
    answer = client.post("/infer", data={"type": "object", "name": ""} | fields)
    assert answer.status_code == 200, answer.text
    found: Answer = answer.json()
    return found


def detect_urls(client: TestClient, *frames: str, **options: object) -> Answer:
    """Name frames as pyzm up to 2.4 does."""
    urls = [{"frame_id": frame, "url": ZM + frame} for frame in frames]
    answer = client.post("/detect_urls", json={"urls": urls, "zm_auth": AUTH, "verify_ssl": True} | options)
    assert answer.status_code == 200, answer.text
    found: Answer = answer.json()
    return found


# --- /infer ---------------------------------------------------------------------------


def test_infer_fetches_the_frame_with_zoneminders_credentials_in_the_query(
    client: TestClient, zone: Zone
) -> None:
    answer = infer(client, url=f"{ZM}1", zm_auth=AUTH, verify_ssl="0")

    assert [seen["label"] for seen in answer["detections"]] == ["person"]
    assert zone.asked == [f"{ZM}1&{AUTH}"]


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://zm.example/1.jpg?fid=1", f"https://zm.example/1.jpg?fid=1&{AUTH}"),
        ("https://zm.example/fid=1", f"https://zm.example/fid=1?{AUTH}"),
    ],
)
def test_credentials_begin_a_query_or_end_one(client: TestClient, zone: Zone, url: str, asked: str) -> None:
    infer(client, url=url, zm_auth=AUTH)

    assert zone.asked == [asked]


def test_without_credentials_the_url_is_fetched_as_it_is(client: TestClient, zone: Zone) -> None:
    infer(client, url=f"{ZM}1", zm_auth="")

    assert zone.asked == [f"{ZM}1"]


def test_a_url_comes_before_a_picture_that_came_too(client: TestClient, zone: Zone) -> None:
    answer = client.post("/infer", data={"type": "object", "url": f"{ZM}2"}, files={"image": picture()})

    assert answer.json() == {"detections": [], "error": None}
    assert zone.asked == [f"{ZM}2"]


@pytest.mark.parametrize("frame", ["9", "text"])
def test_a_frame_that_is_not_to_be_had_or_no_picture_is_an_error_with_200(
    client: TestClient, frame: str
) -> None:
    answer = infer(client, url=ZM + frame, zm_auth=AUTH)

    assert answer["detections"] == []
    assert answer["error"].startswith("fetch failed: ")


@pytest.mark.parametrize(
    "url", ["/etc/passwd", "file:///etc/passwd", "ftp://zm.example/1", "gopher://x", "x"]
)
def test_only_the_web_is_fetched_from(fetching: Site, url: str) -> None:
    answer = infer(fetching.client, url=url, zm_auth=AUTH)

    assert answer == {"detections": [], "error": "fetch failed: expected an http or https URL"}


def test_a_file_of_the_source_roots_is_no_frame(fetching: Site, home: Path) -> None:
    (home / "frame.jpg").write_bytes(picture())

    assert infer(fetching.client, url=str(home / "frame.jpg"))["detections"] == []


@pytest.mark.parametrize("url", PRIVATE)
def test_private_addresses_are_not_fetched_from(fetching: Site, url: str) -> None:
    one = infer(fetching.client, url=url, zm_auth=AUTH, verify_ssl="0")
    event = fetching.client.post(
        "/detect_urls", json={"urls": [{"frame_id": 1, "url": url}], "zm_auth": AUTH, "verify_ssl": False}
    ).json()

    assert one["detections"] == event["results"] == []
    assert one["error"] == event["error"]
    assert one["error"].startswith("fetch failed: ")


def test_fetching_is_off_unless_it_is_set(tmp_path: Path) -> None:
    with opened_site(Settings(home=tmp_path), gateway_service(tmp_path)) as site:
        answer = infer(site.client, url=f"{ZM}1", zm_auth=AUTH)

    assert answer == {"detections": [], "error": "fetch failed: naming files and URLs is off"}


def test_nothing_is_fetched_for_a_model_that_there_is_not(client: TestClient, zone: Zone) -> None:
    answer = infer(client, type="alpr", url=f"{ZM}1")

    assert answer["error"] == "no model loaded for type=alpr name=''"
    assert zone.asked == []


def test_credentials_are_in_no_answer_and_in_no_log(
    fetching: Site, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)

    answers = [
        infer(fetching.client, url=url, zm_auth="user=ada&pass=5ecr3t") for url in [*PRIVATE, "http://", "x"]
    ]

    assert "5ecr3t" not in str(answers) + caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize("body", [b"type=object&url=%ff%fe", b"type=object&" + b"&".join([b"a=1"] * 100)])
def test_a_form_that_is_none_is_refused(client: TestClient, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    assert client.post("/infer", content=body + b"\xff", headers=headers).status_code == 400


def test_a_form_without_a_file_is_short(client: TestClient) -> None:
    assert client.post("/infer", data={"type": "object", "url": "x" * 70_000}).status_code == 413


# --- /detect_urls ---------------------------------------------------------------------


def test_the_first_frame_with_anything_in_it_ends_the_event(client: TestClient, zone: Zone) -> None:
    answer = detect_urls(client, "2", "1", "alarm")

    assert [(frame["frame_id"], frame["labels"]) for frame in answer["results"]] == [
        ("2", []),
        ("1", ["person"]),
    ]
    assert answer["results"][1]["confidences"] == [SCORE]
    assert zone.asked == [f"{ZM}2&{AUTH}", f"{ZM}1&{AUTH}"]


@pytest.mark.parametrize(
    "options",
    [
        {"stop_on_match": False},
        {"pattern": "(dog|cat)"},
        {"zones": [{"name": "drive", "points": [[0, 0], [1, 1], [0, 1]]}]},
    ],
)
def test_a_client_that_filters_by_itself_gets_all_frames(client: TestClient, options: Answer) -> None:
    answer = detect_urls(client, "1", "2", "alarm", **options)

    assert [frame["frame_id"] for frame in answer["results"]] == ["1", "2", "alarm"]


def test_least_confidence_is_the_calls(client: TestClient) -> None:
    answer = detect_urls(client, "1", min_confidence=0.9)

    assert answer["results"][0]["labels"] == []


def test_frames_that_are_not_to_be_had_are_left_out(client: TestClient) -> None:
    answer = detect_urls(client, "9", "text", "1")

    assert [frame["frame_id"] for frame in answer["results"]] == ["1"]
    assert "error" not in answer


def test_an_event_is_over_after_so_many_missing_frames_in_a_row(client: TestClient, zone: Zone) -> None:
    answer = detect_urls(client, "9", "9", "9", "1", contig_frames_before_error=2)

    assert answer["results"] == []
    assert answer["error"].startswith("fetch failed: ")
    assert len(zone.asked) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"urls": []},
        {},
        {"urls": [{"frame_id": 1}]},
        {"urls": "x"},
        {"urls": [{"frame_id": 1, "url": "x"}], "min_confidence": 2},
        {"urls": [{"frame_id": 1, "url": "x"}] * (MAX_FRAMES + 1)},
    ],
)
def test_an_event_that_is_none_is_a_400_with_detail(client: TestClient, body: Answer) -> None:
    answer = client.post("/detect_urls", json=body)

    assert answer.status_code == 400
    assert isinstance(answer.json()["detail"], str)


def test_an_event_costs_the_frames_that_were_looked_at(client: TestClient) -> None:
    urls = [{"frame_id": frame, "url": ZM + frame} for frame in ("2", "9", "1", "alarm")]

    answer = client.post("/detect_urls", json={"urls": urls})

    assert answer.headers["x-credits-charged"] == "2"
