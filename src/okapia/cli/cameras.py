"""`okapia cameras`: which cameras took the pictures of a folder, as a table to fill in."""

from pathlib import Path
from typing import Annotated

import typer

_OUTPUT = "Write the table of deployments here; a file that is there already is left alone."
_CAMERA = "How a picture's camera is told: folder:N, regex:EXPR or exif:serial (by its folder without it)."


def cameras(
    folder: Annotated[Path, typer.Argument(help="Folder of pictures, searched recursively.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help=_OUTPUT)] = None,
    camera: Annotated[str | None, typer.Option(help=_CAMERA)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """List the cameras of a folder with their first and last picture, and write the deployments table.

    Only the headers of the pictures are read. Fill in where and when each camera stood, and give the
    table to the other commands with --deployments.
    """
    from okapia.cli.camera_survey import survey

    found = survey(folder, rule=camera, output=output, is_quiet=as_json)
    for warning in found.warnings:
        typer.echo(f"okapia: warning: {warning.message}", err=True)
    typer.echo(found.as_json() if as_json else found.as_text())
