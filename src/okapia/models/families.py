"""From a card and an open network to a model: the module that the card names as its family decodes.

A family is one module that exports `build`: of this folder, or of any package that names its `build` as an
entry point of the group `okapia.models`. It is imported when a model of it is first asked for, so what is
broken about it breaks its own models only.
"""

from typing import Protocol, runtime_checkable

import okapia.models
from okapia.domain import plugins
from okapia.domain.errors import InvalidSettings, ModelError, OkapiaError
from okapia.domain.models import ModelReport
from okapia.domain.plugins import Plugin
from okapia.domain.types import Size
from okapia.models.base import Classifier, Detector, FaceReader, Model, Session
from okapia.models.card import ModelCard


@runtime_checkable
class Family(Protocol):
    """What a family exports as `build`: it makes a model of the card's task.

    `session` is open for rows of `card.input_shape(canvas)`; `report` is what the model has in `reports`.
    """

    def __call__(self, card: ModelCard, session: Session, *, canvas: Size, report: ModelReport) -> Model: ...


def build_detector(
    card: ModelCard, session: Session, *, canvas: Size, sha256: str, built_from: str = ""
) -> Detector:
    """Make the detector of a card.

    Args:
        session: the network, open for rows of `card.input_shape(canvas)`.
        sha256, built_from: as `ModelReport` has them.

    Raises:
        ModelError: there is no such family, it cannot be imported, or it makes no detector of this card.
    """
    model = _built(card, session, canvas, sha256, built_from)
    if not isinstance(model, Detector):
        raise _wrong_kind(card, "detector")
    return model


def build_classifier(
    card: ModelCard, session: Session, *, canvas: Size, sha256: str, built_from: str = ""
) -> Classifier:
    """Make the classifier of a card; as `build_detector`."""
    model = _built(card, session, canvas, sha256, built_from)
    if not isinstance(model, Classifier):
        raise _wrong_kind(card, "classifier")
    return model


def build_face_reader(
    card: ModelCard, session: Session, *, canvas: Size, sha256: str, built_from: str = ""
) -> FaceReader:
    """Make the face reader of a card; as `build_detector`."""
    model = _built(card, session, canvas, sha256, built_from)
    if not isinstance(model, FaceReader):
        raise _wrong_kind(card, "face reader")
    return model


def family_origin(family: str) -> str:
    """Say which package a family comes with, without importing it; empty when none has it."""
    return plugins.origin(okapia.models, family)


def _built(card: ModelCard, session: Session, canvas: Size, sha256: str, built_from: str) -> object:
    family = _family(card)
    report = ModelReport(
        card.id,
        card.task,
        canvas,
        session.engine,
        session.device,
        session.precision,
        sha256,
        built_from,
    )
    if not isinstance(family.value, Family):
        raise ModelError(f"{card.id}: the family {card.family} of {family.origin} is no function")
    try:
        model: object = family.value(card, session, canvas=canvas, report=report)
    except OkapiaError:
        raise
    except Exception as error:  # a stranger's module, whatever it does
        raise ModelError(
            f"{card.id}: the family {card.family} of {family.origin} makes no model: {error}"
        ) from error
    return model


def _family(card: ModelCard) -> Plugin:
    try:
        family = plugins.find(okapia.models, "build", card.family)
    except InvalidSettings as error:
        raise ModelError(f"{card.id}: {error}") from error
    if family is None:
        raise ModelError(f"{card.id}: there is no model family {card.family!r}")
    return family


def _wrong_kind(card: ModelCard, expected: str) -> ModelError:
    origin = family_origin(card.family)
    return ModelError(f"{card.id}: the family {card.family} of {origin} makes no {expected}")
