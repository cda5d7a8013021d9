"""`okapia batch submit`: what stands on the command line, as the request of a batch."""

import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import typer

from okapia.cli import batch_desk
from okapia.dialects.batches.asking import Asked
from okapia.dialects.batches.bodies import NewBatchBody, checked
from okapia.domain.errors import UnreadableFile
from okapia.service.batches import ListEntry, parse_list

_CHUNK_BYTES = 1 << 20
_WHO_WORKS = "the server of this home works on it (okapia serve)"


def place_of(text: str | None) -> dict[str, object]:
    """Say as the server's contract does where pictures lie."""
    if text is None:
        return {}
    if text.startswith("storage:"):
        return {"storage": text.removeprefix("storage:")}
    return {"address": text} if "://" in text else {"folder": str(Path(text).absolute())}


def frames_of(*, is_asked: bool, every: float | None) -> dict[str, object] | None:
    """Say as the contract does which frames of video files are looked at; None when none are."""
    if every is not None:
        return {"every": every}
    return {} if is_asked else None


def read_secrets(*, has_source: bool, has_output: bool) -> tuple[str | None, str | None]:
    """Read the source's and the output's secret from standard input: a line each where both come."""
    text = sys.stdin.read() if has_source or has_output else ""
    if has_source and has_output:
        first, _, second = text.strip().partition("\n")
        return first.strip(), second.strip()
    return (text.strip(), None) if has_source else (None, text.strip() or None)


def submit(asked: Mapping[str, object], list_file: Path | None, *, user: str | None, as_json: bool) -> str:
    """Write a batch into the database of this home; gives its id.

    Raises:
        InvalidRequest: what is asked is wrong; `Asked.new_batch` and `Batches.create` say how.
        UnreadableFile: the list cannot be read.
    """
    body, settings = checked(NewBatchBody, _given(asked)), batch_desk.own_settings()
    with ExitStack() as opened:
        listed = _listed(list_file, opened) if list_file else None
        service = opened.enter_context(batch_desk.open_service(settings))
        new, warnings = Asked(body, listed).new_batch(service, threshold=settings.threshold)
        desk, caller = opened.enter_context(batch_desk.open_around(service, settings, user=user))
        batch = desk.batches.create(caller, new)
        overview = desk.batches.get(caller, batch.id)
    for warning in warnings:
        typer.echo(f"okapia: warning: {warning.message}", err=True)
    typer.echo(batch_desk.as_json(overview) if as_json else batch.id)
    typer.echo(f"{_WHO_WORKS}; follow it: okapia batch watch {batch.id}", err=True)
    return batch.id


def _given(asked: Mapping[str, object]) -> dict[str, object]:
    """Leave out what was not said, so that the contract's own defaults count."""
    return {
        name: _given(value) if isinstance(value, Mapping) else value
        for name, value in asked.items()
        if value is not None
    }


def _listed(path: Path, opened: ExitStack) -> Iterable[ListEntry]:
    try:
        file = opened.enter_context(path.open("rb"))
    except OSError as error:
        raise UnreadableFile(f"cannot read {path}: {error.strerror}") from error
    return parse_list(iter(partial(file.read, _CHUNK_BYTES), b""))
