"""`/v1/webhooks`: made, changed, tested, looked into and replayed, by their owner and nobody else."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from fastapi import FastAPI
from httpx2 import Response
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook
from starlette.testclient import TestClient

from okapia.app import build_app
from okapia.cli.accounts_desk import Accounts, open_accounts
from okapia.database.tables import webhook_endpoints
from okapia.dialects.webhooks import document_webhooks
from okapia.dialects.webhooks.bodies import EventName
from okapia.domain.callers import Role, Scope
from okapia.service.webhooks import EVERY_EVENT, EventType
from okapia.settings import Settings
from tests.unit.dialects.foxes import RED_FOX, fox_service
from tests.unit.dialects.test_animaldetect import FIELDS
from tests.unit.webhooks.receiver import Receiver, receiving

URL = "https://example.org/hook?token=t"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture(scope="module")
def still_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A server for calls that change nothing."""
    folder = tmp_path_factory.mktemp("still")
    app = build_app(Settings(home=folder), fox_service(folder))
    with TestClient(app, base_url="http://localhost") as client:
        yield client


@pytest.fixture
def home_client(tmp_path: Path) -> Iterator[TestClient]:
    """A server that may send to this machine."""
    settings = Settings(home=tmp_path, private_webhooks=True)
    with TestClient(build_app(settings, fox_service(tmp_path)), base_url="http://localhost") as client:
        yield client


def create(client: TestClient, url: str = URL, **wanted: object) -> dict[str, object]:
    answer = client.post("/v1/webhooks", json={"url": url, **wanted})
    assert answer.status_code == 201, answer.text
    made: dict[str, object] = answer.json()
    return made


