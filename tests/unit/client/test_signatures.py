"""Webhooks are believed only as signed: checked against the specification's own library."""

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from okapia.client import InvalidSignature, UnexpectedAnswer, verify_webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the specification's own example
SENT_AT = datetime(2026, 5, 17, 21, 17, tzinfo=UTC)
BODY = json.dumps(
    {"type": "job.succeeded", "timestamp": SENT_AT.isoformat(), "data": {"id": "j1", "status": "succeeded"}}
).encode()


def signed(body: bytes = BODY, *, secret: str = SECRET, event_id: str = "evt_1") -> dict[str, str]:
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(SENT_AT.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, SENT_AT, body.decode()),
    }


def now(late_s: float = 0) -> float:
    return SENT_AT.timestamp() + late_s


def test_a_signed_webhook_is_an_event() -> None:
    event = verify_webhook(BODY, signed(), SECRET, clock=now)

    assert (event.type, event.timestamp, event.data["id"]) == ("job.succeeded", SENT_AT, "j1")


def test_headers_have_any_case() -> None:
    headers = {name.title(): value for name, value in signed().items()}

    assert verify_webhook(BODY, headers, SECRET, clock=now).type == "job.succeeded"


def test_while_a_secret_is_rotated_both_are_good() -> None:
    new = "whsec_" + "A" * 32
    both = f"v1a,c29tZXRoaW5n {signed()['webhook-signature']} {signed(secret=new)['webhook-signature']}"

    for secret in (SECRET, new):
        headers = signed() | {"webhook-signature": both}
        assert verify_webhook(BODY, headers, secret, clock=now).type == "job.succeeded"


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        (BODY.replace(b"succeeded", b"failed"), {}),
        (BODY, {"webhook-id": "evt_2"}),
        (BODY, {"webhook-timestamp": str(int(SENT_AT.timestamp()) + 1)}),
        (BODY, {"webhook-signature": signed(secret="whsec_" + "B" * 32)["webhook-signature"]}),
        (BODY, {"webhook-signature": signed()["webhook-signature"].removeprefix("v1,")}),
        (BODY, {"webhook-signature": ""}),
        (BODY, {"webhook-signature": "v1,ü v1 , \ud800"}),
        (BODY, {"webhook-id": ""}),
        (BODY, {"webhook-timestamp": "now"}),
        (BODY, {"webhook-timestamp": "9" * 5000}),
        (BODY, {"webhook-timestamp": "²"}),
    ],
)
def test_what_was_changed_is_not_believed(body: bytes, changed: dict[str, str]) -> None:
    with pytest.raises(InvalidSignature):
        verify_webhook(body, signed() | changed, SECRET, clock=now)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_webhook_without_one_of_its_headers_is_not_believed(name: str) -> None:
    headers = {key: value for key, value in signed().items() if key != name}

    with pytest.raises(InvalidSignature):
        verify_webhook(BODY, headers, SECRET, clock=now)


@pytest.mark.parametrize("late_s", [-301, 301])
def test_an_old_webhook_is_not_believed_and_one_from_the_future_neither(late_s: float) -> None:
    with pytest.raises(InvalidSignature, match="of the last 300 s"):
        verify_webhook(BODY, signed(), SECRET, clock=lambda: now(late_s))


def test_what_is_signed_and_no_event_is_unexpected() -> None:
    body = b"not JSON"

    with pytest.raises(UnexpectedAnswer):
        verify_webhook(body, signed(body), SECRET, clock=now)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64!", "whsec_ü"])
def test_a_secret_that_is_none_is_the_programs_own_mistake(secret: str) -> None:
    with pytest.raises(ValueError, match="expected the secret of a webhook"):
        verify_webhook(BODY, signed(), secret, clock=now)
