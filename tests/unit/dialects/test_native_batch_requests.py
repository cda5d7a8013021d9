"""Requests for batches that cannot be, and secrets, which appear nowhere again."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from okapia.cli.batch_desk import open_batches
from okapia.settings import Settings
from tests.unit.dialects.batch_steps import create, house_of, source_of

CANARY = "c4n4rYc4n4rY"
SAS = f"sv=2022-11-02&se=2030-01-01&sr=c&sp=rl&sig={CANARY}"
CONTAINER = "az://photos/night"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[TestClient]:
    """A server that refuses whatever it is asked here; it works on nothing."""
    with house_of(home, batch_workers=0, fetch_urls=True) as client:
        yield client


def refusal(answer: Response) -> tuple[int, str, str | None]:
    problem = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["detail"] == problem["error"]["message"]
    return answer.status_code, problem["code"], problem["error"]["param"]


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"sorce": {}}, "sorce", "sorce: Extra inputs are not permitted"),
        ({"options": {"treshold": 0.5}}, "treshold", "options.treshold: Extra inputs"),
        ({"options": {"threshold": 0}}, "threshold", "greater than or equal to 0.01"),
        ({"options": {"threshold": "high"}}, "threshold", "valid number"),
        ({"options": {"country": "Atlantis"}}, "country", "Atlantis"),
        ({"options": {"latitude": 56.0, "country": "auto"}}, "longitude", "longitude"),
        ({"options": {"smooth": "sequence"}}, "smooth", "'off'"),
        ({"options": {"frames": {"every": 0}}}, "every", "greater than 0"),
        ({"options": {"frames": {"every": 1.5, "unit": "frames"}}}, "every", "a whole number"),
        ({"options": {"tiles": 9}}, "tiles", "less than or equal to 4"),
        ({"outputs": {"formats": []}}, "formats", "at least 1"),
        ({"outputs": {"split": "species"}}, "split", "'whole', 'folder' or 'camera'"),
        ({"outputs": {"keep_above": 1}}, "keep_above", "less than or equal to 0.99"),
        ({"outputs": {"address": "ftp://host"}}, "address", "(s3|az|gs)"),
        ({"outputs": {"secret": "ab"}}, "outputs", "the secret of an address"),
        ({"priority": -1}, "priority", "greater than or equal to 0"),
        ({"priority": 10}, "priority", "less than or equal to 9"),
        ({"name": "../../etc/passwd"}, "name", "match pattern"),
        ({"detector": "fox-namer+"}, None, "no model is called 'fox-namer'"),
    ],
    ids=str,
)
def test_a_wrong_field_is_named(
    client: TestClient, home: Path, fields: dict[str, object], param: str | None, words: str
) -> None:
    answer = create(client, source_of(home), **fields)

    status, code, named = refusal(answer)
    assert (status, named) == (400, param)
    assert code in {"invalid_request", "unknown_country", "unknown_model", "coordinates_incomplete"}
    assert words in answer.json()["detail"]
    assert client.get("/v1/batches").json()["batches"] == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({}, "folder, address and storage, or images with URLs"),
        ({"folder": "pictures"}, "source.folder"),
        ({"folder": "s3://bucket"}, "source.folder"),
        ({"folder": "/a", "storage": "b"}, "one of folder, address and storage"),
        ({"address": "/pictures"}, "source.address"),
        ({"address": "file:///pictures"}, "source.address"),
        ({"folder": "/a", "images": []}, "source.images"),
        ({"folder": "/a", "images": [1]}, "source.images.0"),
        ({"folder": "/a", "images": [["a", "b", "c"]]}, "source.images.0"),
        ({"folder": "/a", "images": ["a"], "list_url": "https://x"}, "images or a list_url"),
        ({"folder": "/a", "secret": "b"}, "the secret of an address"),
        ({"folder": "/a", "suffixes": ["jpg"]}, "source.suffixes.0"),
        ({"folder": "/a", "first_n": 0}, "source.first_n"),
        ({"folder": "/a", "sample_n": 1.5}, "source.sample_n"),
        ({"folder": "/a", "seed": -1}, "source.seed"),
        ("/a", "source: Input should be an object"),
    ],
    ids=str,
)
def test_a_source_that_cannot_be_is_refused(client: TestClient, source: object, words: str) -> None:
    answer = client.post("/v1/batches", json={"source": source})

    assert refusal(answer)[:2] == (400, "invalid_request")
    assert words in answer.json()["detail"]


def test_a_folder_outside_the_roots_is_refused_whether_it_is_there_or_not(client: TestClient) -> None:
    answers = [create(client, {"folder": folder}) for folder in ("/etc", "/nowhere/at/all")]

    assert [refusal(answer)[:2] for answer in answers] == [(400, "source_refused")] * 2
    assert answers[0].json()["detail"] == answers[1].json()["detail"]


def test_all_that_is_wrong_is_said_at_once(client: TestClient, home: Path) -> None:
    answer = create(client, source_of(home, first_n=0), priority=10, outputs={"top_k": 0})

    detail = answer.json()["detail"]
    assert [part.partition(":")[0] for part in detail.split("; ")] == [
        "source.first_n",
        "priority",
        "outputs.top_k",
    ]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"source": {}}', "text/plain", 415),
        (b"source=/a", "application/x-www-form-urlencoded", 415),
        (b'{"source": {"folder": "' + b"a" * 20_000_000 + b'"}}', "application/json", 413),
        (b"--b\r\n\r\n", "multipart/form-data; boundary=b", 400),
    ],
    ids=["empty", "cut off", "no object", "text", "form", "too large", "cut off form"],
)
def test_a_body_that_is_none_is_refused(client: TestClient, content: bytes, kind: str, status: int) -> None:
    answer = client.post("/v1/batches", content=content, headers={"Content-Type": kind})

    assert refusal(answer)[0] == status


@pytest.mark.parametrize(
    ("data", "n_lists", "words"),
    [
        ({}, 1, "no `request`"),
        ({"request": "{}"}, 1, "source"),
        ({"request": "{", "more": "1"}, 1, "'more'"),
        ({"request": '{"source": {"folder": "/a"}}'}, 2, "one list, got 2"),
        ({"request": '{"source": {"folder": "/a", "images": ["b"]}}'}, 1, "got several"),
    ],
    ids=["nothing", "no source", "unknown", "two lists", "list and images"],
)
def test_a_form_that_cannot_be_is_refused(
    client: TestClient, data: dict[str, str], n_lists: int, words: str
) -> None:
    files = [("list", ("names.txt", b"a.jpg\n", "text/plain"))] * n_lists

    answer = client.post("/v1/batches", data=data, files=files)

    assert refusal(answer)[0] == 400
    assert words in answer.json()["detail"]


def test_an_id_that_is_none_is_not_found_or_wrong(client: TestClient) -> None:
    statuses = [client.get(f"/v1/batches/{name}").status_code for name in ("0" * 32, "a%00b", "x" * 65)]

    assert statuses == [404, 400, 400]
    assert refusal(client.get("/v1/batches?cursor=nonsense")) == (400, "invalid_request", "cursor")
    assert client.get("/v1/batches?limit=0").status_code == 400


# --- secrets ------------------------------------------------------------------------------


LEAKY: dict[str, object] = {
    "wrong kind": {"source": {"address": CONTAINER, "secret": [SAS]}},
    "wrong place": {"source": {"address": f"{CONTAINER}?{SAS}"}},
    "as a password": {"source": {"address": f"s3://key:{CANARY}@bucket"}},
    "as a folder": {"source": {"folder": f"https://photos.example/night?{SAS}"}},
    "wrong field": {"source": {"address": CONTAINER, "sas": SAS}},
    "without a place": {"source": {"secret": SAS}},
    "beside a fault": {"source": {"address": CONTAINER, "secret": SAS, "first_n": 0}},
    "wrong cloud": {"source": {"address": "s3://bucket", "secret": SAS}},
    "too long": {"source": {"address": CONTAINER, "secret": SAS * 1000}},
    "of the output": {"source": {"folder": "/a"}, "outputs": {"address": "s3://b", "secret": SAS}},
    "in a list": {"source": {"folder": "/a", "images": [f"https://h/a.jpg?{SAS}", 7]}},
    "in a list's URL": {"source": {"list_url": [f"https://h/list?{SAS}"]}},
    "in a list's scheme": {"source": {"list_url": f"ftp://h/list?{SAS}"}},
    "as the source": {"source": SAS},
    "as the whole": SAS,
    "as a name": {"source": {"folder": "/a"}, "storage": {"secret": SAS}},
}


@pytest.mark.parametrize("body", LEAKY.values(), ids=LEAKY)
def test_no_refusal_repeats_a_secret(
    client: TestClient, capfd: pytest.CaptureFixture[str], home: Path, body: object
) -> None:
    text = json.dumps(body)
    answers = [
        client.post("/v1/batches", json=body),
        client.post("/v1/batches", content=text[:-2], headers={"Content-Type": "application/json"}),
        client.post("/v1/batches", data={"request": text}, files={"list": ("l", b"a.jpg")}),
        client.post(f"/v1/batches/{'0' * 32}/resume", json=body),
    ]

    told = "".join(f"{answer.status_code} {answer.headers} {answer.text}" for answer in answers)
    assert all(answer.is_client_error for answer in answers), told
    assert CANARY not in told
    assert CANARY not in "".join(capfd.readouterr())
    assert files_with(home, CANARY) == []


@contextmanager
def refusing_cloud() -> Iterator[str]:
    """A cloud that refuses whatever it is asked; gives its URL."""

    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/photos"
        server.shutdown()
        thread.join()


def make_known(home: Path, url: str) -> None:
    """Let callers of a home's server name places at the cloud of this URL."""
    with open_batches(Settings(home=home)) as (desk, _):
        desk.batch_desk.storages.add("known", f"{CONTAINER}?endpoint={url}", None)


