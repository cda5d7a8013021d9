"""Passwords: argon2id with the library's defaults, which are RFC 9106's choice for little memory.

That is three passes over 64 MiB in four lanes, about 0.1 s of two cores (argon2-cffi 25.1).
"""

import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from okapia.domain.errors import InvalidRequest

MIN_CHARACTERS = 8
MAX_BYTES = 1024

_hasher = PasswordHasher()
_turn = threading.BoundedSemaphore(4)
"""A flood of log-ins must not take the memory of the networks: 64 MiB each, a quarter of a GiB at most."""


def hash_password(password: str) -> str:
    """Give what is kept of a new password: a hash that names its own salt and parameters.

    Takes about 0.1 s: not inside a transaction.

    Raises:
        InvalidRequest: it is shorter than `MIN_CHARACTERS` or longer than `MAX_BYTES` in UTF-8.
    """
    characters, n_bytes = len(password), len(_encoded(password))
    if characters < MIN_CHARACTERS:
        raise InvalidRequest(
            f"expected a password of at least {MIN_CHARACTERS} characters, got {characters}", param="password"
        )
    if n_bytes > MAX_BYTES:
        raise InvalidRequest(
            f"expected a password of at most {MAX_BYTES:,} bytes, got {n_bytes:,}", param="password"
        )
    return _hash(password)


def is_right(password: str, kept: str | None) -> bool:
    """Say whether a password is the one that `kept` was made of.

    Args:
        kept: None for a name that nobody has, or a person without password: false after just as long, so
            that the time tells nobody which names exist.
    """
    if kept is None:
        _hash(password)
        return False
    try:
        with _turn:
            return _hasher.verify(kept, _encoded(password))
    except VerificationError:
        return False


def is_outdated(kept: str) -> bool:
    """Say whether a hash was made with other parameters than today's, and should be made anew."""
    return _hasher.check_needs_rehash(kept)


def _hash(password: str) -> str:
    with _turn:
        return _hasher.hash(_encoded(password))


def _encoded(password: str) -> bytes:
    # Keyboards differ in how they compose an umlaut (RFC 8265, 4.2.2). Half a surrogate pair, which JSON can
    # hold and UTF-8 cannot, is a wrong password like others.
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
