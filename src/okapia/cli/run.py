"""`okapia run`: a folder of pictures becomes one results file."""

import time
from pathlib import Path
from typing import Annotated

import typer

from okapia.domain.types import People, Smooth

SOME_FAILED = 1
"""Exit code when the run is complete but some pictures have no answer."""

_OUTPUT = "Results file (FOLDER/okapia_results.json by default)."
_FORMAT = "What the results file is written as: megadetector, speciesnet, or a format that was installed."
_THRESHOLD = "Least confidence of a box that counts as found, 0.01 to 0.99 (0.2 by default)."
_KEEP = "Weakest box kept in the file, so that a threshold can be changed later without inference."
_PROFILE = "Models that belong together: wild or urban (as set), lite, field, or a pipeline that was added."
_COUNTRY = "Country (code or name): species that are not there are not named. auto: from the coordinates."
_GEOFENCE = "File of range rules on top of the model's own."
_SPECIES_LIST = "CSV (latin, common) of the only taxa that an answer may be."
_SMOOTH = "Let boxes take a taxon from their neighbours: off, image, sequence or herd."
_CAMERA = "How a picture's camera is told, for sequences: folder:N, regex:EXPR or exif:serial."
_DEPLOYMENTS = "CSV of cameras, places and periods, as `okapia cameras` begins it."
_TOP_K = "Classes written for a box, the answer first (all by default)."
_TILES = "Look at the picture in so many overlapping tiles a side as well, for small animals (1: do not)."
_DEVICE = "auto, cpu, cuda:N, tensorrt:N or directml."
_CANVAS = "Side of the animal detector's input in pixels (its card says which)."


def run(
    paths: Annotated[list[Path], typer.Argument(help="Folders (searched recursively) and files.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help=_OUTPUT)] = None,
    file_format: Annotated[str, typer.Option("--format", help=_FORMAT)] = "megadetector",
    threshold: Annotated[float | None, typer.Option(help=_THRESHOLD)] = None,
    keep_above: Annotated[float, typer.Option(help=_KEEP, min=0.01, max=0.99)] = 0.05,
    classify: Annotated[bool, typer.Option(help="Name the species of found animals.")] = True,
    profile: Annotated[str, typer.Option(help=_PROFILE)] = "wild",
    detector: Annotated[str | None, typer.Option(help="Detector id, or two joined by +.")] = None,
    classifier: Annotated[str | None, typer.Option(help="Classifier id.")] = None,
    canvas: Annotated[int | None, typer.Option(help=_CANVAS)] = None,
    country: Annotated[str | None, typer.Option(help=_COUNTRY)] = None,
    state: Annotated[str | None, typer.Option(help="State of the USA: two letters or a name.")] = None,
    latitude: Annotated[float | None, typer.Option(help="Degrees, north positive.")] = None,
    longitude: Annotated[float | None, typer.Option(help="Degrees, east positive.")] = None,
    geofence: Annotated[Path | None, typer.Option(help=_GEOFENCE)] = None,
    species_list: Annotated[Path | None, typer.Option(help=_SPECIES_LIST)] = None,
    smooth: Annotated[Smooth, typer.Option(help=_SMOOTH)] = Smooth.OFF,
    camera: Annotated[str | None, typer.Option(help=_CAMERA)] = None,
    deployments: Annotated[Path | None, typer.Option(help=_DEPLOYMENTS)] = None,
    top_k: Annotated[int | None, typer.Option(help=_TOP_K, min=1, max=100)] = None,
    tiles: Annotated[int | None, typer.Option(help=_TILES, min=1, max=4)] = None,
    device: Annotated[str | None, typer.Option(help=_DEVICE)] = None,
    render: Annotated[Path | None, typer.Option(help="Draw copies with findings into this folder.")] = None,
    people: Annotated[People, typer.Option(help="People in drawn copies.")] = People.BLUR,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Find animals, people and vehicles in pictures and write one results file.

    Exit codes: 0 all done, 1 some pictures failed, 2 nothing could be done.
    """
    # Heavy imports wait until here, so that `okapia --help` is instant.
    from okapia.cli.folder_run import FolderRun
    from okapia.cli.logs import configure_logs
    from okapia.cli.run_plan import Plan, SpeciesPlan
    from okapia.settings import load_settings

    settings = load_settings(
        threshold=threshold, tiles=tiles, device=device, geofence=geofence, species_list=species_list
    )
    configure_logs(settings.log_level)
    plan = Plan.of(
        settings,
        paths=paths,
        output=output,
        file_format=file_format,
        keep_above=keep_above,
        classify=classify,
        profile=profile,
        detector=detector,
        classifier=classifier,
        canvas=canvas,
        species=SpeciesPlan(country, state, latitude, longitude, smooth, camera, deployments, top_k),
        render=render,
        people=people,
    )
    started = time.monotonic()
    summary = FolderRun(plan).execute(is_quiet=as_json)
    seconds = time.monotonic() - started
    typer.echo(summary.as_json(seconds) if as_json else summary.as_text(seconds))
    raise typer.Exit(SOME_FAILED if summary.failures else 0)
