"""URLs that carry their own permission, for uploads that no cloud takes: HMAC-SHA256 over what they allow."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode

from okapia.domain.refusals import SignatureExpired, SignatureInvalid

_NAMES: Final = ["expires", "content_type", "max_bytes", "signature"]
_LEAST_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signed URL allows.

    Attributes:
        content_type: that the request has to have.
        max_bytes: that its body may have.
        expires_at: seconds since 1970; until then, and not at that second any more.
    """

    content_type: str
    max_bytes: int
    expires_at: int


class UrlSigner:
    """Signs paths and knows its own signatures again, in every process that has the same secret."""

    def __init__(self, secret: bytes) -> None:
        """Take a secret of at least 32 random bytes (`load_or_make_secret`), used for nothing else."""
        if len(secret) < _LEAST_BYTES:
            raise ValueError(f"expected at least {_LEAST_BYTES} bytes of secret, got {len(secret)}")
        self._secret = secret

    def sign(self, path: str, *, method: str, content_type: str, max_bytes: int, expires_at: int) -> str:
        """Give the query that makes `path` a signed URL, without `?`; its fields are readable.

        Args:
            path: as `verify` will get it, decoded; without host, so the server may move.
            expires_at: seconds since 1970.
        """
        fields = [str(expires_at), content_type, str(max_bytes)]
        return urlencode(list(zip(_NAMES, [*fields, self._signature(method, path, fields)], strict=True)))

    def verify(self, path: str, query: str, *, method: str, now: float) -> SignedRequest:
        """Give what the URL allows; whether the request keeps to it is the caller's to check.

        Raises:
            SignatureInvalid: path, method or one of the query's fields is not as it was signed, or the query
                has less or more fields.
            SignatureExpired: all is as it was signed, and its time is over.
        """
        *fields, signature = _read(query)
        expected = self._signature(method, path, fields)
        if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
            raise SignatureInvalid("expected a URL as this server signed it, got another")
        expires, content_type, max_bytes = fields
        if now >= int(expires):
            raise SignatureExpired(f"the signed URL ended {now - int(expires):,.0f} s ago; ask for a new one")
        return SignedRequest(content_type, int(max_bytes), int(expires))

    def _signature(self, method: str, path: str, fields: list[str]) -> str:
        # JSON, so that no sign can move from one field into the next.
        signed = json.dumps([method, path, *fields]).encode()
        return hmac.new(self._secret, signed, hashlib.sha256).hexdigest()


def _read(query: str) -> list[str]:
    try:
        given = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=len(_NAMES))
    except ValueError:
        given = []
    if [name for name, _ in given] != _NAMES:
        raise SignatureInvalid("expected a signed URL, its query has other fields")
    return [value for _, value in given]
