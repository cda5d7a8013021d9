"""Microsoft's batch API over HTTP: who is let in, what is refused, and what its three ages answer."""

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from okapia.accounts.keys import NewKey
from okapia.app import build_app
from okapia.batches.batch import State
from okapia.batches.store import BatchStore
from okapia.cli.accounts_desk import open_accounts
from okapia.domain.callers import Role, Scope
from okapia.service.batches import MOST_ACTIVE
from okapia.settings import Settings
from tests.ledger_books import assert_balanced
from tests.unit.dialects.bright import bright_service
from tests.unit.dialects.test_microsoft_batch_asking import CONTAINER
from tests.unit.web.conftest import House

V2, V3, V4 = (f"/{version}/camera-trap/detection-batch" for version in ("v2", "v3", "v4"))
AGES = [V2, V3, V4]
SECRET = "5ecr3t"  # noqa: S105 - a test

Move = Callable[[str, State], None]


@contextmanager
def opened(home: Path) -> Iterator[House]:
    """A server that takes batches and works on none."""
    settings = Settings(home=home, batch_workers=0, fetch_urls=True, model_aliases={"stoat": "4.1"})
    accounts = open_accounts(settings)
    app = build_app(settings, bright_service(home))
    with TestClient(app, base_url="http://localhost") as client:
        yield House(app, client, accounts)
    assert_balanced(accounts.database)
    accounts.database.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A server that a test gives users, or fills."""
    with opened(tmp_path) as house:
        yield house


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def open_house(home: Path) -> Iterator[House]:
    """A server without users."""
    with opened(home) as house:
        yield house


@pytest.fixture
def client(open_house: House) -> TestClient:
    return open_house.client


@pytest.fixture
def move(open_house: House) -> Move:
    """Give what brings a task into a state, as its workers or its owner do."""

    def move(task_id: str, to: State) -> None:
        store = BatchStore()
        with open_house.accounts.database.write() as connection:
            change = store.end if to.is_final else store.halt
            assert change(connection, task_id, to, message="the cloud answered 403") is not None

    return move


def body(**more: object) -> dict[str, object]:
    return {"caller": "ada", "input_container_sas": CONTAINER, **more}


def submit(client: TestClient, **more: object) -> str:
    answer = client.post(f"{V4}/request_detections", json=body(**more))
    assert answer.status_code == 200, answer.text
    task_id: str = answer.json()["request_id"]
    return task_id


def cancel(client: TestClient, task_id: str) -> httpx2.Response:
    return client.post(f"{V4}/cancel_request", json={"request_id": task_id, "caller": "ada"})


def status_of(client: TestClient, task_id: str) -> dict[str, Any]:
    status: dict[str, Any] = client.get(f"{V4}/task/{task_id}").json()["Status"]
    return status


def error_of(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/json"
    assert [*answer.json()] == ["error"]
    return answer.status_code, answer.json()["error"]


# --- the ages --------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", AGES)
def test_every_age_is_served(client: TestClient, prefix: str) -> None:
    health = client.get(f"{prefix}/")
    default = client.get(f"{prefix}/default_model_version")
    supported = client.get(f"{prefix}/supported_model_versions")
    made = client.post(f"{prefix}/request_detections", json=body())

    assert health.text == "Camera traps batch processing API. Instance: Okapia"
    assert default.text == "4.1"
    assert supported.json() == ["4.1", "guard", "slow", "urban", "wild"]
    assert (made.status_code, [*made.json()]) == (200, ["request_id"])
    assert client.get(f"{prefix}/task/{made.json()['request_id']}").status_code == 200


def test_a_task_is_known_at_all_addresses_and_with_dashes(client: TestClient) -> None:
    task_id = submit(client)

    last = client.get(f"{V4}/task/{uuid.UUID(task_id)}").json()
    between = client.get(f"{V3}/task/{task_id}").json()
    first = client.get(f"{V2}/task/{task_id}").json()

    assert last["TaskId"] == between["TaskId"] == first["uuid"] == task_id
    assert last["Status"]["request_status"] == first["status"]["request_status"] == "created"
    assert between["Endpoint"] == f"{V3}/request_detections"
    assert last["Status"]["message"] == "Request received. Listing images next..."


def test_only_the_last_age_is_documented(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]

    assert f"{V4}/request_detections" in paths
    assert not [path for path in paths if path.startswith((V2, V3))]


# --- what is refused -------------------------------------------------------------------


@pytest.mark.parametrize("route", ["request_detections", "cancel_request"])
@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"{}", "text/plain", "Body needs to have a JSON mimetype (e.g., application/json)."),
        (b"", "", "Body needs to have a JSON mimetype (e.g., application/json)."),
        (b"caller=ada", "application/x-www-form-urlencoded", "Body needs to have a JSON mimetype"),
        (b'{"caller": ', "application/json", "Error occurred reading POST request body: "),
        (b"", "application/json", "Error occurred reading POST request body: "),
        (b"\xff", "application/json; charset=utf-8", "Error occurred reading POST request body: "),
    ],
)
def test_what_is_not_json_is_415(
    client: TestClient, route: str, content: bytes, kind: str, message: str
) -> None:
    answer = client.post(f"{V4}/{route}", content=content, headers={"Content-Type": kind})

    status, error = error_of(answer)
    assert status == 415
    assert error.startswith(message)


def test_json_of_any_kind_is_taken(client: TestClient) -> None:
    content = httpx2.Request("POST", "http://okapia", json=body()).read()

    answer = client.post(
        f"{V4}/request_detections", content=content, headers={"Content-Type": "Application/LD+JSON"}
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("document", [b"[]", b'"text"', b"1", b"null"])
def test_json_that_is_no_object_is_400(client: TestClient, document: bytes) -> None:
    answer = client.post(
        f"{V4}/request_detections", content=document, headers={"Content-Type": "application/json"}
    )

    status, error = error_of(answer)
    assert status == 400
    assert error.startswith("expected a JSON object, got ")


def test_a_body_of_more_than_64_kib_is_413(client: TestClient) -> None:
    answer = client.post(f"{V4}/request_detections", json=body(organization_name="x" * 65_536))

    assert error_of(answer)[0] == 413


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"input_container_sas": None}, "input_container_sas with read and list access is a required field"),
        ({"input_container_sas": "https://a.example"}, "input_container_sas provided is not for a container"),
        ({"use_url": True}, "images_requested_json_sas is required since use_url is true."),
        ({"model_version": "5"}, "model_version 5 is not supported."),
        ({"request_name": "a b"}, "request_name: "),
        ({"first_n": 0}, "first_n: "),
    ],
)
def test_a_wrong_parameter_is_400(client: TestClient, more: dict[str, object], message: str) -> None:
    status, error = error_of(client.post(f"{V4}/request_detections", json=body(**more)))

    assert status == 400
    assert error.startswith(message)


@pytest.mark.parametrize("task_id", ["nobody", "0" * 32, "1ad2d3a6-7de8-424f-89c7-5e0a5cf0b05f"])
def test_an_unknown_task_is_404(client: TestClient, task_id: str) -> None:
    asked = error_of(client.get(f"{V4}/task/{task_id}"))
    canceled = error_of(cancel(client, task_id))

    assert asked == canceled == (404, "Task is not found.")


def test_too_many_open_tasks_are_503(house: House) -> None:
    for _ in range(MOST_ACTIVE):
        submit(house.client)

    answer = house.client.post(f"{V4}/request_detections", json=body())

    assert error_of(answer) == (503, "Too many active jobs, please try again later")
    assert int(answer.headers["Retry-After"]) > 0


# --- callers ---------------------------------------------------------------------------


@pytest.mark.parametrize("named", [None, "", 7, ["ada"]])
@pytest.mark.parametrize("route", ["request_detections", "cancel_request"])
def test_a_call_without_a_caller_is_401(client: TestClient, route: str, named: object) -> None:
    answer = client.post(f"{V4}/{route}", json={**body(), "request_id": "0" * 32, "caller": named})

    status, error = error_of(answer)
    assert status == 401
    assert error.startswith("Parameter caller is not supplied or is not on our allowlist")


def test_the_caller_is_checked_before_the_other_parameters(client: TestClient) -> None:
    assert error_of(client.post(f"{V4}/request_detections", json={"first_n": 0}))[0] == 401


@pytest.fixture
def key(house: House) -> NewKey:
    """Ada's key, whose name is `camera`."""
    house.add("ada", role=Role.ADMIN)
    return house.key_of("ada")


