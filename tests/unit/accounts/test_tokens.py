"""Tokens: good until their end, and only as this server signed them."""

import base64
import json
from datetime import timedelta

import jwt
import pytest

from okapia.accounts.tokens import LIFE, Claims, Tokens
from okapia.domain.refusals import ExpiredToken, InvalidCredentials, MalformedToken
from tests.unit.accounts.people import NOON, StoppedClock

SECRET = bytes(range(64))
ADA = Claims(user_id="usr_ada", generation=3)
PAYLOAD = {
    "iss": "okapia",
    "sub": "usr_ada",
    "gen": 3,
    "iat": NOON,
    "exp": NOON + LIFE,
    "jti": "1",
}


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def tokens(clock: StoppedClock) -> Tokens:
    return Tokens(SECRET, clock=clock)


def encoded(part: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def test_a_token_says_who_it_was_issued_to(tokens: Tokens) -> None:
    assert tokens.verify(tokens.issue(ADA)) == ADA


def test_no_two_tokens_are_alike(tokens: Tokens) -> None:
    assert tokens.issue(ADA) != tokens.issue(ADA)


def test_a_token_has_the_registered_claims(tokens: Tokens) -> None:
    payload = jwt.decode(tokens.issue(ADA), options={"verify_signature": False})

    assert payload["iss"] == "okapia"
    assert payload["sub"] == "usr_ada"
    assert payload["exp"] - payload["iat"] == 30 * 24 * 3600
    assert len(payload["jti"]) == 32


def test_a_token_ends_after_thirty_days(tokens: Tokens, clock: StoppedClock) -> None:
    token = tokens.issue(ADA)

    clock.go(days=30, seconds=-1)
    assert tokens.verify(token) == ADA
    clock.go(seconds=1)
    with pytest.raises(ExpiredToken):
        tokens.verify(token)


def test_the_life_of_tokens_can_be_chosen(clock: StoppedClock) -> None:
    tokens = Tokens(SECRET, life=timedelta(hours=1), clock=clock)
    token = tokens.issue(ADA)
    clock.go(hours=1)

    with pytest.raises(ExpiredToken):
        tokens.verify(token)


def test_a_token_of_another_secret_is_refused(tokens: Tokens, clock: StoppedClock) -> None:
    with pytest.raises(MalformedToken):
        tokens.verify(Tokens(SECRET[::-1], clock=clock).issue(ADA))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_is_refused_even_with_the_right_secret(tokens: Tokens, algorithm: str) -> None:
    with pytest.raises(MalformedToken):
        tokens.verify(jwt.encode(PAYLOAD, SECRET, algorithm=algorithm))


@pytest.mark.parametrize("name", ["none", "None", "NONE", ""])
def test_an_unsigned_token_is_refused(tokens: Tokens, name: str) -> None:
    payload = tokens.issue(ADA).split(".")[1]

    for signature in ("", "AA"):
        with pytest.raises(MalformedToken):
            tokens.verify(f"{encoded({'alg': name, 'typ': 'JWT'})}.{payload}.{signature}")


def test_a_changed_payload_is_refused(tokens: Tokens) -> None:
    header, _, signature = tokens.issue(ADA).split(".")
    payload = encoded({"sub": "usr_eve", "gen": 3, "iat": 0, "exp": 2**40, "jti": "1", "iss": "okapia"})

    with pytest.raises(MalformedToken):
        tokens.verify(f"{header}.{payload}.{signature}")


@pytest.mark.parametrize("claim", sorted(PAYLOAD))
def test_a_token_without_one_of_its_claims_is_refused(tokens: Tokens, claim: str) -> None:
    payload = {name: value for name, value in PAYLOAD.items() if name != claim}

    assert tokens.verify(jwt.encode(PAYLOAD, SECRET, algorithm="HS256")) == ADA
    with pytest.raises(MalformedToken):
        tokens.verify(jwt.encode(payload, SECRET, algorithm="HS256"))


def test_a_token_of_another_issuer_is_refused(tokens: Tokens) -> None:
    with pytest.raises(MalformedToken):
        tokens.verify(jwt.encode(PAYLOAD | {"iss": "mlapi"}, SECRET, algorithm="HS256"))


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "\u00e4.\u00f6.\u00fc",
        "\ud83e",
        f"{base64.urlsafe_b64encode(b'[' * 100_000).decode()}.e30.AA",
    ],
    ids=["empty", "dot", "dots", "two", "three", "four", "umlauts", "surrogate", "deep"],
)
def test_what_is_no_token_is_refused(tokens: Tokens, token: str) -> None:
    with pytest.raises(MalformedToken):
        tokens.verify(token)


def test_an_expired_token_of_another_secret_is_malformed(tokens: Tokens, clock: StoppedClock) -> None:
    token = Tokens(SECRET[::-1], clock=clock).issue(ADA)
    clock.go(days=31)

    with pytest.raises(MalformedToken):
        tokens.verify(token)


@pytest.mark.parametrize("error", [ExpiredToken(), MalformedToken()])
def test_both_errors_are_invalid_credentials_that_say_more(error: InvalidCredentials) -> None:
    assert isinstance(error, InvalidCredentials)
    assert error.code == InvalidCredentials.code
    assert str(error) != str(InvalidCredentials())


def test_a_short_secret_is_no_secret() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes, got 31"):
        Tokens(bytes(31))
