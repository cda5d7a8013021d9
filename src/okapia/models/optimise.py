"""Faster variants of installed models, let in by a gate: `okapia models optimise`.

A variant is a model of its own, `<id>-int8`: its card is the original's, and its notes state how it was made
and how far it agrees with the original. The original stays as it is.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final, Generic, TypeVar

from okapia.domain.errors import InvalidRequest, ModelError, PullFailed, VariantRefused
from okapia.domain.types import Classification, Detection
from okapia.models.agreement import Agreement, Gate, compare_boxes, compare_crops
from okapia.models.base import Classifier, Detector, Tensor
from okapia.models.card import ModelCard
from okapia.models.quantise import LADDER, Recipe, quantise, toolkit_versions
from okapia.models.tensors import network_input
from okapia.models.weights.staging import staging
from okapia.models.weights.store import Installed, ModelStore
from okapia.vision.resample import Pixels

LEAST_SAMPLES: Final = 12
"""Below this many pictures (or crops) nothing is tried."""
SPLIT_FROM: Final = 40
"""From this many on, no picture is used both to calibrate and to judge."""
MOST_TO_CALIBRATE: Final = 300
"""NNCF's own default; more do not help."""
MOST_TO_JUDGE: Final = 500

_BLOCK: Final = 10
"""Neighbours stay together: a camera takes bursts of three to ten, and half a burst would judge the other."""
_ROUNDS: Final = 7
_LONGEST_ID: Final = 100

Sample = Callable[[], Pixels]
"""Decodes one picture for a detector, or one crop for a classifier; called several times."""

T = TypeVar("T")
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Split(Generic[T]):
    """Which samples calibrate and which judge; the same when there are too few."""

    calibrate: Sequence[T]
    judge: Sequence[T]
    is_shared: bool

    def __str__(self) -> str:
        others = "the same" if self.is_shared else f"{len(self.judge)} others"
        return f"calibrated on {len(self.calibrate)} samples, judged on {others}"


@dataclass(frozen=True, slots=True)
class Exam(Generic[A]):
    """How a network is questioned, and its answers compared with the original's.

    Attributes:
        open: loads a network (ONNX or OpenVINO's own) as a model that answers for one sample.
        compare: answers of the original and of the variant, in the same order.
    """

    open: Callable[[Path], Callable[[Pixels], A]]
    compare: Callable[[Sequence[A], Sequence[A]], Agreement]


@dataclass(frozen=True, slots=True)
class Trial:
    """One variant.

    Attributes:
        n_bytes: of its files.
        milliseconds: for one picture, decoding left out, as `original_ms` of the original: medians of rounds
            in turns, on the cores and in the precision that the exam opens networks with.
    """

    recipe: Recipe
    agreement: Agreement
    n_bytes: int
    milliseconds: float
    original_ms: float

    def __str__(self) -> str:
        return (
            f"8 bits in {self.recipe.name}: {self.agreement}; {self.milliseconds:.1f} ms each against "
            f"{self.original_ms:.1f}, {self.n_bytes / 1e6:.1f} MB"
        )


@dataclass(frozen=True, slots=True)
class Optimised:
    """An installed variant, and what was tried on the way; the last trial is the one that passed."""

    card: ModelCard
    installed: Installed
    split: Split[Sample]
    trials: tuple[Trial, ...]


def detector_exam(open_detector: Callable[[Path], Detector]) -> Exam[tuple[Detection, ...]]:
    return Exam(lambda network: open_detector(network).detect, compare_boxes)


def classifier_exam(open_classifier: Callable[[Path], Classifier]) -> Exam[tuple[Classification, ...]]:
    def ask(network: Path) -> Callable[[Pixels], tuple[Classification, ...]]:
        classifier = open_classifier(network)
        return lambda crop: classifier.classify([crop])[0]

    return Exam(ask, compare_crops)


def optimise(
    card: ModelCard,
    original: Installed,
    *,
    samples: Sequence[Sample],
    exam: Exam[A],
    store: ModelStore,
    on_trial: Callable[[Trial], None],
    gate: Gate | None = None,
    ladder: Sequence[Recipe] = LADDER,
) -> Optimised:
    """Install the first variant of `ladder` that passes the gate, as `<id>-int8`, at the card's canvas.

    Args:
        samples: in the order of the files, so that bursts stay together; each must decode.
        on_trial: told of every variant as soon as it was judged.
        gate: the defaults when None.

    Raises:
        InvalidRequest: fewer samples than `LEAST_SAMPLES`, or the original sees too little in them.
        VariantRefused: none passed; the message lists each with what it missed.
        ModelError: NNCF is missing or fails, or the original does not answer.
        PullFailed: the disk refuses the files.
    """
    parts, gate, new_id = split(samples), gate or Gate(), variant_id(card)
    made_with = toolkit_versions()
    rows = _Rows(parts.calibrate, card)
    judge = _Judge(exam, original.path, parts.judge)
    judge.check_material(gate)
    trials = []
    with _workspace(store) as folder:
        for number, recipe in enumerate(ladder):
            target = folder / str(number) / "network.xml"
            target.parent.mkdir()
            quantise(original.path, card.input_shape(card.canvas), rows=rows, recipe=recipe, target=target)
            trials.append(trial := judge.judge(target, recipe))
            on_trial(trial)
            if trial.agreement.passes(gate):
                variant = _variant_card(card, new_id, notes=_notes(original, trial, f"{parts}; {made_with}"))
                source = f"{card.id} (sha256 {original.sha256}) by {made_with}"
                installed = store.adopt(variant, target.parent, network=target.name, source=source)
                return Optimised(variant, installed, parts, tuple(trials))
    raise VariantRefused(_refusal(card, parts, trials, gate))


