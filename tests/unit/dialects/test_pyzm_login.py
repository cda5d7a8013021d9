"""pyzm's tokens: who gets one, and for how long it opens anything."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from starlette.testclient import TestClient

from okapia.accounts.passwords import hash_password
from okapia.accounts.tokens import Claims, Tokens
from okapia.domain.callers import Role
from okapia.domain.clock import utc_now
from okapia.settings import Settings
from okapia.storage.secrets import load_or_make_secret
from tests.unit.dialects.watchers import PASSWORD, Site, bearer, gateway_service, opened_site, picture

ROUTES = pytest.mark.parametrize(
    ("route", "field"),
    [("/infer", "image"), ("/detect", "file"), ("/api/v1/infer", "image"), ("/api/v1/detect", "file")],
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def site(home: Path) -> Iterator[Site]:
    """A server with two people, whom nobody changes."""
    with staffed(home) as site:
        yield site


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[Site]:
    """A server with two people, for a test that changes them."""
    with staffed(tmp_path) as site:
        yield site


@contextmanager
def staffed(home: Path) -> Iterator[Site]:
    with opened_site(Settings(home=home), gateway_service(home), admin="ada") as site:
        site.add("zoneminder")
        yield site


def secret_of(home: Path) -> bytes:
    """Read what the server signs tokens with."""
    return load_or_make_secret(home, "tokens")


def send(client: TestClient, headers: dict[str, str], *, route: str = "/infer", field: str = "image") -> int:
    """Send a frame; gives the status."""
    files = {field: ("frame.png", picture("PNG"), "image/png")}
    return client.post(route, data={"type": "object"}, files=files, headers=headers).status_code


def log_in(client: TestClient, name: str, password: str) -> int:
    return client.post("/login", json={"username": name, "password": password}).status_code


@ROUTES
def test_a_token_opens_all_that_looks(site: Site, route: str, field: str) -> None:
    token = site.token_of("zoneminder")

    assert send(site.client, bearer(token), route=route, field=field) == 200
    assert send(site.client, {}, route=route, field=field) == 401


def test_the_tokens_life_is_said_in_seconds_and_true(tmp_path: Path) -> None:
    with opened_site(Settings(home=tmp_path, token_days=7), gateway_service(tmp_path)) as site:
        site.add("ada")
        answer = site.client.post("/login", json={"username": "ada", "password": PASSWORD}).json()

    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert set(answer) == {"access_token", "expires"}
    assert answer["expires"] == claims["exp"] - claims["iat"] == 7 * 24 * 3600


def test_by_default_it_is_thirty_days(site: Site) -> None:
    answer = site.client.post("/compat/pyzm/login", json={"username": "ada", "password": PASSWORD}).json()

    assert answer["expires"] == 30 * 24 * 3600


@pytest.mark.parametrize(
    ("name", "password"),
    [("ada", "wrong"), ("nobody", PASSWORD), ("ada", ""), ("", PASSWORD), ("", ""), ("local", "")],
)
def test_a_wrong_name_or_password_is_a_401_that_does_not_say_which(
    site: Site, name: str, password: str
) -> None:
    answer = site.client.post("/login", json={"username": name, "password": password})

    assert answer.status_code == 401
    assert answer.json() == {"detail": "the key, token or password is not valid: unknown, expired or revoked"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"ada"', b"null", b"username=ada&password=x", b"\xff", b"[" * 5000]
)
def test_a_login_that_is_no_json_object_is_a_400(site: Site, body: bytes) -> None:
    answer = site.client.post("/login", content=body)

    assert answer.status_code == 400
    assert "username and password" in answer.json()["detail"]


def test_a_login_longer_than_any_password_is_not_read(site: Site) -> None:
    assert log_in(site.client, "ada", "x" * 20_000) == 413


def test_guessing_ends_in_429_with_a_time_to_wait(changing: Site) -> None:
    statuses = {log_in(changing.client, "ada", "wrong") for _ in range(30)}

    assert statuses == {401, 429}


def test_an_expired_token_is_refused(site: Site, home: Path) -> None:
    claims = jwt.decode(site.token_of("ada"), options={"verify_signature": False})
    past = utc_now() - timedelta(days=1)
    expired = jwt.encode(claims | {"exp": past}, secret_of(home), algorithm="HS256")
    control = jwt.encode(claims, secret_of(home), algorithm="HS256")

    assert send(site.client, bearer(control)) == 200
    assert send(site.client, bearer(expired)) == 401


@ROUTES
@pytest.mark.parametrize("forgery", ["none", "None", "other secret", "other issuer", "changed user"])
def test_a_forged_token_is_refused(site: Site, home: Path, forgery: str, route: str, field: str) -> None:
    token = site.token_of("zoneminder")
    claims = jwt.decode(token, options={"verify_signature": False})
    match forgery:
        case "none" | "None":
            head = base64.urlsafe_b64encode(json.dumps({"alg": forgery, "typ": "JWT"}).encode()).decode()
            forged = f"{head.rstrip('=')}.{token.split('.')[1]}.x"
        case "other secret":
            forged = Tokens(bytes(64)).issue(_claims(claims))
        case "other issuer":
            forged = jwt.encode(claims | {"iss": "pyzm"}, secret_of(home), algorithm="HS256")
        case _:
            head, _, signature = token.split(".")
            body = json.dumps(claims | {"sub": "local"}).encode()
            forged = f"{head}.{base64.urlsafe_b64encode(body).decode().rstrip('=')}.{signature}"

    assert send(site.client, bearer(forged), route=route, field=field) == 401


def test_a_disabled_users_token_ends_at_once(changing: Site) -> None:
    headers = bearer(changing.token_of("zoneminder"))
    before = send(changing.client, headers)

    with changing.accounts.database.write() as connection:
        changing.accounts.users.disable(connection, "zoneminder", actor="a test")

    assert (before, send(changing.client, headers)) == (200, 401)
    assert log_in(changing.client, "zoneminder", PASSWORD) == 401


def test_a_new_password_ends_the_tokens_of_the_old_one(changing: Site) -> None:
    headers = bearer(changing.token_of("zoneminder"))
    before = send(changing.client, headers)

    with changing.accounts.database.write() as connection:
        changing.accounts.users.set_password(
            connection, "zoneminder", password_hash=hash_password("another one, just as long"), actor="a test"
        )

    assert (before, send(changing.client, headers)) == (200, 401)


def test_a_logout_ends_all_tokens(changing: Site) -> None:
    headers = bearer(changing.token_of("zoneminder"))

    with changing.accounts.database.write() as connection:
        changing.accounts.users.log_out(connection, "zoneminder", actor="a test")

    assert send(changing.client, headers) == 401
    assert log_in(changing.client, "zoneminder", PASSWORD) == 200


def test_a_key_does_as_well_as_a_token(site: Site) -> None:
    key = site.key_of("zoneminder")

    assert send(site.client, bearer(key)) == 200
    assert site.client.get("/models", headers=bearer(key)).status_code == 200


def test_a_viewers_token_lists_models_and_looks_at_nothing(changing: Site) -> None:
    changing.add("vera", role=Role.VIEWER)
    headers = bearer(changing.token_of("vera"))

    assert changing.client.get("/models", headers=headers).status_code == 200
    assert send(changing.client, headers) == 403


def test_post_api_v1_detect_with_a_key_and_the_field_image_is_the_native_contract(site: Site) -> None:
    headers = bearer(site.key_of("ada"))

    answer = site.client.post("/api/v1/detect", files={"image": picture()}, headers=headers)

    assert "annotations" in answer.json()


def test_post_api_v1_detect_with_a_token_is_pyzms_whatever_the_field(site: Site) -> None:
    headers = bearer(site.token_of("ada"))

    right = site.client.post("/api/v1/detect", files={"file": picture()}, headers=headers)
    wrong = site.client.post("/api/v1/detect", files={"image": picture()}, headers=headers)

    assert right.json()["labels"] == ["person"]
    assert (wrong.status_code, wrong.json()) == (400, {"detail": "Empty file"})


def test_without_people_login_gives_an_empty_token_that_clients_do_not_send(tmp_path: Path) -> None:
    with opened_site(Settings(home=tmp_path), gateway_service(tmp_path)) as site:
        answer = site.client.post("/login", json={"username": "anybody", "password": "anything"}).json()

        assert answer["access_token"] == ""
        assert send(site.client, {}) == 200


def test_without_a_token_only_health_and_login_answer(site: Site) -> None:
    assert site.client.get("/health").json()["status"] == "ok"
    assert site.client.get("/models").status_code == 401
    assert site.client.post("/detect_urls", json={"urls": []}).status_code == 401


def _claims(payload: dict[str, object]) -> Claims:
    return Claims(user_id=str(payload["sub"]), generation=int(str(payload["gen"])))
