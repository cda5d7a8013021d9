"""`okapia speciesnet run` carried out: what is there is kept, what is missing is made, all of it is saved."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import typer

from okapia.app import build_service
from okapia.cli.bar import progress_bar
from okapia.cli.logs import configure_logs
from okapia.cli.species_files import SpeciesFiles, naming_of
from okapia.cli.speciesnet_book import Book
from okapia.cli.speciesnet_ensemble import decided, read_evidence
from okapia.cli.speciesnet_models import chosen_models, model_version
from okapia.cli.speciesnet_places import located
from okapia.cli.speciesnet_steps import Answer, Asked, analysed, classified, detected, source_of
from okapia.cli.speciesnet_summary import Outcome, counted
from okapia.cli.speciesnet_wish import Part, Wish
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


def carry_out(wish: Wish, *, is_quiet: bool) -> Outcome:
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
        device=wish.device, geofence=None if wish.part is Part.ENSEMBLE else wish.geofence
    )
    configure_logs(settings.log_level)
    if wish.part is Part.ENSEMBLE:
        return _decide(settings, wish, is_quiet=is_quiet)
    return _look(settings, wish, is_quiet=is_quiet)


def _look(settings: Settings, wish: Wish, *, is_quiet: bool) -> Outcome:
    """Run the parts that need networks and pictures."""
    choice = chosen_models(settings, wish.model, wish.part)
    asked = _asked(wish, model_version(choice, wish.part))
    instances = _located(wish.inputs.instances(), settings)
    book = _book(instances, wish, asked)
    if book.to_do:
        with _looking(settings, wish, choice, book.to_do, asked) as answers:
            _collect(answers, book, wish, is_quiet=is_quiet)
    return _outcome(book, wish, asked, choice.model_ids)


def _decide(settings: Settings, wish: Wish, *, is_quiet: bool) -> Outcome:
    """Run the ensemble alone."""
    evidence = read_evidence(wish.classifications, wish.detections, labels=wish.labels)
    naming = naming_of(settings, SpeciesFiles(wish.model, wish.taxonomy, wish.geofence, wish.labels))
    if unknown := evidence.unknown_to(naming):
        _warn(
            f"the taxonomy lacks classes, which roll up to nothing: {unknown[0].label} and "
            f"{len(unknown) - 1} more; name the classifier's own with --taxonomy or --model"
        )
    asked = _asked(wish, "")
    instances = _located(wish.inputs.instances(otherwise=evidence.instances), settings)
    book = _book(instances, wish, asked)
    _collect(decided(book.to_do, evidence, naming, asked), book, wish, is_quiet=is_quiet)
    return _outcome(book, wish, asked, ())


@contextmanager
def _looking(
    settings: Settings, wish: Wish, choice: ModelChoice, instances: Sequence[Instance], asked: Asked
) -> Iterator[Answers]:
    """Give the answers as they are made."""
    if wish.part is Part.CLASSIFIER:
        yield classified(settings, choice, instances, asked, _boxes(wish, instances))
        return
    service = build_service(settings)
    try:
        look = detected if wish.part is Part.DETECTOR else analysed
        yield look(service, choice, instances, asked, source_of(settings))
    finally:
        service.close()


def _collect(answers: Answers, book: Book, wish: Wish, *, is_quiet: bool) -> None:
    """Save now and then, at the end, and when a person stops the run."""
    saved_at = time.monotonic()
    try:
        with progress_bar(len(book.to_do), is_quiet=is_quiet) as advance:
            for answer in answers:
                book.add(answer)
                advance()
                if time.monotonic() - saved_at > SAVE_EVERY_S:
                    book.save()
                    saved_at = time.monotonic()
    except KeyboardInterrupt:
        if wish.output is None or not len(book):
            raise
        book.save()
        raise StoppedByPerson(images=len(book), output=as_utf8(str(wish.output))) from None
    book.save()


def _boxes(wish: Wish, instances: Sequence[Instance]) -> Mapping[str, tuple[Detection, ...]]:
    """The boxes of an earlier run; pictures without any are looked at as a whole."""
    if wish.detections is None:
        return {}
    known = read_predictions(wish.detections).by_filepath()
    boxes = {path: entry.detections for path, entry in known.items() if entry.detections is not None}
    lacking = sum(1 for instance in instances if instance.filepath not in boxes)
    if lacking:
        _warn(f"looked at as a whole, without detections in {wish.detections.name}: {counted(lacking)}")
    return boxes


def _located(instances: Sequence[Instance], settings: Settings) -> tuple[Instance, ...]:
    found = located(instances, home=settings.home)
    for warning in found.warnings:
        _warn(warning)
    return found.instances


def _asked(wish: Wish, version: str) -> Asked:
    return Asked(wish.version, version, wish.classes_a_box, wish.is_fenced)


def _book(instances: Sequence[Instance], wish: Wish, asked: Asked) -> Book:
    return Book(instances, output=wish.output, asked=asked, part=wish.part, is_fresh=wish.is_fresh)


def _outcome(book: Book, wish: Wish, asked: Asked, model_ids: tuple[str, ...]) -> Outcome:
    return Outcome(tuple(book), tuple(book.failures), book.n_kept, wish.output, asked, model_ids)


def _warn(message: str) -> None:
    typer.echo(f"okapia: warning: {as_utf8(message)}", err=True)