def split(samples: Sequence[T]) -> Split[T]:
    """Divide samples in blocks of neighbours, turn by turn, and leave out evenly what is too many.

    Raises:
        InvalidRequest: fewer than `LEAST_SAMPLES`.
    """
    if len(samples) < LEAST_SAMPLES:
        raise InvalidRequest(
            f"expected at least {LEAST_SAMPLES} pictures (for a classifier: crops) to calibrate with, better "
            f"{10 * LEAST_SAMPLES}, got {len(samples)}",
            param="calibrate",
        )
    if len(samples) < SPLIT_FROM:
        return Split(samples, samples, is_shared=True)
    turns: tuple[list[T], list[T]] = ([], [])
    for place, sample in enumerate(samples):
        turns[place // _BLOCK % 2].append(sample)
    return Split(_thinned(turns[0], MOST_TO_CALIBRATE), _thinned(turns[1], MOST_TO_JUDGE), is_shared=False)


def variant_id(card: ModelCard) -> str:
    """Give the id of a model's 8-bit variant.

    Raises:
        ModelError: it would be longer than an id may be.
    """
    name = f"{card.id}-int8"
    if len(name) > _LONGEST_ID:
        raise ModelError(f"{name} is longer than the {_LONGEST_ID} characters of an id")
    return name


class _Rows(Collection[Tensor]):
    """The calibration's rows, made anew each time: hundreds of them at 1280 pixels fill a memory."""

    def __init__(self, samples: Sequence[Sample], card: ModelCard) -> None:
        self._samples = samples
        self._card = card

    def __len__(self) -> int:
        return len(self._samples)

    def __iter__(self) -> Iterator[Tensor]:
        for sample in self._samples:
            yield network_input(sample(), self._card.preprocessing, self._card.canvas)[0]

    def __contains__(self, row: object) -> bool:
        return any(row is own for own in self)


class _Judge(Generic[A]):
    """Compares variants with the original, which is questioned once."""

    def __init__(self, exam: Exam[A], original: Path, samples: Sequence[Sample]) -> None:
        self._exam = exam
        self._samples = samples
        self._original = exam.open(original)
        self._answers = [self._original(sample()) for sample in samples]

    def check_material(self, gate: Gate) -> None:
        """Refuse samples on which even the original compared with itself would not pass.

        Raises:
            InvalidRequest: it sees too little in them.
        """
        if missing := self._exam.compare(self._answers, self._answers).shortfalls(gate):
            raise InvalidRequest("; ".join(missing), param="calibrate")

    def judge(self, network: Path, recipe: Recipe) -> Trial:
        # Closed at the end of this call: Windows moves no folder of which a file is open.
        variant = self._exam.open(network)
        answers = [variant(sample()) for sample in self._samples]
        original_ms, milliseconds = _medians(self._original, variant, pixels=self._samples[0]())
        n_bytes = sum(file.stat().st_size for file in network.parent.iterdir())
        return Trial(recipe, self._exam.compare(self._answers, answers), n_bytes, milliseconds, original_ms)


def _medians(*models: Callable[[Pixels], object], pixels: Pixels) -> tuple[float, ...]:
    """Milliseconds of each model, asked in turns: a busy moment of the machine falls on all of them."""
    times: list[list[float]] = [[] for _ in models]
    for _ in range(_ROUNDS):
        for model, own in zip(models, times, strict=True):
            started = perf_counter()
            model(pixels)
            own.append((perf_counter() - started) * 1000)
    return tuple(median(own) for own in times)


@contextmanager
def _workspace(store: ModelStore) -> Iterator[Path]:
    try:
        with staging(store.root) as folder:
            yield folder
    except OSError as error:
        raise PullFailed(f"cannot write in {store.root}: {error.strerror}") from error


def _variant_card(card: ModelCard, new_id: str, *, notes: str) -> ModelCard:
    """Give the original's card with what differs; only the canvas that was judged is left."""
    return card.model_copy(
        update={
            "id": new_id,
            "title": f"{card.title}, 8 bits",
            "notes": f"{notes} {card.notes}".strip(),
            "canvases": (),
            "source": None,
            # Eight-bit sums differ from processor to processor.
            "fingerprint": None,
        }
    )


def _notes(original: Installed, trial: Trial, evidence: str) -> str:
    return (
        f"Variant of {original.model_id} (sha256 {original.sha256}) for OpenVINO on a CPU, 8 bits in "
        f"{trial.recipe.name}; {evidence}. Against the original: {trial.agreement}."
    )


def _refusal(card: ModelCard, parts: Split[Sample], trials: Sequence[Trial], gate: Gate) -> str:
    lines = (
        f"  8 bits in {trial.recipe.name}: {'; '.join(trial.agreement.shortfalls(gate))} ({trial.agreement})"
        for trial in trials
    )
    return "\n".join(
        (
            f"no 8-bit variant of {card.id} answers as the original does, nothing was installed; {parts}",
            *lines,
        )
    )


def _thinned(items: Sequence[T], most: int) -> Sequence[T]:
    """Leave `most` items at even distances."""
    if len(items) <= most:
        return items
    return [items[place * len(items) // most] for place in range(most)]