def test_a_secret_that_is_refused_halts_the_batch_and_appears_nowhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told = []
    with refusing_cloud() as url:
        make_known(tmp_path, url)
        with house_of(tmp_path) as client:
            source: dict[str, object] = {"address": f"{CONTAINER}?endpoint={url}", "secret": SAS}
            outputs = {"address": f"{CONTAINER}/out?endpoint={url}", "secret": SAS}
            made = create(client, source, outputs=outputs)
            told.append(made)
            batch_url = made.json()["status_url"]
            told.append(halted(client, batch_url))
            told.append(client.post(f"{batch_url}/resume", json={"secret": "?" + SAS, "output_secret": SAS}))
            told.append(halted(client, batch_url))
            told += [client.get(batch_url + step) for step in ("/failures", "/results", "/verify")]
            told.append(client.post(f"{batch_url}/cancel"))
            told.append(client.get(f"{batch_url}/events"))

    said = "".join(f"{answer.status_code} {answer.headers} {answer.text}" for answer in told)
    assert [answer.json()["status"] for answer in (told[1], told[3])] == ["needs_credentials"] * 2
    assert CANARY not in said
    assert CANARY not in "".join(capfd.readouterr())
    assert files_with(tmp_path, CANARY) == []


def test_the_signature_of_a_url_appears_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with house_of(tmp_path, fetch_urls=True) as client:
        url = f"https://127.0.0.1/fox.jpg?{SAS}"
        made = create(client, {"images": [url, [url, "again"]]})
        batch_url = made.json()["status_url"]
        told = [made, halted(client, batch_url), client.get(f"{batch_url}/failures")]

    assert made.status_code == 202, made.text
    assert [json.loads(line)["file"] for line in told[-1].text.splitlines()] == [
        "https://127.0.0.1/fox.jpg"
    ] * 2
    assert CANARY not in "".join(answer.text for answer in told)
    assert CANARY not in "".join(capfd.readouterr())
    assert files_with(tmp_path, CANARY) == []


def halted(client: TestClient, batch_url: str) -> Response:
    """Wait until nothing is done for a batch any more."""
    for _ in range(2000):
        answer = client.get(batch_url)
        if answer.json()["status"] not in {"listing", "running", "merging"}:
            return answer
        time.sleep(0.01)
    pytest.fail(f"{answer.text} goes on and on")


def files_with(home: Path, text: str) -> list[str]:
    """Give the files of a home that hold a text, the database's among them."""
    return [str(file) for file in home.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]
