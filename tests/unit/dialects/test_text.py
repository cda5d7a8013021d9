"""Reading the info strip over HTTP, by the real engine."""

from io import BytesIO

import pytest
from PIL import Image, ImageDraw, ImageFont
from starlette.testclient import TestClient


@pytest.fixture(scope="module")
def strip() -> bytes:
    """A picture with what a camera prints below it."""
    picture = Image.new("RGB", (1600, 1200), (70, 90, 60))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 1130, 1600, 1200), fill="black")
    draw.text((30, 1140), "Bushnell  12F  -11C   09-15-2019  09:17PM", "white", ImageFont.load_default(44))
    buffer = BytesIO()
    picture.save(buffer, "JPEG")
    return buffer.getvalue()


def test_the_values_of_a_strip_are_read(client: TestClient, strip: bytes) -> None:
    answer = client.post("/v1/scan-image-text", files={"image": ("a.jpg", strip, "image/jpeg")})

    body = answer.json()
    assert answer.status_code == 200
    assert (body["date"], body["time"], body["camera_brand"]) == ("2019-09-15", "21:17:00", "bushnell")
    assert body["temperature"] == {"value": 12.0, "unit": "F"}
    assert body["temperature_alt"] == {"value": -11.0, "unit": "C"}
    assert "humidity" not in body
    assert answer.headers["x-credits-charged"] == "1"


def test_a_picture_without_a_strip_says_nothing(client: TestClient) -> None:
    buffer = BytesIO()
    Image.new("RGB", (640, 480), (70, 90, 60)).save(buffer, "JPEG")

    answer = client.post(
        "/api/v1/scan-image-text", content=buffer.getvalue(), headers={"Content-Type": "image/jpeg"}
    )

    assert answer.json() == {"raw_text": ""}


def test_what_is_no_picture_costs_nothing(client: TestClient) -> None:
    answer = client.post("/v1/scan-image-text", files={"image": b"no picture"})

    assert (answer.status_code, answer.headers["x-credits-charged"]) == (400, "0")


@pytest.mark.parametrize("url", ["http://127.0.0.1/a.jpg", "ftp://okapia.example/a.jpg", 7, None])
def test_urls_are_guarded_as_everywhere(client: TestClient, url: object) -> None:
    answer = client.post("/v1/scan-image-text-url", json={"url": url})

    assert answer.status_code == 400
