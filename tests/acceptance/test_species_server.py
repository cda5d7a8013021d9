"""SpeciesNet's and Atlas's clients, and the steps by themselves, on the real server with the lite models."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from okapia.formats.speciesnet_files import predictions_of
from tests.acceptance.okapia_process import server

pytestmark = pytest.mark.models

ELEPHANTS, BEAR, GREY_FOX = "african_elephants.jpg", "ena24_9455.jpg", "ena24_4383.jpg"
MODELS = "megadetector-lite+nanodet-coco+efficientnet-lite0"


@pytest.fixture(scope="module")
def pictures(shared_data: Path) -> Path:
    return shared_data / "camera-traps"


@pytest.fixture(scope="module")
def url(lite: None, pictures: Path) -> Iterator[str]:
    del lite
    with server(settings={"OKAPIA_SOURCE_ROOTS": json.dumps([str(pictures)])}) as (address, _, _):
        yield address


def predict(url: str, *instances: dict[str, object], query: str = "") -> list[dict[str, object]]:
    answer = httpx.post(f"{url}/predict{query}", json={"instances": list(instances)}, timeout=120)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert len(predictions_of(body).entries) == len(body["predictions"])
    entries: list[dict[str, object]] = body["predictions"]
    return entries


def test_predict_names_pictures_by_path_and_place(url: str, pictures: Path) -> None:
    elephants, fox = predict(
        url,
        {"filepath": str(pictures / ELEPHANTS), "country": "KEN"},
        {"filepath": str(pictures / GREY_FOX), "country": "USA", "admin1_region": "NY"},
    )

    assert "elephantidae" in str(elephants["prediction"])
    assert str(fox["prediction"]).endswith(";grey fox")
    assert fox["prediction_source"] == "classifier"
    assert (fox["country"], fox["admin1_region"], fox["model_version"]) == ("USA", "NY", MODELS)


def test_a_bear_is_no_bear_in_kenya(url: str, pictures: Path) -> None:
    at_home, away = (
        predict(url, {"filepath": str(pictures / BEAR), "country": country})[0] for country in ("USA", "KEN")
    )

    assert str(at_home["prediction"]).endswith(";american black bear")
    assert not str(away["prediction"]).endswith(";american black bear")
    assert away["classifications"] == at_home["classifications"]


def test_the_new_format_answers_for_every_box_of_the_herd(url: str, pictures: Path) -> None:
    (entry,) = predict(url, {"filepath": str(pictures / ELEPHANTS)}, query="?format=20261015")

    boxes = entry["detections"]
    assert isinstance(boxes, list)
    answered = [box for box in boxes if "processed_classification" in box]
    assert len(answered) >= 4
    assert {box["conf"] >= 0.1 for box in answered} == {True}
    assert {box["conf"] >= 0.1 for box in boxes if box not in answered} <= {False}


def test_the_state_comes_from_the_coordinates_where_the_borders_are_installed(
    url: str, pictures: Path
) -> None:
    if httpx.post(f"{url}/v1/geofence", json=AT_NEW_YORK, timeout=60).status_code == 503:
        pytest.skip("needs the borders; run `okapia models pull places`")
    usa = {"country": "USA", "latitude": 41.46, "longitude": -73.84}

    (entry,) = predict(url, {"filepath": str(pictures / BEAR), **usa})

    assert entry["admin1_region"] == "NY"


AT_NEW_YORK = {
    "labels": [";mammalia;;;;;mammal"],
    "country": "auto",
    "latitude": 41.46,
    "longitude": -73.84,
}


def test_only_files_below_the_roots_can_be_named(url: str, pictures: Path) -> None:
    outside = [__file__, str(pictures / ".." / "SOURCES.md"), str(pictures / "gone.jpg"), str(pictures), "/"]

    answers = [
        httpx.post(f"{url}/predict", json={"instances": [{"filepath": path}]}, timeout=60) for path in outside
    ]

    assert {answer.status_code for answer in answers} == {400}
    assert [a.json()["detail"] for a in answers] == [f"Cannot access filepath: `{path}`" for path in outside]


def test_urls_are_not_fetched_unless_the_server_is_set_so(url: str) -> None:
    source = f"{url}/healthz"

    answer = httpx.post(f"{url}/predict", json={"instances": [{"filepath": source}]}, timeout=60)

    assert (answer.status_code, answer.json()["detail"]) == (400, f"Cannot access filepath: `{source}`")


@pytest.mark.skipif(sys.platform == "win32", reason="needs the right to make links")
def test_a_link_out_of_the_roots_is_refused(lite: None, samples: Path, tmp_path: Path) -> None:
    del lite
    root, secret = tmp_path / "root", tmp_path / "secret.png"
    root.mkdir()
    secret.write_bytes((samples / "cat.png").read_bytes())
    (root / "inside.png").write_bytes(secret.read_bytes())
    (root / "out.png").symlink_to(secret)
    (root / "in.png").symlink_to(root / "inside.png")

    with server(settings={"OKAPIA_SOURCE_ROOTS": json.dumps([str(root)])}) as (url, _, _):
        statuses = [
            httpx.post(
                f"{url}/predict", json={"instances": [{"filepath": str(root / name)}]}, timeout=60
            ).status_code
            for name in ("inside.png", "in.png", "out.png")
        ]

    assert statuses == [200, 200, 400]


def test_pictures_can_be_uploaded_to_predict(url: str, pictures: Path) -> None:
    files = [("images", (name, (pictures / name).read_bytes())) for name in (GREY_FOX, ELEPHANTS)]

    answer = httpx.post(f"{url}/predict", files=files, data={"country": "USA"}, timeout=120)

    fox, elephants = answer.json()["predictions"]
    assert (fox["filepath"], elephants["filepath"]) == (GREY_FOX, ELEPHANTS)
    assert fox["prediction"].endswith(";grey fox")
    assert "elephantidae" not in elephants["prediction"]


def test_cut_off_rotated_and_cmyk_pictures_are_answered_and_a_pdf_is_a_failure(
    url: str, shared_data: Path
) -> None:
    odd = sorted((shared_data / "edge-cases").iterdir())
    files = [("images", (path.name, path.read_bytes())) for path in odd]

    answer = httpx.post(f"{url}/predict", files=files, timeout=120)

    entries = {entry["filepath"]: entry for entry in answer.json()["predictions"]}
    failed = [name for name, entry in entries.items() if "failures" in entry]
    assert len(entries) == len(odd)
    assert failed == ["not_an_image.pdf"]


def test_health_info_and_docs_are_those_that_speciesnets_clients_look_for(url: str) -> None:
    health = httpx.get(f"{url}/compat/speciesnet/health", timeout=60)
    info = httpx.get(f"{url}/info", timeout=60).json()

    assert (health.status_code, health.text) == (200, "ok")
    assert (info["model"]["type"], info["model"]["version"]) == ("speciesnet", MODELS)
    assert httpx.get(f"{url}/docs", timeout=60).status_code == 200


def test_uploadfile_answers_as_atlas_does(url: str, pictures: Path) -> None:
    data = (pictures / GREY_FOX).read_bytes()

    answer = httpx.post(f"{url}/uploadfile/", files={"file": (GREY_FOX, data, "image/jpeg")}, timeout=60)

    body = answer.json()
    assert (body["filename"], body["content_size"]) == (GREY_FOX, len(data))
    assert body["speciesnet"]["prediction"].endswith(";grey fox")
    assert body["speciesnet"]["top_classes"][0]["label"] == body["speciesnet"]["prediction"]
    assert body["speciesnet"]["failures"] is None


def test_analyze_has_names_to_display(url: str, pictures: Path) -> None:
    data = (pictures / GREY_FOX).read_bytes()

    answer = httpx.post(f"{url}/analyze/", files={"file": (GREY_FOX, data, "image/jpeg")}, timeout=60)

    assert answer.json()["speciesnet"]["prediction_display_name"] == "grey fox"


def test_the_steps_by_themselves_say_what_predict_says(url: str, pictures: Path) -> None:
    (entry,) = predict(url, {"filepath": str(pictures / BEAR), "country": "KEN"})
    seen, boxes = entry["classifications"], entry["detections"]
    assert isinstance(seen, dict)
    assert isinstance(boxes, list)
    question = {
        "labels": seen["classes"],
        "scores": seen["scores"],
        "category": boxes[0]["label"],
        "detection_score": boxes[0]["conf"],
        "country": "Kenya",
    }

    answer = httpx.post(f"{url}/v1/ensemble", json=question, timeout=60).json()
    verdict = httpx.post(
        f"{url}/v1/geofence", json={"labels": seen["classes"][:1], "country": "KE"}, timeout=60
    ).json()["verdicts"][0]

    assert (answer["label"], answer["source"]) == (entry["prediction"], entry["prediction_source"])
    assert answer["score"] == pytest.approx(entry["prediction_score"])
    assert answer["geofence"][0]["original_label"] == verdict["label"]
    assert verdict["allowed"] is False
