"""From a card and an open network to a model: the module that the card names as its family decodes."""

import importlib
from types import ModuleType
from typing import Protocol

from okapia.domain.errors import ModelError
from okapia.domain.models import ModelReport
from okapia.domain.types import Size
from okapia.models.base import Classifier, Detector, Session
from okapia.models.card import ModelCard


class DetectorFamily(Protocol):
    """What a family module of detectors exports as `build`."""

    def __call__(
        self, card: ModelCard, session: Session, *, canvas: Size, report: ModelReport
    ) -> Detector: ...


class ClassifierFamily(Protocol):
    """What a family module of classifiers exports as `build`."""

    def __call__(
        self, card: ModelCard, session: Session, *, canvas: Size, report: ModelReport
    ) -> Classifier: ...


def build_detector(card: ModelCard, session: Session, *, canvas: Size, sha256: str) -> Detector:
    """Make the detector of a card.

    Args:
        session: the network, open for rows of `card.input_shape(canvas)`.
        sha256: of the network, for reports.

    Raises:
        ModelError: there is no such family.
    """
    build: DetectorFamily = _family(card).build
    return build(card, session, canvas=canvas, report=_report(card, session, canvas, sha256))


def build_classifier(card: ModelCard, session: Session, *, canvas: Size, sha256: str) -> Classifier:
    """Make the classifier of a card; as `build_detector`."""
    build: ClassifierFamily = _family(card).build
    return build(card, session, canvas=canvas, report=_report(card, session, canvas, sha256))


def _report(card: ModelCard, session: Session, canvas: Size, sha256: str) -> ModelReport:
    return ModelReport(card.id, card.task, canvas, session.engine, session.device, session.precision, sha256)


def _family(card: ModelCard) -> ModuleType:
    """Import the module of a card's family, only now that a model of it is asked for."""
    try:
        module = importlib.import_module(f"okapia.models.{card.family}")
        module.build  # noqa: B018 - other modules of this package are no families
    except (ModuleNotFoundError, AttributeError) as error:
        raise ModelError(f"{card.id}: there is no model family {card.family!r}") from error
    return module
