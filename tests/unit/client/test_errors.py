"""Answers that are errors, whoever wrote them; and the key, which no error shows."""

import httpx
import pytest

from okapia.client import (
    AuthenticationError,
    Conflict,
    CreditsSpent,
    ErrorAnswer,
    Expired,
    InvalidRequest,
    NoAnswer,
    NotFound,
    Okapia,
    PayloadTooLarge,
    PermissionDenied,
    RateLimited,
    ServerBusy,
    ServerError,
    UnexpectedAnswer,
)
from tests.unit.client.faults import Faults, bad, good

KEY = "ok_live_0123456789abcdef_SECRET"


def error_after(response: httpx.Response) -> ErrorAnswer:
    with pytest.raises(ErrorAnswer) as caught:
        Faults(response).client(api_key=KEY, max_retries=0).usage()
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, AuthenticationError),
        (402, CreditsSpent),
        (403, PermissionDenied),
        (404, NotFound),
        (409, Conflict),
        (410, Expired),
        (413, PayloadTooLarge),
        (415, InvalidRequest),
        (422, InvalidRequest),
        (429, RateLimited),
        (500, ServerError),
        (503, ServerBusy),
    ],
)
def test_each_status_is_a_kind_of_error(status: int, kind: type[ErrorAnswer]) -> None:
    error = error_after(bad(status))

    assert type(error) is kind
    assert error.status == status


def test_a_problem_document_is_read_whole() -> None:
    inner = {"code": "credits_spent", "message": "expected at least 3 credits, 1 are left", "param": "images"}
    body = {"status": 402, "detail": "…", "code": "credits_spent", "error": inner}

    error = error_after(httpx.Response(402, json=body, headers={"X-Request-ID": "r-7"}))

    assert (error.code, error.param, error.request_id) == ("credits_spent", "images", "r-7")
    assert str(error) == "expected at least 3 credits, 1 are left (credits_spent, HTTP 402, request r-7)"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": "Invalid API key"}', "Invalid API key"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"message": "quota exceeded"}', "quota exceeded"),
        (b"<html><body>Bad gateway</body></html>", "Bad Request"),
        (b"[1, 2]", "Bad Request"),
        (b"", "Bad Request"),
        (b"\xff\xfe", "Bad Request"),
    ],
)
def test_errors_of_other_servers_and_of_proxies_are_readable(body: bytes, message: str) -> None:
    error = error_after(httpx.Response(400, content=body))

    assert str(error) == f"{message} (http_400, HTTP 400)"


def test_a_page_in_place_of_json_is_no_answer_of_this_contract() -> None:
    page = httpx.Response(200, html="<h1>Welcome</h1>")

    with pytest.raises(UnexpectedAnswer, match="expected JSON, got text/html"):
        Faults(page).client().usage()


def test_a_server_that_has_moved_is_not_followed() -> None:
    faults = Faults(httpx.Response(308, headers={"Location": "https://elsewhere.example.org/v1/usage"}))

    with pytest.raises(UnexpectedAnswer, match=r"elsewhere\.example\.org"):
        faults.client(api_key=KEY).usage()

    assert len(faults.requests) == 1


def test_the_key_goes_into_the_header_and_nowhere_else() -> None:
    faults = Faults(good())
    okapia = faults.client(api_key=KEY)

    okapia.detect(b"a picture")

    (request,) = faults.requests
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(okapia)
    assert KEY not in str(request.url)
    assert KEY.encode() not in request.content


@pytest.mark.parametrize("fault", [httpx.ConnectError("refused"), bad(401)], ids=str)
def test_no_error_shows_the_key(fault: httpx.Response | Exception) -> None:
    with pytest.raises((NoAnswer, AuthenticationError)) as caught:
        Faults(fault).client(api_key=KEY, max_retries=0).usage()

    assert KEY not in f"{caught.value!s} {caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.parametrize("key", ["ok live", "ok\nlive", "ok_live_ü", "ok_live_\x00", "  "])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match="the API key is blank, or holds") as caught:
        Okapia(api_key=key)

    assert "ok" not in str(caught.value)


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMAL_DETECT_API_KEY", "sk_vendor")
    theirs, ours, given = Faults(good()), Faults(good()), Faults(good())

    theirs.client().detect(b"a picture")
    monkeypatch.setenv("OKAPIA_API_KEY", "ok_ours\n")
    ours.client().detect(b"a picture")
    given.client(api_key="ok_given").detect(b"a picture")

    keys = [faults.requests[0].headers["Authorization"] for faults in (theirs, ours, given)]
    assert keys == ["Bearer sk_vendor", "Bearer ok_ours", "Bearer ok_given"]


def test_without_a_key_none_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OKAPIA_API_KEY", raising=False)
    monkeypatch.delenv("ANIMAL_DETECT_API_KEY", raising=False)
    faults = Faults(good())

    faults.client().detect(b"a picture")

    assert "Authorization" not in faults.requests[0].headers


@pytest.mark.parametrize(
    "base_url",
    ["", "api.example.org", "ftp://example.org", "https://me:pw@example.org", "https://a.org/?key=1"],
)
def test_a_base_url_that_is_none_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match="expected a base URL") as caught:
        Okapia(base_url)

    assert "pw" not in str(caught.value)
