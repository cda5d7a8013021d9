"""mlapi: who gets a token, what it says when it does not count, and what ends it."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from okapia.accounts.keys import NewKey
from okapia.accounts.tokens import Claims, Tokens
from okapia.domain.callers import Rates, Role
from okapia.domain.clock import utc_now
from okapia.storage.secrets import load_or_make_secret
from tests.unit.accounts.people import HASH, PASSWORD
from tests.unit.dialects.gate import Gate, open_gate
from tests.unit.dialects.test_mlapi import DOG, FILE, PERSON, ROUTE

LOGIN = "/api/v1/login"
ADA = {"username": "ada", "password": PASSWORD}
WRONG = {"message": "incorrect credentials"}
NO_JSON = {"msg": "Missing JSON in request"}

Header = dict[str, str]


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """A server that one person has an account on."""
    with open_gate(tmp_path) as gate:
        gate.add("ada")
        yield gate


def bearer(token: str) -> Header:
    return {"Authorization": f"Bearer {token}"}


def part(content: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def claims_of(token: str) -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return claims


def asked(gate: Gate, header: Header) -> tuple[int, object]:
    answer = gate.client.post(ROUTE, files=FILE, headers=header)
    return answer.status_code, answer.json()


# --- logging in -----------------------------------------------------------------------


def test_a_login_gives_a_token_and_3600_seconds(gate: Gate) -> None:
    answer = gate.client.post(LOGIN, json=ADA)

    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "expires"}
    assert answer.json()["expires"] == 3600
    assert asked(gate, bearer(answer.json()["access_token"])) == (200, [DOG, PERSON])


def test_the_type_of_the_body_is_read_as_the_readmes_curl_writes_it(gate: Gate) -> None:
    body = json.dumps(ADA).encode()

    for kind in ("application/json", "Application/JSON; charset=utf-8"):
        answer = gate.client.post(LOGIN, content=body, headers={"Content-Type": kind})
        assert answer.status_code == 200


def test_a_token_lives_for_thirty_days_whatever_the_login_says(gate: Gate) -> None:
    claims = claims_of(gate.token_of("ada"))

    assert int(str(claims["exp"])) - int(str(claims["iat"])) == 30 * 24 * 3600


def test_both_times_are_settings(tmp_path: Path) -> None:
    with open_gate(tmp_path, token_days=2, mlapi_expires_s=172_800) as gate:
        gate.add("ada")
        answer = gate.client.post(LOGIN, json=ADA).json()

    claims = claims_of(answer["access_token"])
    assert answer["expires"] == 172_800
    assert int(str(claims["exp"])) - int(str(claims["iat"])) == 172_800


@pytest.mark.parametrize(
    ("content", "kind", "answer"),
    [
        (json.dumps(ADA).encode(), "text/plain", NO_JSON),
        (json.dumps(ADA).encode(), "", NO_JSON),
        (b"username=ada&password=x", "application/x-www-form-urlencoded", NO_JSON),
        (b"{", "application/json", NO_JSON),
        (b"", "application/json", NO_JSON),
        (b'["ada"]', "application/json", NO_JSON),
        (rb'{"username": "ada", "password": "\ud83e"}', "application/json", NO_JSON),
        (b"{}", "application/json", {"message": "Missing username"}),
        (b'{"password": "x"}', "application/json", {"message": "Missing username"}),
        (b'{"username": "", "password": "x"}', "application/json", {"message": "Missing username"}),
        (b'{"username": null, "password": "x"}', "application/json", {"message": "Missing username"}),
        (b'{"username": "ada"}', "application/json", {"message": "Missing password"}),
        (b'{"username": "ada", "password": ""}', "application/json", {"message": "Missing password"}),
    ],
)
def test_what_is_no_login_is_said_in_mlapi_s_words(
    gate: Gate, content: bytes, kind: str, answer: dict[str, str]
) -> None:
    refused = gate.client.post(LOGIN, content=content, headers={"Content-Type": kind})

    assert (refused.status_code, refused.json()) == (400, answer)


@pytest.mark.parametrize(
    "body",
    [
        ADA | {"password": "wrong"},
        ADA | {"username": "bob"},
        ADA | {"username": "a" * 100},
        ADA | {"username": "a\nb"},
        ADA | {"username": 5},
        ADA | {"password": ["x"]},
    ],
    ids=["password", "name", "long name", "odd name", "number", "list"],
)
def test_wrong_credentials_are_incorrect_and_it_is_not_said_which(
    gate: Gate, body: dict[str, object]
) -> None:
    refused = gate.client.post(LOGIN, json=body)

    assert (refused.status_code, refused.json()) == (401, WRONG)


def test_guessing_passwords_has_to_wait(gate: Gate) -> None:
    guesses = [gate.client.post(LOGIN, json=ADA | {"password": f"guess {n}"}) for n in range(6)]

    assert [guess.status_code for guess in guesses] == [401] * 5 + [429]
    assert guesses[-1].json()["code"] == 429
    assert "too many wrong passwords" in guesses[-1].json()["msg"]
    assert 0 < int(guesses[-1].headers["retry-after"]) <= 60
    assert gate.client.post(LOGIN, json=ADA).status_code == 429


def test_a_login_is_no_upload(gate: Gate) -> None:
    answer = gate.client.post(LOGIN, json=ADA | {"padding": "x" * 20_000})

    assert (answer.status_code, answer.json()["code"]) == (413, 413)


def test_a_login_needs_no_key_and_a_disabled_user_gets_none(gate: Gate) -> None:
    with gate.accounts.database.write() as connection:
        gate.accounts.users.disable(connection, "ada", actor="a test")

    answer = gate.client.post(LOGIN, json=ADA)

    assert (answer.status_code, answer.json()) == (401, WRONG)


# --- tokens that do not count ---------------------------------------------------------


def test_without_a_header_the_answer_is_flask_jwt_extended_s(gate: Gate) -> None:
    assert asked(gate, {}) == (401, {"msg": "Missing Authorization Header"})


def made(gate: Gate, *, ago: timedelta = timedelta(0), secret: bytes | None = None) -> str:
    """Make a token of ada's as it would have been made some time ago, or by another server."""
    ours = load_or_make_secret(gate.settings.home, "tokens")
    user_id = str(claims_of(gate.token_of("ada"))["sub"])
    return Tokens(secret or ours, clock=lambda: utc_now() - ago).issue(Claims(user_id, 0))


