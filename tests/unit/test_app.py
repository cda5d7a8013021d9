"""Dialects are found; one table says who answers where, and clashes that are not in it stop the start."""

import pytest
from fastapi import APIRouter, FastAPI
from starlette.testclient import TestClient

from okapia.dialects.base import Dialect, discover
from okapia.dialects.paths import CONTESTED, Paths, serve
from okapia.domain.errors import InvalidSettings
from okapia.web.junction import Junction

JWT = "head.body.signature"

Served = tuple[Dialect, APIRouter]


def dialect(name: str, *claimed: str, also_under: tuple[str, ...] = ()) -> Served:
    """Make a contract whose routes say its name."""
    routes = APIRouter()
    for one in claimed:
        method, _, path = one.partition(" ")
        routes.add_api_route(path, lambda: name, methods=[method])
    return Dialect(name, "a test", lambda _: routes, also_under=also_under), routes


def start(*routers: Served, health: str = "pyzm") -> tuple[Paths, TestClient]:
    app = FastAPI()
    paths = serve(app, routers, health=health)
    app.add_middleware(Junction, forks=paths.forks, max_s=5.0)
    return paths, TestClient(app)


def test_the_dialects_of_this_version() -> None:
    names = [dialect.name for dialect in discover()]

    ours = ["batches", "keys", "models", "operations", "species", "webhooks"]
    assert sorted({*names} - {*ours}) == [
        "animaldetect",
        "atlas",
        "deepstack",
        "microsoft_batch",
        "microsoft_detect",
        "mlapi",
        "pyzm",
        "speciesnet",
    ]
    assert {*ours} <= {*names}


def test_two_dialects_with_one_path_stop_the_start_with_both_named() -> None:
    with pytest.raises(InvalidSettings, match="POST /v1/detect is claimed by first and by second"):
        start(dialect("first", "POST /v1/detect"), dialect("second", "POST /v1/detect"))


def test_a_stranger_on_a_contested_path_stops_the_start() -> None:
    with pytest.raises(InvalidSettings, match="by pyzm and by stranger"):
        start(dialect("pyzm", "GET /health"), dialect("stranger", "GET /health"))


def test_two_dialects_with_different_paths_live_together() -> None:
    paths, _ = start(dialect("first", "POST /v1/detect"), dialect("second", "POST /detect"))

    owners = {where: claim.dialect for where, claim in paths.claims.items()}
    assert owners == {("POST", "/v1/detect"): "first", ("POST", "/detect"): "second"}


def test_each_dialect_is_whole_below_compat() -> None:
    _, client = start(
        dialect("mlapi", "GET /api/v1/health"), dialect("pyzm", "GET /health", also_under=("/api/v1",))
    )

    assert client.get("/api/v1/health").json() == "mlapi"
    assert client.get("/compat/mlapi/api/v1/health").json() == "mlapi"
    assert client.get("/compat/pyzm/api/v1/health").json() == "pyzm"
    assert client.get("/compat/pyzm/health").json() == "pyzm"


@pytest.mark.parametrize("health", ["pyzm", "speciesnet"])
def test_a_setting_says_who_answers_health(health: str) -> None:
    _, client = start(dialect("pyzm", "GET /health"), dialect("speciesnet", "GET /health"), health=health)

    assert client.get("/health").json() == health
    assert client.get("/compat/speciesnet/health").json() == "speciesnet"


def test_who_is_set_for_health_but_not_served_leaves_it_to_the_other() -> None:
    _, client = start(dialect("speciesnet", "GET /health"), health="pyzm")

    assert client.get("/health").json() == "speciesnet"


@pytest.fixture
def detect() -> TestClient:
    native = dialect("animaldetect", "POST /v1/detect", also_under=("/api",))
    return start(native, dialect("pyzm", "POST /detect", also_under=("/api/v1",)))[1]


def test_a_gateways_token_means_the_gateway(detect: TestClient) -> None:
    answer = detect.post("/api/v1/detect", headers={"Authorization": f"Bearer {JWT}"}, content=b"\xff")

    assert answer.json() == "pyzm"


@pytest.mark.parametrize(
    ("files", "meant"),
    [
        ({"file": ("image.jpg", b"x" * 200_000)}, "pyzm"),
        ({"image": ("image.jpg", b"x" * 200_000)}, "animaldetect"),
        ({"image": ("image.jpg", b"x"), "file": ("image.jpg", b"x")}, "animaldetect"),
    ],
    ids=["file", "image", "the first counts"],
)
def test_the_field_of_the_picture_says_which_contract_is_meant(
    detect: TestClient, files: dict[str, tuple[str, bytes]], meant: str
) -> None:
    answer = detect.post("/api/v1/detect", files=files, data={"threshold": "0.3"})

    assert answer.json() == meant


@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\n", b"nonsense"])
def test_forms_without_a_file_are_the_native_contracts(detect: TestClient, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}

    assert detect.post("/api/v1/detect", content=body, headers=headers).json() == "animaldetect"


def test_a_key_means_the_native_contract(detect: TestClient) -> None:
    answer = detect.post("/api/v1/detect", headers={"Authorization": "Bearer ok_live_x"}, content=b"\xff")

    assert answer.json() == "animaldetect"


def test_the_table_of_contested_paths() -> None:
    assert [(c.method, c.path, c.claimants) for c in CONTESTED] == [
        ("POST", "/api/v1/detect", ("animaldetect", "pyzm")),
        ("GET", "/api/v1/models", ("models", "pyzm")),
        ("POST", "/api/v1/login", ("mlapi", "pyzm")),
        ("GET", "/api/v1/health", ("mlapi", "pyzm")),
        ("GET", "/health", ("pyzm", "speciesnet")),
    ]
