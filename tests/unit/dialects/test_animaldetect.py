"""`/v1/detect` and `/v1/filter`: the shapes of answers and of refusals."""

import base64
import io
import json
import uuid
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational
from starlette.testclient import TestClient

from tests.unit.vision.pictures import exif_with
from tests.unit.vision.reconyx import reconyx_note


def jpeg(width: int = 200, height: int = 100) -> bytes:
    out = io.BytesIO()
    ramp = np.linspace(0, 255, width * height * 3).reshape(height, width, 3).astype(np.uint8)
    Image.fromarray(ramp).save(out, "JPEG")
    return out.getvalue()


FIELDS = {"image": ("fox.jpg", jpeg(), "image/jpeg")}


def test_detect_names_the_species_with_the_vendors_fields(client: TestClient) -> None:
    answer = client.post("/v1/detect", files=FIELDS)

    assert answer.status_code == 200
    body = answer.json()
    assert uuid.UUID(body["id"]).version == 4
    (fox,) = body["annotations"]
    assert (fox["id"], fox["label"], fox["score"]) == (0, "red fox", 0.95)
    assert fox["bbox"] == [0.25, 0.25, 0.5, 0.5]
    assert fox["taxonomy"] == {
        "id": fox["taxonomy"]["id"],
        "class": "mammalia",
        "order": "carnivora",
        "family": "canidae",
        "genus": "vulpes",
        "species": "vulpes",
    }
    assert (fox["category"], fox["detection_score"], fox["source"]) == ("animal", 0.9, "classifier")
    assert body["info"]["model_id"] == "one-fox+fox-namer"
    assert body["info"]["threshold_applied"] == 0.2
    assert "metadata" not in body


def test_filter_says_only_what_kind_of_thing_it_is(client: TestClient) -> None:
    body = client.post("/v1/filter", files=FIELDS).json()

    (fox,) = body["detections"]
    assert (fox["label"], fox["category"], fox["score"]) == ("animal", "animal", 0.9)
    assert "taxonomy" not in fox
    assert body["info"]["model_id"] == "one-fox"


def test_a_lower_threshold_shows_weaker_boxes_and_people_are_called_human(client: TestClient) -> None:
    body = client.post("/v1/detect", files=FIELDS, data={"threshold": "0.05"}).json()

    assert [(a["label"], a["score"]) for a in body["annotations"]] == [("red fox", 0.95), ("human", 0.1)]


def test_without_classification_the_label_is_coarse(client: TestClient) -> None:
    body = client.post("/v1/detect", files=FIELDS, data={"classify": "false"}).json()

    assert body["annotations"][0]["label"] == "animal"


def test_metadata_is_given_when_asked_for(client: TestClient) -> None:
    body = client.post("/v1/detect", files=FIELDS, data={"metadata": "true"}).json()

    assert body["metadata"]["image_width"] == 200
    assert body["metadata"]["image_height"] == 100
    assert body["metadata"]["file_size"] == len(jpeg())
    assert body["metadata"].keys() == {"image_width", "image_height", "file_size", "mime_type", "orientation"}


def test_metadata_holds_what_the_camera_wrote(client: TestClient) -> None:
    out = io.BytesIO()
    Image.new("RGB", (200, 100)).save(out, "JPEG", exif=hyperfire_exif())

    body = client.post(
        "/v1/detect", files={"image": ("fox.jpg", out.getvalue())}, data={"metadata": "true"}
    ).json()

    assert body["metadata"] == {
        "image_width": 200,
        "image_height": 100,
        "file_size": len(out.getvalue()),
        "mime_type": "image/jpeg",
        "captured_at": "2015-05-07T08:08:31",
        "captured_at_source": "maker_note",
        "camera_make": "RECONYX",
        "camera_serial": "H500DE01120343",
        "orientation": 1,
        "exposure_time": 0.016667,
        "iso": 400,
        "f_number": 2.8,
        "focal_length": 6.0,
        "flash": False,
        "temperature": -5.0,
        "moon_phase": "waxing_gibbous",
        "sequence": {"current": 2, "total": 5},
    }


