"""How many bytes of decoded pictures are in memory at once, counted over all threads."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

from okapia.domain.errors import ServerBusy

# Peak bytes a pixel of 25-megapixel files (Pillow 12.3, simplejpeg 1.9, Linux, 2026-11): the file's own
# pixels, Pillow's copies of them in four bytes, and ours in three. Float TIFF takes 37, and is rare.
_JPEG_BYTES: Final = 6  # 3, and as many again for a progressive or a turned one
_WEBP_BYTES: Final = 22
_OTHER_BYTES: Final = 14

MOST_BYTES_PER_PIXEL: Final = _WEBP_BYTES
ORDINARY_BYTES: Final = 20_000_000 * _JPEG_BYTES
"""What a camera trap's JPEG takes."""

_RETRY_S: Final = 2
"""A large picture takes about that long."""


class Crowded(StrEnum):
    """What becomes of a picture that has no room while others are in memory."""

    WAIT = "wait"
    REFUSE = "refuse"


class DecodeBudget:
    """Room for decoded pictures; those that are smaller than all of it find room sooner or later."""

    def __init__(self, max_bytes: int = sys.maxsize) -> None:
        self.max_bytes = max_bytes
        self._held: list[int] = []
        self._freed = threading.Condition()

    @contextmanager
    def hold(self, n_bytes: int, crowded: Crowded) -> Iterator[None]:
        """Take room while the block runs; a thread that holds some must not ask for more.

        Args:
            n_bytes: at most `max_bytes`.

        Raises:
            ServerBusy: others hold too much now, and a crowded budget refuses.
        """
        self._take(n_bytes, crowded)
        try:
            yield
        finally:
            with self._freed:
                self._held.remove(n_bytes)
                self._freed.notify_all()

    def _take(self, n_bytes: int, crowded: Crowded) -> None:
        with self._freed:
            if crowded is Crowded.WAIT:
                self._freed.wait_for(lambda: self._fits(n_bytes))
            elif not self._fits(n_bytes):
                raise ServerBusy(waiting=len(self._held), retry_after_s=_RETRY_S)
            self._held.append(n_bytes)

    def _fits(self, n_bytes: int) -> bool:
        return sum(self._held) + n_bytes <= self.max_bytes


def bytes_per_pixel(image_format: str, *, is_plain_jpeg: bool) -> int:
    """Give what a pixel takes while a picture is decoded in full, at most."""
    if is_plain_jpeg:
        return _JPEG_BYTES
    return _WEBP_BYTES if image_format == "WEBP" else _OTHER_BYTES
