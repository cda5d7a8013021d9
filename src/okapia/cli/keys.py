"""`okapia keys`: what programs call this server with."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Make, list, rotate and revoke API keys.")

_Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
_KeyId = Annotated[str, typer.Argument(metavar="ID", help="A key's id, as the list has it.")]


@app.command()
def create(
    *,
    name: Annotated[str, typer.Option(help="What the key is for.")],
    user: Annotated[str | None, typer.Option(help="Whose it is; needed where there are several.")] = None,
    scopes: Annotated[
        str | None, typer.Option(help="What it may do, as detect,read.  [default: all]")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="When it ends: 90d, 2027-06-30.  [default: never]")
    ] = None,
    per_minute: Annotated[
        int | None, typer.Option(min=1, help="Inference calls a minute.  [default: the plan's]")
    ] = None,
    json: _Json = False,
) -> None:
    """Make a key. It is printed this once; only a hash of it is kept."""
    from okapia.cli import key_desk

    made = key_desk.create(name, user=user, scopes=scopes, expires=expires, per_minute=per_minute)
    if json:
        made.print_json()
    else:
        made.print_text()


@app.command("list")
def list_keys(*, json: _Json = False) -> None:
    """List the keys, those that have ended too."""
    from okapia.cli import key_desk

    typer.echo(key_desk.list_as_json() if json else key_desk.list_as_text())


@app.command()
def revoke(key_id: _KeyId) -> None:
    """End a key now."""
    from okapia.cli import key_desk

    key_desk.revoke(key_id)


@app.command()
def rotate(
    key_id: _KeyId,
    *,
    overlap: Annotated[str, typer.Option(help="How long the old key still works; 0 ends it now.")] = "24h",
    json: _Json = False,
) -> None:
    """Make a key like another one, which works on for a while."""
    from okapia.cli import key_desk

    made = key_desk.rotate(key_id, overlap=overlap)
    if json:
        made.print_json()
    else:
        made.print_text()
