"""`okapia models`: which networks there are, and getting them onto this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from okapia.cli.model_desk import ModelDesk

app = typer.Typer(no_args_is_help=True, help="List, get, check and remove the networks.")

_Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
_ModelId = Annotated[str, typer.Argument(metavar="ID", help="A model's id.")]


@app.command("list")
def list_models(*, json: _Json = False) -> None:
    """List the known models and whether they are installed."""
    desk = _desk()
    if json:
        desk.print_list_json()
    else:
        desk.print_list()


@app.command()
def show(model_id: _ModelId, *, json: _Json = False) -> None:
    """Say everything that is known of one model."""
    desk = _desk()
    if json:
        desk.print_card_json(model_id)
    else:
        desk.print_card(model_id)


@app.command()
def pull(
    names: Annotated[list[str], typer.Argument(metavar="ID|PROFILE...", help="Model ids, or `lite`.")],
    *,
    from_dir: Annotated[
        Path | None, typer.Option("--from", help="Take the archives from this folder; no network.")
    ] = None,
) -> None:
    """Get models: download, check, convert, check again, install."""
    _desk().pull(names, offline=from_dir)


@app.command()
def tune() -> None:
    """Measure which engine is fastest on this machine, and keep to it from now on."""
    _desk().tune()


@app.command()
def remove(model_id: _ModelId) -> None:
    """Remove an installed model."""
    _desk().remove(model_id)


@app.command()
def verify(
    model_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="One model; all without it.")] = None,
    *,
    json: _Json = False,
) -> None:
    """Compare installed networks with the checksums of their installation."""
    desk = _desk()
    if json:
        desk.verify_json(model_id)
    else:
        desk.verify(model_id)


def _desk() -> "ModelDesk":
    from okapia.cli.model_desk import open_desk

    return open_desk()