def ended(client: TestClient, path: str) -> dict[str, object]:
    """Give a delivery's record once it has ended; fails after 10 s."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        record: dict[str, object] = client.get(path).json()
        if record["finished_at"] is not None:
            return record
        time.sleep(0.01)
    raise AssertionError(path)


# --- endpoints -------------------------------------------------------------------------


def test_a_webhook_is_made_and_its_secret_shown_once(client: TestClient) -> None:
    answer = client.post("/v1/webhooks", json={"url": URL})

    made = answer.json()
    secret = made.pop("secret")
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert secret.startswith("whsec_")
    assert (made["url"], made["events"], made["enabled"]) == (URL, ["*"], True)
    assert made["filter"] == {
        "category": [],
        "taxon": None,
        "taxon_name": None,
        "camera": [],
        "min_score": 0.0,
        "hours": None,
    }
    assert client.get(f"/v1/webhooks/{made['id']}").json() == made
    assert client.get("/v1/webhooks").json() == {"webhooks": [made]}


def test_a_filter_is_kept_and_its_taxon_told_by_id_and_name(client: TestClient) -> None:
    wanted = {
        "category": ["human", "animal"],
        "taxon": "Red Fox",
        "camera": ["C2", "C1"],
        "min_score": 0.5,
        "hours": {"from": "20:00", "to": "06:00"},
    }

    made = create(client, events=["detection.created", "job.failed", "job.failed"], filter=wanted)

    assert made["events"] == ["detection.created", "job.failed"]
    expected = {"taxon": RED_FOX.id, "taxon_name": "red fox", "category": ["animal", "human"]}
    assert made["filter"] == {**wanted, **expected, "camera": ["C1", "C2"]}


@pytest.mark.parametrize("taxon", [RED_FOX.id, "red fox", "vulpes vulpes", "Red_Fox"])
def test_a_taxon_is_found_by_id_and_by_either_name(client: TestClient, taxon: str) -> None:
    made = create(client, filter={"taxon": taxon})

    assert f"'taxon': '{RED_FOX.id}'" in str(made["filter"])


def test_all_events_are_all_others_are_part_of_them(client: TestClient) -> None:
    assert create(client, events=["job.failed", "*"])["events"] == ["*"]


def test_every_kind_of_event_can_be_subscribed_to_but_the_test() -> None:
    assert set(get_args(EventName)) == {EVERY_EVENT, *EventType} - {EventType.TEST}


@pytest.mark.parametrize(
    ("wanted", "param"),
    [
        ({}, "url"),
        ({"url": "http://example.org/"}, "url"),
        ({"url": "ftp://example.org/"}, "url"),
        ({"url": "example.org"}, "url"),
        ({"url": "https://me:word@example.org/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://169.254.169.254/latest"}, "url"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "url"),
        ({"url": f"https://example.org/{'x' * 2048}"}, "url"),
        ({"url": URL, "events": []}, "events"),
        ({"url": URL, "events": "*"}, "events"),
        ({"url": URL, "events": ["job.begun"]}, "0"),
        ({"url": URL, "events": ["webhook.test"]}, "0"),
        ({"url": URL, "description": "x" * 256}, "description"),
        ({"url": URL, "secret": "whsec_AAAA"}, "secret"),
        ({"url": URL, "filter": {"category": ["person"]}}, "0"),
        ({"url": URL, "filter": {"taxon": "unicorn"}}, "taxon"),
        ({"url": URL, "filter": {"taxon": ""}}, "taxon"),
        ({"url": URL, "filter": {"camera": ["x"] * 1001}}, "camera"),
        ({"url": URL, "filter": {"min_score": 1.1}}, "min_score"),
        ({"url": URL, "filter": {"min_score": "NaN"}}, "min_score"),
        ({"url": URL, "filter": {"hours": {"from": "24:00", "to": "06:00"}}}, "from"),
        ({"url": URL, "filter": {"hours": {"from": "6:00", "to": "07:00"}}}, "from"),
        ({"url": URL, "filter": {"hours": {"from": "06:00"}}}, "to"),
        ({"url": URL, "filter": {"hours": {"from": "06:00", "to": "06:00"}}}, "hours"),
        ({"url": URL, "filter": {"species": "fox"}}, "species"),
    ],
)
def test_what_cannot_be_a_webhook_is_refused_by_name(
    still_client: TestClient, wanted: dict[str, object], param: str
) -> None:
    answer = still_client.post("/v1/webhooks", json=wanted)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert still_client.get("/v1/webhooks").json() == {"webhooks": []}


def test_a_url_is_not_repeated_in_what_is_wrong_with_it(still_client: TestClient) -> None:
    answer = still_client.post("/v1/webhooks", json={"url": "http://example.org/?token=t0ps3cret"})

    assert "t0ps3cret" not in answer.text


def test_what_is_left_out_of_a_change_stays(client: TestClient) -> None:
    made = create(client, description="a fleet", filter={"min_score": 0.5})
    path = f"/v1/webhooks/{made['id']}"

    changed = client.patch(path, json={"events": ["job.failed"]}).json()

    assert changed["events"] == ["job.failed"]
    unchanged = ("url", "description", "filter", "created_at", "enabled")
    assert [changed[name] for name in unchanged] == [made[name] for name in unchanged]
    assert client.patch(path, json={"filter": {}}).json()["filter"]["min_score"] == 0.0
    assert client.patch(path, json={"url": "http://10.0.0.1/"}).status_code == 400
    assert client.get(path).json()["url"] == URL


def test_a_webhook_is_switched_off_and_on(client: TestClient) -> None:
    path = f"/v1/webhooks/{create(client)['id']}"

    off = client.patch(path, json={"enabled": False}).json()
    tested = client.post(f"{path}/test")
    on = client.patch(path, json={"enabled": True}).json()

    assert (off["enabled"], off["disabled_reason"]) == (False, "disabled by its owner")
    assert (tested.status_code, tested.json()["code"]) == (409, "wrong_state")
    assert (on["enabled"], on["disabled_at"], on["disabled_reason"]) == (True, None, None)


def test_a_rotation_shows_the_new_secret_once_and_when_the_old_one_ends(client: TestClient) -> None:
    made = create(client)
    path = f"/v1/webhooks/{made['id']}"

    answer = client.post(f"{path}/rotate")

    rotated = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert rotated["secret"] != made["secret"]
    assert rotated["old_secret_expires_at"] > rotated["created_at"]
    assert "secret" not in client.get(path).json()


def test_a_deleted_webhook_is_gone(client: TestClient) -> None:
    path = f"/v1/webhooks/{create(client)['id']}"

    assert client.delete(path).status_code == 204

    assert client.get(path).status_code == client.delete(path).status_code == 404


def test_the_same_call_twice_makes_one_webhook_and_shows_the_same_secret(client: TestClient) -> None:
    headers = {"Idempotency-Key": "once"}

    first, second = (client.post("/v1/webhooks", json={"url": URL}, headers=headers) for _ in range(2))

    assert second.headers["idempotent-replayed"] == "true"
    assert first.json() == second.json()
    assert len(client.get("/v1/webhooks").json()["webhooks"]) == 1


def test_what_was_changed_is_in_the_audit_log_without_url_and_secret(
    client: TestClient, tmp_path: Path
) -> None:
    made = create(client)
    path = f"/v1/webhooks/{made['id']}"
    client.patch(path, json={"events": ["job.failed"]})
    client.post(f"{path}/rotate")
    client.delete(path)

    accounts = open_accounts(Settings(home=tmp_path))
    with accounts.database.read() as connection:
        entries = accounts.audit.entries(connection, limit=10)
    accounts.database.close()

    actions = [entry.action for entry in entries]
    assert actions == ["webhook.delete", "webhook.rotate", "webhook.change", "webhook.create"]
    assert {(entry.actor, entry.subject) for entry in entries} == {("local", f"webhook {made['id']}")}
    assert all(entry.request_id for entry in entries)
    assert "example.org" not in str(entries)
    assert "whsec_" not in str(entries)


# --- deliveries ------------------------------------------------------------------------


def test_a_test_arrives_signed_and_is_in_the_log(home_client: TestClient, receiver: Receiver) -> None:
    made = create(home_client, receiver.url)
    path = f"/v1/webhooks/{made['id']}"

    answer = home_client.post(f"{path}/test")

    receiver.wait_for(1)
    (request,) = receiver.received
    delivery = answer.json()
    assert answer.status_code == 202
    assert (delivery["type"], delivery["event_id"]) == ("webhook.test", request.headers["webhook-id"])
    payload = Webhook(str(made["secret"])).verify(request.body, request.headers)
    record = ended(home_client, f"{path}/deliveries/{delivery['id']}")
    assert record["payload"] == payload
    assert (record["state"], record["attempts"]) == ("delivered", 1)
    (attempt,) = home_client.get(f"{path}/deliveries/{delivery['id']}").json()["log"]
    assert (attempt["status"], attempt["error"]) == (204, None)


def test_a_replay_arrives_under_the_same_id(home_client: TestClient, receiver: Receiver) -> None:
    path = f"/v1/webhooks/{create(home_client, receiver.url)['id']}"
    delivery = f"{path}/deliveries/{home_client.post(f'{path}/test').json()['id']}"
    ended(home_client, delivery)

    answer = home_client.post(f"{delivery}/replay")

    receiver.wait_for(2)
    assert answer.status_code == 202
    assert len(set(receiver.ids)) == 1
    assert receiver.received[0].body == receiver.received[1].body


def test_what_is_still_tried_is_not_replayed(home_client: TestClient, receiver: Receiver) -> None:
    receiver.statuses = [500]
    path = f"/v1/webhooks/{create(home_client, receiver.url)['id']}"
    delivery_id = home_client.post(f"{path}/test").json()["id"]

    answer = home_client.post(f"{path}/deliveries/{delivery_id}/replay")

    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")


def test_an_animal_in_a_picture_is_told_of(home_client: TestClient, receiver: Receiver) -> None:
    wanted = {"events": ["detection.created"], "filter": {"taxon": "canidae", "category": ["animal"]}}
    made = create(home_client, receiver.url, **wanted)
    create(home_client, f"{receiver.url}/cats", **{**wanted, "filter": {"taxon": "felidae"}})

    answer = home_client.post("/v1/detect", files=FIELDS).json()

    receiver.wait_for(1)
    payload = Webhook(str(made["secret"])).verify(receiver.received[0].body, receiver.received[0].headers)
    told, annotation = payload["data"], answer["annotations"][0]
    assert (payload["type"], told["answer_id"]) == ("detection.created", answer["id"])
    assert (told["endpoint"], told["filename"], told["detections_total"]) == ("/v1/detect", "fox.jpg", 1)
    assert told["detections"] == [
        {
            "bbox": annotation["bbox"],
            "category": annotation["category"],
            "score": annotation["score"],
            "label": annotation["label"],
            "taxonomy_id": annotation["taxonomy"]["id"],
        }
    ]
    assert [request.path for request in receiver.received] == ["/hook"]


def test_the_log_is_paged_with_a_link_to_what_follows(home_client: TestClient, receiver: Receiver) -> None:
    path = f"/v1/webhooks/{create(home_client, receiver.url)['id']}"
    made = [home_client.post(f"{path}/test").json()["id"] for _ in range(3)]

    first = home_client.get(f"{path}/deliveries?limit=2")
    second = home_client.get(first.headers["link"].partition(">")[0].removeprefix("<"))

    shown = [delivery["id"] for page in (first, second) for delivery in page.json()["deliveries"]]
    assert shown == made[::-1]
    assert (second.json()["next_cursor"], second.headers.get("link")) == (None, None)


@pytest.mark.parametrize(
    ("query", "param"), [("limit=0", "limit"), ("limit=101", "limit"), ("cursor=wd_0", "cursor")]
)
def test_pages_that_cannot_be_are_refused(client: TestClient, query: str, param: str) -> None:
    made = create(client)

    answer = client.get(f"/v1/webhooks/{made['id']}/deliveries?{query}")

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


# --- whose they are --------------------------------------------------------------------

ROUTES = [
    ("GET", ""),
    ("PATCH", ""),
    ("DELETE", ""),
    ("POST", "/rotate"),
    ("POST", "/test"),
    ("GET", "/deliveries"),
    ("GET", "/deliveries/wd_0"),
    ("POST", "/deliveries/wd_0/replay"),
]


@pytest.fixture
def accounts(tmp_path: Path, client: TestClient) -> Iterator[Accounts]:
    """The accounts of the server that `client` asks, with `ada` and `ben`."""
    del client
    accounts = open_accounts(Settings(home=tmp_path))
    with accounts.database.write() as connection:
        for name in ("ada", "ben"):
            accounts.users.add(
                connection, name, role=Role.USER, plan="core", password_hash=None, actor="a test"
            )
    yield accounts
    accounts.database.close()


class Asking:
    """Somebody with a key of theirs."""

    def __init__(
        self, client: TestClient, accounts: Accounts, name: str, scope: Scope = Scope.WEBHOOKS
    ) -> None:
        self._client = client
        with accounts.database.write() as connection:
            user = accounts.users.by_name(connection, name)
            made = accounts.keys.mint(connection, user, name="first", scopes={scope}, actor="a test")
        self._headers = {"Authorization": f"Bearer {made.text}"}

    def ask(self, method: str, path: str, body: object = None) -> Response:
        return self._client.request(method, f"/v1/webhooks{path}", headers=self._headers, json=body)


def test_what_is_anothers_and_what_is_nobodys_are_not_found(client: TestClient, accounts: Accounts) -> None:
    ada, ben = Asking(client, accounts, "ada"), Asking(client, accounts, "ben")
    made = ada.ask("POST", "", {"url": URL}).json()

    for method, path in ROUTES:
        body: dict[str, str] | None = {} if method == "PATCH" else None
        of_ada = ben.ask(method, f"/{made['id']}{path}", body)
        of_nobody = ben.ask(method, f"/we_0{path}", body)

        assert of_ada.status_code == of_nobody.status_code == 404, path
        assert of_ada.json()["detail"] == of_nobody.json()["detail"]
    assert ada.ask("GET", f"/{made['id']}").status_code == 200
    assert ben.ask("GET", "").json() == {"webhooks": []}


def test_every_route_needs_a_key_with_its_scope(client: TestClient, accounts: Accounts) -> None:
    less = Asking(client, accounts, "ada", Scope.READ)

    for method, path in [("GET", ""), ("POST", ""), *((m, f"/we_0{p}") for m, p in ROUTES)]:
        without = client.request(method, f"/v1/webhooks{path}")
        refused = less.ask(method, path)

        assert (without.status_code, without.json()["code"]) == (401, "missing_credentials"), path
        assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope"), path


def test_secrets_lie_sealed_in_the_database(client: TestClient, tmp_path: Path) -> None:
    secret = str(create(client)["secret"])

    accounts = open_accounts(Settings(home=tmp_path))
    with accounts.database.read() as connection:
        row = connection.execute(select(webhook_endpoints)).mappings().one()
    accounts.database.close()

    assert secret not in str(dict(row))
    assert secret.encode() not in (tmp_path / "okapia.db").read_bytes()


# --- documentation ---------------------------------------------------------------------


def test_the_openapi_document_describes_what_is_sent() -> None:
    app = FastAPI()
    document_webhooks(app.webhooks)

    described = app.openapi()["webhooks"]

    sent = {kind for kind in EventType if not kind.startswith("batch.")}
    assert set(described) == sent
    headers = {parameter["name"] for parameter in described["job.failed"]["post"]["parameters"]}
    assert headers == {"webhook-id", "webhook-timestamp", "webhook-signature"}