def hyperfire_exif() -> Image.Exif:
    """EXIF of a HyperFire, which keeps its time, weather and sequence in the maker note."""
    exif = exif_with(make="RECONYX")
    tag = ExifTags.Base
    exif[ExifTags.IFD.Exif] = {
        tag.ExposureTime: IFDRational(1, 60),
        tag.ISOSpeedRatings: 400,
        tag.FNumber: IFDRational(28, 10),
        tag.FocalLength: IFDRational(6, 1),
        tag.Flash: 0x18,
        tag.MakerNote: reconyx_note(),
    }
    return exif


@pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,"], ids=["plain", "data URL"])
def test_json_with_base64_is_the_same_call(client: TestClient, prefix: str) -> None:
    document = {"image": prefix + base64.b64encode(jpeg()).decode(), "threshold": 0.5}

    body = client.post("/v1/detect", json=document).json()

    assert len(body["annotations"]) == 1
    assert body["info"]["threshold_applied"] == 0.5


def test_the_picture_itself_can_be_the_body(client: TestClient) -> None:
    answer = client.post("/v1/detect?threshold=0.3", content=jpeg(), headers={"Content-Type": "image/jpeg"})

    assert answer.json()["info"]["threshold_applied"] == 0.3


def test_render_answers_with_a_jpeg_of_the_picture(client: TestClient) -> None:
    answer = client.post("/v1/detect?render=true", files=FIELDS)

    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (200, 100)


def test_the_same_call_from_many_threads_is_answered_each_time(client: TestClient) -> None:
    answers = [client.post("/v1/filter", files=FIELDS) for _ in range(20)]

    assert {answer.status_code for answer in answers} == {200}


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, "PNG")
    return out.getvalue()


def encoded(mode: str, file_format: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (60, 40)).save(out, file_format, **options)
    return out.getvalue()


def animated_gif() -> bytes:
    frames = [Image.new("P", (60, 40), colour) for colour in (1, 2)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        png(1, 1),
        png(20000, 10),
        encoded("CMYK", "JPEG"),
        encoded("L", "JPEG"),
        encoded("I;16", "PNG"),
        encoded("P", "PNG"),
        encoded("RGBA", "WEBP"),
        encoded("RGB", "BMP"),
        encoded("RGB", "TIFF"),
        animated_gif(),
        jpeg(400, 300)[:-2000],
    ],
    ids=["1x1", "20000x10", "CMYK", "grey", "16 bit", "palette", "alpha", "BMP", "TIFF", "GIF", "cut off"],
)
def test_pictures_of_odd_kinds_are_answered(client: TestClient, data: bytes) -> None:
    answer = client.post("/v1/detect", files={"image": ("odd.jpg", data, "image/jpeg")})

    assert answer.status_code == 200, answer.text
    assert answer.json()["annotations"][0]["label"] == "red fox"


def huge_png() -> bytes:
    """A few bytes that announce 30,000 x 30,000 pixels."""
    small = png(1, 1)
    header = b"IHDR" + (30000).to_bytes(4) * 2 + small[24:29]
    return small[:12] + header + zlib.crc32(header).to_bytes(4) + small[33:]


def test_a_bomb_is_refused_before_it_is_decoded(client: TestClient) -> None:
    answer = client.post("/v1/detect", files={"image": ("bomb.png", huge_png(), "image/png")})

    assert (answer.status_code, answer.json()["code"]) == (400, "too_many_pixels")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_image"),
        (b"this is a text, not a picture", "unsupported_format"),
        (b"%PDF-1.7\n1 0 obj\n", "unsupported_format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unsupported_format"),
        (jpeg()[:20], "unsupported_format"),
    ],
    ids=["empty", "text", "PDF", "EPS", "header only"],
)
def test_what_is_no_picture_is_refused_with_a_stable_code(client: TestClient, data: bytes, code: str) -> None:
    answer = client.post("/v1/detect", files={"image": ("picture.jpg", data, "image/jpeg")})

    assert answer.status_code == 400
    assert answer.json()["code"] in {code, "undecodable_image"}
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("threshold", ["nan", "-1", "2", "abc", "0", "inf", ""])
def test_a_threshold_out_of_range_is_refused_by_name(client: TestClient, threshold: str) -> None:
    answer = client.post("/v1/detect", files=FIELDS, data={"threshold": threshold})

    body = answer.json()
    assert answer.status_code == 400
    assert (body["code"], body["error"]["param"]) == ("invalid_request", "threshold")
    assert threshold in body["detail"]


