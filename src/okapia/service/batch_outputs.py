"""The files that a batch is for, made of the results of its shards."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Final

import orjson
from pydantic import TypeAdapter

from okapia.batches.batch import Batch, ShardFile
from okapia.batches.results import BatchResults
from okapia.batches.verdicts import verdict_of
from okapia.domain.errors import OutputNotWritable
from okapia.domain.storage_errors import StorageError, StorageUnavailable
from okapia.domain.types import Failure, ImageResult
from okapia.formats.base import Format, ResultWriter, RunInfo, Writing, format_named
from okapia.formats.csv_rows import SPREADSHEET_MARK, lines
from okapia.formats.lines import LineWriter
from okapia.formats.megadetector import as_utf8, valid
from okapia.service.batch_parts import Part, PartOf, find_parts, part_rule
from okapia.service.batch_request import BatchRequest, Split

PutOutside = Callable[[Path, str], None]
"""Copies a finished file to another place, under a name."""

MANIFEST: Final = "manifest"

_MOST_WRITERS = 32
"""Open at once: each has up to two files and, for Parquet, some 3 MB."""


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file that was made, kept with its batch.

    Attributes:
        name: of ASCII letters, digits, `-`, `_` and `.`; no other file of the batch has it.
        format: name of a result format, or `failures` or `manifest`, of which every batch has one.
        key: of its blob.
        sha256: of its bytes, in hexadecimal.
        images: pictures that it tells of.
        part: the folder or the camera that it is about; empty for a file about all.
    """

    name: str
    format: str
    key: str
    n_bytes: int
    sha256: str
    images: int
    part: str = ""


_FILES = TypeAdapter(tuple[OutputFile, ...])


def output_files(batch: Batch) -> tuple[OutputFile, ...]:
    """Give the files of a batch; none before it has completed."""
    return _FILES.validate_python(batch.outputs)


class OutputMaker:
    """Puts the results of a batch's shards together, streamed; safe to use from several threads."""

    def __init__(self, results: BatchResults, *, home_tmp: Path | None = None) -> None:
        """Write in the folder `home_tmp`, or the system's for such files, before a file is kept."""
        self._results = results
        self._home_tmp = home_tmp

    def make(
        self,
        batch: Batch,
        request: BatchRequest,
        files: Sequence[ShardFile],
        info: RunInfo,
        *,
        put_outside: PutOutside | None,
        check: Callable[[], None] = lambda: None,
    ) -> list[OutputFile]:
        """Make and keep the files that are asked for, the list of failures and the manifest.

        Each call keeps them under keys of its own: of two workers who merge one batch neither changes what
        the other made. Whatever goes wrong, nothing stays but what was put outside by then.

        Args:
            files: of the finished shards, in the order of the listing.
            check: called now and then; what it raises ends the work.

        Raises:
            ShardDamaged: the results of a shard are not those that were committed.
            StorageUnavailable: a disk is full, or the shards cannot be reached now.
            StorageRefused: the place of the blobs says no.
        """
        with _translated(), TemporaryDirectory(prefix="okapia-", dir=self._home_tmp) as folder:
            making = _Making(
                results=self._results,
                request=request,
                files=files,
                info=info,
                folder=Path(folder),
                key=f"batches/{batch.id}/outputs/{token_hex(4)}",
                put_outside=put_outside,
                check=check,
            )
            try:
                making.run()
            except BaseException:
                making.undo()
                raise
        return making.made


@dataclass(slots=True)
class _Open:
    """A file that is being written."""

    path: Path
    format: str
    part: str
    writer: ResultWriter
    images: int = 0

    def add(self, result: ImageResult) -> None:
        self.writer.add(result)
        self.images += 1


