"""The files of a batch: those of its shards, read again, and those that are made of them."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from okapia.batches.batch import Counts, ShardFile, Verdict
from okapia.batches.items import unpack
from okapia.batches.verdicts import count
from okapia.domain.errors import OkapiaError
from okapia.domain.storage_errors import BlobMissing
from okapia.formats.shard_file import ShardRow, decode, names_in
from okapia.storage.blobs import BlobStore

MOST_FILE_BYTES = 1 << 30

_CHUNK = 1 << 20


class ShardDamaged(OkapiaError):
    """The results of a shard are not those that were committed."""

    code = "shard_damaged"

    def __init__(self, file: ShardFile, problem: str) -> None:
        super().__init__(f"{file.name}: {problem}")


@dataclass(frozen=True, slots=True)
class Recount:
    """What the files of a batch hold, against what the ledger says of them.

    Attributes:
        counts: of all files that could be read.
        problems: what differs, one sentence each; empty when the books are right.
    """

    counts: Counts
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeptFile:
    """What a finished file is known by; `sha256` in hexadecimal."""

    n_bytes: int
    sha256: str


class BatchResults:
    """The files of batches among the blobs."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def rows(
        self, files: Iterable[ShardFile], *, is_wanted: Callable[[str], bool] = lambda _: True
    ) -> Iterator[ShardRow]:
        """Give the pictures of a batch in the order of the listing, one shard in memory at a time.

        Args:
            is_wanted: tells by its name whether a picture is given; the others cost next to nothing.

        Raises:
            ShardDamaged: a file is missing, or not the one that was committed.
            StorageUnavailable, StorageRefused: the files cannot be reached now.
        """
        for file in files:
            yield from decode(self._read(file), is_wanted=is_wanted)

    def names(self, file: ShardFile) -> list[str]:
        """Give the names alone of a shard's pictures, in their order; raises as `rows`."""
        return names_in(self._read(file))

    def recount(
        self, files: Iterable[tuple[ShardFile, Counts]], *, listed: Iterable[bytes] | None = None
    ) -> Recount:
        """Count every picture again, from the files alone; raises as `rows` does but for damage.

        Args:
            listed: the pictures of each of these shards as they were listed, packed: each has to be in its
                file, once.
        """
        total: Counter[Verdict] = Counter()
        problems: list[str] = []
        shards = zip(files, listed, strict=True) if listed is not None else ((one, None) for one in files)
        for (file, said), items in shards:
            try:
                rows = decode(self._read(file))
            except ShardDamaged as error:
                problems.append(str(error))
                continue
            verdicts = [Verdict(row.verdict) for row in rows]
            total.update(verdicts)
            if count(verdicts) != said:
                problems.append(f"{file.name}: the ledger says {said}, the file {count(verdicts)}")
            if items is not None:
                problems += _differences(file, rows, items)
        return Recount(Counts.of(total), tuple(problems))

    def keep(self, path: Path, key: str, *, check: Callable[[], None]) -> KeptFile:
        """Keep a finished file under a key.

        Args:
            check: called now and then; what it raises ends the work, and nothing is kept.
        """
        digest, n_bytes = hashlib.sha256(), path.stat().st_size
        with path.open("rb") as file:
            self._blobs.put(key, _read_through(file, digest.update, check), max_bytes=n_bytes)
        return KeptFile(n_bytes, digest.hexdigest())

    def forget(self, key: str) -> None:
        """Delete a kept file."""
        self._blobs.delete(key)

    def _read(self, file: ShardFile) -> bytes:
        try:
            data = self._blobs.read(file.name, max_bytes=MOST_FILE_BYTES)
        except BlobMissing as error:
            raise ShardDamaged(file, "expected the file, it is not there") from error
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise ShardDamaged(file, f"expected SHA-256 {file.sha256}, it has another")
        return data


def _differences(file: ShardFile, rows: Sequence[ShardRow], items: bytes) -> list[str]:
    """Name what was listed and is not in the file as often, or the reverse."""
    listed = Counter(item.name for item in unpack(items))
    found = Counter(row.result.name for row in rows)
    lacking, surplus = (listed - found).total(), (found - listed).total()
    if not lacking and not surplus:
        return []
    return [f"{file.name}: {lacking} listed pictures are not in the file, {surplus} are too many"]


def _read_through(
    file: BinaryIO, look: Callable[[bytes], object], check: Callable[[], None]
) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        check()
        look(chunk)
        yield chunk
