"""`okapia models optimise`: an 8-bit variant of a model, let in only when it agrees with the original."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import typer

from okapia.cli.logs import configure_logs
from okapia.domain.errors import BadImage, InvalidRequest, ModelNotInstalled
from okapia.domain.types import Category
from okapia.models.base import Classifier, Detector
from okapia.models.card import ModelCard
from okapia.models.catalog import Catalog
from okapia.models.families import build_classifier, build_detector
from okapia.models.optimise import Optimised, Sample, classifier_exam, detector_exam, optimise
from okapia.models.runtime import EngineChoice, Load, Runtime, usable_cores
from okapia.models.weights.store import Installed, ModelStore
from okapia.settings import Settings, load_settings
from okapia.storage.folder import FoundImage, read_image, scan
from okapia.vision.decode import Picture
from okapia.vision.resample import Pixels


def optimise_model(model_id: str, *, calibrate: Path) -> None:
    """Make `<id>-int8` from the pictures of a folder, say what was tried and what to do next.

    Raises:
        InvalidRequest: the folder has too few pictures, the model sees too little in them, or it reads faces.
        VariantRefused: no variant agrees well enough; the message lists them.
        ModelError: the model is unknown or not installed, or the extra `optimise` is.
    """
    settings = load_settings()
    configure_logs(settings.log_level)
    workshop = _Workshop(settings)
    card, original = workshop.find(model_id)
    if card.task == "face_reader":
        raise InvalidRequest(f"expected a detector or a classifier, {card.id} is a face reader", param="id")
    typer.echo(f"{card.id}: calibrating on {calibrate}; this takes a minute or more", err=True)
    done = (workshop.detector if card.task == "detector" else workshop.classifier)(card, original, calibrate)
    typer.echo(f"{done.card.id}: {done.trials[-1]}; {done.split}")
    typer.echo(f"use it:  okapia run FOLDER --{card.task} {done.card.id}")


class _Workshop:
    """Opens networks in one way only, so that original and variant are compared fairly."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._catalog = Catalog(ModelStore(settings.models_dir))
        self._runtime = Runtime(EngineChoice(), load=Load(), cores=usable_cores())

    def find(self, model_id: str) -> tuple[ModelCard, Installed]:
        card = self._catalog.card(model_id)
        installed = self._catalog.store.find(card.id)
        if installed is None:
            raise ModelNotInstalled(card.id, command=card.pull_command)
        return card, installed

    def detector(self, card: ModelCard, original: Installed, folder: Path) -> Optimised:
        """Optimise a detector on whole pictures."""
        open_detector = partial(self._detector, card)
        model = open_detector(original.path)
        samples = [partial(self._pixels, found, model) for found in self._readable(folder)]
        exam = detector_exam(open_detector)
        store = self._catalog.store
        return optimise(card, original, samples=samples, exam=exam, store=store, on_trial=_say)

    def classifier(self, card: ModelCard, original: Installed, folder: Path) -> Optimised:
        """Optimise a classifier on crops of what the default animal detector finds."""
        open_classifier = partial(self._classifier, card)
        model = open_classifier(original.path)
        finder_card, finder = self.find(self._settings.detector.partition("+")[0])
        finds = self._detector(finder_card, finder.path)
        samples = [crop for found in self._readable(folder) for crop in self._crops(found, finds, model)]
        exam = classifier_exam(open_classifier)
        store = self._catalog.store
        return optimise(card, original, samples=samples, exam=exam, store=store, on_trial=_say)

    def _crops(self, found: FoundImage, finder: Detector, model: Classifier) -> Iterator[Sample]:
        picture = Picture.open(self._read(found))
        size = (picture.info.width, picture.info.height)
        for detection in finder.detect(picture.pixels(finder.wanted(size))):
            is_sure = detection.confidence >= self._settings.threshold
            if is_sure and detection.category is Category.ANIMAL:
                crop = picture.crop(model.region(detection.bbox, size), side=model.crop_side)
                yield partial(_itself, crop)

    def _readable(self, folder: Path) -> Sequence[FoundImage]:
        """Give the pictures of a folder that decode, in order: bursts stay together."""
        found = [image for image in scan([folder]) if isinstance(image, FoundImage)]
        return [image for image in found if self._decodes(image)]

    def _decodes(self, found: FoundImage) -> bool:
        with suppress(BadImage):
            Picture.open(self._read(found)).pixels((1, 1))
            return True
        return False

    def _pixels(self, found: FoundImage, model: Detector) -> Pixels:
        picture = Picture.open(self._read(found))
        return picture.pixels(model.wanted((picture.info.width, picture.info.height)))

    def _read(self, found: FoundImage) -> bytes:
        return read_image(found.path, max_bytes=self._settings.max_file_bytes)

    def _detector(self, card: ModelCard, network: Path) -> Detector:
        session = self._runtime.open(network, card.input_shape(card.canvas))
        return build_detector(card, session, canvas=card.canvas, sha256="")

    def _classifier(self, card: ModelCard, network: Path) -> Classifier:
        session = self._runtime.open(network, card.input_shape(card.canvas))
        return build_classifier(card, session, canvas=card.canvas, sha256="")


def _itself(crop: Pixels) -> Pixels:
    return crop


def _say(trial: object) -> None:
    typer.echo(f"  {trial}", err=True)