@pytest.mark.parametrize(("named", "status"), [("ada", 200), ("camera", 200), ("bob", 401), ("Camera", 401)])
def test_a_caller_is_who_has_the_key_or_what_the_key_is_called(
    house: House, key: NewKey, named: str, status: int
) -> None:
    house.add("bob")

    answer = house.client.post(f"{V4}/request_detections", json=body(caller=named), headers={"key": key.text})

    assert answer.status_code == status


@pytest.mark.parametrize("place", ["hosted", "query", "key", "bearer", "address"])
def test_a_key_may_stand_where_any_program_can_put_it(house: House, key: NewKey, place: str) -> None:
    client, text = house.client, key.text
    task_id = house.client.post(f"{V4}/request_detections", json=body(), headers={"key": text}).json()[
        "request_id"
    ]
    path = f"{V4}/task/{task_id}"

    match place:
        case "hosted":
            answer = client.get(path, headers={"Ocp-Apim-Subscription-Key": text})
        case "query":
            answer = client.get(path, params={"subscription-key": text})
        case "key":
            answer = client.get(path, headers={"key": f" {text} "})
        case "bearer":
            answer = client.get(path, headers={"Authorization": f"Bearer {text}"})
        case _:
            answer = client.get(f"http://anybody:{text}@localhost{path}")

    assert answer.status_code == 200


