"""Tokens that programs get for a name and a password: JSON Web Tokens, signed with this server's secret."""

import re
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import jwt

from okapia.domain.clock import Clock, utc_now
from okapia.domain.refusals import ExpiredToken, MalformedToken

LIFE = timedelta(days=30)
"""pyzm keeps its token as long as its program runs, and never logs in again."""

MIN_SECRET_BYTES = 32
"""RFC 7518, 3.2: a key at least as long as the hash."""

_ALGORITHM = "HS256"
_ISSUER = "okapia"
_CLAIMS = ["sub", "gen", "iat", "exp", "jti", "iss"]

# The header is read before the signature is checked: no longer than ours, so that it cannot be deeply nested.
_SHAPE = re.compile(r"(?=.{1,512}\Z)[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says that is signed and not expired; whether it still counts, its user's row knows.

    Attributes:
        generation: the user's `token_generation` when it was issued; it counts while the two are equal.
    """

    user_id: str
    generation: int


def is_token(text: str) -> bool:
    """Say whether a credential has the shape of a token."""
    return _SHAPE.fullmatch(text) is not None


class Tokens:
    """Issues and checks tokens."""

    def __init__(self, secret: bytes, *, life: timedelta = LIFE, clock: Clock = utc_now) -> None:
        if len(secret) < MIN_SECRET_BYTES:
            raise ValueError(f"expected a secret of at least {MIN_SECRET_BYTES} bytes, got {len(secret)}")
        self._secret = secret
        self._life = life
        self._clock = clock

    def issue(self, claims: Claims) -> str:
        """Give a new token."""
        now = self._clock()
        payload = {
            "iss": _ISSUER,
            "sub": claims.user_id,
            "gen": claims.generation,
            "iat": now,
            "exp": now + self._life,
            "jti": uuid4().hex,
        }
        return jwt.encode(payload, self._secret, algorithm=_ALGORITHM)

    def verify(self, token: str) -> Claims:
        """Read a token.

        Raises:
            MalformedToken: it was not issued with this secret.
            ExpiredToken: it was, and its life is over.
        """
        if not is_token(token):
            raise MalformedToken
        try:
            payload = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],  # the token's own word for it (`none`) never counts
                issuer=_ISSUER,
                # The library has its own clock for these two.
                options={"require": _CLAIMS, "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError as error:
            raise MalformedToken from error
        if payload["exp"] <= self._clock().timestamp():
            raise ExpiredToken
        return Claims(user_id=payload["sub"], generation=payload["gen"])
