"""Microsoft's synchronous detector API: each row of its error table, who is let in, and what is paid."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from okapia.accounts.keys import NewKey
from okapia.app import build_app
from okapia.cli.accounts_desk import open_accounts
from okapia.dialects.microsoft_detect.detect import render_error
from okapia.domain.callers import Role, Scope
from okapia.domain.errors import ModelNotInstalled, OkapiaError, ServerBusy, ShuttingDown
from okapia.domain.types import Failure
from okapia.service import Service
from okapia.settings import Settings
from okapia.web.problems import Problem
from tests.ledger_books import assert_balanced
from tests.unit.dialects.foxes import bare_service
from tests.unit.dialects.shades import shade, shades_service
from tests.unit.dialects.test_microsoft_detect import DETECT, PREFIX, Picture, picture
from tests.unit.web.conftest import House

MIB = 1024 * 1024
PDF = b"%PDF-1.7\n1 0 obj <</Type /Catalog>>"


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return shades_service(tmp_path)


@pytest.fixture
def house(tmp_path: Path, service: Service) -> Iterator[House]:
    settings = Settings(home=tmp_path, plans={"metered": {"included": 10}})
    accounts = open_accounts(settings)
    with TestClient(build_app(settings, service), base_url="http://localhost") as client:
        yield House(client.app, client, accounts)  # type: ignore[arg-type] # Starlette keeps its type no longer
    assert_balanced(accounts.database)
    accounts.database.close()


@pytest.fixture
def client(house: House) -> TestClient:
    return house.client


@pytest.fixture
def key(house: House) -> NewKey:
    house.add("ada", plan="metered")
    return house.key_of("ada")


def error_of(
    client: TestClient, files: list[Picture], query: dict[str, str] | None = None
) -> tuple[int, str]:
    """Call, and give status and sentence of the refusal."""
    answer = client.post(DETECT, params=query, files=files)
    assert answer.headers["content-type"] == "application/json"
    assert [*answer.json()] == ["error"]
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize("name", ["confidence", "min_confidence", "min_rendering_confidence"])
@pytest.mark.parametrize("value", ["1.2", "-0.1", "nan", "inf", "abc", "", "0,8"])
def test_a_confidence_outside_0_to_1_is_400(client: TestClient, name: str, value: str) -> None:
    status, error = error_of(client, [picture("one", 90)], {name: value})

    assert status == 400
    assert error.startswith(f"{name}: ")


@pytest.mark.parametrize(
    "query",
    [{"classification": "imagenet"}, {"people": "hide"}, {"failures": "never"}, {"classification": ""}],
)
def test_an_unknown_name_is_400(client: TestClient, query: dict[str, str]) -> None:
    status, error = error_of(client, [picture("one", 90)], query)

    assert status == 400
    assert error.startswith(next(iter(query)))


@pytest.mark.parametrize("classification", ["serengeti", "caltech"])
def test_a_known_classifier_is_taken_and_not_run(client: TestClient, classification: str) -> None:
    answer = client.post(
        DETECT,
        params={"classification": classification},
        files=[picture("one", 90)],
        headers={"Accept": "application/json"},
    )

    assert answer.status_code == 200
    assert answer.json()["classification_result"] == {}


def test_no_part_of_an_accepted_type_is_400(client: TestClient) -> None:
    status, error = error_of(client, [picture("not an image", 90, kind="content-type-not-image")])

    assert (status, error) == (
        400,
        "No image(s) of accepted types (image/jpeg, image/png, application/octet-stream) received.",
    )


@pytest.mark.parametrize("kind", ["application/json", "image/jpeg", "application/x-www-form-urlencoded", ""])
def test_a_body_that_is_no_form_is_400(client: TestClient, kind: str) -> None:
    answer = client.post(DETECT, content=shade(90), headers={"Content-Type": kind})

    assert answer.status_code == 400
    assert "accepted types" in answer.json()["error"]


@pytest.mark.parametrize("body", [b"nonsense", b"--x\r\n", b"--x\r\n\r\n\r\n--x--\r\n"])
def test_a_broken_form_is_400(client: TestClient, body: bytes) -> None:
    answer = client.post(DETECT, content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})

    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "content", [PDF, b"", b"GIF89a", shade(90)[:40]], ids=["PDF", "empty", "GIF", "cut off"]
)
def test_bytes_that_are_no_picture_are_400_and_never_500(client: TestClient, content: bytes) -> None:
    status, error = error_of(client, [picture("good", 90), ("bad", ("bad.jpg", content, "image/jpeg"))])

    assert status == 400
    assert error.startswith("bad: ")


def test_a_call_without_a_body_is_411(client: TestClient) -> None:
    answer = client.post(DETECT, params={"confidence": "0.8"})

    assert answer.status_code == 411
    assert answer.json() == {"error": "No image(s) were sent, or content length cannot be determined."}


def test_a_body_of_undeclared_length_is_411(client: TestClient) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}

    answer = client.post(DETECT, content=iter([b"--x--\r\n"]), headers=headers)

    assert answer.status_code == 411


def test_nine_pictures_are_413(client: TestClient) -> None:
    status, error = error_of(client, [picture(f"p{place}", 90) for place in range(9)])

    assert status == 413
    assert error.startswith("Too many images.")


def test_eight_pictures_and_a_part_that_does_not_count_pass(client: TestClient) -> None:
    files = [picture(f"p{place}", 90) for place in range(8)]

    answer = client.post(DETECT, files=[*files, picture("text", 90, kind="text/plain")])

    assert answer.status_code == 200


def test_a_picture_of_5_mib_passes_and_a_byte_more_is_413(client: TestClient) -> None:
    largest = shade(90).ljust(5 * MIB, b"\0")

    passed = client.post(DETECT, files=[("big", ("big.jpg", largest, "image/jpeg"))])
    status, error = error_of(client, [picture("a", 9), ("big", ("big.jpg", largest + b"\0", "image/jpeg"))])

    assert passed.status_code == 200
    assert (status, error) == (413, "The image 'big' is larger than 5,242,880 bytes.")


def test_a_body_over_40_mib_is_413(client: TestClient) -> None:
    part = ("pad", ("pad.bin", b"\0" * (40 * MIB), "text/plain"))

    status, error = error_of(client, [picture("a", 9), part])

    assert status == 413
    assert "41,943,040 bytes" in error


@pytest.mark.parametrize(
    "error",
    [
        ServerBusy(waiting=64, retry_after_s=7),
        ShuttingDown(),
        ModelNotInstalled("md", command="okapia models pull md"),
    ],
    ids=["busy", "stopping", "no model"],
)
def test_what_passes_is_503_with_a_time_to_try_again(error: OkapiaError) -> None:
    answer = render_error(Problem.of(error))

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 5


def test_a_fault_of_ours_is_500() -> None:
    answer = render_error(Problem.of(Failure("internal_error", "this picture met a fault in Okapia")))

    assert (answer.status_code, answer.body) == (500, b'{"error":"this picture met a fault in Okapia"}')


def test_without_a_model_it_is_503(tmp_path: Path) -> None:
    app = build_app(Settings(home=tmp_path), bare_service(tmp_path))

    with TestClient(app, base_url="http://localhost") as client:
        answer = client.post(DETECT, files=[picture("one", 90)])

    assert answer.status_code == 503
    assert "okapia models pull" in answer.json()["error"]
    assert "Retry-After" in answer.headers


def test_a_full_queue_is_503_and_costs_nothing(house: House, service: Service, key: NewKey) -> None:
    gate = threading.Event()
    held = [service._scheduler.submit(gate.wait) for _ in range(2)]
    while service._scheduler.waiting:
        pass
    waiting = [service._scheduler.submit(gate.wait) for _ in range(60)]
    headers = {"key": key.text}

    answer = house.client.post(
        DETECT, files=[picture(f"p{place}", 90) for place in range(8)], headers=headers
    )
    gate.set()
    for one in (*held, *waiting):
        one.result()

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["X-Credits-Charged"] == "0"


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"Ocp-Apim-Subscription-Key": "KEY"}, {}),
        ({"ocp-apim-subscription-key": " KEY "}, {}),
        ({}, {"subscription-key": "KEY"}),
        ({"key": "KEY"}, {}),
        ({"Authorization": "Bearer KEY"}, {}),
        ({"Ocp-Apim-Subscription-Key": "", "key": "KEY"}, {}),
    ],
)
def test_keys_may_stand_where_any_age_put_them(
    house: House, key: NewKey, headers: dict[str, str], query: dict[str, str]
) -> None:
    headers = {name: value.replace("KEY", key.text) for name, value in headers.items()}
    query = {name: value.replace("KEY", key.text) for name, value in query.items()}

    answer = house.client.post(DETECT, params=query, headers=headers, files=[picture("one", 90)])
    version = house.client.get(f"{PREFIX}/detector_model_version", params=query, headers=headers)

    assert (answer.status_code, version.status_code) == (200, 200)


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({}, {}, 401),
        ({"Ocp-Apim-Subscription-Key": ""}, {}, 401),
        ({"Ocp-Apim-Subscription-Key": "wrong"}, {}, 401),
        ({}, {"subscription-key": "wrong"}, 401),
        ({"Authorization": "Bearer wrong"}, {}, 401),
        ({"key": "wrong"}, {}, 403),
    ],
)
def test_calls_without_a_good_key_are_refused(
    house: House, key: NewKey, headers: dict[str, str], query: dict[str, str], status: int
) -> None:
    del key

    answer = house.client.post(DETECT, params=query, headers=headers, files=[picture("one", 90)])

    assert answer.status_code == status
    assert [*answer.json()] == ["error"]


def test_a_key_that_may_not_detect_is_403(house: House) -> None:
    house.add("ada", role=Role.ADMIN)
    key = house.key_of("ada", scopes=[Scope.READ])

    answer = house.client.post(DETECT, headers={"key": key.text}, files=[picture("one", 90)])

    assert answer.status_code == 403


def test_health_needs_no_key(house: House, key: NewKey) -> None:
    del key

    answer = house.client.get(f"{PREFIX}/")

    assert (answer.status_code, answer.text) == (200, "Health check OK")


@pytest.mark.parametrize(
    ("query", "status", "charged"),
    [({}, 400, "0"), ({"failures": "per_image"}, 200, "2"), ({"confidence": "2"}, 400, None)],
)
def test_only_pictures_that_are_answered_are_paid(
    house: House, key: NewKey, query: dict[str, str], status: int, charged: str | None
) -> None:
    files = [picture("a", 90), ("bad", ("bad.jpg", PDF, "image/jpeg")), picture("c", 80)]

    answer = house.client.post(DETECT, params=query, headers={"key": key.text}, files=files)

    assert answer.status_code == status
    assert answer.headers.get("X-Credits-Charged") == charged


def test_every_picture_costs_a_credit_and_too_few_are_402(house: House, key: NewKey) -> None:
    headers, files = {"key": key.text}, [picture(f"p{place}", 90) for place in range(8)]

    first = house.client.post(DETECT, params={"render": "true"}, headers=headers, files=files)
    second = house.client.post(DETECT, headers=headers, files=files)

    assert (first.headers["X-Credits-Charged"], first.headers["X-Credits-Remaining"]) == ("8", "2")
    assert (second.status_code, [*second.json()]) == (402, ["error"])
