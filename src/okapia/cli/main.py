"""The command `okapia`: parses, calls the service, prints. Heavy imports wait inside the commands."""

import sys
from typing import Annotated

import typer

from okapia import __version__
from okapia.cli import (
    audit,
    backup,
    batch,
    cameras,
    doctor,
    keys,
    models,
    reproduce,
    run,
    samples,
    serve,
    species,
    speciesnet,
    storage,
    users,
    worker,
)
from okapia.cli import credits as credit_commands
from okapia.domain.errors import OkapiaError

USAGE = 2
"""Exit code when nothing could be done: wrong usage, a missing model, an unwritable output."""

app = typer.Typer(
    name="okapia",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The camera-trap image API that you run yourself.",
)
app.command()(run.run)
app.command()(reproduce.reproduce)
app.command()(serve.serve)
app.command()(worker.worker)
app.command()(doctor.doctor)
app.command()(samples.samples)
app.command()(cameras.cameras)
app.command()(audit.audit)
app.command()(backup.backup)
app.command()(backup.restore)
app.add_typer(models.app, name="models", help="Get, list and check the networks.")
app.add_typer(species.taxa, name="taxa")
app.add_typer(species.geofence, name="geofence")
app.add_typer(batch.app, name="batch")
app.add_typer(storage.app, name="storage")
app.add_typer(speciesnet.app, name="speciesnet")
app.add_typer(users.app, name="users")
app.add_typer(keys.app, name="keys")
app.add_typer(credit_commands.app, name="credits")


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(f"okapia {__version__}")
        raise typer.Exit


@app.command()
def dialects() -> None:
    """List the HTTP contracts that the server speaks."""
    from okapia.dialects.base import discover
    from okapia.dialects.paths import CONTESTED

    for dialect in discover():
        typer.echo(f"{dialect.name:16} {dialect.source} ({dialect.build.__module__})")
    typer.echo("\nPaths that several have (each is also whole under /compat/NAME):")
    for contested in CONTESTED:
        who = " or ".join(contested.claimants)
        typer.echo(f"{contested.method:4} {contested.path:16} {who}: {contested.why}")


def main() -> None:
    """Run the command; an expected error is one line and exit code 2, never a traceback."""
    try:
        app()
    except OkapiaError as error:
        typer.echo(f"okapia: error[{error.code}]: {error}", err=True)
        sys.exit(USAGE)
    except KeyboardInterrupt:
        typer.echo("okapia: interrupted", err=True)
        sys.exit(130)
