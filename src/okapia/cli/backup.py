"""`okapia backup` and `okapia restore`: what a server could not make again, in one file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from okapia.service.backup import Contents, OnTotal

LEDGER_WRONG = 1
"""Exit code of a restored backup whose ledger does not add up."""

_FILE = "A new file, as okapia-2027-06-30.tar.gz; for you alone, as it has the server's secrets."
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def backup(
    file: Annotated[Path, typer.Argument(help=_FILE)],
    *,
    as_json: _Json = False,
) -> None:
    """Write accounts, credits, answers, secrets and uploads into one file, while the server runs.

    Models are not in it, nor is what lies in a cloud. PostgreSQL has its own way, which is printed.
    """
    from okapia.cli.logs import configure_logs
    from okapia.database.engine import Database
    from okapia.database.opening import FILE
    from okapia.service.backup import back_up
    from okapia.settings import load_settings

    settings = load_settings()
    configure_logs(settings.log_level)
    home = settings.home
    database = Database.open(settings.database) if settings.database else Database.open_file(home / FILE)
    with _progress("backup", is_quiet=as_json) as on_total:
        contents = back_up(database, home=home, archive=file, on_total=on_total)
    database.close()
    if as_json:
        typer.echo(_as_json(file, contents))
        return
    typer.echo(f"{file}: {_words(contents)}, {file.stat().st_size / 1e6:,.1f} MB")
    typer.echo("it has the server's secrets: keep it where nobody else reads it; models are not in it")
    if settings.blobs:
        typer.echo("uploads are in the cloud, and not in it")


def restore(
    file: Annotated[Path, typer.Argument(help="What `okapia backup` wrote.")],
    *,
    into: Annotated[
        Path | None, typer.Option(help="An empty folder.  [default: the home, OKAPIA_HOME]")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Unpack a backup into an empty home, after its checksums, its rows and its ledger were checked.

    Exit codes: 0 all is there, 1 all is there but the ledger does not add up, 2 nothing was restored.
    """
    from okapia.cli.logs import configure_logs
    from okapia.service.backup import restore as unpack
    from okapia.settings import load_settings

    settings = load_settings()
    configure_logs(settings.log_level)
    home = into or settings.home
    with _progress("restore", is_quiet=as_json) as on_total:
        contents = unpack(file, home=home, on_total=on_total)
    typer.echo(_as_json(file, contents) if as_json else f"{home}: {_words(contents)}, all recounted")
    for found in contents.discrepancies:
        typer.echo(f"the ledger does not add up: {found.user_id}: {found.fact}", err=True)
    if not as_json:
        typer.echo("models are not in a backup; get them again: okapia models pull lite")
    raise typer.Exit(LEDGER_WRONG if contents.discrepancies else 0)


def _words(contents: "Contents") -> str:
    rows = contents.rows
    return (
        f"{sum(rows.values()):,} rows in {len(rows)} tables, {contents.secrets} secrets, "
        f"{contents.blobs:,} uploads{', okapia.toml' if contents.has_settings else ''}"
    )


def _as_json(file: Path, contents: "Contents") -> str:
    from dataclasses import asdict

    from okapia.cli.accounts_desk import as_json

    return as_json({"file": str(file), "bytes": file.stat().st_size, **asdict(contents)})


@contextmanager
def _progress(name: str, *, is_quiet: bool) -> Iterator["OnTotal"]:
    """Show a bar of bytes on a terminal's error stream; gives what is told of them."""
    from functools import partial

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=is_quiet or not console.is_terminal) as bars:
        yield lambda total: partial(bars.advance, bars.add_task(name, total=total))
