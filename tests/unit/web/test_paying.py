"""What calls cost: held before, settled for what succeeded, never twice."""

from base64 import b64encode

import pytest

from okapia.domain.callers import Rates, Role, Scope
from tests.unit.web.conftest import House, bearer
from tests.unit.web.pictures import files, jpeg


@pytest.fixture
def ada(house: House) -> dict[str, str]:
    """The key of somebody with 3 credits."""
    house.add("root", role=Role.ADMIN)
    house.add("ada", plan="metered")
    with house.accounts.database.write() as connection:
        user = house.accounts.users.by_name(connection, "ada")
        house.accounts.ledger.grant(connection, user.id, amount=3, reference="gift")
    return bearer(house.key_of("ada"))


def left(house: House) -> int:
    """Give the credits that Ada has left."""
    with house.accounts.database.read() as connection:
        user = house.accounts.users.by_name(connection, "ada")
        return house.accounts.ledger.balance(connection, user.id).account.left.top_up


def test_a_picture_costs_a_credit_and_the_headers_say_so(house: House, ada: dict[str, str]) -> None:
    answer = house.client.post("/v1/detect", headers=ada, files={"image": jpeg()})

    assert answer.status_code == 200
    assert (answer.headers["x-credits-charged"], answer.headers["x-credits-remaining"]) == ("1", "2")
    assert left(house) == 2


def test_pictures_that_fail_cost_nothing(house: House, ada: dict[str, str]) -> None:
    batch = files(jpeg(), b"no picture", b"")

    answer = house.client.post("/v1/batch-detect", headers=ada, files=batch)

    assert answer.json()["info"]["total_failed"] == 2
    assert (answer.headers["x-credits-charged"], left(house)) == ("1", 2)


def test_a_call_that_is_refused_as_a_whole_costs_nothing(house: House, ada: dict[str, str]) -> None:
    bad = house.client.post("/v1/detect", headers=ada, files={"image": b"no picture"})
    wrong = house.client.post("/v1/detect?threshold=0", headers=ada, files={"image": jpeg()})

    assert (bad.status_code, wrong.status_code) == (400, 400)
    assert bad.headers["x-credits-charged"] == "0"
    assert left(house) == 3


@pytest.mark.parametrize("path", ["/uploadfile/", "/analyze/"])
def test_the_other_contracts_cost_the_same(house: House, ada: dict[str, str], path: str) -> None:
    answer = house.client.post(path, headers=ada, files={"file": ("a.jpg", jpeg(), "image/jpeg")})

    assert (answer.status_code, left(house)) == (200, 2)


def test_more_pictures_than_credits_are_402_and_nothing_is_done(house: House, ada: dict[str, str]) -> None:
    answer = house.client.post("/v1/batch-detect", headers=ada, files=files(*[jpeg()] * 4))

    assert (answer.status_code, answer.json()["code"]) == (402, "credits_spent")
    assert left(house) == 3


def test_the_same_idempotency_key_is_answered_again_and_charged_once(
    house: House, ada: dict[str, str]
) -> None:
    headers = ada | {"Idempotency-Key": "burst-17"}

    first, second = (
        house.client.post("/v1/detect", headers=headers, files={"image": jpeg()}) for _ in range(2)
    )

    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert left(house) == 2


def test_the_same_key_for_another_picture_is_422(house: House, ada: dict[str, str]) -> None:
    headers = ada | {"Idempotency-Key": "burst-17"}
    house.client.post("/v1/detect", headers=headers, files={"image": jpeg()})

    answer = house.client.post("/v1/detect", headers=headers, files={"image": jpeg((1, 2, 3))})

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")
    assert left(house) == 2


def test_a_call_that_failed_for_the_moment_is_made_again(house: House, ada: dict[str, str]) -> None:
    headers = ada | {"Idempotency-Key": "burst-17"}
    batch = {"images": [b64encode(jpeg()).decode()] * 4}
    first = house.client.post("/v1/batch-detect", headers=headers, json=batch)
    with house.accounts.database.write() as connection:
        user = house.accounts.users.by_name(connection, "ada")
        house.accounts.ledger.grant(connection, user.id, amount=1, reference="one more")

    second = house.client.post("/v1/batch-detect", headers=headers, json=batch)

    assert (first.status_code, second.status_code, left(house)) == (402, 200, 0)


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
def test_odd_idempotency_keys_are_refused(house: House, ada: dict[str, str], key: str) -> None:
    answer = house.client.post("/v1/detect", headers=ada | {"Idempotency-Key": key}, files={"image": jpeg()})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "Idempotency-Key")


def test_calls_a_minute_are_counted_by_key_and_bucket(house: House, ada: dict[str, str]) -> None:
    two_a_minute = bearer(house.key_of("ada", rates=Rates(inference=2)))

    answers = [
        house.client.post("/v1/filter", headers=two_a_minute, files={"image": jpeg()}) for _ in range(3)
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers[:2]] == ["1", "0"]
    assert answers[0].headers["ratelimit-policy"] == '"inference";q=2;w=60'
    assert int(answers[2].headers["retry-after"]) >= 1
    assert house.client.get("/v1/countries", headers=two_a_minute).status_code == 200
    assert house.client.post("/v1/filter", headers=ada, files={"image": jpeg()}).status_code == 200


def test_a_key_for_filtering_only_cannot_detect(house: House, ada: dict[str, str]) -> None:
    coarse = bearer(house.key_of("ada", scopes=[Scope.FILTER]))

    assert house.client.post("/v1/filter", headers=coarse, files={"image": jpeg()}).status_code == 200
    assert house.client.post("/v1/detect", headers=coarse, files={"image": jpeg()}).status_code == 403
    assert ada
