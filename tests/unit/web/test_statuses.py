"""The table of statuses, each reached in each operation."""

from base64 import b64encode

import pytest
from httpx2 import Response

from okapia.domain.callers import Rates, Role, Scope
from tests.unit.web.conftest import House, bearer
from tests.unit.web.pictures import jpeg

SINGLE = ("detect", "detect-urban", "filter", "filter-urban")
BATCH = ("batch-detect", "batch-detect-urban", "batch-filter", "batch-filter-urban")
OPERATIONS = pytest.mark.parametrize("operation", [*SINGLE, *BATCH])
PREFIXES = pytest.mark.parametrize("prefix", ["/v1", "/api/v1"])


@pytest.fixture
def ada(house: House) -> dict[str, str]:
    """The key of somebody who may do everything."""
    house.add("ada", role=Role.ADMIN)
    return bearer(house.key_of("ada"))


def field_of(operation: str) -> str:
    return "images" if operation in BATCH else "image"


def send(
    house: House,
    headers: dict[str, str],
    operation: str,
    *pictures: bytes,
    prefix: str = "/v1",
    query: str = "",
) -> Response:
    """Send pictures as a form."""
    form = [(field_of(operation), (f"{i}.jpg", data, "image/jpeg")) for i, data in enumerate(pictures)]
    answer: Response = house.client.post(f"{prefix}/{operation}{query}", headers=headers, files=form)
    return answer


def code_of(answer: Response) -> tuple[int, str]:
    """Give the status and the code, which stands in two places for two kinds of clients."""
    body = answer.json()
    assert body["error"]["code"] == body["code"]
    assert body["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, body["code"]


@PREFIXES
@OPERATIONS
def test_200(house: House, ada: dict[str, str], operation: str, prefix: str) -> None:
    answer = send(house, ada, operation, jpeg(), prefix=prefix)

    assert answer.status_code == 200
    assert answer.json()["expires_at"].endswith("Z")


@OPERATIONS
def test_200_for_base64_with_or_without_a_data_url(house: House, ada: dict[str, str], operation: str) -> None:
    plain = b64encode(jpeg()).decode()
    for encoded in (plain, f"data:image/jpeg;base64,{plain}"):
        body = {field_of(operation): [encoded] if operation in BATCH else encoded}

        assert house.client.post(f"/v1/{operation}", headers=ada, json=body).status_code == 200


@pytest.mark.parametrize("operation", SINGLE)
def test_200_for_a_picture_as_the_body(house: House, ada: dict[str, str], operation: str) -> None:
    headers = ada | {"Content-Type": "image/jpeg"}

    assert house.client.post(f"/v1/{operation}", headers=headers, content=jpeg()).status_code == 200


@OPERATIONS
def test_400_for_what_is_no_picture(house: House, ada: dict[str, str], operation: str) -> None:
    assert code_of(send(house, ada, operation, b"no picture")) == (400, "unsupported_format")


@OPERATIONS
def test_400_without_a_picture(house: House, ada: dict[str, str], operation: str) -> None:
    answer = house.client.post(f"/v1/{operation}", headers=ada, json={})

    assert code_of(answer) == (400, "invalid_request")


@pytest.mark.parametrize("operation", BATCH)
def test_400_for_eleven_pictures(house: House, ada: dict[str, str], operation: str) -> None:
    assert code_of(send(house, ada, operation, *[jpeg()] * 11)) == (400, "invalid_request")


@OPERATIONS
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?threshold=0", "invalid_request"),
        ("?threshold=1", "invalid_request"),
        ("?threshold=nan", "invalid_request"),
        ("?country=Atlantis", "unknown_country"),
    ],
)
def test_400_for_parameters(house: House, ada: dict[str, str], operation: str, query: str, code: str) -> None:
    assert code_of(send(house, ada, operation, jpeg(), query=query)) == (400, code)


@OPERATIONS
def test_401(house: House, ada: dict[str, str], operation: str) -> None:
    assert ada

    assert code_of(send(house, {}, operation, jpeg())) == (401, "missing_credentials")


@OPERATIONS
def test_402(house: House, ada: dict[str, str], operation: str) -> None:
    house.add("bob", plan="metered")

    answer = send(house, bearer(house.key_of("bob")), operation, jpeg())

    assert ada
    assert code_of(answer) == (402, "credits_spent")


@OPERATIONS
def test_403(house: House, ada: dict[str, str], operation: str) -> None:
    reader = bearer(house.key_of("ada", scopes=[Scope.READ]))

    assert ada
    assert code_of(send(house, reader, operation, jpeg())) == (403, "missing_scope")


@OPERATIONS
def test_413_for_the_pictures_together(house: House, ada: dict[str, str], operation: str) -> None:
    assert code_of(send(house, ada, operation, bytes(1_000_001))) == (413, "payload_too_large")


@OPERATIONS
def test_413_for_the_body(house: House, ada: dict[str, str], operation: str) -> None:
    assert code_of(send(house, ada, operation, bytes(2_000_001))) == (413, "payload_too_large")


@pytest.mark.parametrize("operation", ["batch-filter", "batch-filter-urban"])
def test_413_for_the_older_limit_of_batch_filter(house: House, ada: dict[str, str], operation: str) -> None:
    assert code_of(send(house, ada, operation, bytes(500_001))) == (413, "payload_too_large")


@OPERATIONS
def test_415(house: House, ada: dict[str, str], operation: str) -> None:
    answer = house.client.post(f"/v1/{operation}", headers=ada, content=b"x")

    assert code_of(answer) == (415, "unsupported_media_type")


@OPERATIONS
def test_429(house: House, ada: dict[str, str], operation: str) -> None:
    one_a_minute = bearer(house.key_of("ada", rates=Rates(inference=1)))
    send(house, one_a_minute, operation, jpeg())

    answer = send(house, one_a_minute, operation, jpeg())

    assert ada
    assert code_of(answer) == (429, "rate_limited")
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_404_and_405_have_the_same_form(house: House) -> None:
    assert code_of(house.client.get("/v1/nothing")) == (404, "not_found")
    assert code_of(house.client.delete("/v1/detect")) == (405, "method_not_allowed")


def test_all_that_is_wrong_is_listed(house: House) -> None:
    answer = house.client.get("/v1/species?limit=0&offset=-1")

    assert answer.status_code == 400
    places = {tuple(error["loc"]) for error in answer.json()["errors"]}
    assert places == {("query", "limit"), ("query", "offset")}


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/problem+json"),
        ("application/problem+json", "application/problem+json"),
        ("application/json", "application/json"),
    ],
)
def test_errors_have_the_name_that_the_client_takes(house: House, accept: str, media_type: str) -> None:
    answer = house.client.get("/v1/species?limit=0", headers={"Accept": accept})

    assert answer.headers["content-type"] == media_type


@pytest.mark.parametrize(
    ("sent", "is_taken"), [("trace-7", True), ("x" * 65, False), ("a b", False), ("<script>", False)]
)
def test_the_callers_request_id_is_taken_when_it_is_one(house: House, sent: str, *, is_taken: bool) -> None:
    answer = house.client.get("/v1/countries", headers={"X-Request-ID": sent})

    assert (answer.headers["x-request-id"] == sent) is is_taken


def test_an_answer_says_what_took_how_long(house: House) -> None:
    answer = send(house, {}, "detect", jpeg())

    spans = [span.partition(";")[0] for span in answer.headers["server-timing"].split(", ")]
    assert spans == ["auth", "credits", "analysis", "settle", "total"]
    assert answer.headers["x-model-id"] == "one-fox+fox-namer"
