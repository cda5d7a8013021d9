"""`/v1/keys`: one's own keys, shown once, and never more than one has oneself."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from okapia.accounts.key_text import KeyText
from okapia.cli.accounts_desk import Accounts, open_accounts
from okapia.domain.callers import Role, Scope
from okapia.settings import Settings


@pytest.fixture
def accounts(tmp_path: Path, client: TestClient) -> Iterator[Accounts]:
    """The accounts of the server that `client` asks, with `boss`, an admin, and `ada`."""
    del client
    accounts = open_accounts(Settings(home=tmp_path))
    with accounts.database.write() as connection:
        for name, role in (("boss", Role.ADMIN), ("ada", Role.USER)):
            accounts.users.add(connection, name, role=role, plan="core", password_hash=None, actor="a test")
    yield accounts
    accounts.database.close()


class Asking:
    """Somebody with a key of theirs, and how they ask."""

    def __init__(
        self, client: TestClient, accounts: Accounts, name: str, scopes: Collection[Scope] | None = None
    ) -> None:
        self._client = client
        with accounts.database.write() as connection:
            user = accounts.users.by_name(connection, name)
            self.made = accounts.keys.mint(connection, user, name="first", scopes=scopes, actor="a test")

    def ask(self, method: str, path: str = "", body: object = None) -> Response:
        headers = {"Authorization": f"Bearer {self.made.text}"}
        return self._client.request(method, f"/v1/keys{path}", headers=headers, json=body)

    def create(self, **wanted: object) -> dict[str, object]:
        answer = self.ask("POST", body={"name": "trap", **wanted})
        assert answer.status_code == 201, answer.text
        made: dict[str, object] = answer.json()
        return made

    def listed(self, user: str = "") -> list[dict[str, object]]:
        answer = self.ask("GET", f"?user={user}" if user else "")
        assert answer.status_code == 200, answer.text
        keys: list[dict[str, object]] = answer.json()["keys"]
        return keys


@pytest.fixture
def ada(client: TestClient, accounts: Accounts) -> Asking:
    return Asking(client, accounts, "ada")


@pytest.fixture
def boss(client: TestClient, accounts: Accounts) -> Asking:
    return Asking(client, accounts, "boss")


def status_with(client: TestClient, key: object) -> int:
    return client.get("/v1/keys", headers={"Authorization": f"Bearer {key}"}).status_code


def test_a_key_is_made_and_shown_once(client: TestClient, ada: Asking) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)
    wanted = {"scopes": ["keys", "detect"], "expires_at": end.isoformat(), "rates": {"inference": 30}}

    answer = ada.ask("POST", body={"name": " trap 7 ", **wanted})

    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert KeyText.parse(made["key"]).id == made["id"]
    assert (made["name"], made["user"], made["scopes"]) == ("trap 7", "ada", ["detect", "keys"])
    assert made["rates"] == {"inference": 30, "reference": None, "usage": None}
    assert datetime.fromisoformat(made["expires_at"]) == end
    assert status_with(client, made["key"]) == 200
    assert made["key"] not in ada.ask("GET").text


def test_keys_are_listed_the_newest_first_by_their_ends(ada: Asking) -> None:
    made = ada.create()

    newest, first = ada.listed()

    assert newest == {name: value for name, value in made.items() if name != "key"}
    assert first["id"] == ada.made.key.id
    assert str(made["key"]).startswith(str(newest["prefix"]))
    assert str(made["key"]).endswith(str(newest["last_four"]))


def test_a_revoked_key_is_refused(client: TestClient, ada: Asking) -> None:
    made = ada.create()

    assert ada.ask("DELETE", f"/{made['id']}").status_code == 204
    assert ada.ask("DELETE", f"/{made['id']}").status_code == 204

    assert status_with(client, made["key"]) == 401
    assert ada.listed()[0]["revoked_at"] is not None


def test_a_rotated_key_works_on_for_a_day(client: TestClient, ada: Asking) -> None:
    old = ada.create(scopes=["keys"])

    answer = ada.ask("POST", f"/{old['id']}/rotate")

    new = answer.json()
    by_id = {key["id"]: key for key in ada.listed()}
    end = datetime.fromisoformat(str(by_id[old["id"]]["revoked_at"]))
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert (new["name"], new["scopes"]) == ("trap", ["keys"])
    assert status_with(client, old["key"]) == status_with(client, new["key"]) == 200
    assert timedelta(hours=23) < end - datetime.now(UTC) <= timedelta(hours=24)


def test_a_key_rotated_without_overlap_is_refused(client: TestClient, ada: Asking) -> None:
    old = ada.create()

    new = ada.ask("POST", f"/{old['id']}/rotate", {"overlap_seconds": 0}).json()

    assert status_with(client, old["key"]) == 401
    assert status_with(client, new["key"]) == 200
    assert ada.ask("POST", f"/{old['id']}/rotate").status_code == 409


def test_keys_of_others_are_for_admins(ada: Asking, boss: Asking) -> None:
    of_boss = boss.made.key.id

    assert ada.ask("GET", "?user=boss").status_code == 403
    assert ada.ask("POST", body={"name": "trap", "user": "boss"}).status_code == 403
    assert ada.ask("DELETE", f"/{of_boss}").status_code == 404
    assert ada.ask("POST", f"/{of_boss}/rotate").status_code == 404
    assert {key["user"] for key in ada.listed()} == {"ada"}


def test_an_admin_manages_keys_of_others(client: TestClient, ada: Asking, boss: Asking) -> None:
    made = boss.create(user="ADA")

    assert made["user"] == "ada"
    assert "admin" not in str(made["scopes"])
    assert [key["id"] for key in boss.listed("ada")] == [made["id"], ada.made.key.id]
    assert boss.ask("DELETE", f"/{made['id']}").status_code == 204
    assert status_with(client, made["key"]) == 401


def test_a_key_gives_no_more_than_its_maker_has(client: TestClient, accounts: Accounts, ada: Asking) -> None:
    less = Asking(client, accounts, "ada", {Scope.KEYS, Scope.READ})

    assert less.create()["scopes"] == ["keys", "read"]
    refused = less.ask("POST", body={"name": "trap", "scopes": ["detect"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
    assert less.ask("POST", f"/{ada.made.key.id}/rotate").status_code == 403


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"name": ""},
        {"name": "a" * 65},
        {"name": "a\u0000b"},
        {"name": "trap", "scopes": []},
        {"name": "trap", "scopes": ["fly"]},
        {"name": "trap", "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "trap", "expires_at": "2999-01-01T00:00:00"},
        {"name": "trap", "rates": {"inference": 0}},
        {"name": "trap", "rates": {"inference": 301}},
        {"name": "trap", "rates": {"uploads": 1}},
        {"name": "trap", "admin": True},
    ],
)
def test_what_no_key_can_be_made_of_is_refused(ada: Asking, wanted: dict[str, object]) -> None:
    answer = ada.ask("POST", body=wanted)

    assert answer.status_code == 400, answer.text
    assert len(ada.listed()) == 1


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("POST", ""), ("DELETE", "/abc"), ("POST", "/abc/rotate")]
)
def test_every_route_needs_a_key_with_the_scope(
    client: TestClient, accounts: Accounts, method: str, path: str
) -> None:
    less = Asking(client, accounts, "boss", {Scope.ADMIN})

    assert client.request(method, f"/v1/keys{path}", json={"name": "trap"}).status_code == 401
    assert less.ask(method, path, {"name": "trap"}).status_code == 403


def test_unknown_keys_and_users_are_not_found(boss: Asking) -> None:
    assert boss.ask("DELETE", "/abcdefghjkmn").status_code == 404
    assert boss.ask("POST", "/abcdefghjkmn/rotate").status_code == 404
    assert boss.ask("GET", "?user=nobody").status_code == 404


def test_a_server_without_users_says_how_to_make_one(client: TestClient) -> None:
    answer = client.post("/v1/keys", json={"name": "trap"})

    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert "okapia users add NAME --role admin" in answer.json()["detail"]
    assert client.get("/v1/keys").json() == {"keys": []}


def test_the_log_names_the_call(accounts: Accounts, ada: Asking) -> None:
    made = ada.create()

    with accounts.database.read() as connection:
        entry = accounts.audit.entries(connection, limit=1)[0]
    assert (entry.actor, entry.action, entry.subject) == ("ada", "key.create", f"key {made['id']}")
    assert entry.request_id
