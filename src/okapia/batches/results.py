"""The files of a batch's shards, read again: counted anew, and put together into result files."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from okapia.batches.batch import Counts, ShardFile, Verdict
from okapia.batches.verdicts import count
from okapia.domain.errors import OkapiaError
from okapia.domain.storage_errors import BlobMissing
from okapia.formats.base import Format, RunInfo, Writing
from okapia.formats.shard_file import ShardRow, decode
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


class BatchResults:
    """Reads what workers wrote."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def rows(self, files: Iterable[ShardFile]) -> Iterator[ShardRow]:
        """Give the pictures of a batch in the order of the listing, one shard in memory at a time.

        Raises:
            ShardDamaged: a file is missing, or not the one that was committed.
            StorageUnavailable, StorageRefused: the files cannot be reached now.
        """
        for file in files:
            yield from self._read(file)

    def recount(self, files: Iterable[tuple[ShardFile, Counts]]) -> Recount:
        """Count every picture again, from the files alone; raises as `rows` does but for damage."""
        total: Counter[Verdict] = Counter()
        problems = []
        for file, said in files:
            try:
                verdicts = [Verdict(row.verdict) for row in self._read(file)]
            except ShardDamaged as error:
                problems.append(str(error))
                continue
            if count(verdicts) != said:
                problems.append(f"{file.name}: the ledger says {said}, the file {count(verdicts)}")
            total.update(verdicts)
        return Recount(Counts.of(total), tuple(problems))

    def write(
        self,
        files: Iterable[ShardFile],
        target: Path,
        result_format: Format,
        *,
        writing: Writing,
        info: RunInfo,
    ) -> None:
        """Put a batch into one result file, in constant memory.

        Raises:
            OutputNotWritable: the disk is full or gone; nothing is left of the file.
            ShardDamaged, StorageUnavailable, StorageRefused: as `rows`.
        """
        with result_format.writer(target, writing) as writer:
            for row in self.rows(files):
                writer.add(row.result)
            writer.finish(info)

    def keep(self, path: Path, key: str) -> int:
        """Keep a finished file under a name; gives its size in bytes."""
        with path.open("rb") as file:
            return self._blobs.put(key, iter(lambda: file.read(_CHUNK), b""), max_bytes=MOST_FILE_BYTES)

    def _read(self, file: ShardFile) -> list[ShardRow]:
        try:
            data = self._blobs.read(file.name, max_bytes=MOST_FILE_BYTES)
        except BlobMissing as error:
            raise ShardDamaged(file, "expected the file, it is not there") from error
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise ShardDamaged(file, f"expected SHA-256 {file.sha256}, it has another")
        return decode(data)
