"""`okapia run`: a folder of pictures becomes one results file."""

from pathlib import Path
from typing import Annotated

import typer

from okapia.domain.types import People, Smooth

_OUTPUT = "Results file (okapia_results.json in each of the folders by default)."
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
_NO_CACHE = "Infer every picture, whatever was answered before."
_WATCH = "Go on until Ctrl-C: take what is new or changed as soon as it is whole."
_CLUSTER = (
    "Have a Ray cluster look at the pictures: `local`, or the address of one that this machine is part of."
)
_ACTORS = "With --cluster: how many of its actors, each with its own models and a core or a GPU."
_DRY_RUN = "Count the pictures, time some of them, and say how long all would take; nothing is written."
_VIDEO = "Look at video files as well, one frame a second."
_EVERY = "Seconds between two frames of a video file that are looked at."
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
    video: Annotated[bool, typer.Option("--video", help=_VIDEO)] = False,
    every: Annotated[float | None, typer.Option(help=_EVERY)] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help=_NO_CACHE)] = False,
    watch: Annotated[bool, typer.Option("--watch", help=_WATCH)] = False,
    cluster: Annotated[str | None, typer.Option(help=_CLUSTER)] = None,
    actors: Annotated[int, typer.Option(min=1, help=_ACTORS)] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_DRY_RUN)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Find animals, people and vehicles in pictures and write one results file.

    The same command goes on where an earlier one was cut off, and takes what is new since one that was not.

    Exit codes: 0 all done, 1 some pictures failed, 2 nothing could be done, 3 run the same command to go on.
    """
    # Heavy imports wait until here, so that `okapia --help` is instant.
    from okapia.cli.logs import configure_logs
    from okapia.cli.run_estimate import estimate
    from okapia.cli.run_plan import Plan, SpeciesPlan, frame_rule, only_plan, results_apart
    from okapia.cli.run_session import Report, run_each, run_on
    from okapia.settings import load_settings

    settings = load_settings(
        threshold=threshold, tiles=tiles, device=device, geofence=geofence, species_list=species_list
    )
    configure_logs(settings.log_level)
    plans = [
        Plan.of(
            settings,
            paths=together,
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
            uses_cache=not no_cache,
            frames=frame_rule(is_asked=video, every=every),
            cluster=cluster,
            actors=actors,
        )
        for together in results_apart(paths, output)
    ]
    if dry_run:
        found = estimate(plans)
        typer.echo(found.as_json() if as_json else found.as_text())
        return
    report = Report(as_json)
    if watch:
        run_on(only_plan(plans), report)
    else:
        run_each(plans, report)
    raise typer.Exit(report.exit_code)
