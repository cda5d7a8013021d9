"""`okapia storage`: places in clouds that batches may name on this server."""

from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="Name places in clouds, so that batches can say where pictures lie."
)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="As batches name it: storage:NAME.")]
_ADDRESS = "s3://BUCKET, az://ACCOUNT/CONTAINER or gs://BUCKET, with /PREFIX and ?endpoint=URL behind it."
_FROM_STDIN = "Read what opens it from standard input: a SAS, a key. Else this machine's identity does."


@app.command()
def add(
    name: _Name,
    *,
    address: Annotated[str, typer.Option(help=_ADDRESS)],
    secret_stdin: Annotated[bool, typer.Option("--secret-stdin", help=_FROM_STDIN)] = False,
) -> None:
    """Name a place. Whoever may make batches on this server may read all that it opens."""
    from okapia.cli import storage_desk

    storage_desk.add(name, address, secret=storage_desk.read_secret() if secret_stdin else None)


@app.command("list")
def list_storages(*, json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False) -> None:
    """List the named places."""
    from okapia.cli import storage_desk

    typer.echo(storage_desk.list_as_json() if json else storage_desk.list_as_text())


@app.command()
def remove(name: _Name) -> None:
    """Forget a place and what opens it; batches that need it wait."""
    from okapia.cli import storage_desk

    storage_desk.remove(name)
