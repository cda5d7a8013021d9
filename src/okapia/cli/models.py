"""`okapia models`: which networks there are, and getting them onto this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from okapia.cli.model_desk import ModelDesk

app = typer.Typer(no_args_is_help=True, help="List, find, get, add, check and remove the networks.")

_Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
_ModelId = Annotated[str, typer.Argument(metavar="ID", help="A model's id.")]
_AcceptLicence = Annotated[
    bool,
    typer.Option("--accept-licence", help="Accept a copyleft, non-commercial or unknown licence."),
]


@app.command("list")
def list_models(*, json: _Json = False) -> None:
    """List the models of this machine, and those that one command installs."""
    desk = _desk()
    if json:
        desk.print_list_json()
    else:
        desk.print_list()


@app.command()
def search(
    words: Annotated[list[str] | None, typer.Argument(metavar="[WORDS]", help="E.g. europe.")] = None,
    *,
    json: _Json = False,
) -> None:
    """Find models of the public zoo by region, task, licence or name."""
    desk = _desk()
    if json:
        desk.print_search_json(" ".join(words or ()))
    else:
        desk.print_search(" ".join(words or ()))


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
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="ID|PROFILE...", help="Model ids, zoo:ID, `lite`, `field`, `faces`, `places`."
        ),
    ],
    *,
    from_dir: Annotated[
        Path | None, typer.Option("--from", help="Take the archives from this folder; no network.")
    ] = None,
    accept_licence: _AcceptLicence = False,
    json: _Json = False,
) -> None:
    """Get models: download, check, convert, check again, install."""
    desk = _desk()
    if json:
        desk.pull_json(names, offline=from_dir, accept_licence=accept_licence)
    else:
        desk.pull(names, offline=from_dir, accept_licence=accept_licence)


@app.command()
def add(
    path: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="An ONNX file, or a folder of a model.")],
    *,
    card: Annotated[Path | None, typer.Option(help="A card (TOML), whole or in part.")] = None,
    labels: Annotated[Path | None, typer.Option(help="File with the names of the classes.")] = None,
    model_id: Annotated[str | None, typer.Option("--id", help="Id; the file's name without it.")] = None,
    licence: Annotated[str | None, typer.Option(help="The network's licence.")] = None,
    in_place: Annotated[bool, typer.Option(help="Leave the file where it is.")] = False,
    replace: Annotated[bool, typer.Option(help="Put it in place of an added model of this id.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take the likely answers; do not ask.")] = False,
    run_code: Annotated[
        bool, typer.Option(help="Let a .pt classifier run its own code, to be converted.")
    ] = False,
    accept_licence: _AcceptLicence = False,
) -> None:
    """Add a network of your own: ONNX file, SpeciesNet folder, or a folder in the zoo's layout."""
    from okapia.cli import model_add
    from okapia.cli.model_pull import add_zoo_folder

    model_add.add(
        path,
        card_file=card,
        labels_file=labels,
        model_id=model_id,
        licence=licence,
        in_place=in_place,
        replace=replace,
        run_code=run_code,
        accept_licence=accept_licence,
        assume_defaults=yes,
        add_zoo_folder=add_zoo_folder,
    )


@app.command()
def check(
    model: Annotated[str, typer.Argument(metavar="ID|CARD", help="An id, or a card (TOML) beside its ONNX.")],
    *,
    on: Annotated[Path, typer.Option(help="Folder of pictures; up to eight are taken.")],
    output: Annotated[Path | None, typer.Option(help="Folder for drawn copies.")] = None,
    json: _Json = False,
) -> None:
    """Run a model on pictures, print what it says, and draw it."""
    from okapia.cli import model_check

    model_check.check(model, on=on, output=output, as_json=json)


@app.command()
def optimise(
    model_id: _ModelId,
    *,
    calibrate: Annotated[Path, typer.Option(help="Folder of typical pictures, 40 or more.")],
) -> None:
    """Make an 8-bit variant, ID-int8, that is let in only when it agrees with the original."""
    from okapia.cli import model_optimise

    model_optimise.optimise_model(model_id, calibrate=calibrate)


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
    report: Annotated[
        bool, typer.Option("--report", help="Print what ID says of the sample pictures, to send it back.")
    ] = False,
) -> None:
    """Compare installed networks with the checksums of their installation."""
    if report:
        if model_id is None:
            raise typer.BadParameter("--report needs the id of a model")
        from okapia.cli import model_check

        model_check.report(model_id)
        return
    desk = _desk()
    if json:
        desk.verify_json(model_id)
    else:
        desk.verify(model_id)


def _desk() -> "ModelDesk":
    from okapia.cli.model_desk import open_desk

    return open_desk()