def test_an_expired_token_has_expired(gate: Gate) -> None:
    living, dead = made(gate, ago=timedelta(days=29)), made(gate, ago=timedelta(days=31))

    assert asked(gate, bearer(living))[0] == 200
    assert asked(gate, bearer(dead)) == (401, {"msg": "Token has expired"})


def unsigned(gate: Gate) -> str:
    _, payload, _ = gate.token_of("ada").split(".")
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{payload}."


def unsigned_with_a_signature(gate: Gate) -> str:
    _, payload, signature = gate.token_of("ada").split(".")
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{payload}.{signature}"


def of_another_server(gate: Gate) -> str:
    return made(gate, secret=bytes(64))


def of_mlapi_s_own_secret(gate: Gate) -> str:
    return jwt.encode(claims_of(gate.token_of("ada")), b"change this" * 3, algorithm="HS256")


def changed(gate: Gate) -> str:
    head, _, signature = gate.token_of("ada").split(".")
    return f"{head}.{part(claims_of(gate.token_of('ada')) | {'sub': 'usr_eve'})}.{signature}"


def cut_off(gate: Gate) -> str:
    return gate.token_of("ada")[:-5]


def nonsense(gate: Gate) -> str:
    return gate.token_of("ada").replace(".", "")


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        unsigned_with_a_signature,
        of_another_server,
        of_mlapi_s_own_secret,
        changed,
        cut_off,
        nonsense,
    ],
)
def test_a_forged_token_is_a_422(gate: Gate, forge: Callable[[Gate], str]) -> None:
    token = forge(gate)

    answer = gate.client.post(ROUTE, files=FILE, headers=bearer(token))

    assert (answer.status_code, set(answer.json())) == (422, {"msg"})
    assert token not in answer.text


# --- tokens that count no more --------------------------------------------------------


def disable(gate: Gate) -> None:
    with gate.accounts.database.write() as connection:
        gate.accounts.users.disable(connection, "ada", actor="a test")


def change_password(gate: Gate) -> None:
    with gate.accounts.database.write() as connection:
        gate.accounts.users.set_password(connection, "ada", password_hash=HASH, actor="a test")


def log_out(gate: Gate) -> None:
    with gate.accounts.database.write() as connection:
        gate.accounts.users.log_out(connection, "ada", actor="a test")


@pytest.mark.parametrize("end", [disable, change_password, log_out])
def test_a_token_ends_at_once(gate: Gate, end: Callable[[Gate], None]) -> None:
    header = gate.header_of("ada")
    assert asked(gate, header)[0] == 200

    end(gate)

    status, body = asked(gate, header)
    assert (status, body) == (
        401,
        {"msg": "the key, token or password is not valid: unknown, expired or revoked"},
    )


def test_after_a_logout_the_password_is_still_good(gate: Gate) -> None:
    gate.header_of("ada")
    log_out(gate)

    assert asked(gate, gate.header_of("ada")) == (200, [DOG, PERSON])


# --- others who may come in -----------------------------------------------------------


def key_of(gate: Gate, name: str) -> NewKey:
    with gate.accounts.database.write() as connection:
        user = gate.accounts.users.by_name(connection, name)
        return gate.accounts.keys.mint(
            connection, user, name="camera", scopes=None, rates=Rates(), actor="a test"
        )


def test_a_key_of_ours_is_a_token_too(gate: Gate) -> None:
    key = key_of(gate, "ada").text

    assert asked(gate, bearer(key)) == (200, [DOG, PERSON])
    assert asked(gate, bearer(key[:-1])) == (
        401,
        {"msg": "the key is mistyped or cut off; expected all of ok_live_ID_SECRET"},
    )


def test_a_viewer_may_log_in_and_not_detect(gate: Gate) -> None:
    gate.add("vera", role=Role.VIEWER)

    status, body = asked(gate, gate.header_of("vera"))

    assert (status, body) == (403, {"code": 403, "msg": "expected credentials with the scope 'detect'"})


def test_without_people_this_machines_programs_need_no_token(tmp_path: Path) -> None:
    with open_gate(tmp_path) as gate:
        assert asked(gate, {}) == (200, [DOG, PERSON])
        assert gate.client.post(LOGIN, json=ADA).status_code == 401


def test_no_password_and_no_token_is_in_the_logs(gate: Gate, capfd: pytest.CaptureFixture[str]) -> None:
    token = gate.token_of("ada")
    gate.client.post(LOGIN, json=ADA | {"password": "a wrong one"})
    asked(gate, bearer(token + "x"))

    written = "".join(capfd.readouterr())
    assert not any(secret in written for secret in (PASSWORD, "a wrong one", token))
