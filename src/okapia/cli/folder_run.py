"""One folder run: every picture answered once, by this process or one before it, and one results file."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from okapia.batches.batch import Batch, ShardFile, State
from okapia.batches.items import Item
from okapia.batches.selection import Selection
from okapia.batches.shard import ShardResult
from okapia.batches.source import Source
from okapia.batches.top_up import TopUp, WorkOff
from okapia.batches.worker import Trade
from okapia.cli.run_cluster import Actors
from okapia.cli.run_halt import Halt, Halted
from okapia.cli.run_ledger import Earlier, RunKey, RunLedger
from okapia.cli.run_looking import Looking
from okapia.cli.run_place import place_of
from okapia.cli.run_plan import Plan
from okapia.cli.run_results import ResultsFile
from okapia.cli.run_source import DiskSource
from okapia.cli.run_summary import Summary
from okapia.domain.errors import OutputNotWritable, StoppedByPerson
from okapia.domain.types import AnalysisOptions
from okapia.formats.megadetector import as_utf8
from okapia.formats.shard_file import ShardRow
from okapia.service import Service
from okapia.service.batch_request import BatchRequest, PlaceOfPictures
from okapia.service.manifest import Manifest

_MOST_AT_ONCE = 64
_PARTS = 64
"""A crash costs at most three of so many parts, and never more than three of `_MOST_AT_ONCE` pictures."""

_THREADS = 3
"""Shards at a time: while one of them begins or ends, the others keep the pipeline busy."""

Check = Callable[[], None]
Finish = Callable[[Batch, list[ShardFile], Check], Sequence[Mapping[str, object]]]


@dataclass(frozen=True, slots=True)
class Listed:
    """A `Source` of pictures that were found before."""

    found: Sequence[Item]
    disk: Source

    def items(self) -> Iterator[Item]:
        return iter(self.found)

    def read(self, item: Item) -> bytes:
        return self.disk.read(item)


@dataclass(frozen=True, slots=True)
class Guarded:
    """A `Source` that stops the run where it cannot be listed."""

    source: Source
    halt: Halt

    def items(self) -> Iterator[Item]:
        with self.halt.on_trouble():
            yield from self.source.items()

    def read(self, item: Item) -> bytes:
        return self.source.read(item)


class FolderRun:
    """Answers to the pictures of some folders, kept in the ledger as they are made.

    What earlier runs on the same results file have answered, with the same models and options, is taken over.

    Attributes:
        source: the folders.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        run_id: str,
        service: Service,
        ledger: RunLedger,
        source: DiskSource,
        actors: Actors | None,
        advance: Callable[[], None],
    ) -> None:
        """Get everything ready; no picture is looked at yet.

        Args:
            actors: who looks at pictures in bulk; None for this process.
            advance: called with each picture that has its answer.

        Raises:
            OutputNotWritable: the results or the drawn copies cannot be written.
            InvalidRequest, CamerasWithoutPlace: the place or the cameras cannot be told.
            ModelNotInstalled: a model has to be pulled first.
        """
        if plan.render is not None:
            _make_folder(plan.render)
        where = place_of(plan.species, service.species).where
        self._plan = plan
        self._ledger = ledger
        self.source = source
        self._actors = actors
        self._service = service
        self._advance = advance
        self._options = replace(plan.options, where=where)
        service.check_ready(plan.choice)
        self._results = ResultsFile(
            plan,
            cameras=plan.species.cameras(root=plan.paths[0].name),
            manifest=Manifest.of(
                service, plan.choice, self._options, keep_above=plan.keep_above, top_k=plan.species.top_k
            ),
        )
        self._key = RunKey(run_id, _fingerprint(service, plan, self._options))
        # Who asks for no answers of before means those of a finished run, not those of one that was cut off.
        old = () if plan.uses_cache else ledger.of_run(run_id)
        self._outdated = frozenset(batch.id for batch in old if batch.state is State.COMPLETED)

    def earlier(self) -> Earlier:
        """Give what there is by now."""
        return self._ledger.earlier(self._key, without=self._outdated)

    def top_up(self, source: Source, earlier: Earlier, *, total: int, halt: Halt) -> Summary:
        """Answer what has no answer yet, and write the results file.

        Args:
            source: lists all pictures that the file is to hold.
            earlier: is taken over, and forgotten in the end.
            total: about how many there are.
            halt: stops it before its end.

        Raises:
            RunPaused: something stands in the way that is no picture's fault; the next run goes on.
            StoppedByPerson: the answers so far are in a file, and the next run goes on.
            OutputNotWritable: the file cannot be written.
        """
        written: list[Summary] = []
        reused: list[int] = []

        def take_over(rows: Sequence[ShardRow]) -> None:
            reused.append(len(rows))
            for _ in rows:
                self._advance()

        def finish(_: Batch, files: list[ShardFile], check: Check) -> Sequence[Mapping[str, object]]:
            written.append(self._results.write(self._rows(files, check)))
            return ()

        work_off = TopUp(earlier.answers, self._in_bulk(halt), also=take_over).work_off
        trade = self._trade(Guarded(source, halt), work_off, finish)
        batch = self._begin()
        try:
            self._ledger.work(
                batch,
                trade,
                shard_images=_at_once(total),
                threads=self._actors.number if self._actors else _THREADS,
                halt=halt,
            )
        except (KeyboardInterrupt, Halted):
            self._keep_part(batch)
            raise
        self._ledger.forget(earlier.batches)
        return replace(written[-1], reused=sum(reused))

    def take(self, items: Sequence[Item]) -> None:
        """Answer some pictures before all others; the next `top_up` finds the answers.

        Raises:
            RunPaused: as `top_up`.
        """
        halt, source = Halt(), Listed(items, self.source)
        trade = self._trade(source, self._looking(halt).at_once, _no_files)
        self._ledger.work(self._begin(), trade, shard_images=1, threads=_THREADS, halt=halt)

    def _begin(self) -> Batch:
        plan = self._plan
        request = BatchRequest(
            place=PlaceOfPictures(address=str(self.source.base)),
            choice=plan.choice,
            options=self._options,
            name="okapia run",
            uses_cache=plan.uses_cache,
        )
        return self._ledger.begin(self._key, request)

    def _trade(self, source: Source, work_off: WorkOff, finish: Finish) -> Trade:
        # What of a folder is looked at was decided when it was scanned; what is named is, whatever its name.
        named = (path.suffix.lower() for path in self._plan.paths)
        selection = Selection(suffixes=(*self._plan.suffixes, *named))
        return Trade(
            open_source=lambda _: source, selection=lambda _: selection, work_off=work_off, finish=finish
        )

    def _in_bulk(self, halt: Halt) -> WorkOff:
        """Give what analyses shards when nobody waits for others."""
        actors = self._actors
        if actors is None:
            return self._looking(halt).in_bulk

        def elsewhere(batch: Batch, packed: bytes) -> ShardResult:
            result = actors.work_off(batch, packed, halt=halt)
            for _ in range(result.counts.total):
                self._advance()
            return result

        return elsewhere

    def _looking(self, halt: Halt) -> Looking:
        return Looking(
            self._service,
            self._plan,
            options=self._options,
            source=self.source,
            halt=halt,
            advance=self._advance,
        )

    def _rows(self, files: Sequence[ShardFile], check: Check) -> Iterator[ShardRow]:
        for file in files:
            check()
            yield from self._ledger.results.rows([file])

    def _keep_part(self, batch: Batch) -> None:
        """Write the answers that there are, beside where the results would be.

        Raises:
            StoppedByPerson: where there are any.
        """
        if files := self._ledger.files(batch):
            part = self._results.partial
            summary = self._results.write(self._ledger.results.rows(files), target=part)
            raise StoppedByPerson(images=summary.images, output=as_utf8(str(part))) from None


def _at_once(total: int) -> int:
    """Give how many pictures are kept together: few in a small folder, so that a crash costs little."""
    return min(_MOST_AT_ONCE, max(1, total // _PARTS))


def _fingerprint(service: Service, plan: Plan, options: AnalysisOptions) -> str:
    """Hash what answers and drawn copies depend on."""
    drawn = (str(plan.render.resolve()), plan.people) if plan.render is not None else None
    asked = [service.models.fingerprint(plan.choice), options, plan.uses_cache, drawn]
    return hashlib.sha256(orjson.dumps(asked)).hexdigest()


def _no_files(_: Batch, __: list[ShardFile], ___: Check) -> Sequence[Mapping[str, object]]:
    return ()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputNotWritable(f"cannot make the folder {folder}: {error.strerror}") from error
