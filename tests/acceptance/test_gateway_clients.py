"""pyzm's and DeepStack's clients against a real server with the lite models: the calls that they make.

Each call is written as the client's own code writes it: pyzm 2.5.6 and 2.4.0, deepstack-sdk 0.2.1, Frigate's
plug-in, double-take. None of them is installed here.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from okapia.settings import load_settings
from tests.acceptance.okapia_process import okapia, server

pytestmark = pytest.mark.models

PASSWORD = "correct horse battery staple"  # noqa: S105 - of nobody
TIMEOUT_S = 60

Answer = dict[str, Any]
"""JSON as a test reads it."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A server with one user, who has a password and a key."""

    url: str
    key: str


@pytest.fixture(scope="module")
def home(lite: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of its own with the installed models, since a first user changes a server for good."""
    del lite
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(load_settings().models_dir, home / "models")
    return home


@pytest.fixture(scope="module")
def gateway(home: Path) -> Iterator[Gateway]:
    settings = {"OKAPIA_HOME": str(home), "OKAPIA_GATEWAY_NETWORKS": '["10.0.0.0/8"]'}
    subprocess.run(
        [sys.executable, "-m", "okapia", "users", "add", "zm", "--role", "admin", "--password-stdin"],
        input=f"{PASSWORD}\n",
        text=True,
        env=os.environ | settings,
        check=True,
        capture_output=True,
    )
    made = okapia("keys", "create", "--name", "nvr", "--json", settings=settings)
    with server(settings=settings) as (url, _, _):
        yield Gateway(url, json.loads(made.stdout)["key"])


@pytest.fixture
def person(samples: Path) -> bytes:
    """A PNG of a woman in a space suit, 512 pixels a side."""
    return (samples / "person.png").read_bytes()


class Pyzm:
    """What pyzm's client does: it logs in once, keeps its token, and lets any other status be an error."""

    def __init__(self, url: str, *, username: str = "", password: str = "") -> None:
        self._url = url.rstrip("/")
        self._headers = {}
        if username:
            body = {"username": username, "password": password}
            answer = requests.post(f"{self._url}/login", json=body, timeout=TIMEOUT_S)
            answer.raise_for_status()
            self._headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def infer(self, frame: bytes, kind: str, name: str) -> Answer:
        """Do as 2.5.6 does, with an image."""
        data = {"type": kind, "name": name, "min_confidence": "0.3"}
        return self._post("/infer", data=data, files={"image": ("frame.png", frame, "image/png")})

    def infer_url(self, url: str) -> Answer:
        """Do as 2.5.6 does, with a URL."""
        data = {"type": "object", "name": "", "url": url, "zm_auth": "token=x", "verify_ssl": "0"}
        return self._post("/infer", data=data)

    def detect(self, frame: bytes) -> Answer:
        """Do as 2.4.0 does, with an image."""
        return self._post("/detect", files={"file": ("image.jpg", frame, "image/jpeg")})

    def _post(self, path: str, **request: Any) -> Answer:
        answer = requests.post(self._url + path, headers=self._headers, timeout=TIMEOUT_S, **request)
        answer.raise_for_status()
        found: Answer = answer.json()
        return found


@pytest.fixture(params=["", "/api/v1", "/compat/pyzm", "/compat/pyzm/api/v1"])
def pyzm(request: pytest.FixtureRequest, gateway: Gateway) -> Pyzm:
    """A client at each prefix that a `ml_gateway` may have."""
    return Pyzm(gateway.url + request.param, username="zm", password=PASSWORD)


def test_pyzm_2_5_finds_the_person(pyzm: Pyzm, person: bytes) -> None:
    answer = pyzm.infer(person, "object", "nanodet-coco")

    assert answer["error"] is None
    first = answer["detections"][0]
    assert (first["label"], first["model_name"], first["type"]) == ("person", "nanodet-coco", "object")
    assert first["confidence"] == pytest.approx(0.73, abs=0.05)
    assert first["box"] == pytest.approx([14, 14, 364, 508], abs=12)


def test_pyzm_2_5_is_told_of_a_model_that_there_is_not(pyzm: Pyzm, person: bytes) -> None:
    assert pyzm.infer(person, "object", "YOLOv11")["error"].startswith("no model loaded for type=object")


def test_pyzm_2_5_is_told_that_nothing_is_fetched(pyzm: Pyzm) -> None:
    answer = pyzm.infer_url("http://127.0.0.1/zm/index.php?view=image&eid=1&fid=1")

    assert answer == {"detections": [], "error": "fetch failed: naming files and URLs is off"}


def test_pyzm_2_4_finds_the_person(pyzm: Pyzm, person: bytes) -> None:
    answer = pyzm.detect(person)

    assert answer["labels"][0] == "person"
    assert answer["image_dimensions"]["original"] == [512, 512]
    assert len({len(answer[name]) for name in ("boxes", "labels", "confidences", "model_names")}) == 1


def test_pyzm_with_a_wrong_password_is_told_by_the_status(gateway: Gateway) -> None:
    with pytest.raises(requests.HTTPError, match="401"):
        Pyzm(gateway.url, username="zm", password="wrong")  # noqa: S106 - of nobody


def test_pyzm_without_a_name_works_where_nobody_has_an_account(lite: None, person: bytes) -> None:
    del lite
    with server() as (url, _, _):
        found = [Pyzm(url).infer(person, "object", ""), Pyzm(f"{url}/api/v1").detect(person)]
        empty = requests.post(f"{url}/login", json={"username": "zm", "password": "x"}, timeout=TIMEOUT_S)

    assert found[0]["detections"][0]["label"] == found[1]["labels"][0] == "person"
    assert empty.json()["access_token"] == ""


def test_deepstack_sdk_finds_the_person(gateway: Gateway, person: bytes) -> None:
    answer = requests.post(
        f"{gateway.url}/v1/vision/detection",
        files={"image": person},
        data={"api_key": gateway.key, "min_confidence": 0.4},
        timeout=TIMEOUT_S,
    )

    assert answer.status_code == 200
    first = answer.json()["predictions"][0]
    assert first["label"] == "person"
    assert [first[name] for name in ("x_min", "y_min", "x_max", "y_max")] == pytest.approx(
        [14, 14, 364, 508], abs=12
    )


def test_frigate_reads_every_prediction_up_to_its_own_threshold(gateway: Gateway, person: bytes) -> None:
    answer = requests.post(
        f"{gateway.url}/v1/vision/detection",
        data={"api_key": gateway.key},
        files={"image": person},
        timeout=TIMEOUT_S,
    ).json()

    confidences = [prediction["confidence"] for prediction in answer["predictions"]]
    assert confidences == sorted(confidences, reverse=True)
    assert min(confidences) >= 0.4


def test_frigate_without_its_key_reads_no_predictions(gateway: Gateway, person: bytes) -> None:
    answer = requests.post(
        f"{gateway.url}/v1/vision/detection", data={"api_key": ""}, files={"image": person}, timeout=TIMEOUT_S
    )

    assert answer.json().get("predictions") is None


def test_a_custom_model_is_a_profile_too(gateway: Gateway, samples: Path) -> None:
    names = requests.get(
        f"{gateway.url}/v1/vision/custom/list", headers={"X-API-Key": gateway.key}, timeout=TIMEOUT_S
    ).json()["models"]
    answer = requests.post(
        f"{gateway.url}/v1/vision/custom/wild",
        data={"api_key": gateway.key, "min_confidence": "0.3"},
        files={"image": (samples / "cat.png").read_bytes()},
        timeout=TIMEOUT_S,
    ).json()

    assert {"wild", "objects", "nanodet-coco"} <= set(names)
    assert [prediction["label"] for prediction in answer["predictions"]] == ["domestic cat"]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
def test_a_header_does_not_make_a_caller_a_machine_of_the_network(
    gateway: Gateway, person: bytes, header: str
) -> None:
    answer = requests.post(
        f"{gateway.url}/v1/vision/detection",
        files={"image": person},
        headers={header: "10.1.2.3"},
        timeout=TIMEOUT_S,
    )

    assert answer.status_code == 401


def test_a_machine_of_the_network_needs_no_key(home: Path, gateway: Gateway, person: bytes) -> None:
    del gateway
    settings = {"OKAPIA_HOME": str(home), "OKAPIA_GATEWAY_NETWORKS": '["127.0.0.1"]'}
    with server(settings=settings) as (url, _, _):
        looked = requests.post(f"{url}/v1/vision/detection", files={"image": person}, timeout=TIMEOUT_S)
        native = requests.post(f"{url}/v1/detect", files={"image": person}, timeout=TIMEOUT_S)

    assert (looked.status_code, native.status_code) == (200, 401)
