"""What every blob store asks of keys and sizes."""

import re
from collections.abc import Iterable, Iterator

from okapia.domain.errors import InvalidRequest, PayloadTooLarge

# No sign that a URL would encode: Azure refuses obstore's signatures over such names. No dot at either
# end: the first hides files and climbs folders, Windows drops the last.
_SEGMENT = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_KEY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
_MAX_LENGTH = 255


def is_key(text: str) -> bool:
    """Tell the names that all stores and file systems take as they are."""
    return len(text) <= _MAX_LENGTH and _KEY.fullmatch(text) is not None


def checked_key(key: str) -> str:
    """Give the key back.

    Raises:
        InvalidRequest: it is absolute, climbs, is empty or too long, or has other signs than ASCII
            letters, digits, `.`, `_` and `-`. The message does not repeat it.
    """
    if not is_key(key):
        raise InvalidRequest(
            f"expected at most {_MAX_LENGTH} of the signs A-Z a-z 0-9 . _ - in segments joined by /",
            param="key",
        )
    return key


class Bounded:
    """Chunks, counted on their way.

    Attributes:
        n_bytes: given so far.
    """

    def __init__(self, chunks: Iterable[bytes], *, max_bytes: int) -> None:
        self._chunks = chunks
        self._max_bytes = max_bytes
        self.n_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        """Give the chunks, once.

        Raises:
            PayloadTooLarge: in place of the chunk that would exceed `max_bytes`.
        """
        for chunk in self._chunks:
            self.n_bytes += len(chunk)
            if self.n_bytes > self._max_bytes:
                raise PayloadTooLarge(max_bytes=self._max_bytes)
            yield chunk
