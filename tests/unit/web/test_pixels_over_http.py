"""What strangers' pictures may be, and how much of them is decoded at a time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from io import BytesIO
from pathlib import Path

import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from okapia.app import build_app, decode_policy
from okapia.domain.types import Analysis, AnalysisOptions
from okapia.service import NamedImage, Service
from okapia.settings import Settings
from okapia.vision.budget import Crowded
from okapia.vision.decode import DecodePolicy
from tests.unit.dialects.foxes import fox_service
from tests.unit.web.pictures import files, jpeg

ROOM = 1_000_000


@pytest.fixture
def policy() -> DecodePolicy:
    settings = Settings(max_decoded_bytes=ROOM)
    return decode_policy(settings, formats=settings.http_formats)


@pytest.fixture
def service(tmp_path: Path, policy: DecodePolicy) -> Service:
    return fox_service(tmp_path, policy=policy)


@pytest.fixture
def app(tmp_path: Path, service: Service) -> FastAPI:
    return build_app(Settings(home=tmp_path), service)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def picture(kind: str, side: int = 64) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (side, side)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "MPO"])
def test_the_formats_of_cameras_and_of_the_web_are_answered(client: TestClient, kind: str) -> None:
    assert client.post("/v1/detect", files={"image": picture(kind)}).status_code == 200


@pytest.mark.parametrize("kind", ["TIFF", "GIF"])
def test_others_are_refused_by_the_names_of_those(client: TestClient, kind: str) -> None:
    answer = client.post("/v1/detect", files={"image": picture(kind)})

    assert (answer.status_code, answer.json()["code"]) == (400, "unsupported_format")
    assert "expected one of JPEG, PNG, WEBP, BMP, got" in answer.json()["detail"]


def test_without_room_in_memory_a_call_is_to_be_made_again(client: TestClient, policy: DecodePolicy) -> None:
    with policy.budget.hold(ROOM, Crowded.WAIT):
        refused = client.post("/v1/detect", files={"image": jpeg()})

    assert (refused.status_code, refused.json()["code"]) == (503, "server_busy")
    assert int(refused.headers["Retry-After"]) > 0
    assert client.post("/v1/detect", files={"image": jpeg()}).status_code == 200


def test_in_a_batch_it_is_the_pictures_own_trouble(client: TestClient, policy: DecodePolicy) -> None:
    large, small = picture("PNG", 200), jpeg()

    with policy.budget.hold(ROOM - 64 * 48 * 6, Crowded.WAIT):
        body = client.post("/v1/batch-detect", files=files(large, small)).json()

    first, second = body["results"]
    assert first["error"]["code"] == "server_busy"
    assert "error" not in second


def test_a_picture_beyond_all_room_has_too_many_pixels(client: TestClient) -> None:
    answer = client.post("/v1/detect", files={"image": picture("PNG", 300)})

    assert (answer.status_code, answer.json()["code"]) == (400, "too_many_pixels")


def test_bulk_work_waits_for_room(service: Service, policy: DecodePolicy) -> None:
    images = [NamedImage(name, jpeg) for name in "abcdef"]

    with ThreadPoolExecutor(1) as runner:
        with policy.budget.hold(ROOM, Crowded.WAIT):
            results = runner.submit(lambda: list(service.analyze_many(images, AnalysisOptions())))
            _, waiting = wait([results], timeout=0.1)
        outcomes = [result.outcome for result in results.result(timeout=10)]
    service.close()

    assert waiting
    assert [isinstance(outcome, Analysis) for outcome in outcomes] == [True] * 6
