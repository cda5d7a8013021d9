"""The server as a user meets it: started by its command, called over HTTP, stopped by a signal."""

import io
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.acceptance.okapia_process import okapia, server

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def url(lite: None) -> Iterator[str]:
    del lite
    with server() as (address, _, _):
        yield address


def detect(url: str, picture: Path, **fields: str) -> dict[str, list[dict[str, object]]]:
    answer = httpx.post(f"{url}/v1/detect", files={"image": picture.read_bytes()}, data=fields, timeout=60)
    assert answer.status_code == 200, answer.text
    body: dict[str, list[dict[str, object]]] = answer.json()
    return body


@pytest.mark.parametrize(
    ("sample", "category"), [("cat.png", "animal"), ("person.png", "human"), ("vehicle.png", "vehicle")]
)
def test_the_samples_are_what_they_are(url: str, samples: Path, sample: str, category: str) -> None:
    body = detect(url, samples / sample)

    assert body["annotations"][0]["category"] == category


def test_the_cat_is_called_a_domestic_cat(url: str, samples: Path) -> None:
    body = detect(url, samples / "cat.png")

    assert body["annotations"][0]["label"] == "domestic cat"


def test_the_server_is_ready_and_says_what_it_runs_on(url: str) -> None:
    body = httpx.get(f"{url}/readyz").json()

    assert [m["model_id"] for m in body["models"]] == [
        "megadetector-lite",
        "nanodet-coco",
        "efficientnet-lite0",
    ]
    assert all(re.fullmatch(r"[0-9a-f]{64}", m["sha256"]) for m in body["models"])


def test_an_annotated_copy_is_a_jpeg(url: str, samples: Path) -> None:
    answer = httpx.post(
        f"{url}/v1/detect?render=true", files={"image": (samples / "person.png").read_bytes()}, timeout=60
    )

    assert Image.open(io.BytesIO(answer.content)).format == "JPEG"


def test_the_start_lines_say_where_what_and_how(samples: Path) -> None:
    with server() as (url, lines, _):
        assert url.startswith("http://127.0.0.1:")
        assert "megadetector-lite" in lines[1]
        assert "cpu" in lines[1]
        curl = lines[2].removeprefix("Try: ")
        command = [sys.executable, "-c", CURL, *shlex.split(curl)[1:]]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    assert "domestic cat" in answer.stdout
    assert str(samples) in curl


CURL = """
import sys, httpx
_, flag, form, url = sys.argv
assert flag == "-F"
print(httpx.post(url, files={"image": open(form.removeprefix("image=@"), "rb")}, timeout=60).text)
"""
"""Does what the printed curl line does, where curl may be missing."""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_stopping_server_finishes_the_request_it_works_on(samples: Path) -> None:
    answers: list[int] = []
    with server() as (url, _, process):
        data = (samples / "cat.png").read_bytes()
        threads = [
            threading.Thread(
                target=lambda: answers.append(
                    httpx.post(f"{url}/v1/detect", files={"image": data}, timeout=60).status_code
                )
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        while 'okapia_images_total{outcome="ok"}' not in httpx.get(f"{url}/metrics").text:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        code = process.wait(timeout=30)

    assert answers == [200] * 8
    assert code in {0, -signal.SIGTERM}


def test_a_taken_port_is_said_so_in_one_line(url: str) -> None:
    port = url.rpartition(":")[2]

    result = okapia("serve", "--port", port)

    assert result.returncode == 2
    assert f"port {port}" in result.stderr
    assert "Traceback" not in result.stderr
