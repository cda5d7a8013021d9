"""A list that came with a request, kept in parts until its pictures are written down."""

from collections.abc import Iterable, Iterator
from itertools import islice

import orjson

from okapia.batches.items import Item, pack, unpack
from okapia.storage.blobs import BlobStore

PART_ITEMS = 16_384
"""Of a part, which is the most of a list that is in memory at a time."""

_MOST_PART_BYTES = 1 << 30
_MOST_INDEX_BYTES = 10_000_000


def keep(blobs: BlobStore, batch_id: str, items: Iterable[Item]) -> str:
    """Write a list, and give its key.

    Raises:
        StorageError, and what `items` raise; nothing is kept then.
    """
    parts: list[str] = []
    rest = iter(items)
    try:
        while part := list(islice(rest, PART_ITEMS)):
            parts.append(f"batches/{batch_id}/list/{len(parts)}")
            blobs.put(parts[-1], [pack(part)], max_bytes=_MOST_PART_BYTES)
        # The index comes last: what it names is there.
        key = f"batches/{batch_id}/list/index"
        blobs.put(key, [orjson.dumps(parts)], max_bytes=_MOST_INDEX_BYTES)
    except BaseException:
        for part_key in parts:
            blobs.delete(part_key)
        raise
    return key


def kept(blobs: BlobStore, key: str) -> Iterator[Item]:
    """Read a list; raises `StorageError` while iterating when a part of it is not to be had."""
    for part in orjson.loads(blobs.read(key, max_bytes=_MOST_INDEX_BYTES)):
        yield from unpack(blobs.read(part, max_bytes=_MOST_PART_BYTES))
