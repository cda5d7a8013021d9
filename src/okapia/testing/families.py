"""What every model family has to keep to, tried on a network of it whose answer to one picture is known.

The family is found by the name on the card, as a server finds it: a package has to be installed first.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

import numpy as np

from okapia.domain.errors import ModelError
from okapia.domain.models import ModelReport
from okapia.domain.types import BBox, Detection, Size
from okapia.models.base import CONFIDENCE_FLOOR, Classifier, Detector, FaceReader, Session, Tensor
from okapia.models.card import ModelCard
from okapia.models.families import build_classifier, build_detector, build_face_reader
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.testing.rules import Rule
from okapia.vision.resample import Pixels

TOLERANCE: Final = 0.01
"""By how much a confidence, or a side of a box, may differ from what the case says."""

_SIZES: Final[tuple[Size, ...]] = ((1, 1), (640, 480), (480, 640), (2000, 3), (3, 2000), (333, 333))
_THREADS: Final = 4
_LARGE: Final = 19
"""Crops of one picture; more than go through a network at once."""


@dataclass(frozen=True, slots=True)
class FamilyCase:
    """A network of a family.

    Attributes:
        network: an ONNX file, as small as may be, with an input of the card's canvas.
        picture: (height, width, 3) uint8 RGB; of a classifier or face reader, a crop.
    """

    card: ModelCard
    network: bytes
    picture: Pixels


@dataclass(frozen=True, slots=True)
class DetectorCase(FamilyCase):
    """A network of a detector family, and all that it finds in the picture, most confident first."""

    expected: tuple[Detection, ...]


@dataclass(frozen=True, slots=True)
class ClassifierCase(FamilyCase):
    """A network of a classifier family, and the common name of the taxon that it sees in the crop."""

    expected: str


@dataclass(frozen=True, slots=True)
class FaceReaderCase(FamilyCase):
    """A network of a family of face readers, and the probability, 0..1, that the face is a man's."""

    expected: float


Answer: TypeAlias = Sequence[object]


# --- rules for all families -----------------------------------------------------------


def says_the_same_to_several_threads(case: FamilyCase) -> None:
    """One model answers callers side by side, each as if it were alone, and leaves their pixels alone."""
    picture = case.picture.copy()
    picture.flags.writeable = False
    with _opened(case) as session, ThreadPoolExecutor(_THREADS) as threads:
        model = _model(case.card, session)
        first = _answer(model, [picture])
        others = list(threads.map(lambda _: _answer(model, [picture]), range(2 * _THREADS)))
    assert all(other == first for other in others), f"answers differ between threads from {first}"


def refuses_an_answer_that_is_no_number(case: FamilyCase) -> None:
    """A network that answers with NaN is a `ModelError`, never a blank picture."""
    with _opened(case) as session:
        model = _model(case.card, _Broken(session))
        try:
            answer = _answer(model, [case.picture])
        except ModelError:
            return
    raise AssertionError(f"expected a ModelError where the network answers NaN, got {answer}")


def reports_its_network(case: FamilyCase) -> None:
    """The report that the family was given is among its `reports`."""
    with _opened(case) as session:
        reports: tuple[ModelReport, ...] = _model(case.card, session).reports
    ours = [report for report in reports if report.model_id == case.card.id]
    assert [(report.task, report.canvas) for report in ours] == [(case.card.task, case.card.canvas)], (
        f"expected one report of {case.card.id}, got {reports}"
    )


# --- rules for detectors --------------------------------------------------------------


def finds_what_is_there(case: DetectorCase) -> None:
    """The boxes are where the case says, under its labels and with its confidences."""
    with _opened(case) as session:
        found = _detector(case, session).detect(case.picture)
    expected = case.expected
    assert [(d.label, d.category) for d in found] == [(d.label, d.category) for d in expected], (
        f"expected {expected}, got {found}"
    )
    for ours, theirs in zip(found, expected, strict=True):
        numbers = zip(_numbers(ours), _numbers(theirs), strict=True)
        assert all(abs(a - b) <= TOLERANCE for a, b in numbers), f"expected {theirs}, got {ours}"


def stays_within_pictures_of_any_shape(case: DetectorCase) -> None:
    """Boxes lie within the picture, from `CONFIDENCE_FLOOR` up, most confident first, under known labels."""
    with _opened(case) as session:
        detector = _detector(case, session)
        for size in _SIZES:
            for pixels in _pictures(size):
                found = detector.detect(pixels)
                confidences = [d.confidence for d in found]
                assert confidences == sorted(confidences, reverse=True), f"{size}: not by confidence, {found}"
                wrong = [d for d in found if not _is_sound(d, case.card)]
                assert not wrong, f"{size}: expected boxes within the picture, got {wrong}"


def asks_for_pictures_that_can_be_decoded(case: DetectorCase) -> None:
    """`wanted` gives sizes of at least one pixel."""
    with _opened(case) as session:
        detector = _detector(case, session)
        sizes = {size: detector.wanted(size) for size in _SIZES}
    assert all(min(wanted) >= 1 for wanted in sizes.values()), f"expected sizes of pixels, got {sizes}"


# --- rules for classifiers ------------------------------------------------------------


def names_what_is_there(case: ClassifierCase) -> None:
    """The best taxon of the crop is the one that the case says."""
    with _opened(case) as session:
        (seen,) = _classifier(case, session).classify([case.picture])
    assert seen, f"expected {case.expected} first, got nothing"
    assert seen[0].taxon.common_name == case.expected, f"expected {case.expected} first, got {seen}"


