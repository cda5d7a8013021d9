"""No secret is ever logged, whatever it stands in; what is none stays readable."""

import json
import time
from base64 import b64encode
from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.accounts.key_text import KeyText
from okapia.web.redaction import REDACTED, redact, redact_text

NAMES = (
    *("key", "api_key", "api-key", "apikey", "x-api-key", "subscription-key", "Ocp-Apim-Subscription-Key"),
    *("token", "access_token", "password", "Password", "sig", "signature", "X-Amz-Signature"),
    *("X-Amz-Security-Token", "client_secret", "secretKey", "Authorization", "Proxy-Authorization"),
)

# Begun so that no field and no word around it holds it too.
SECRETS = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=8).map("q7Z".__add__)
PHRASES = st.text(st.characters(codec="utf-8"), min_size=4).map("q7Z".__add__)

WAYS: dict[str, Callable[[str, str], str]] = {
    "query": lambda name, secret: f"GET /v1/detect?a=1&{name}={quote(secret, safe='')}&b=2 HTTP/1.1",
    "form": lambda name, secret: urlencode([("first", "1"), (name, secret), ("last", "2")]),
    "URL in a URL": lambda name, secret: "?to=" + quote(f"https://a.example/?{name}={quote(secret)}&b=2", ""),
    "header": lambda name, secret: f"{name}: {quote(secret)}",
    "bearer header": lambda name, secret: f"{name}: Bearer {quote(secret)}",
    "JSON": lambda name, secret: json.dumps({"a": 1, name: secret, "b": 2}),
    "JSON in JSON": lambda name, secret: json.dumps({"body": json.dumps({name: secret, "b": 2})}),
    "Python": lambda name, secret: repr({"a": 1, name: secret, "b": 2}),
    "raw headers": lambda name, secret: repr([(b"host", b"a.example"), (name.encode(), secret.encode())]),
    "sentence": lambda name, secret: f"the upload failed ({name}={quote(secret)}) for a.jpg",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@given(name=st.sampled_from(NAMES), secret=SECRETS)
def test_the_value_of_a_secret_field_is_taken_out(
    way: Callable[[str, str], str], name: str, secret: str
) -> None:
    assert secret not in redact_text(way(name, secret))


@pytest.mark.parametrize("way", ["JSON", "Python", "form", "query"])
@given(secret=PHRASES)
def test_so_is_one_of_any_signs(way: str, secret: str) -> None:
    assert secret not in redact_text(WAYS[way]("password", secret))


@given(st.text(), st.text())
def test_one_of_our_keys_is_taken_out_of_anything(before: str, after: str) -> None:
    key = KeyText.new()

    assert key.secret not in redact_text(f"{before}{key.text} {after}")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Bearer hunter2 is wrong", "hunter2"),
        (f"Basic {b64encode(b'ada:hunter2').decode()}", b64encode(b"ada:hunter2").decode()),
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl", "c2lnbmF0dXJl"),
        ("cannot reach postgresql://ada:hunter2@db.example/okapia", "hunter2"),
        ("Cookie: theme=dark; session=hunter2", "hunter2"),
        ("Authorization: Digest username=ada, response=hunter2", "hunter2"),
    ],
)
def test_what_is_secret_by_its_shape_is_taken_out(text: str, secret: str) -> None:
    assert secret not in redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "GET /v1/countries/TZ/species?limit=20&offset=40",
        "monkey=7 keys=3 blob_key=uploads/job_1 keyboard: de",
        "job_1 was put back: server_busy, attempts=2",
        "https://okapia.example:8443/v1/detect",
        "the tokens of before have ended; ask ada for a key",
        '{"threshold": 0.2, "country": "Tanzania"}',
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


@given(st.text())
def test_twice_is_as_once(text: str) -> None:
    once = redact_text(text)

    assert redact_text(once) == once


@given(SECRETS)
def test_secrets_are_found_in_whatever_is_logged(secret: str) -> None:
    class Client:
        def __repr__(self) -> str:
            return f"Client(token={secret!r})"

    logged = redact(
        {
            "event": f"call key={secret}",
            "headers": [("authorization", secret), (b"x-api-key", secret.encode())],
            "form": {"nested": [{"password": {"new": secret}}]},
            "apiKey": secret,
            "client": Client(),
            "body": f"sig={secret}".encode(),
            "tuple": ({"secret": [secret]},),
        }
    )

    assert secret not in json.dumps(logged)


def test_numbers_and_what_is_no_secret_are_logged_as_they_are() -> None:
    fields = {"status": 200, "seconds": 0.25, "is_new": True, "user": None, "models": ["a", "b"]}

    assert redact(fields) == fields


def test_what_is_nested_without_end_is_left_out() -> None:
    endless: list[object] = []
    endless.append(endless)

    assert REDACTED in json.dumps(redact({"endless": endless}))


@pytest.mark.parametrize(
    "piece", ["key=", "token: '", "a", "%3D", "://a:", "bearer ", '\\"', "eyJ.", "ok_live_"]
)
def test_the_time_grows_with_the_length_only(piece: str) -> None:
    text = piece * (500_000 // len(piece))

    began = time.perf_counter()
    redact_text(text)

    assert time.perf_counter() - began < 2
