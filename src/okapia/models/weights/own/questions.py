"""What no file tells: the questions a person is asked about a network, and how their answers are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from okapia.domain.errors import ModelError
from okapia.models.weights.own.heads import FAMILIES, Head
from okapia.models.weights.own.labels import ANIMAL, MEGADETECTOR, coco, read_labels
from okapia.models.weights.own.partial import Fragment

_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)
"""torchvision's, times 255."""

_NORMALISATIONS: Mapping[str, Fragment] = {
    "unit": {"mean": 0, "std": 255},
    "imagenet": {"mean": _IMAGENET_MEAN, "std": _IMAGENET_STD},
    "none": {"mean": 0, "std": 1},
}

_P6_SIDE, _DETECTOR_SIDE, _CLASSIFIER_SIDE = 1280, 640, 224
"""What detectors with four strides (YOLOv5's P6, so MegaDetector v5), others and classifiers are mostly
trained at."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something that no file tells.

    Attributes:
        key: the card's key that answers it.
        sentence: what to ask a person.
        option: what answers it on the command line.
        choices: the answers there are; empty when any will do.
        default: the likely answer; None when there is none.
    """

    key: str
    sentence: str
    option: str
    reader: Callable[[str], Fragment]
    choices: tuple[str, ...] = ()
    default: str | None = None

    def read(self, answer: str) -> Fragment:
        """Turn an answer into a part of the card.

        Raises:
            ModelError: it is no answer to this question.
        """
        if self.choices and answer not in self.choices:
            raise ModelError(f"{self.key}: expected one of {', '.join(self.choices)}, got {answer!r}")
        return self.reader(answer)


def family_question(head: Head) -> Question:
    return Question(
        "family",
        f"Which family is it? As far as can be seen, {head.reason}",
        "the key `family` in --card",
        lambda answer: {"family": answer},
        choices=FAMILIES,
        default=head.guess or None,
    )


def canvas_question(head: Head) -> Question:
    usual = _CLASSIFIER_SIDE if head.family == "classifier" else _DETECTOR_SIDE
    return Question(
        "canvas",
        "Side of its input in pixels (the file leaves it open)",
        "the key `canvas` in --card",
        _read_canvas,
        default=str(_P6_SIDE if len(head.strides) == 4 else usual),
    )


def labels_question(head: Head) -> Question:
    """Ask for the class names; a detector's one class may be animals, three MegaDetector's, eighty COCO's."""
    usual = _usual_labels(head)
    count = "the" if head.n_classes is None else f"the {head.n_classes:,}"
    return Question(
        "labels",
        f"File with the names of {count} classes, one a line, in the order of the outputs",
        "--labels FILE",
        lambda answer: {
            "labels": usual[answer] if answer in usual else read_labels(Path(answer).expanduser())
        },
        default=next(iter(usual), None),
    )


def activation_question(*, is_bounded: bool) -> Question:
    """Ask what the outputs need.

    Args:
        is_bounded: all of them lie in 0..1, without being probabilities that sum to 1.
    """
    return _ACTIVATION_OF_SCORES if is_bounded else _ACTIVATION_OF_LOGITS


def _usual_labels(head: Head) -> Mapping[str, tuple[str, ...]]:
    if head.family in {"", "classifier"}:
        return {}
    match head.n_classes:
        case 1:
            return {ANIMAL: (ANIMAL,)}
        case 3:
            return {", ".join(MEGADETECTOR): MEGADETECTOR}
        case 80:
            return {"COCO's": coco()}
        case _:
            return {}


def _read_canvas(answer: str) -> Fragment:
    sides = answer.lower().split("x")
    if len(sides) > 2 or not all(side.strip().isdecimal() for side in sides):
        raise ModelError(
            f"canvas: expected pixels such as 640, or width x height such as 640x480, got {answer!r}"
        )
    return {"canvas": (int(sides[0]), int(sides[-1]))}


NORMALISATION = Question(
    "preprocessing.std",
    "What does it expect of pixels: 0..1 (unit), that with ImageNet's mean and deviation (imagenet), "
    "or 0..255 (none)?",
    "the keys `mean` and `std` of the section `preprocessing` in --card",
    lambda answer: {"preprocessing": _NORMALISATIONS[answer]},
    choices=tuple(_NORMALISATIONS),
)
LICENCE = Question(
    "licence",
    "Licence of the weights (a name such as MIT or CC-BY-NC-4.0, or: unknown)",
    "--licence NAME",
    lambda answer: {"licence": answer.strip() or "unknown"},
)
_ACTIVATION_OF_LOGITS = Question(
    "activation",
    "Is exactly one class true of a crop (softmax), or may several be (sigmoid)?",
    "the key `activation` in --card",
    lambda answer: {"activation": answer},
    choices=("softmax", "sigmoid"),
    default="softmax",
)
_ACTIVATION_OF_SCORES = Question(
    "activation",
    "Its answers lie in 0..1 and do not sum to 1: are they finished scores (none)?",
    "the key `activation` in --card",
    lambda answer: {"activation": answer},
    choices=("none", "softmax", "sigmoid"),
    default="none",
)
