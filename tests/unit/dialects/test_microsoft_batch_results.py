"""Microsoft's batch API from a list of URLs to the file of results, on the real application."""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from okapia.app import build_app
from okapia.dialects.microsoft_batch import asking
from okapia.domain.errors import SourceUnavailable
from okapia.formats.megadetector_rules import validate
from okapia.settings import Settings
from okapia.storage.remote import RemoteReader
from tests.unit.dialects.shades import shade, shades_service

V2, V4 = (f"/{version}/camera-trap/detection-batch" for version in ("v2", "v4"))
HOST = "https://pictures.example"
LIST = f"{HOST}/list.json?sig=5ecr3t-list"

Submit = Callable[..., str]
Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Web:
    """The internet, as far as it is asked: bodies by URL."""

    bodies: dict[str, bytes] = field(default_factory=dict)

    @contextmanager
    def streamed(self, url: str) -> Iterator[Iterator[bytes]]:
        if url not in self.bodies:
            raise SourceUnavailable("expected status 200, the server answered 404")
        yield iter([self.bodies[url]])

    def lists(self, *entries: object) -> None:
        self.bodies[LIST] = json.dumps(entries).encode()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    """Two cameras' pictures: three that can be seen, one that is none, and a film."""
    web = Web()
    for place, name in enumerate(("cam-1/a.JPG", "cam-1/b.png", "cam-2/c.jpeg")):
        kind = "PNG" if name.endswith("png") else "JPEG"
        web.bodies[f"{HOST}/{name}?sig=5ecr3t"] = shade(40 * (place + 1), kind)
    web.bodies[f"{HOST}/cam-2/broken.jpg"] = b"%PDF-1.7 is no picture"
    web.bodies[f"{HOST}/cam-2/film.mp4"] = b"a film"
    monkeypatch.setattr(RemoteReader, "streamed", lambda _, url: web.streamed(url))
    return web


@pytest.fixture
def client(tmp_path: Path, web: Web) -> Iterator[TestClient]:
    del web
    app = build_app(Settings(home=tmp_path, fetch_urls=True), shades_service(tmp_path))
    with TestClient(app, base_url="http://localhost") as client:
        yield client


@pytest.fixture
def submit(client: TestClient) -> Submit:
    def submit(**more: object) -> str:
        body = {"caller": "ada", "use_url": True, "images_requested_json_sas": LIST, **more}
        answer = client.post(f"{V4}/request_detections", json=body)
        assert answer.status_code == 200, answer.text
        task_id: str = answer.json()["request_id"]
        return task_id

    return submit


def ended(client: TestClient, task_id: str) -> Status:
    """Ask as Microsoft's programs do, until the task has ended."""
    for _ in range(2000):
        status: Status = client.get(f"{V4}/task/{task_id}").json()["Status"]
        if status["request_status"] not in {"created", "running"}:
            return status
        time.sleep(0.01)
    pytest.fail(f"the task did not end: {status}")


def results_of(client: TestClient, status: Status) -> dict[str, Any]:
    assert status["request_status"] == "completed", status
    answer = client.get(status["message"]["output_file_urls"]["detections"])
    assert answer.status_code == 200, answer.text
    results: dict[str, Any] = answer.json()
    return results


ALL = [f"{HOST}/{name}?sig=5ecr3t" for name in ("cam-1/a.JPG", "cam-1/b.png", "cam-2/c.jpeg")]


def test_the_pictures_of_a_list_are_answered_with_what_was_said_of_them(
    client: TestClient, web: Web, submit: Submit, tmp_path: Path
) -> None:
    web.lists(*([url, f"subject {number}"] for number, url in enumerate(ALL)))

    status = ended(client, submit())
    results = results_of(client, status)

    assert (status["num_images"], status["message"]["num_failed_shards"]) == (3, 0)
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert validate(tmp_path / "results.json") == []
    assert [(image["file"], image["meta"]) for image in results["images"]] == [
        (f"{HOST}/cam-1/a.JPG", "subject 0"),
        (f"{HOST}/cam-1/b.png", "subject 1"),
        (f"{HOST}/cam-2/c.jpeg", "subject 2"),
    ]
    boxes = [(box["category"], box["conf"]) for box in results["images"][0]["detections"]]
    assert boxes == [("1", 0.9876), ("2", 0.5)]


def test_a_picture_without_an_answer_is_named_in_both_files(
    client: TestClient, web: Web, submit: Submit
) -> None:
    web.lists(ALL[0], f"{HOST}/cam-2/broken.jpg", f"{HOST}/cam-2/gone.jpg")

    status = ended(client, submit())
    images = {image["file"]: image for image in results_of(client, status)["images"]}
    failed = client.get(status["message"]["output_file_urls"]["failed_images"])

    assert "failure" not in images[f"{HOST}/cam-1/a.JPG"]
    for name in ("broken", "gone"):
        image = images[f"{HOST}/cam-2/{name}.jpg"]
        assert image["failure"]
        assert image["detections"] is None
        assert f"{HOST}/cam-2/{name}.jpg" in failed.text
    assert failed.headers["content-type"].startswith("text/csv")