def gives_one_answer_a_crop(case: ClassifierCase) -> None:
    """Each of any number of crops has its own answer: taxa of the taxonomy, scores 0..1, best first."""
    with _opened(case) as session:
        classifier = _classifier(case, session)
        assert classifier.classify([]) == [], "no crops have no answers"
        answers = classifier.classify([case.picture] * _LARGE)
        alone = classifier.classify([case.picture])
    assert len(answers) == _LARGE, f"expected {_LARGE} answers, got {len(answers)}"
    known = set(classifier.taxonomy)
    for seen in answers + alone:
        scores = [one.score for one in seen]
        assert scores == sorted(scores, reverse=True), f"expected the best first, got {scores}"
        assert all(0 <= score <= 1 for score in scores), f"expected scores of 0..1, got {scores}"
        strange = [one.taxon for one in seen if one.taxon not in known]
        assert not strange, f"expected taxa of the classifier's taxonomy, got {strange}"


def looks_at_a_part_of_the_picture(case: ClassifierCase) -> None:
    """`region` lies within the picture."""
    with _opened(case) as session:
        classifier = _classifier(case, session)
        assert classifier.crop_side >= 1, f"expected a side in pixels, got {classifier.crop_side}"
        _assert_regions(classifier)


# --- rules for face readers -----------------------------------------------------------


def guesses_for_each_face(case: FaceReaderCase) -> None:
    """Each of any number of faces has its guess, that of the case's face as the case says."""
    with _opened(case) as session:
        reader = build_face_reader(case.card, session, canvas=case.card.canvas, sha256="")
        assert reader.read([]) == [], "no faces have no guesses"
        guesses = reader.read([case.picture] * _LARGE)
        _assert_regions(reader)
    assert len(guesses) == _LARGE, f"expected {_LARGE} guesses, got {len(guesses)}"
    apart = [guess for guess in guesses if abs(guess.man_probability - case.expected) > TOLERANCE]
    assert not apart, f"expected {case.expected}, got {guesses}"


_ALL: Final = (says_the_same_to_several_threads, refuses_an_answer_that_is_no_number, reports_its_network)

DETECTOR_RULES: Final[tuple[Rule[DetectorCase], ...]] = (
    finds_what_is_there,
    stays_within_pictures_of_any_shape,
    asks_for_pictures_that_can_be_decoded,
    *_ALL,
)
CLASSIFIER_RULES: Final[tuple[Rule[ClassifierCase], ...]] = (
    names_what_is_there,
    gives_one_answer_a_crop,
    looks_at_a_part_of_the_picture,
    *_ALL,
)
FACE_READER_RULES: Final[tuple[Rule[FaceReaderCase], ...]] = (guesses_for_each_face, *_ALL)


# --- how models are opened and asked --------------------------------------------------


class _Broken:
    """A network that answers as it should, but with NaN."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.input_shape = session.input_shape
        self.engine = session.engine
        self.device = session.device
        self.precision = session.precision

    def run(self, batch: Tensor) -> dict[str, Tensor]:
        outputs = self._session.run(batch)
        return {name: np.full_like(values, np.nan) for name, values in outputs.items()}


@contextmanager
def _opened(case: FamilyCase) -> Iterator[Session]:
    """Load the network as a server does."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "network.onnx"
        file.write_bytes(case.network)
        runtime = Runtime(EngineChoice(), load=Load(), cores=1)
        yield runtime.open(file, case.card.input_shape(case.card.canvas))


def _detector(case: FamilyCase, session: Session) -> Detector:
    return build_detector(case.card, session, canvas=case.card.canvas, sha256="")


def _classifier(case: FamilyCase, session: Session) -> Classifier:
    return build_classifier(case.card, session, canvas=case.card.canvas, sha256="")


def _model(card: ModelCard, session: Session) -> Detector | Classifier | FaceReader:
    match card.task:
        case "detector":
            return build_detector(card, session, canvas=card.canvas, sha256="")
        case "classifier":
            return build_classifier(card, session, canvas=card.canvas, sha256="")
        case "face_reader":
            return build_face_reader(card, session, canvas=card.canvas, sha256="")


def _answer(model: Detector | Classifier | FaceReader, pictures: Sequence[Pixels]) -> Answer:
    if isinstance(model, Detector):
        return [model.detect(pixels) for pixels in pictures]
    return model.classify(pictures) if isinstance(model, Classifier) else model.read(pictures)


def _pictures(size: Size) -> Iterator[Pixels]:
    """Black, white and noise of one size."""
    width, height = size
    yield np.zeros((height, width, 3), dtype=np.uint8)
    yield np.full((height, width, 3), 255, dtype=np.uint8)
    yield np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _numbers(found: Detection) -> tuple[float, ...]:
    box = found.bbox
    return (found.confidence, box.x_min, box.y_min, box.x_max, box.y_max)


def _is_sound(found: Detection, card: ModelCard) -> bool:
    is_confident = CONFIDENCE_FLOOR <= found.confidence <= 1
    return is_confident and found.label in card.labels and _is_within(found.bbox)


def _is_within(box: BBox) -> bool:
    # Sums of fractions: the last digit may be off.
    corners = (box.x_min, box.y_min, box.x_max, box.y_max)
    return all(-1e-6 <= side <= 1 + 1e-6 for side in corners) and box.width >= 0 and box.height >= 0


def _assert_regions(model: Classifier | FaceReader) -> None:
    boxes = (BBox(0.0, 0.0, 1.0, 1.0), BBox(0.9, 0.9, 0.1, 0.1), BBox(0.5, 0.5, 0.0, 0.0))
    regions = [model.region(box, size) for size in _SIZES for box in boxes]
    wrong = [region for region in regions if not _is_within(region)]
    assert not wrong, f"expected regions within the picture, got {wrong}"
