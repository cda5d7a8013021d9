"""The runs of one command: one after the other, or one that goes on and on; what comes of them is said."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

import typer

from okapia.app import build_service
from okapia.cli.bar import progress_bar
from okapia.cli.folder_run import FolderRun
from okapia.cli.run_cluster import Actors, on_cluster
from okapia.cli.run_halt import Halt, Halted, RunPaused
from okapia.cli.run_ledger import RunLedger
from okapia.cli.run_lock import OutputLock
from okapia.cli.run_plan import Plan
from okapia.cli.run_source import DiskSource
from okapia.cli.run_summary import Summary
from okapia.cli.run_watch import Watch
from okapia.domain.errors import NothingToDo
from okapia.service import Service
from okapia.storage.folder import scan

ALL_DONE, SOME_FAILED, PAUSED = 0, 1, 3
"""Exit codes: complete; complete, but some pictures have no answer; to be gone on with."""


@dataclass(slots=True)
class Report:
    """Says what came of runs, as people or as programs read it.

    Attributes:
        exit_code: what the command ends with by now.
    """

    as_json: bool
    exit_code: int = ALL_DONE

    def completed(self, summary: Summary, seconds: float) -> None:
        """Say what came of a run."""
        typer.echo(summary.as_json(seconds) if self.as_json else summary.as_text(seconds))
        self.exit_code = max(self.exit_code, SOME_FAILED if summary.failures else ALL_DONE)

    def paused(self, error: RunPaused) -> None:
        """Say why a run cannot go on now."""
        typer.echo(f"okapia: paused[{error.code}]: {error}", err=True)
        self.exit_code = PAUSED


def run_each(plans: Sequence[Plan], report: Report) -> None:
    """Carry out one plan after the other; one that has to pause does not keep the others waiting.

    Raises:
        NothingToDo: there is no picture under the paths of a plan; nothing was begun.
        OutputInUse: another run is at work on a results file.
        StoppedByPerson: what there is by now is in a file, and the same command goes on.
    """
    totals = [_count(plan) for plan in plans]
    with opened(plans[0]) as shop:
        for plan, total in zip(plans, totals, strict=True):
            started = time.monotonic()
            try:
                summary = _run(plan, total, shop, report)
            except RunPaused as error:
                report.paused(error)
            else:
                report.completed(summary, time.monotonic() - started)


def run_on(plan: Plan, report: Report) -> None:
    """Carry out a plan and take what comes until a person stops it; raises as `run_each`."""
    started = time.monotonic()
    with opened(plan) as shop, shop.run(plan, advance=lambda: None) as run:
        watch = Watch(run, show=lambda summary: report.completed(summary, time.monotonic() - started))
        try:
            watch.until_stopped()
        except RunPaused as error:
            report.paused(error)
        except Halted:
            raise KeyboardInterrupt from None


@dataclass(frozen=True, slots=True)
class Shop:
    """What all runs of a command share."""

    service: Service
    ledger: RunLedger
    actors: Actors | None

    @contextmanager
    def run(self, plan: Plan, *, advance: Callable[[], None]) -> Iterator[FolderRun]:
        """Give the run of a plan, which has its results file for itself; raises as `FolderRun` does.

        Raises:
            OutputInUse: another run is at work on it.
        """
        source = DiskSource(plan.paths, max_bytes=plan.settings.max_file_bytes, suffixes=plan.suffixes)
        with OutputLock(plan.output) as lock:
            yield FolderRun(
                plan,
                run_id=lock.run_id,
                service=self.service,
                ledger=self.ledger,
                source=source,
                actors=self.actors,
                advance=advance,
            )


@contextmanager
def opened(plan: Plan) -> Iterator[Shop]:
    """Open the models' service and the ledger, and join the cluster where the plan names one."""
    settings = plan.settings
    with ExitStack() as stack:
        service = stack.enter_context(closing(build_service(settings)))
        ledger = stack.enter_context(closing(RunLedger(settings)))
        actors = None
        if plan.cluster is not None:
            actors = stack.enter_context(on_cluster(settings, plan.cluster, actors=plan.actors))
        yield Shop(service, ledger, actors)


def _run(plan: Plan, total: int, shop: Shop, report: Report) -> Summary:
    with progress_bar(total, is_quiet=report.as_json) as advance, shop.run(plan, advance=advance) as run:
        return run.top_up(run.source, run.earlier(), total=total, halt=Halt())


def _count(plan: Plan) -> int:
    total = sum(1 for _ in scan(plan.paths, suffixes=plan.suffixes))
    if total == 0:
        raise NothingToDo(f"no pictures in {', '.join(map(str, plan.paths))}")
    return total
