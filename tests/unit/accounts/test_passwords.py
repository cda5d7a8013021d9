"""Passwords: what is kept of them says nothing, and comparing takes as long for a name that nobody has."""

import time

import pytest
from argon2 import PasswordHasher

from okapia.accounts.passwords import hash_password, is_outdated, is_right
from okapia.domain.errors import InvalidRequest
from tests.unit.accounts.people import PASSWORD

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def cpu_s(password: str, kept: str | None) -> float:
    """Processor time of one comparison, all lanes together."""
    began = time.process_time()
    is_right(password, kept)
    return time.process_time() - began


def test_a_password_is_right_and_every_other_is_wrong() -> None:
    kept = hash_password(PASSWORD)

    assert is_right(PASSWORD, kept)
    assert not is_right(PASSWORD.upper(), kept)
    assert not is_right("", kept)


def test_what_is_kept_is_argon2id_with_a_salt_of_its_own() -> None:
    first, second = hash_password(PASSWORD), hash_password(PASSWORD)

    assert first.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert first != second


def test_a_composed_umlaut_is_the_same_as_a_plain_one() -> None:
    kept = hash_password("ma\u0308hnenwolf")

    assert is_right("m\u00e4hnenwolf", kept)


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("", "at least 8 characters, got 0"),
        ("okapi00", "at least 8 characters, got 7"),
        ("\u00f6" * 513, "at most 1,024 bytes, got 1,026"),
    ],
    ids=["empty", "short", "long in bytes"],
)
def test_passwords_that_are_too_short_or_too_long_are_refused(password: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        hash_password(password)

    assert caught.value.param == "password"


@pytest.mark.parametrize("password", ["\u00f6\u00f6\u00f6\u00f6\u00f6\u00f6\u00f6\u00f6", "o" * 1024])
def test_the_shortest_and_the_longest_password_are_good(password: str) -> None:
    assert is_right(password, hash_password(password))


def test_half_a_surrogate_pair_is_a_wrong_password_like_others() -> None:
    assert not is_right("\ud83e okapia", CHEAP.hash(PASSWORD))


def test_nobodys_password_is_wrong_and_takes_as_long() -> None:
    kept = hash_password(PASSWORD)

    of_somebody = min(cpu_s("wrong password", kept) for _ in range(3))
    of_nobody = min(cpu_s("wrong password", None) for _ in range(3))

    assert not is_right(PASSWORD, None)
    assert of_nobody > of_somebody / 2


def test_a_hash_with_other_parameters_still_counts_and_is_outdated() -> None:
    kept = CHEAP.hash(PASSWORD)

    assert is_right(PASSWORD, kept)
    assert is_outdated(kept)
    assert not is_outdated(hash_password(PASSWORD))
