"""API keys as people see them: `ok_live_ID_SECRET`, of which the last six characters are a checksum.

The checksum tells a mistyped or cut-off key from a wrong one without asking the database, and lets scanners
for leaked secrets be sure of what they found.
"""

import re
import secrets
import string
import zlib
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

from okapia.domain.errors import OkapiaError
from okapia.domain.refusals import InvalidCredentials

PREFIX = "ok_live_"

_ID_CHARACTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another: ids are typed by people
_ID_LENGTH = 12
_SECRET_CHARACTERS = string.digits + string.ascii_letters
_SECRET_LENGTH = 43  # 62 ** 43 > 2 ** 256
_CHECKSUM_LENGTH = 6  # 62 ** 6 > 2 ** 32
_SHAPE = re.compile(
    rf"{PREFIX}([{_ID_CHARACTERS}]{{{_ID_LENGTH}}})_([0-9A-Za-z]{{{_SECRET_LENGTH}}})[0-9A-Za-z]{{{_CHECKSUM_LENGTH}}}"
)


class MistypedKey(InvalidCredentials):
    """The text is no key that any server ever gave: something is missing, or a character is another."""

    def __init__(self) -> None:
        # The parent's words would say less.
        OkapiaError.__init__(self, f"the key is mistyped or cut off; expected all of {PREFIX}ID_SECRET")


@dataclass(frozen=True, slots=True)
class KeyText:
    """The parts of a key."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls) -> Self:
        """Give a key that nobody has: 256 random bits."""
        return cls(_random(_ID_CHARACTERS, _ID_LENGTH), _random(_SECRET_CHARACTERS, _SECRET_LENGTH))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a key; raises `MistypedKey`."""
        shape = _SHAPE.fullmatch(text)
        if shape is None:
            raise MistypedKey
        key = cls(*shape.groups())
        if key.text != text:
            raise MistypedKey
        return key

    @property
    def text(self) -> str:
        """The whole key, for its owner only."""
        body = f"{PREFIX}{self.id}_{self.secret}"
        return body + _checksum(body)

    @property
    def secret_hash(self) -> str:
        """What a server keeps: SHA-256 in hex. Of 256 random bits nothing slower is needed."""
        return sha256(self.secret.encode()).hexdigest()


def _random(characters: str, length: int) -> str:
    return "".join(secrets.choice(characters) for _ in range(length))


def _checksum(text: str) -> str:
    """Give the CRC-32 of a text in base 62: it finds every slip of up to four characters in a row."""
    number = zlib.crc32(text.encode())
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_SECRET_CHARACTERS))
        digits.append(_SECRET_CHARACTERS[digit])
    return "".join(reversed(digits))
