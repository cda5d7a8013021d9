"""`okapia speciesnet run` carried out: what is there is kept, what is missing is made, all of it is saved."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import typer

from okapia.app import build_service
from okapia.cli.bar import progress_bar
from okapia.cli.logs import configure_logs
from okapia.cli.species_files import SpeciesFiles, naming_of
from okapia.cli.speciesnet_ensemble import decided, read_evidence
from okapia.cli.speciesnet_models import chosen_models, model_version
from okapia.cli.speciesnet_places import located
from okapia.cli.speciesnet_predictions import PredictionsFile
from okapia.cli.speciesnet_request import Part, Request
from okapia.cli.speciesnet_steps import Answer, Asked, analysed, classified, detected, source_of
from okapia.cli.speciesnet_summary import Outcome, counted
from okapia.domain.errors import StoppedByPerson
from okapia.domain.models import ModelChoice
from okapia.domain.types import Detection
from okapia.formats.megadetector import as_utf8
from okapia.formats.speciesnet import Instance
from okapia.formats.speciesnet_files import read_predictions
from okapia.settings import Settings, load_settings

SAVE_EVERY_S = 600.0
"""Seconds of answers that a power cut may cost; SpeciesNet saves as often."""

Answers = Iterator[Answer]


def carry_out(request: Request, *, is_quiet: bool) -> Outcome:
    """Do what was asked.

    Args:
        is_quiet: show no progress bar.

    Raises:
        InvalidRequest: an option or a file is wrong, or an existing file is of other pictures, places,
            models or the other format.
        NothingToDo: there is no picture.
        ModelError: a model is unknown or not installed.
        OutputNotWritable: found out before any picture is looked at.
        StoppedByPerson: what was made until then is in the file, and the same command goes on.
    """
    settings = load_settings(
        device=request.device, geofence=None if request.part is Part.ENSEMBLE else request.geofence
    )
    configure_logs(settings.log_level)
    if request.part is Part.ENSEMBLE:
        return _decide(settings, request, is_quiet=is_quiet)
    return _look(settings, request, is_quiet=is_quiet)


def _look(settings: Settings, request: Request, *, is_quiet: bool) -> Outcome:
    """Run the parts that need networks and pictures."""
    choice = chosen_models(settings, request.model, request.part)
    asked = _asked(request, model_version(choice, request.part))
    instances = _located(request.inputs.instances(), settings)
    predictions = _predictions(instances, request, asked)
    if predictions.to_do:
        with _looking(settings, request, choice, predictions.to_do, asked) as answers:
            _collect(answers, predictions, request, is_quiet=is_quiet)
    return _outcome(predictions, request, asked, choice.model_ids)


def _decide(settings: Settings, request: Request, *, is_quiet: bool) -> Outcome:
    """Run the ensemble alone."""
    evidence = read_evidence(request.classifications, request.detections, labels=request.labels)
    naming = naming_of(
        settings, SpeciesFiles(request.model, request.taxonomy, request.geofence, request.labels)
    )
    if unknown := evidence.unknown_to(naming):
        _warn(
            f"the taxonomy lacks classes, which roll up to nothing: {unknown[0].label} and "
            f"{len(unknown) - 1} more; name the classifier's own with --taxonomy or --model"
        )
    asked = _asked(request, "")
    instances = _located(request.inputs.instances(otherwise=evidence.instances), settings)
    predictions = _predictions(instances, request, asked)
    _collect(decided(predictions.to_do, evidence, naming, asked), predictions, request, is_quiet=is_quiet)
    return _outcome(predictions, request, asked, ())


@contextmanager
def _looking(
    settings: Settings, request: Request, choice: ModelChoice, instances: Sequence[Instance], asked: Asked
) -> Iterator[Answers]:
    """Give the answers as they are made."""
    if request.part is Part.CLASSIFIER:
        yield classified(settings, choice, instances, asked, _boxes(request, instances))
        return
    service = build_service(settings)
    try:
        look = detected if request.part is Part.DETECTOR else analysed
        yield look(service, choice, instances, asked, source_of(settings))
    finally:
        service.close()


def _collect(answers: Answers, predictions: PredictionsFile, request: Request, *, is_quiet: bool) -> None:
    """Save now and then, at the end, and when a person stops the run."""
    saved_at = time.monotonic()
    try:
        with progress_bar(len(predictions.to_do), is_quiet=is_quiet) as advance:
            for answer in answers:
                predictions.add(answer)
                advance()
                if time.monotonic() - saved_at > SAVE_EVERY_S:
                    predictions.save()
                    saved_at = time.monotonic()
    except KeyboardInterrupt:
        if request.output is None or not len(predictions):
            raise
        predictions.save()
        raise StoppedByPerson(images=len(predictions), output=as_utf8(str(request.output))) from None
    predictions.save()


def _boxes(request: Request, instances: Sequence[Instance]) -> Mapping[str, tuple[Detection, ...]]:
    """The boxes of an earlier run; pictures without any are looked at as a whole."""
    if request.detections is None:
        return {}
    known = read_predictions(request.detections).by_filepath()
    boxes = {path: entry.detections for path, entry in known.items() if entry.detections is not None}
    lacking = sum(1 for instance in instances if instance.filepath not in boxes)
    if lacking:
        _warn(f"looked at as a whole, without detections in {request.detections.name}: {counted(lacking)}")
    return boxes


def _located(instances: Sequence[Instance], settings: Settings) -> tuple[Instance, ...]:
    found = located(instances, home=settings.home)
    for warning in found.warnings:
        _warn(warning)
    return found.instances


def _asked(request: Request, version: str) -> Asked:
    return Asked(request.version, version, request.classes_a_box, request.is_fenced)


def _predictions(instances: Sequence[Instance], request: Request, asked: Asked) -> PredictionsFile:
    return PredictionsFile(
        instances, output=request.output, asked=asked, part=request.part, is_fresh=request.is_fresh
    )


def _outcome(
    predictions: PredictionsFile, request: Request, asked: Asked, model_ids: tuple[str, ...]
) -> Outcome:
    return Outcome(
        tuple(predictions), tuple(predictions.failures), predictions.n_kept, request.output, asked, model_ids
    )


def _warn(message: str) -> None:
    typer.echo(f"okapia: warning: {as_utf8(message)}", err=True)
