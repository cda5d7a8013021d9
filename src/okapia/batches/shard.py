"""The work on one shard: its pictures in, one file of results out. Pure but for the reading."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from okapia.batches.batch import Counts
from okapia.batches.items import Item
from okapia.batches.source import CredentialsNeeded, Source, SourceGone
from okapia.batches.verdicts import count, verdict_of
from okapia.domain.errors import (
    DeviceLost,
    DeviceOutOfMemory,
    DeviceUnavailable,
    ModelDamaged,
    ModelNotInstalled,
    OkapiaError,
    ServerBusy,
    ShuttingDown,
    UnreadableFile,
)
from okapia.domain.types import Failure, ImageResult
from okapia.formats.shard_file import ShardRow, encode


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is read when it is its turn.

    Attributes:
        read: gives the encoded file; may raise `BadImage`, and what a `Source` raises for all pictures.
    """

    name: str
    read: Callable[[], bytes]


Analyse = Callable[[Iterator[Picture]], Iterator[ImageResult]]
"""Analyses pictures with the models and options of a batch, one result a picture, in their order."""


@dataclass(frozen=True, slots=True)
class ShardResult:
    """What came of a shard.

    Attributes:
        data: the file of results.
    """

    data: bytes
    counts: Counts

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


class Interrupted(OkapiaError):
    """A shard cannot be worked off now; none of its pictures is at fault.

    Attributes:
        failure: what was met; its code says whether credentials are needed or time.
    """

    code = "shard_interrupted"

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.code}: {failure.message}")
        self.failure = failure


_NOT_THE_PICTURES = frozenset(
    error.code
    for error in (
        SourceGone,
        CredentialsNeeded,
        ServerBusy,
        ShuttingDown,
        ModelNotInstalled,
        ModelDamaged,
        DeviceUnavailable,
        DeviceOutOfMemory,
        DeviceLost,
    )
)


def work_off(items: Sequence[Item], source: Source, analyse: Analyse) -> ShardResult:
    """Analyse the pictures of a shard; a bad one is a row like the others.

    Raises:
        Interrupted: the source, the models or the machine failed; nothing of the shard counts.
    """
    hashes: dict[int, str] = {}
    pictures = (
        Picture(item.name, partial(_read, source, item, place, hashes)) for place, item in enumerate(items)
    )
    results = [
        replace(result, meta=item.meta, sha256=hashes.get(place))
        for place, (item, result) in enumerate(zip(items, _checked(analyse(pictures)), strict=True))
    ]
    rows = [ShardRow(result, verdict_of(result).value) for result in results]
    return ShardResult(encode(rows), count(map(verdict_of, results)))


def _read(source: Source, item: Item, place: int, hashes: dict[int, str]) -> bytes:
    """Read a picture, and note what it was that the answer is about."""
    if item.problem is not None:
        raise UnreadableFile(item.problem)
    data = source.read(item)
    hashes[place] = hashlib.sha256(data).hexdigest()
    return data


def _checked(results: Iterator[ImageResult]) -> Iterator[ImageResult]:
    """Pass results on until one says that it is not its picture that is bad."""
    for result in results:
        if isinstance(result.outcome, Failure) and result.outcome.code in _NOT_THE_PICTURES:
            raise Interrupted(result.outcome)
        yield result
