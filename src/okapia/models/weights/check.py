"""Whether a network really answers as its card says: one run through its family, before it is installed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from okapia.domain.errors import ModelError
from okapia.models.base import Session, Tensor
from okapia.models.card import ModelCard
from okapia.models.families import build_classifier, build_detector, build_face_reader
from okapia.models.weights.fingerprint import check as check_fingerprint
from okapia.models.weights.fingerprint import probe
from okapia.models.weights.pull import OpenSession
from okapia.vision.resample import Pixels

Check = Callable[[ModelCard, Path], None]
"""Refuses, with a `ModelError`, a network that does not answer as its card says."""


def checker(open_session: OpenSession) -> Check:
    """Give the check that runs networks with `open_session`."""

    def check(card: ModelCard, network: Path) -> None:
        session = open_session(network, card.input_shape(card.canvas))
        check_fingerprint(card, session)
        _run_family(card, _FiniteSession(session, network.name), network.name)

    return check


class _FiniteSession:
    """A session that refuses answers with NaN or infinity anywhere, not only where a score is read."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._name = name
        self.input_shape = session.input_shape
        self.engine = session.engine
        self.device = session.device
        self.precision = session.precision

    def run(self, batch: Tensor) -> dict[str, Tensor]:
        outputs = self._session.run(batch)
        for output, values in outputs.items():
            if not np.isfinite(values).all():
                raise ModelError(f"{self._name} answers with numbers that are not finite ({output})")
        return outputs


def _run_family(card: ModelCard, session: Session, name: str) -> None:
    """Analyse the test picture as the pipeline would."""
    try:
        match card.task:
            case "detector":
                build_detector(card, session, canvas=card.canvas, sha256="").detect(_picture(card))
            case "classifier":
                build_classifier(card, session, canvas=card.canvas, sha256="").classify([_picture(card)])
            case "face_reader":
                build_face_reader(card, session, canvas=card.canvas, sha256="").read([_picture(card)])
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelError(f"{name} does not run as family {card.family}, as its card says: {error}") from error


def _picture(card: ModelCard) -> Pixels:
    """The test picture at the network's own size: nothing of it is lost in resizing."""
    width, height = card.canvas
    picture: Pixels = probe((height, width, 3)).astype(np.uint8)
    return picture
