"""The pictures of a shard as one value, small enough for its row: a worker on any host has all it needs."""

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import orjson

_LEVEL = 6


class Item(NamedTuple):
    """One picture that was listed; there are millions of them, and a tuple takes a third of the time.

    Attributes:
        name: path below the source's root, or the URL; what the picture is called in the results.
        meta: what the request said of it, which comes back in the results.
        n_bytes: when the source told.
        version: what changes when the picture does: nanoseconds of its mtime, or the store's ETag.
        problem: why what was found there cannot be looked at; it fails, and is not left out in silence.
        sealed: the part of the URL that may be a secret, encrypted under a key of the batch's own.
    """

    name: str
    meta: str | None = None
    n_bytes: int | None = None
    version: str | None = None
    problem: str | None = None
    sealed: str | None = None


def pack(items: Sequence[Item]) -> bytes:
    """Write pictures into a few bytes each."""
    rows = [(_text(item.name), *item[1:]) for item in items]
    return zlib.compress(orjson.dumps(rows), _LEVEL)


def unpack(packed: bytes) -> list[Item]:
    """Read what `pack` wrote."""
    return [Item(_name(name), *rest) for name, *rest in orjson.loads(zlib.decompress(packed))]


def _text(name: str) -> str:
    # A file's name may hold bytes that are no UTF-8 (PEP 383), which JSON cannot carry.
    return name.encode("utf-8", "surrogateescape").decode("latin-1")


def _name(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "surrogateescape")