@pytest.mark.parametrize(
    ("files", "data"),
    [
        ({}, {"threshold": "0.5"}),
        ({"picture": ("fox.jpg", jpeg(), "image/jpeg")}, {}),
    ],
    ids=["no file", "another field"],
)
def test_a_missing_image_is_refused(
    client: TestClient, files: dict[str, tuple[str, bytes, str]], data: dict[str, str]
) -> None:
    answer = client.post("/v1/detect", files=files or None, data=data)

    assert answer.status_code in {400, 415}
    assert answer.json()["code"] in {"invalid_request", "unsupported_media_type"}


def test_two_images_are_refused(client: TestClient) -> None:
    answer = client.post("/v1/detect", files=[("image", ("a.jpg", jpeg())), ("image", ("b.jpg", jpeg()))])

    assert answer.status_code == 400
    assert "got 2" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "invalid_request"),
        (b"[1]", "application/json", 400, "invalid_request"),
        (b'{"image": "***"}', "application/json", 400, "invalid_request"),
        (b'{"image": 7}', "application/json", 400, "invalid_request"),
        (b"{}", "application/json", 400, "invalid_request"),
        (b"x" * 10, "text/plain", 415, "unsupported_media_type"),
        (b"x" * 10, "", 415, "unsupported_media_type"),
        (b"--b\r\n\r\n", "multipart/form-data", 400, "invalid_request"),
        (b"--b\r\nnonsense", "multipart/form-data; boundary=b", 400, "invalid_request"),
        (("[" * 10_000).encode(), "application/json", 400, "invalid_request"),
    ],
    ids=[
        "cut JSON",
        "JSON list",
        "broken base64",
        "number for image",
        "no image",
        "text body",
        "no content type",
        "no boundary",
        "cut multipart",
        "deep JSON",
    ],
)
def test_a_malformed_body_is_refused(
    client: TestClient, content: bytes, content_type: str, status: int, code: str
) -> None:
    answer = client.post("/v1/detect", content=content, headers={"Content-Type": content_type})

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_body_over_the_limit_is_refused_before_it_is_read(client: TestClient) -> None:
    answer = client.post("/v1/detect", content=b"x" * 2_000_001, headers={"Content-Type": "image/jpeg"})

    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


def test_a_body_over_the_limit_is_refused_without_a_declared_length(client: TestClient) -> None:
    answer = client.post(
        "/v1/detect",
        content=(b"x" * 100_000 for _ in range(30)),
        headers={"Content-Type": "image/jpeg"},
    )

    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


def test_a_bad_query_parameter_is_refused_in_the_same_form(client: TestClient) -> None:
    answer = client.post("/v1/detect?render=perhaps", files=FIELDS)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "render"


def test_errors_are_problem_documents(client: TestClient) -> None:
    answer = client.post("/v1/detect", content=b"")

    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.content)["status"] == answer.status_code


def test_without_classify_the_detector_alone_answers(client: TestClient) -> None:
    body = client.post("/v1/detect?classify=false", files={"image": jpeg()}).json()

    annotation = body["annotations"][0]
    assert (annotation["label"], annotation["score"]) == ("animal", 0.9)
    assert "taxonomy" not in annotation
    assert body["info"]["model_id"] == "one-fox"


def test_candidates_without_classify_are_said_to_be_ignored(client: TestClient) -> None:
    body = client.post("/v1/detect?classify=false&top_candidate=3", files={"image": jpeg()}).json()

    assert [warning["code"] for warning in body["info"]["warnings"]] == ["top_candidate_ignored"]
    assert "top_candidates" not in body["annotations"][0]


def test_a_person_has_the_taxon_of_people(client: TestClient) -> None:
    body = client.post("/v1/detect?threshold=0.05", files={"image": jpeg()}).json()

    person = next(annotation for annotation in body["annotations"] if annotation["label"] == "human")
    assert person["taxonomy"]["species"] == "sapiens"
