"""Signed URLs: what they cover, and when they end."""

from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.refusals import SignatureExpired, SignatureInvalid
from okapia.storage.signing import SignedRequest, UrlSigner

SECRET = bytes(range(32))
PATH = "/v1/uploads/7f3a"
END = 1_795_000_000
NOW = END - 60.0


@pytest.fixture
def signer() -> UrlSigner:
    return UrlSigner(SECRET)


@pytest.fixture
def query(signer: UrlSigner) -> str:
    return signer.sign(PATH, method="PUT", content_type="image/jpeg", max_bytes=20_000_000, expires_at=END)


def test_a_signed_url_says_what_it_allows(signer: UrlSigner, query: str) -> None:
    allowed = signer.verify(PATH, query, method="PUT", now=NOW)

    assert allowed == SignedRequest("image/jpeg", 20_000_000, END)


def test_another_process_with_the_same_secret_agrees(query: str) -> None:
    assert UrlSigner(SECRET).verify(PATH, query, method="PUT", now=NOW).expires_at == END


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("expires", str(END + 1)),
        ("expires", ""),
        ("expires", "soon"),
        ("content_type", "image/png"),
        ("content_type", ""),
        ("max_bytes", "20000001"),
        ("max_bytes", "020000000"),
        ("signature", ""),
        ("signature", "0" * 64),
        ("signature", "füchse"),
    ],
)
def test_a_changed_field_is_invalid(signer: UrlSigner, query: str, field: str, value: str) -> None:
    changed = urlencode(dict(parse_qsl(query)) | {field: value})

    with pytest.raises(SignatureInvalid):
        signer.verify(PATH, changed, method="PUT", now=NOW)


@pytest.mark.parametrize(
    ("path", "method"), [("/v1/uploads/7f3b", "PUT"), (f"{PATH}/", "PUT"), (PATH, "GET"), (PATH, "put")]
)
def test_another_path_or_method_is_invalid(signer: UrlSigner, query: str, path: str, method: str) -> None:
    with pytest.raises(SignatureInvalid):
        signer.verify(path, query, method=method, now=NOW)


def test_another_secret_is_invalid(query: str) -> None:
    with pytest.raises(SignatureInvalid):
        UrlSigner(bytes(32)).verify(PATH, query, method="PUT", now=NOW)


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda query: "?" + query,
        lambda query: query + "&",
        lambda query: query + "&key=ok_live_1",
        lambda query: query + "&max_bytes=999999999",
        lambda query: "max_bytes=999999999&" + query,
        lambda query: query.removeprefix(f"expires={END}&"),
        lambda query: "&".join(reversed(query.split("&"))),
        lambda query: query.replace("signature", "Signature"),
        lambda query: query + "\ud800",
    ],
)
def test_a_query_of_other_fields_is_invalid(
    signer: UrlSigner, query: str, change: Callable[[str], str]
) -> None:
    with pytest.raises(SignatureInvalid):
        signer.verify(PATH, change(query), method="PUT", now=NOW)


@given(st.text())
def test_no_text_is_taken_for_a_signed_query(text: str) -> None:
    with pytest.raises(SignatureInvalid):
        UrlSigner(SECRET).verify(PATH, text, method="PUT", now=NOW)


@pytest.mark.parametrize("now", [END - 0.001, END - 1, 0])
def test_until_its_end_a_url_is_good(signer: UrlSigner, query: str, now: float) -> None:
    assert signer.verify(PATH, query, method="PUT", now=now).expires_at == END


@pytest.mark.parametrize("now", [END, END + 0.001, END + 1e9])
def test_from_its_end_on_a_url_is_expired(signer: UrlSigner, query: str, now: float) -> None:
    with pytest.raises(SignatureExpired, match="ask for a new one"):
        signer.verify(PATH, query, method="PUT", now=now)


def test_a_changed_url_is_invalid_rather_than_expired(signer: UrlSigner, query: str) -> None:
    with pytest.raises(SignatureInvalid):
        signer.verify(PATH, query.replace("jpeg", "png"), method="PUT", now=END + 1)


@given(
    st.text(), st.text(), st.text(st.characters(exclude_categories=["Cs"])), st.integers(0), st.integers(0)
)
def test_what_is_signed_is_verified(
    path: str, method: str, content_type: str, max_bytes: int, expires_at: int
) -> None:
    signer = UrlSigner(SECRET)

    query = signer.sign(
        path, method=method, content_type=content_type, max_bytes=max_bytes, expires_at=expires_at
    )

    allowed = signer.verify(path, query, method=method, now=-1)
    assert allowed == SignedRequest(content_type, max_bytes, expires_at)


def test_a_short_secret_is_refused_and_a_long_one_not_shown() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes of secret, got 31"):
        UrlSigner(bytes(31))

    assert SECRET.decode("latin-1") not in repr(UrlSigner(SECRET))