def test_prefix_suffix_first_and_sample_choose_in_this_order(
    client: TestClient, web: Web, submit: Submit
) -> None:
    web.lists(f"{HOST}/cam-2/film.mp4", *ALL, f"{HOST}/cam-2/broken.jpg")

    first = ended(client, submit(image_path_prefix=f"{HOST}/cam-", first_n=2))
    sample = ended(client, submit(image_path_prefix=f"{HOST}/cam-1", first_n=100, sample_n=1))
    other = ended(client, submit(image_path_prefix=f"{HOST}/CAM"))

    assert [image["file"] for image in results_of(client, first)["images"]] == [
        f"{HOST}/cam-1/a.JPG",
        f"{HOST}/cam-1/b.png",
    ]
    [drawn] = results_of(client, sample)["images"]
    assert drawn["file"] in {f"{HOST}/cam-1/a.JPG", f"{HOST}/cam-1/b.png"}
    assert other["message"].startswith("Zero images found")


@pytest.mark.parametrize("entries", [[], [f"{HOST}/cam-2/film.mp4"]])
def test_no_pictures_are_a_completed_task_that_says_so(
    client: TestClient, web: Web, submit: Submit, entries: list[str]
) -> None:
    web.lists(*entries)

    status = ended(client, submit())

    assert status["request_status"] == "completed"
    assert status["message"].startswith("Zero images found in container or in provided list of images")
    assert "num_images" not in status


def test_a_sample_of_more_than_there_are_fails(client: TestClient, web: Web, submit: Submit) -> None:
    web.lists(*ALL)

    status = ended(client, submit(sample_n=4))

    assert status["request_status"] == "failed"
    assert status["message"] == (
        "Error occurred while preparing the Batch job: expected at least sample_n = 4 pictures, found 3"
    )


def test_more_than_the_most_pictures_fail(
    client: TestClient, web: Web, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST_IMAGES", 2)
    web.lists(*ALL)

    status = ended(client, submit())

    assert status["request_status"] == "failed"
    assert "expected at most 2 pictures, found more" in status["message"]


@pytest.mark.parametrize(
    "entries",
    [[ALL[0], [ALL[1], "meta"]], [[ALL[0]]], [[ALL[0], "meta", "more"]], [7]],
    ids=["mixed", "one", "three", "number"],
)
def test_a_list_of_another_form_fails(
    client: TestClient, web: Web, submit: Submit, entries: list[object]
) -> None:
    web.lists(*entries)

    status = ended(client, submit())

    assert status["request_status"] == "failed"
    assert "of the list" in status["message"]
    assert "5ecr3t" not in status["message"]


def test_a_list_that_is_not_there_fails(client: TestClient, submit: Submit) -> None:
    status = ended(client, submit())

    assert status["request_status"] == "failed"
    assert "404" in status["message"]


def test_files_have_microsofts_names_and_the_tasks_id_in_their_urls(
    client: TestClient, web: Web, submit: Submit
) -> None:
    web.lists(*ALL)
    task_id = submit(request_name="Alberta_2026-1")

    urls = ended(client, task_id)["message"]["output_file_urls"]

    names = {kind: client.get(url).headers["content-disposition"] for kind, url in urls.items()}
    assert all(task_id in url for url in urls.values())
    for kind, suffix in (("detections", "json"), ("failed_images", "csv")):
        pattern = rf'attachment; filename="{task_id}_{kind}_Alberta_2026-1_\d{{14}}\.{suffix}"'
        assert re.fullmatch(pattern, names[kind])


@pytest.mark.parametrize(
    ("old", "new"),
    [("signature=", "signature=0"), ("expires=", "expires=9"), ("/output/", "/output/0"), ("_2", "_3")],
)
def test_a_changed_url_gives_nothing(
    client: TestClient, web: Web, submit: Submit, old: str, new: str
) -> None:
    web.lists(*ALL)
    url = ended(client, submit())["message"]["output_file_urls"]["detections"]

    answer = client.get(url.replace(old, new, 1))

    assert (answer.status_code, [*answer.json()]) == (403, ["error"])


def test_the_first_age_tells_the_same_in_its_own_form(client: TestClient, web: Web, submit: Submit) -> None:
    web.lists(*ALL)
    task_id = submit()
    ended(client, task_id)

    first = client.get(f"{V2}/task/{task_id}").json()

    assert first["uuid"] == task_id
    assert first["status"]["request_status"] == "completed"
    results = client.get(first["status"]["message"]["output_file_urls"]["detections"]).json()
    assert len(results["images"]) == 3


def test_signatures_of_pictures_and_lists_are_nowhere_to_be_read(
    client: TestClient,
    web: Web,
    submit: Submit,
    *,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    web.lists(*ALL, f"{HOST}/gone.jpg?sig=5ecr3t", f"{HOST}/broken.jpg?sig=5ecr3t")

    status = ended(client, submit())
    files = [client.get(url).text for url in status["message"]["output_file_urls"].values()]

    printed = caplog.text + "".join(capfd.readouterr())
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert "5ecr3t" not in json.dumps(status) + "".join(files) + printed
    assert b"5ecr3t" not in kept
