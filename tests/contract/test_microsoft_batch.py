"""Microsoft's batch API over a container of Azure's protocol: signatures that hold, and that have ended."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from starlette.testclient import TestClient

from okapia.app import build_app
from okapia.cli.accounts_desk import open_accounts
from okapia.service.storages import open_storages
from okapia.settings import Settings
from okapia.storage.remote import RemoteReader
from tests.contract.blob_servers import BUCKET, Place, with_sas
from tests.unit.dialects.shades import shade, shades_service

V4 = "/v4/camera-trap/detection-batch"
NAMES = ["cam 1/a.jpg", "cam 1/b#2.JPG", "cam-2/ü.png"]


@dataclass(frozen=True, slots=True)
class Survey:
    """A server, and a container with pictures below a folder that no other test has.

    Attributes:
        sas: opens the container; `old` has ended.
    """

    client: TestClient
    container: str
    folder: str
    sas: str
    old: str

    def request(self, sas: str, **more: object) -> str:
        body = {
            "caller": "ada",
            "input_container_sas": f"{self.container}?{sas}",
            "image_path_prefix": self.folder,
            **more,
        }
        answer = self.client.post(f"{V4}/request_detections", json=body)
        assert answer.status_code == 200, answer.text
        task_id: str = answer.json()["request_id"]
        return task_id

    def status(self, task_id: str) -> dict[str, Any]:
        """Ask until the task has ended, or waits for somebody."""
        for _ in range(3000):
            status: dict[str, Any] = self.client.get(f"{V4}/task/{task_id}").json()["Status"]
            if status["request_status"] not in {"created", "running"}:
                return status
            time.sleep(0.01)
        pytest.fail(f"the task did not end: {status}")

    def files(self, status: dict[str, Any]) -> list[str]:
        assert status["request_status"] == "completed", status
        results = self.client.get(status["message"]["output_file_urls"]["detections"]).json()
        return [image["file"] for image in results["images"]]


@pytest.fixture
def survey(azure_place: Place, no_credentials: None, tmp_path: Path) -> Iterator[Survey]:
    """Its operator has named a storage on that server, whose containers callers may name then."""
    del no_credentials
    folder, container, signed = f"{uuid.uuid4()}/", f"{azure_place.endpoint}/{BUCKET}", with_sas(azure_place)
    (sas,), (old,) = signed.environment.values(), signed.wrong.values()
    _fill(container, folder, sas)
    settings = Settings(home=tmp_path, fetch_urls=True)
    app = build_app(settings, shades_service(tmp_path))
    accounts = open_accounts(settings)
    open_storages(accounts.database, home=tmp_path).add("azurite", azure_place.below("anything"), None)
    accounts.database.close()
    with TestClient(app, base_url="http://localhost") as client:
        yield Survey(client, container, folder, sas, old)


def _fill(container: str, folder: str, sas: str) -> None:
    bodies = {name: shade(80, "PNG" if name.endswith("png") else "JPEG") for name in NAMES}
    for name, body in {**bodies, "notes.txt": b"text"}.items():
        url = f"{container}/{quote(folder + name)}?{sas}"
        httpx.put(url, content=body, headers={"x-ms-blob-type": "BlockBlob"}).raise_for_status()


def test_a_container_is_worked_off_by_its_sas(survey: Survey) -> None:
    task_id = survey.request(survey.sas)

    status = survey.status(task_id)

    assert status["num_images"] == 3
    assert survey.files(status) == [survey.folder + name for name in NAMES]


def test_a_list_names_pictures_of_the_container_and_says_something_of_them(
    survey: Survey, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, listed = [], [[survey.folder + name, f"subject {name}"] for name in (*NAMES[:0:-1], "gone.jpg")]

    @contextmanager
    def streamed(_: RemoteReader, url: str) -> Iterator[Iterator[bytes]]:
        asked.append(url)
        yield iter([json.dumps(listed).encode()])

    monkeypatch.setattr(RemoteReader, "streamed", streamed)
    task_id = survey.request(survey.sas, images_requested_json_sas="https://lists.example/a.json?sig=1")
    status = survey.status(task_id)
    results = survey.client.get(status["message"]["output_file_urls"]["detections"]).json()

    assert asked == ["https://lists.example/a.json?sig=1"]
    assert [[image["file"], image["meta"]] for image in results["images"]] == listed
    assert ["failure" in image for image in results["images"]] == [False, False, True]


def test_a_sas_that_has_ended_halts_the_task_until_it_gets_another(survey: Survey) -> None:
    task_id = survey.request(survey.old)

    halted = survey.status(task_id)
    resumed = survey.client.post(f"/v1/batches/{task_id}/resume", json={"secret": survey.sas})
    status = survey.status(task_id)

    assert halted["request_status"] == "problem"
    assert f"okapia batch resume {task_id} --sas-stdin" in halted["message"]
    assert resumed.status_code == 200, resumed.text
    assert survey.files(status) == [survey.folder + name for name in NAMES]


def test_a_container_that_is_not_there_halts_the_task(survey: Survey) -> None:
    elsewhere = replace(survey, container=survey.container.replace(BUCKET, "nowhere"))

    status = elsewhere.status(elsewhere.request(survey.sas))

    assert status["request_status"] == "problem"


def test_signatures_are_in_no_answer_and_no_file(survey: Survey, tmp_path: Path) -> None:
    tasks = [survey.request(sas) for sas in (survey.sas, survey.old)]

    statuses = [survey.status(task_id) for task_id in tasks]

    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for sas in (survey.sas, survey.old):
        signature = sas.rpartition("sig=")[2]
        assert signature not in json.dumps(statuses)
        assert signature.encode() not in kept


def test_a_server_that_nobody_named_is_not_asked(survey: Survey) -> None:
    elsewhere = replace(survey, container="http://127.0.0.1:9/devstoreaccount1/pictures")
    body = {"caller": "ada", "input_container_sas": f"{elsewhere.container}?{survey.sas}"}

    answer = survey.client.post(f"{V4}/request_detections", json=body)

    assert answer.status_code == 400
    assert "named storage" in answer.json()["error"]
