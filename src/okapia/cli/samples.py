"""`okapia samples`: three free pictures to try things on."""

from pathlib import Path
from typing import Annotated

import typer


def samples(
    directory: Annotated[
        Path | None,
        typer.Argument(help="Where to put them (by default the folder `samples` of OKAPIA_HOME)."),
    ] = None,
    from_dir: Annotated[
        Path | None, typer.Option("--from", help="A folder that holds the scikit-image wheel already.")
    ] = None,
) -> None:
    """Get three free pictures (a cat, a person, a vehicle) to try Okapia on."""
    # Loaded here so that `okapia --help` stays instant.
    from okapia.cli.progress import ArchiveProgress
    from okapia.models.weights.clients import Pip
    from okapia.models.weights.samples import ARCHIVE_BYTES, take_samples
    from okapia.settings import load_settings

    with ArchiveProgress() as progress:
        files = take_samples(
            directory or load_settings().home / "samples",
            client=Pip(),
            offline=from_dir,
            progress=lambda n_bytes: progress.show("samples", n_bytes, ARCHIVE_BYTES),
        )
    for file in files:
        typer.echo(file)
