"""`okapia speciesnet run`: SpeciesNet's own command, its option names with dashes or underscores."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="SpeciesNet's own command line, in and out.")

SOME_FAILED = 1
"""Exit code when the run is complete but some pictures have no answer."""


class Format(StrEnum):
    """SpeciesNet's predictions JSON: one answer a picture (to 5.0.5), or one a box (5.0.6)."""

    OLD = "old"
    NEW = "new"


_PLACES = "Input (exactly one)"
_STEPS = "Steps alone"
_WHERE = "Place and ranges"
_OUT = "Output"

_INSTANCES = "Instances JSON: file paths, each with the place where it was taken."
_FILEPATHS = "Files, parted by commas."
_FOLDERS = "Folders, parted by commas; searched recursively."
_FROM_FILE = "one a line"
_COUNTRY = "Three-letter code (KEN), for pictures whose instance names none."
_REGION = "Two letters of a US state."
_GEOFENCE = "Range rules (JSON or CSV): on top of the model's, or all there are with --taxonomy."
_TAXONOMY = "With --ensemble-only: the classifier's taxonomy, one label a line."
_LABELS = "With --ensemble-only: the classifier's labels, for scores without class names."
_DETECTIONS = "Detections of an earlier run (with --classifier-only or --ensemble-only)."
_CLASSIFICATIONS = "Classifications of an earlier run (with --ensemble-only)."
_PREDICTIONS = "Write here; a file of the same pictures is continued. Without it the JSON is printed."
_TOP = "Classes a box in the new format (-1: all)."
_MODEL = "A pipeline's or a model's id; with --ensemble-only also SpeciesNet's model folder."
_NO_EFFECT = "Taken for SpeciesNet's sake; changes nothing here."


@app.callback()
def _group() -> None:
    """Keep `run` a command of its own, however many there are."""


def _dashed(option: str) -> str:
    return option.replace("_", "-")


# SpeciesNet's users write --predictions_json.
@app.command(context_settings={"token_normalize_func": _dashed})
def run(
    *,
    instances_json: Annotated[
        Path | None, typer.Option("--instances-json", help=_INSTANCES, rich_help_panel=_PLACES)
    ] = None,
    filepaths: Annotated[
        list[str] | None, typer.Option("--filepaths", help=_FILEPATHS, rich_help_panel=_PLACES)
    ] = None,
    filepaths_txt: Annotated[
        Path | None, typer.Option("--filepaths-txt", help=f"Files, {_FROM_FILE}.", rich_help_panel=_PLACES)
    ] = None,
    folders: Annotated[
        list[str] | None, typer.Option("--folders", help=_FOLDERS, rich_help_panel=_PLACES)
    ] = None,
    folders_txt: Annotated[
        Path | None, typer.Option("--folders-txt", help=f"Folders, {_FROM_FILE}.", rich_help_panel=_PLACES)
    ] = None,
    country: Annotated[str | None, typer.Option(help=_COUNTRY, rich_help_panel=_WHERE)] = None,
    admin1_region: Annotated[
        str | None, typer.Option("--admin1-region", help=_REGION, rich_help_panel=_WHERE)
    ] = None,
    geofence: Annotated[
        Path | None, typer.Option(metavar="FILE", help=_GEOFENCE, rich_help_panel=_WHERE)
    ] = None,
    nogeofence: Annotated[
        bool, typer.Option("--nogeofence", help="Check no ranges.", rich_help_panel=_WHERE)
    ] = False,
    taxonomy: Annotated[
        Path | None, typer.Option(metavar="FILE", help=_TAXONOMY, rich_help_panel=_WHERE)
    ] = None,
    labels: Annotated[Path | None, typer.Option(metavar="FILE", help=_LABELS, rich_help_panel=_WHERE)] = None,
    detector_only: Annotated[
        bool, typer.Option("--detector-only", help="Boxes alone.", rich_help_panel=_STEPS)
    ] = False,
    classifier_only: Annotated[
        bool, typer.Option("--classifier-only", help="Scores alone.", rich_help_panel=_STEPS)
    ] = False,
    ensemble_only: Annotated[
        bool,
        typer.Option(
            "--ensemble-only",
            help="Answers from detections and classifications, without pictures.",
            rich_help_panel=_STEPS,
        ),
    ] = False,
    detections_json: Annotated[
        Path | None, typer.Option("--detections-json", help=_DETECTIONS, rich_help_panel=_STEPS)
    ] = None,
    classifications_json: Annotated[
        Path | None, typer.Option("--classifications-json", help=_CLASSIFICATIONS, rich_help_panel=_STEPS)
    ] = None,
    predictions_json: Annotated[
        Path | None, typer.Option("--predictions-json", help=_PREDICTIONS, rich_help_panel=_OUT)
    ] = None,
    ignore_existing: Annotated[
        bool,
        typer.Option(
            "--ignore-existing-predictions", help="Begin anew, whatever is there.", rich_help_panel=_OUT
        ),
    ] = False,
    form: Annotated[
        Format,
        typer.Option("--format", help="old: one answer a picture; new: one a box.", rich_help_panel=_OUT),
    ] = Format.OLD,
    top: Annotated[
        int, typer.Option("--max-classifications-per-detection", help=_TOP, min=-1, rich_help_panel=_OUT)
    ] = 2,
    model: Annotated[str | None, typer.Option(help=_MODEL)] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda:N, tensorrt:N or directml.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
    progress_bars: Annotated[bool, typer.Option("--progress-bars/--noprogress-bars")] = True,
    batch_size: Annotated[int | None, typer.Option("--batch-size", help=_NO_EFFECT, hidden=True)] = None,
    run_mode: Annotated[str | None, typer.Option("--run-mode", help=_NO_EFFECT, hidden=True)] = None,
    bypass_prompts: Annotated[bool, typer.Option("--bypass-prompts", help=_NO_EFFECT, hidden=True)] = False,
) -> None:
    """Detect, classify and decide as SpeciesNet does, and write its predictions JSON.

    Exit codes: 0 all done, 1 some pictures failed, 2 nothing could be done.
    """
    del batch_size, run_mode, bypass_prompts
    from okapia.cli.speciesnet_request import Inputs, Request, chosen_part
    from okapia.cli.speciesnet_run import carry_out

    started = time.monotonic()
    request = Request(
        inputs=Inputs(instances_json, filepaths, filepaths_txt, folders, folders_txt, country, admin1_region),
        part=chosen_part(
            detector_only=detector_only, classifier_only=classifier_only, ensemble_only=ensemble_only
        ),
        detections=detections_json,
        classifications=classifications_json,
        output=predictions_json,
        is_fresh=ignore_existing,
        is_new=form is Format.NEW,
        top=top,
        model=model,
        device=device,
        taxonomy=taxonomy,
        labels=labels,
        geofence=geofence,
        is_fenced=not nogeofence,
    )
    outcome = carry_out(request, is_quiet=as_json or not progress_bars)
    seconds = time.monotonic() - started
    if predictions_json is None:
        typer.echo(outcome.document())
    summary = outcome.as_json(seconds) if as_json else outcome.as_text(seconds)
    typer.echo(summary, err=predictions_json is None)
    raise typer.Exit(SOME_FAILED if outcome.failures else 0)