def test_somebody_elses_task_is_unknown(house: House, key: NewKey) -> None:
    house.add("bob")
    bobs = {"key": house.key_of("bob").text}
    made = house.client.post(f"{V4}/request_detections", json=body(), headers={"key": key.text})
    task_id = made.json()["request_id"]

    asked = house.client.get(f"{V4}/task/{task_id}", headers=bobs)
    canceled = house.client.post(
        f"{V4}/cancel_request", json={"request_id": task_id, "caller": "bob"}, headers=bobs
    )

    assert error_of(asked) == error_of(canceled) == (404, "Task is not found.")


def test_asking_takes_the_scope_of_jobs_and_looking_that_of_reading(house: House, key: NewKey) -> None:
    del key
    reader = {"key": house.key_of("ada", scopes=[Scope.READ]).text}
    asker = {"key": house.key_of("ada", scopes=[Scope.JOBS]).text}

    refused = house.client.post(f"{V4}/request_detections", json=body(), headers=reader)
    made = house.client.post(f"{V4}/request_detections", json=body(), headers=asker)
    looked = house.client.get(f"{V4}/task/{made.json()['request_id']}", headers=reader)

    assert error_of(refused)[0] == 403
    assert (made.status_code, looked.status_code) == (200, 200)


# --- canceling -------------------------------------------------------------------------


@pytest.mark.parametrize("before", [None, State.PAUSED, State.NEEDS_CREDENTIALS])
def test_a_task_that_has_not_ended_is_canceled(client: TestClient, move: Move, before: State | None) -> None:
    task_id = submit(client)
    if before is not None:
        move(task_id, before)

    answer = cancel(client, str(uuid.UUID(task_id)))

    assert (answer.status_code, answer.text) == (
        200,
        "Canceling signal has been sent. You can verify the status at the /task endpoint",
    )
    assert status_of(client, task_id)["request_status"] == "canceled"


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELED])
def test_a_task_that_has_ended_is_not_canceled(client: TestClient, move: Move, state: State) -> None:
    task_id = submit(client)
    move(task_id, state)

    assert error_of(cancel(client, task_id)) == (400, f"Task has {state.value} and cannot be canceled")


def test_canceling_needs_an_id(client: TestClient) -> None:
    answer = client.post(f"{V4}/cancel_request", json={"caller": "ada"})

    assert error_of(answer) == (400, "request_id is a required field.")


def test_a_task_that_lost_its_credentials_says_how_it_goes_on(client: TestClient, move: Move) -> None:
    task_id = submit(client)
    move(task_id, State.NEEDS_CREDENTIALS)

    status = status_of(client, task_id)

    assert status["request_status"] == "problem"
    assert f"okapia batch resume {task_id} --sas-stdin" in status["message"]


# --- secrets ---------------------------------------------------------------------------


def test_a_signature_is_in_no_answer_no_log_and_no_file(
    client: TestClient,
    home: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)

    task_id = submit(client, images_requested_json_sas=f"https://lists.example/a.json?sig={SECRET}")
    answers = [
        client.get(f"{V4}/task/{task_id}").text,
        client.get(f"/v1/batches/{task_id}").text,
        client.post(f"{V4}/request_detections", json=body(first_n=SECRET)).text,
        client.post(f"{V4}/request_detections", json=body(input_container_sas=f"{CONTAINER}#")).text,
        client.post(f"{V4}/request_detections", json=body(model_version="5")).text,
        client.post(f"{V4}/request_detections", content=f'{{"sas": "{SECRET}', headers={}).text,
        cancel(client, task_id).text,
    ]

    printed = caplog.text + "".join(capfd.readouterr())
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert SECRET not in "".join(answers)
    assert SECRET not in printed
    assert SECRET.encode() not in kept
    assert task_id.encode() in kept
