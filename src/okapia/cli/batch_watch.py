"""`okapia batch watch`: a bar on a terminal, a JSON object a line for programs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from okapia.cli import batch_desk
from okapia.domain.callers import Caller
from okapia.service.batches import Batches, Overview, State

_LOOK_S = 5.0

_HALTED = frozenset({State.PAUSED, State.NEEDS_CREDENTIALS})

ALL_ANSWERED, SOME_FAILED, ENDED_EARLY, HALTED = range(4)
"""Exit codes."""


def watch(batch_id: str, *, user: str | None, as_json: bool) -> int:
    """Follow a batch until it ends or halts; gives the exit code. Raises `NotFound`."""
    with batch_desk.open_batches(batch_desk.own_settings(), user=user) as (desk, caller):
        if as_json:
            last = _told(desk.batches, caller, batch_id, lambda now: typer.echo(batch_desk.as_json(now)))
            return _code(last)
        with _bar() as show:
            last = _told(desk.batches, caller, batch_id, show)
    typer.echo(_sentence(last))
    return _code(last)


def _told(batches: Batches, caller: Caller, batch_id: str, tell: Callable[[Overview], None]) -> Overview:
    """Tell how a batch is, at once and whenever that changes; gives how it was in the end."""
    for now in _changes(batches, caller, batch_id):
        tell(now)
    return now


def _changes(batches: Batches, caller: Caller, batch_id: str) -> Iterator[Overview]:
    last = batches.get(caller, batch_id)
    yield last
    while not (last.batch.state.is_final or last.batch.state in _HALTED):
        last = batches.changes(caller, batch_id, since=last, timeout_s=_LOOK_S)
        yield last


@contextmanager
def _bar() -> Iterator[Callable[[Overview], None]]:
    """Show a bar on the error stream, on a terminal only."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task("", total=None, rate="")

        def show(now: Overview) -> None:
            ended = now.progress.counts.total
            state, images = now.batch.state.value, now.batch.images
            bars.update(task, description=state, completed=ended, total=images, rate=_rate(now))

        yield show


def _rate(now: Overview) -> str:
    if now.per_second is None:
        return ""
    left = "" if now.seconds_left is None else f", {now.seconds_left / 60:,.0f} min left"
    return f"{now.per_second:,.1f}/s{left}"


def _sentence(last: Overview) -> str:
    batch, counts = last.batch, last.progress.counts
    why = f" ({batch.message})" if batch.message else ""
    said = f"batch {batch.id} {_WORDS.get(batch.state, f'is {batch.state.value}')}{why}: "
    said += f"{counts.answered:,} of {batch.images or 0:,} pictures have an answer"
    match batch.state:
        case State.COMPLETED:
            return f"{said}; its files: okapia batch results {batch.id} --output DIR"
        case State.NEEDS_CREDENTIALS:
            return f"{said}; go on with: okapia batch resume {batch.id} --secret-stdin"
        case State.PAUSED:
            return f"{said}; go on with: okapia batch resume {batch.id}"
        case _:
            return said


_WORDS = {State.COMPLETED: "is complete", State.NEEDS_CREDENTIALS: "needs credentials"}


def _code(last: Overview) -> int:
    if last.batch.state in _HALTED:
        return HALTED
    if last.batch.state is not State.COMPLETED:
        return ENDED_EARLY
    counts = last.progress.counts
    return ALL_ANSWERED if counts.answered == counts.total else SOME_FAILED