@dataclass(slots=True, kw_only=True)
class _Making:
    """One attempt at the files of a batch."""

    results: BatchResults
    request: BatchRequest
    files: Sequence[ShardFile]
    info: RunInfo
    folder: Path
    key: str
    put_outside: PutOutside | None
    check: Callable[[], None]
    made: list[OutputFile] = field(default_factory=list)

    def run(self) -> None:
        """Make all files."""
        outputs = self.request.outputs
        part_of = part_rule(outputs.split, address=self.request.place.address)
        formats = [format_named(name) for name in dict.fromkeys(outputs.formats)]
        parts, images = iter(self._parts(part_of)), 0
        with ExitStack() as opened:
            failures = self._open(opened, _FAILURES, _ALL)
            while group := list(islice(parts, max(1, _MOST_WRITERS // max(1, len(formats))))):
                images += self._write(group, formats, part_of, failures)
            self._finish(failures)
        self._keep_manifest(images)

    def undo(self) -> None:
        """Delete what was kept."""
        for file in self.made:
            with suppress(StorageError):
                self.results.forget(file.key)

    def _parts(self, part_of: PartOf) -> Sequence[Part]:
        everywhere = range(len(self.files))
        if self.request.outputs.split is Split.WHOLE:
            return [replace(_ALL, places=everywhere)]
        return find_parts(self.results, self._watched(everywhere), part_of)

    def _write(
        self, group: Sequence[Part], formats: Sequence[Format], part_of: PartOf, failures: _Open
    ) -> int:
        """Write the files of some parts in one pass; gives their pictures."""
        images = 0
        with ExitStack() as opened:
            outputs = {part.name: [self._open(opened, one, part) for one in formats] for part in group}
            for result in self._results_of(group, part_of):
                images += 1
                for output in outputs[part_of(result.name)]:
                    output.add(result)
                if isinstance(result.outcome, Failure):
                    failures.add(result)
            for output in chain.from_iterable(outputs.values()):
                self._finish(output)
        return images

    def _results_of(self, group: Sequence[Part], part_of: PartOf) -> Iterator[ImageResult]:
        """Read the shards that hold pictures of some parts, and give those pictures."""
        names = {part.name for part in group}
        places = sorted(set(chain.from_iterable(part.places for part in group)))
        rows = self.results.rows(self._watched(places), is_wanted=lambda name: part_of(name) in names)
        return (row.result for row in rows)

    def _watched(self, places: Iterable[int]) -> Iterator[ShardFile]:
        for place in places:
            self.check()
            yield self.files[place]

    def _open(self, opened: ExitStack, result_format: Format, part: Part) -> _Open:
        outputs, models = self.request.outputs, "+".join(self.request.choice.model_ids)
        path = self.folder / self._name(result_format.name, result_format.suffix, part)
        writing = Writing(outputs.keep_above, models, outputs.top_k)
        writer = opened.enter_context(result_format.writer(path, writing))
        return _Open(path, result_format.name, as_utf8(part.name), writer)

    def _name(self, kind: str, suffix: str, part: Part) -> str:
        about = "" if suffix == f".{kind}" else f".{kind}"
        stem = _ODD.sub("-", self.request.name)[:_LONGEST].strip("-_") or "results"
        return ".".join(filter(None, [stem, part.plain_name])) + about + suffix

    def _finish(self, output: _Open) -> None:
        output.writer.finish(self.info)
        self._keep(output.path, output.format, output.images, part=output.part)

    def _keep_manifest(self, images: int) -> None:
        path = self.folder / self._name(MANIFEST, ".json", _ALL)
        path.write_bytes(orjson.dumps(valid(self.info.manifest), option=orjson.OPT_INDENT_2))
        self._keep(path, MANIFEST, images)

    def _keep(self, path: Path, kind: str, images: int, *, part: str = "") -> None:
        """Have a finished file where it lasts, and no longer in the temporary folder."""
        key = f"{self.key}/{path.name}"
        kept = self.results.keep(path, key, check=self.check)
        self.made.append(OutputFile(path.name, kind, key, kept.n_bytes, kept.sha256, images, part))
        if self.put_outside is not None:
            self.put_outside(path, path.name)
        path.unlink()


_ALL = Part("", "")
_ODD = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST = 92


def _failure_line(result: ImageResult) -> bytes:
    if not isinstance(result.outcome, Failure):
        return b""
    return lines([(result.name, verdict_of(result).value, result.outcome.code, result.outcome.message)])


def _failures(target: Path, writing: Writing) -> ResultWriter:
    del writing
    head = SPREADSHEET_MARK + lines([("file", "verdict", "code", "message")])
    return LineWriter(target, _failure_line, head=head)


_FAILURES = Format("failures", "Okapia's own: a line for each picture without an answer", ".csv", _failures)


@contextmanager
def _translated() -> Iterator[None]:
    """Say what a disk refuses without the path, which is the server's."""
    try:
        yield
    except (OutputNotWritable, OSError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        reason = cause.strerror if isinstance(cause, OSError) else type(error).__name__
        raise StorageUnavailable(f"cannot write results: {reason}") from error
