"""Who is let in: every route, with and without a key."""

import pytest
from starlette.testclient import TestClient

from okapia.dialects.base import discover
from okapia.dialects.paths import Claims
from okapia.domain.callers import Role, Scope
from okapia.web.needs import Needs, When, needs_of
from tests.unit.web.conftest import House, bearer

PUBLIC = {
    ("GET", "/healthz"),
    ("GET", "/health"),
    ("GET", "/"),
    ("POST", "/login"),
    ("POST", "/api/v1/login"),
    ("GET", "/api/v1/health"),
    ("PUT", "/v1/uploads/{job_id}"),
    ("PUT", "/api/v1/uploads/{job_id}"),
    ("GET", "/v1/camera-trap/sync/"),
    ("GET", "/api/v1/camera-trap/sync/"),
    ("GET", "/v1/batches/{batch_id}/files/{name}"),
    *(("GET", f"/{version}/camera-trap/detection-batch/") for version in ("v2", "v3", "v4")),
    ("GET", "/v4/camera-trap/detection-batch/output/{task_id}/{title}/{name}"),
}
"""Routes that need no key: these, and no others. The URLs of uploads and of batches' files are signed."""


def routes(house: House) -> list[tuple[str, str, Needs]]:
    """Every method and path of the application, with what it needs."""
    claims: Claims = house.app.state.claims
    return [(method, path, needs_of(claim.endpoint)) for (method, path), claim in claims.items()]


def call(client: TestClient, method: str, path: str, headers: dict[str, str]) -> int:
    """Call a route with an id where it wants one; gives the status."""
    filled = path.replace("{", "").replace("}", "")
    return client.request(method, filled, headers=headers, content=b"").status_code


def test_the_routes_without_a_key_are_the_ones_we_know(house: House) -> None:
    public = {(method, path) for method, path, needed in routes(house) if needed.when is When.NEVER}

    assert public == PUBLIC


def test_there_are_routes_of_every_dialect(house: House) -> None:
    assert len(routes(house)) > 4 * len(discover())


def test_without_a_key_nothing_is_answered_once_there_are_people(house: House) -> None:
    house.add("ada", role=Role.ADMIN)

    open_to_all = {
        (method, path)
        for method, path, needed in routes(house)
        if needed.when is When.ALWAYS and call(house.client, method, path, {}) != 401
    }

    assert open_to_all == set()


@pytest.mark.parametrize("state", ["revoked", "invented", "mistyped", "disabled"])
def test_a_key_that_does_not_count_opens_nothing(house: House, state: str) -> None:
    house.add("ada", role=Role.ADMIN)
    house.add("bob")
    key = house.key_of("bob" if state == "disabled" else "ada")
    headers = bearer(key)
    match state:
        case "revoked":
            house.revoke(key.key)
        case "invented":
            headers = {"Authorization": "Bearer ok_live_nobody_has_this"}
        case "mistyped":
            headers = {"Authorization": f"Bearer {key.text[:-1]}"}
        case "disabled":
            with house.accounts.database.write() as connection:
                house.accounts.users.disable(connection, "bob", actor="a test")

    let_in = {
        (method, path)
        for method, path, needed in routes(house)
        if needed.when is not When.NEVER and call(house.client, method, path, headers) != 401
    }

    assert let_in == set()


def test_a_key_without_the_scope_is_refused_with_403(house: House) -> None:
    house.add("ada", role=Role.ADMIN)
    keys = {scope: bearer(house.key_of("ada", scopes=[scope])) for scope in Scope}

    let_in = {
        (method, path, scope)
        for method, path, needed in routes(house)
        if needed.scope is not None and needed.when is When.ALWAYS
        for scope in (Scope.READ, Scope.DETECT, Scope.USAGE)
        if scope is not needed.scope and call(house.client, method, path, keys[scope]) != 403
    }

    assert let_in == set()


def test_a_key_with_the_scope_is_let_in_everywhere(house: House) -> None:
    house.add("ada", role=Role.ADMIN)
    keys = {scope: bearer(house.key_of("ada", scopes=[scope])) for scope in Scope}

    refused = {
        (method, path)
        for method, path, needed in routes(house)
        if needed.scope is not None and call(house.client, method, path, keys[needed.scope]) in {401, 403}
    }

    assert refused == set()


def test_a_viewers_key_cannot_detect_whatever_it_says(house: House) -> None:
    house.add("ada", role=Role.ADMIN)
    house.add("vera", role=Role.VIEWER)
    key = bearer(house.key_of("vera"))

    assert house.client.get("/v1/countries", headers=key).status_code == 200
    answer = house.client.post("/v1/detect", headers=key, content=b"")
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


def test_a_key_may_come_as_header_or_as_a_browsers_password(house: House) -> None:
    house.add("ada", role=Role.ADMIN)
    key = house.key_of("ada").text

    by_header = house.client.get("/v1/countries", headers={"X-API-Key": key})
    by_password = house.client.get("/v1/countries", auth=("anybody", key))

    assert (by_header.status_code, by_password.status_code) == (200, 200)


@pytest.mark.parametrize("header", ["Digest abc", "Bearer", "Bearer \x7f", "Basic ???", "ok"])
def test_odd_credentials_are_invalid_never_ignored(house: House, header: str) -> None:
    answer = house.client.get("/v1/countries", headers={"Authorization": header})

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_readiness_says_more_to_those_who_may_know_more(house: House) -> None:
    house.add("ada", role=Role.ADMIN)
    reader, admin = (bearer(house.key_of("ada", scopes=[scope])) for scope in (Scope.READ, Scope.ADMIN))

    answers = [house.client.get("/readyz", headers=headers).json() for headers in (reader, admin)]

    assert [answer["status"] for answer in answers] == ["ready", "ready"]
    assert ["models" in answer for answer in answers] == [False, True]
