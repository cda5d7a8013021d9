"""The OpenAPI document is complete, true and committed."""

import json
from pathlib import Path

import pytest

from okapia.dialects.paths import Claims
from okapia.web.needs import needs_of
from tests.unit.web.conftest import House

COMMITTED = Path(__file__).parents[3] / "docs" / "reference" / "openapi.json"


@pytest.fixture
def document(house: House) -> dict[str, dict[str, dict[str, dict[str, object]]]]:
    """What the server says of itself."""
    document: dict[str, dict[str, dict[str, dict[str, object]]]] = house.client.get("/openapi.json").json()
    return document


def test_the_committed_document_is_that_of_this_version(
    document: dict[str, object], request: pytest.FixtureRequest
) -> None:
    written = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if request.config.getoption("--write-openapi"):
        COMMITTED.write_text(written, encoding="utf-8")

    assert COMMITTED.read_text(encoding="utf-8") == written, "changed on purpose? pytest --write-openapi"


def test_it_is_openapi_3_1_with_webhooks(document: dict[str, object]) -> None:
    assert str(document["openapi"]).startswith("3.1")
    webhooks = document["webhooks"]
    assert isinstance(webhooks, dict)
    assert {"job.succeeded", "job.failed", "detection.created"} <= set(webhooks)


def test_every_operation_says_which_scope_it_needs(
    house: House, document: dict[str, dict[str, dict[str, dict[str, object]]]]
) -> None:
    claims: Claims = house.app.state.claims

    said = {
        (method.upper(), path): operation.get("x-required-scope")
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    needed = {where: needs_of(claim.endpoint).scope for where, claim in claims.items() if where in said}
    assert said == needed


def test_operations_have_names_of_their_own(
    document: dict[str, dict[str, dict[str, dict[str, object]]]],
) -> None:
    names = [op["operationId"] for ops in document["paths"].values() for op in ops.values()]

    assert len(names) == len(set(names))


def test_no_operation_claims_to_answer_422_that_never_does(
    document: dict[str, dict[str, dict[str, dict[str, dict[str, object]]]]],
) -> None:
    answering = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if "422" in operation["responses"]
    }

    assert answering == {"/uploadfile/", "/analyze/", "/api/v1/detect/object"}
