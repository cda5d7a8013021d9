"""`GET /v1/usage`: the vendor's fields, with what was really spent."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from okapia.cli.accounts_desk import Accounts, open_accounts
from okapia.domain.callers import Role, Scope
from okapia.settings import Settings
from tests.ledger_books import assert_balanced

ENDLESS = 9007199254740991


@pytest.fixture
def accounts(tmp_path: Path, client: TestClient) -> Iterator[Accounts]:
    """The accounts of the server that `client` asks; the ledger is recounted in the end."""
    del client
    accounts = open_accounts(Settings(home=tmp_path))
    yield accounts
    assert_balanced(accounts.database)
    accounts.database.close()


def key_of_ada(accounts: Accounts, *scopes: Scope) -> dict[str, str]:
    """Add ada, on the plan `public`; gives the headers of her calls."""
    with accounts.database.write() as connection:
        ada = accounts.users.add(
            connection, "ada", role=Role.USER, plan="public", password_hash=None, actor="a test"
        )
        made = accounts.keys.mint(connection, ada, name="camera", scopes=scopes or None, actor="a test")
    return {"Authorization": f"Bearer {made.text}"}


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "green").save(out, "JPEG")
    return out.getvalue()


def test_usage_has_the_fields_of_the_vendor_and_two_of_ours(client: TestClient, accounts: Accounts) -> None:
    headers = key_of_ada(accounts)

    body = client.get("/v1/usage", headers=headers).json()

    ends_at = datetime.fromisoformat(body["billing"].pop("current_period_end"))
    reset_at = datetime.fromisoformat(body["rate_limit"].pop("reset_at"))
    assert timedelta(days=27) < ends_at - datetime.now(UTC) <= timedelta(days=31)
    assert abs(reset_at - datetime.now(UTC)) < timedelta(seconds=10)
    assert body.pop("user_id").startswith("usr_")
    assert body == {
        "credits": {
            "included_total": 1000,
            "included_used": 0,
            "included_remaining": 1000,
            "top_up_balance": 0,
            "grace_limit": 100,
            "grace_used": 0,
            "grace_remaining": 100,
            "total_available": 1100,
            "unlimited": False,
        },
        "billing": {
            "plan_code": "public",
            "status": "active",
            "billing_interval": "month",
            "data_policy": "private",
            "scheduled_plan_code": None,
            "scheduled_billing_interval": None,
            "scheduled_change_at": None,
            "grace_expires_at": None,
        },
        "requests": {"today": 0, "this_month": 0},
        "rate_limit": {"limit": 60, "remaining": 60, "unlimited": False},
    }


def test_a_picture_costs_a_credit_and_a_call_of_the_minute(client: TestClient, accounts: Accounts) -> None:
    headers = key_of_ada(accounts)
    client.post("/v1/detect", headers=headers, files={"image": ("fox.jpg", picture(), "image/jpeg")})

    body = client.get("/v1/usage", headers=headers).json()

    assert (body["credits"]["included_used"], body["credits"]["total_available"]) == (1, 1099)
    assert body["requests"] == {"today": 1, "this_month": 1}
    assert body["rate_limit"]["remaining"] == 59


def test_an_account_in_grace_says_until_when(client: TestClient, accounts: Accounts) -> None:
    headers = key_of_ada(accounts)
    with accounts.database.write() as connection:
        user_id = accounts.users.by_name(connection, "ada").id
        hold = accounts.ledger.hold(connection, user_id, images=1030, reference="a survey")
        accounts.ledger.close(connection, hold, done=1030)

    body = client.get("/v1/usage", headers=headers).json()

    assert (body["credits"]["grace_used"], body["credits"]["grace_remaining"]) == (30, 70)
    assert body["billing"]["grace_expires_at"].endswith("Z")


def test_without_accounts_nothing_ends(client: TestClient) -> None:
    body = client.get("/api/v1/usage").json()

    assert body["user_id"] == "local"
    assert body["billing"]["plan_code"] == "unlimited"
    assert {
        body["credits"][name] for name in ("included_total", "included_remaining", "total_available")
    } == {ENDLESS}
    assert (body["rate_limit"]["limit"], body["rate_limit"]["remaining"]) == (ENDLESS, ENDLESS)
    assert body["credits"]["unlimited"] is body["rate_limit"]["unlimited"] is True


def test_asking_is_counted_in_a_bucket_of_its_own(client: TestClient, accounts: Accounts) -> None:
    headers = key_of_ada(accounts)

    answers = [client.get("/v1/usage", headers=headers) for _ in range(31)]

    assert [answer.status_code for answer in answers] == [200] * 30 + [429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[0].headers["RateLimit-Policy"] == '"usage";q=30;w=60'


def test_a_key_without_the_scope_is_refused(client: TestClient, accounts: Accounts) -> None:
    headers = key_of_ada(accounts, Scope.DETECT)

    assert client.get("/v1/usage", headers=headers).status_code == 403
