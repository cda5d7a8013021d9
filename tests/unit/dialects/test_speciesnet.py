"""SpeciesNet's server contract: instances in, predictions JSON of either age out."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from okapia.dialects.speciesnet import dialect, render_error
from okapia.domain.errors import DeadlineExceeded, ServerBusy, SourceRefused, UnreadableFile
from okapia.formats.speciesnet_files import predictions_of
from okapia.service import Service
from okapia.service.desk import Desk
from okapia.web.context import Context, Limits
from okapia.web.problems import Problem
from tests.unit.dialects.conftest import DeskFor
from tests.unit.dialects.foxes import RED_FOX, bare_service, fox_service
from tests.unit.dialects.test_animaldetect import jpeg

PICTURE = jpeg()
CANIDS = ";mammalia;carnivora;canidae;;;"


class Folder:
    """Pictures that callers may name; counts how often each was read."""

    def __init__(self) -> None:
        self.reads: list[str] = []

    def read(self, source: str) -> bytes:
        self.reads.append(source)
        if source.startswith("/secret"):
            raise SourceRefused("expected a file below one of the folders that the server may read")
        if source.startswith("/gone"):
            raise UnreadableFile("cannot read the file: No such file or directory")
        return b"no picture" if "broken" in source else PICTURE


@pytest.fixture
def folder() -> Folder:
    return Folder()


def client_of(service: Service, desk: Desk, folder: Folder, *extra_fields: str) -> TestClient:
    limits = Limits(max_body_bytes=200_000)
    context = Context(service, desk, limits, 0.2, read_source=folder.read, extra_fields=extra_fields)
    app = FastAPI()
    app.include_router(dialect.build(context))
    return TestClient(app, base_url="http://localhost")


@pytest.fixture
def fox(tmp_path: Path, desk_for: DeskFor, folder: Folder) -> Iterator[TestClient]:
    service = fox_service(tmp_path)
    yield client_of(service, desk_for(service), folder, "camera")
    service.close()


def predictions(client: TestClient, *instances: Mapping[str, object]) -> list[dict[str, object]]:
    answer = client.post("/predict", json={"instances": list(instances)})
    assert answer.status_code == 200, answer.text
    entries: list[dict[str, object]] = answer.json()["predictions"]
    return entries


def test_predict_answers_in_the_old_format(fox: TestClient) -> None:
    answer = fox.post("/predict", json={"instances": [{"filepath": "/data/a.jpg"}]})

    assert answer.json() == {
        "predictions": [
            {
                "filepath": "/data/a.jpg",
                "classifications": {"classes": [RED_FOX.label], "scores": [0.95]},
                "detections": [
                    {"category": "1", "label": "animal", "conf": 0.9, "bbox": [0.25, 0.25, 0.5, 0.5]},
                    {"category": "2", "label": "human", "conf": 0.1, "bbox": [0.0, 0.0, 0.1, 0.1]},
                ],
                "prediction": RED_FOX.label,
                "prediction_score": 0.95,
                "prediction_source": "classifier",
                "model_version": "one-fox+fox-namer",
            }
        ]
    }


def test_predict_answers_in_the_new_format_when_asked(fox: TestClient) -> None:
    answer = fox.post("/predict?format=20261015", json={"instances": [{"filepath": "/data/a.jpg"}]})

    body = answer.json()
    assert body["info"] == {"format_version": "20261015"}
    (entry,) = body["predictions"]
    assert entry.keys() == {"filepath", "detections", "model_version"}
    assert entry["detections"][0]["processed_classification"] == {
        "class": RED_FOX.label,
        "score": 0.95,
        "source": "classifier",
    }


@pytest.mark.parametrize("query", ["", "?format=old", "?format=20261015"])
def test_the_answer_is_what_our_own_reader_reads(fox: TestClient, query: str) -> None:
    body = fox.post(f"/predict{query}", json={"instances": [{"filepath": "/data/a.jpg"}]}).json()

    (entry,) = predictions_of(body).entries

    assert len(entry.detections or ()) == 2


def test_the_place_comes_back_and_counts(fox: TestClient) -> None:
    kenya = {"filepath": "/data/k.jpg", "country": "KEN", "latitude": -1.25, "longitude": 36.8}
    denmark = {"filepath": "/data/d.jpg", "country": "DNK", "admin1_region": None}

    in_kenya, in_denmark = predictions(fox, kenya, denmark)

    assert kenya.items() <= in_kenya.items()
    assert in_kenya["prediction_source"] == "classifier+geofence+rollup_to_family"
    assert CANIDS in str(in_kenya["prediction"])
    assert in_denmark["prediction"] == RED_FOX.label
    assert "admin1_region" not in in_denmark


def test_answers_come_in_the_order_of_the_instances_whatever_their_places(fox: TestClient) -> None:
    codes = ["KEN", "DNK", "KEN", None, "DNK", "USA"]
    asked: list[dict[str, object]] = [
        {"filepath": f"/data/{n}.jpg", "country": code} for n, code in enumerate(codes)
    ]

    entries = predictions(fox, *asked)

    assert [entry["filepath"] for entry in entries] == [one["filepath"] for one in asked]
    assert [entry.get("country") for entry in entries] == codes


def test_duplicate_file_paths_share_one_result(fox: TestClient, folder: Folder) -> None:
    entries = predictions(
        fox,
        {"filepath": "/data/a.jpg", "country": "DNK"},
        {"filepath": "/data/b.jpg"},
        {"filepath": "/data/a.jpg", "country": "KEN"},
    )

    assert [entry["filepath"] for entry in entries] == ["/data/a.jpg", "/data/b.jpg"]
    assert entries[0]["country"] == "KEN"
    assert sorted(folder.reads) == ["/data/a.jpg", "/data/b.jpg"]


def test_a_bad_picture_is_failures_in_its_entry_and_the_others_go_on(fox: TestClient) -> None:
    entries = predictions(
        fox, {"filepath": "/data/broken.jpg", "country": "KEN"}, {"filepath": "/data/a.jpg"}
    )

    assert entries[0] == {
        "filepath": "/data/broken.jpg",
        "failures": ["CLASSIFIER", "DETECTOR"],
        "country": "KEN",
        "model_version": "one-fox+fox-namer",
    }
    assert entries[1]["prediction"] == RED_FOX.label


@pytest.mark.parametrize("others", [[], ["/data/a.jpg", "/data/b.jpg"]], ids=["alone", "among others"])
@pytest.mark.parametrize("path", ["/secret/a.jpg", "/gone/a.jpg"])
def test_a_path_that_cannot_be_accessed_refuses_the_whole_request(
    fox: TestClient, path: str, others: list[str]
) -> None:
    instances = [{"filepath": one} for one in (*others, path)]

    answer = fox.post("/predict", json={"instances": instances})

    assert answer.status_code == 400
    assert answer.json()["detail"] == f"Cannot access filepath: `{path}`"
    assert answer.json()["reason"]


def test_nothing_can_be_named_unless_the_server_is_set_so(tmp_path: Path, desk_for: DeskFor) -> None:
    service = fox_service(tmp_path)
    app = FastAPI()
    app.include_router(dialect.build(Context(service, desk_for(service), Limits(max_body_bytes=1000), 0.2)))
    picture = tmp_path / "a.jpg"
    picture.write_bytes(PICTURE)

    client = TestClient(app, base_url="http://localhost")
    answer = client.post("/predict", json={"instances": [{"filepath": str(picture)}]})

    service.close()
    assert (answer.status_code, answer.json()["detail"]) == (400, f"Cannot access filepath: `{picture}`")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ({"country": "US"}, "three-letter code"),
        ({"country": "Kenya"}, "three-letter code"),
        ({"country": "USA", "admin1_region": "California"}, "two letters"),
    ],
)
def test_wrong_codes_are_an_error_when_an_animal_reaches_the_geofence(
    fox: TestClient, place: dict[str, str], said: str
) -> None:
    answer = fox.post("/predict", json={"instances": [{"filepath": "/data/a.jpg", **place}]})

    assert answer.status_code == 400
    assert "/data/a.jpg" in answer.json()["detail"]
    assert said in answer.json()["detail"]


def test_wrong_codes_are_no_error_for_a_picture_that_fails_before(fox: TestClient) -> None:
    (entry,) = predictions(fox, {"filepath": "/data/broken.jpg", "country": "US"})

    assert entry["failures"] == ["CLASSIFIER", "DETECTOR"]


def test_coordinates_without_borders_leave_the_state_unknown(fox: TestClient) -> None:
    usa = {"filepath": "/data/a.jpg", "country": "USA", "latitude": 41.46, "longitude": -73.84}

    (entry,) = predictions(fox, usa)

    assert usa.items() <= entry.items()
    assert "admin1_region" not in entry


def test_further_fields_come_back_when_the_server_is_set_so(fox: TestClient) -> None:
    (entry,) = predictions(fox, {"filepath": "/data/a.jpg", "camera": "C7", "secret": "no"})

    assert entry["camera"] == "C7"
    assert "secret" not in entry


@pytest.mark.parametrize("name", ["images", "file"])
def test_pictures_can_be_uploaded_with_one_place_for_all(fox: TestClient, folder: Folder, name: str) -> None:
    files = [(name, ("a.jpg", PICTURE)), (name, ("b.jpg", b"broken")), (name, ("a.jpg", PICTURE))]

    answer = fox.post("/predict", files=files, data={"country": "KEN", "latitude": "-1", "longitude": "36"})

    entries = answer.json()["predictions"]
    assert [entry["filepath"] for entry in entries] == ["a.jpg", "b.jpg", "a.jpg"]
    assert [("failures" in entry) for entry in entries] == [False, True, False]
    assert {(entry["country"], entry["latitude"]) for entry in entries} == {("KEN", -1.0)}
    assert folder.reads == []


def test_a_picture_can_be_the_body(fox: TestClient) -> None:
    answer = fox.post("/predict?country=DNK", content=PICTURE, headers={"Content-Type": "image/jpeg"})

    (entry,) = answer.json()["predictions"]
    assert (entry["country"], entry["prediction"]) == ("DNK", RED_FOX.label)


def test_pictures_can_stand_in_their_instances(fox: TestClient, folder: Folder) -> None:
    encoded = base64.b64encode(PICTURE).decode()

    entries = predictions(
        fox,
        {"image_b64": encoded, "country": "DNK"},
        {"image_b64": f"data:image/jpeg;base64,{encoded}", "filepath": "mine.jpg"},
        {"filepath": "/data/a.jpg"},
    )

    assert [entry["filepath"] for entry in entries] == ["image-1", "mine.jpg", "/data/a.jpg"]
    assert {entry["prediction"] for entry in entries} == {RED_FOX.label}
    assert folder.reads == ["/data/a.jpg"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "instances"),
        ({"instances": []}, "at least one"),
        ({"instances": "a.jpg"}, "instances"),
        ({"instances": ["a.jpg"]}, "instances[0]"),
        ({"instances": [{"country": "KEN"}]}, "instances[0]: filepath"),
        ({"instances": [{"filepath": "/a.jpg", "latitude": 91, "longitude": 0}]}, "latitude"),
        ({"instances": [{"filepath": "/a.jpg", "longitude": 36.8}]}, "latitude and longitude together"),
        ({"instances": [{"filepath": "/a.jpg", "admin1_region": "CA"}]}, "expected a country"),
        ({"instances": [{"image_b64": "***"}]}, "instances[0].image_b64"),
        ({"instances": [{"image_b64": 7}]}, "instances[0].image_b64"),
    ],
)
def test_a_malformed_body_is_named_in_fastapis_form(
    fox: TestClient, body: dict[str, object], said: str
) -> None:
    answer = fox.post("/predict", json=body)

    assert answer.status_code == 400
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "content", "content_type", "status"),
    [
        ("", b"{", "application/json", 400),
        ("", b'{"instances": [{"filepath": "/a.jpg", "latitude": NaN}]}', "application/json", 400),
        ("", b"x", "text/plain", 415),
        ("", b"x" * 200_001, "image/jpeg", 413),
        ("?format=5", b"{}", "application/json", 400),
        ("?latitude=north&longitude=1", PICTURE, "image/jpeg", 400),
        ("?latitude=nan&longitude=1", PICTURE, "image/jpeg", 400),
        ("", b"--b\r\nnonsense", "multipart/form-data; boundary=b", 400),
    ],
    ids=["cut", "NaN", "text", "too large", "format", "latitude", "NaN latitude", "multipart"],
)
def test_every_refusal_says_detail(
    fox: TestClient, query: str, content: bytes, content_type: str, status: int
) -> None:
    answer = fox.post(f"/predict{query}", content=content, headers={"Content-Type": content_type})

    assert answer.status_code == status
    assert answer.json().keys() == {"detail"}


def test_without_models_predict_says_how_to_get_them_and_health_is_not_ready(
    tmp_path: Path, desk_for: DeskFor, folder: Folder
) -> None:
    service = bare_service(tmp_path)
    client = client_of(service, desk_for(service), folder)

    answer = client.post("/predict", json={"instances": [{"filepath": "/data/a.jpg"}]})
    several = client.post("/predict", json={"instances": [{"filepath": "/a.jpg"}, {"filepath": "/b.jpg"}]})
    health = client.get("/health")

    service.close()
    assert (answer.status_code, several.status_code) == (503, 503)
    assert "okapia models pull" in answer.json()["detail"]
    assert (health.status_code, health.text) == (503, "not ready")


def test_a_full_queue_is_503_with_a_waiting_time_and_a_time_out_504() -> None:
    busy = render_error(Problem.of(ServerBusy(waiting=9, retry_after_s=3)))
    late = render_error(Problem.of(DeadlineExceeded(deadline_s=1)))

    assert (busy.status_code, busy.headers["retry-after"]) == (503, "3")
    assert (late.status_code, late.body) == (504, b'{"detail":"Request timed out"}')


def test_health_is_the_text_ok(fox: TestClient) -> None:
    answer = fox.get("/health")

    assert (answer.status_code, answer.text) == (200, "ok")


def test_info_has_the_model_and_the_server(fox: TestClient) -> None:
    body = fox.get("/info").json()

    assert body["model"] == {
        "type": "speciesnet",
        "version": "one-fox+fox-namer",
        "detector": "one-fox",
        "classifier": "fox-namer",
    }
    assert body["server"]["stream"] == {"/predict": False}
    assert body["server"]["max_payload_size"] == 200_000
