"""From what was read and seen of a network to its card, with reasons, and what only a person can say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from okapia.domain.errors import ModelError
from okapia.models.base import Tensor
from okapia.models.card import ModelCard
from okapia.models.weights.own.heads import Head, classes_of, read_head
from okapia.models.weights.own.labels import check_count, sort_labels
from okapia.models.weights.own.observe import Observation
from okapia.models.weights.own.partial import Fragment, completed, has, merged
from okapia.models.weights.own.questions import (
    LICENCE,
    NORMALISATION,
    Question,
    activation_question,
    canvas_question,
    family_question,
    labels_question,
)

_ULTRALYTICS: Fragment = {
    "resize": "letterbox",
    "placement": "centre",
    "interpolation": "cv2_bilinear",
    "channels": "rgb",
    "std": 255,
    "pad_value": 114,
}
_YOLOX: Fragment = {
    "resize": "letterbox",
    "placement": "top_left",
    "interpolation": "cv2_bilinear",
    "channels": "bgr",
    "pad_value": 114,
}
_STRETCHED: Fragment = {"resize": "stretch", "interpolation": "cv2_bilinear", "channels": "rgb", "std": 255}

_LETTERBOXED = "letterboxed on grey 114, RGB, 0..1: what this family is trained with"
_DISTORTED = "stretched to the canvas, RGB, 0..1: what this family is trained with"
_YOLOX_HABIT = "letterboxed top left on grey 114, BGR, 0..255: what YOLOX is trained with since 0.1.1"

_HABITS: Mapping[str, tuple[Fragment, str]] = {
    "yolov5": (_ULTRALYTICS, _LETTERBOXED),
    "yolo": (_ULTRALYTICS, _LETTERBOXED),
    "yolo_e2e": (_ULTRALYTICS, _LETTERBOXED),
    "rtdetr": (_STRETCHED, _DISTORTED),
    "rtdetr_topk": (_STRETCHED, _DISTORTED),
    "yolox": (_YOLOX, _YOLOX_HABIT),
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A card as far as it is known.

    Attributes:
        origin: the network's file, for messages.
        known: what was given, and below it what was read.
        reasons: a sentence for each thing that was read or taken for granted.
        questions: what is still open.
    """

    origin: str
    known: Fragment
    reasons: tuple[str, ...]
    questions: tuple[Question, ...]


def recognise(observation: Observation, *, given: Fragment) -> Proposal:
    """Propose a card.

    An answer goes into `given` and the network is recognised anew, for one answer may close other
    questions or open them.

    Args:
        given: keys of the card that a person said already; they win, and nothing is asked of them.

    Raises:
        ModelError: labels are fewer or more than outputs, or the network is none that could ever run.
    """
    draft = _Draft(observation, given)
    head = draft.head()
    draft.identity()
    draft.input(head)
    draft.labels(head)
    if head.family == "classifier":
        draft.classifier()
    draft.licence()
    return Proposal(observation.facts.name, draft.known, tuple(draft.reasons), tuple(draft.questions))


def build_card(proposal: Proposal) -> ModelCard:
    """Make the card of a proposal.

    Raises:
        ModelError: something is still open, or a value is out of range.
    """
    if proposal.questions:
        open_keys = ", ".join(f"`{question.key}`" for question in proposal.questions)
        raise ModelError(f"the card of {proposal.origin} still needs {open_keys}")
    return completed(proposal.known, origin=proposal.origin)


def id_of(path: Path) -> str:
    """Make a model's id of a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._")[:100] or "model"


@dataclass(slots=True)
class _Draft:
    """A card in the making: each method adds what is known of one part of it, or asks."""

    seen: Observation
    known: Fragment
    reasons: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    def head(self) -> Head:
        """Settle family and task; the head is without family when that has to be asked."""
        family = self.known.get("family")
        if isinstance(family, str):
            head = Head(family, classes_of(family, self.seen), "")
        else:
            labels = self.known.get("labels", self.seen.facts.metadata.names)
            n_labels = len(labels) if isinstance(labels, list | tuple) else None
            head = read_head(self.seen, n_labels=n_labels)
        if not head.family:
            self.questions.append(family_question(head))
            return head
        task = "classifier" if head.family == "classifier" else "detector"
        self._take({"family": head.family}, f"family {head.family}: {head.reason}")
        self._take({"task": task}, "")
        return head

    def identity(self) -> None:
        facts = self.seen.facts
        made_by = facts.producer or "a program that does not say its name"
        origin = {
            "id": id_of(facts.path),
            "title": facts.metadata.title or facts.path.stem,
            "version": "1",
            "notes": f"A person's own network, made by {made_by} (opset {facts.opset}).",
        }
        self._take(origin, "")

    def input(self, head: Head) -> None:
        """Settle canvas and pre-processing."""
        self._canvas(head)
        layout = {"preprocessing": {"layout": self.seen.layout}}
        self._take(layout, f"layout {self.seen.layout}: the side of three is the channels")
        if head.family in _HABITS:
            # Trained as YOLOX is, whoever decodes it.
            recipe, reason = _HABITS["yolox"] if head.is_yolox else _HABITS[head.family]
            self._take({"preprocessing": recipe}, reason)

    def labels(self, head: Head) -> None:
        """Settle labels, and a detector's categories."""
        facts = self.seen.facts
        names = facts.metadata.names
        if names is not None:
            self._take({"labels": names}, f"{len(names)} labels: written in the file")
        labels = self.known.get("labels")
        if labels is None:
            self.questions.append(labels_question(head))
        # A string is the name of a built-in table; what is neither is left to the card's own check.
        if not isinstance(labels, list | tuple):
            return
        if head.n_classes is not None:
            check_count(labels, expected=head.n_classes, network=facts.name)
        if head.family not in {"", "classifier"}:
            self._sort([str(label) for label in labels])

    def classifier(self) -> None:
        """Settle what classifiers differ in: how crops are cut, scaled and scored."""
        if self.seen.facts.metadata.task == "classify":
            self._as_ultralytics_classifies()
        habits = {"preprocessing": {"resize": "stretch", "interpolation": "bilinear", "channels": "rgb"}}
        self._take(habits, "crops stretched to the canvas, bilinear, RGB: what most classifiers take")
        if not (has(self.known, "preprocessing.std") or has(self.known, "preprocessing.mean")):
            self.questions.append(NORMALISATION)
        if not has(self.known, "activation"):
            self._activation()
        if self.known.get("activation") == "sigmoid":
            self._take({"confidence_threshold": 0.5}, "a class counts from 0.5: the middle of a sigmoid")

    def licence(self) -> None:
        stated = self.seen.facts.metadata.licence
        if stated:
            self._take({"licence": stated}, f"licence {stated}: written in the file")
        if not has(self.known, "licence"):
            self.questions.append(LICENCE)

    def _take(self, fragment: Fragment, reason: str) -> None:
        """Lay what was read below what is known; the reason counts when any of it was new."""
        before, self.known = merged({}, self.known), merged(fragment, self.known)
        if reason and self.known != before:
            self.reasons.append(reason)

    def _canvas(self, head: Head) -> None:
        width, height = self.seen.canvas
        canvas, exported = {"canvas": self.seen.canvas}, self.seen.facts.metadata.canvas
        if not self.seen.is_open:
            self._take(canvas, f"canvas {width} x {height}: its input is that large")
        elif exported == self.seen.canvas:
            self._take(canvas, f"canvas {width} x {height}: what it was exported for")
        if not has(self.known, "canvas"):
            self.questions.append(canvas_question(head))

    def _as_ultralytics_classifies(self) -> None:
        width, height = self.seen.canvas
        recipe: dict[str, object] = {"std": 255, "channels": "rgb", "interpolation": "bilinear"}
        if width == height:
            crop = {"resize_size": width, "resize_mode": "shorter_side", "center_crop": width}
            recipe |= {"resize": "crop", "crop": crop}
        self._take(
            {"preprocessing": recipe}, "shorter side resized, middle cut out, 0..1: as Ultralytics does"
        )

    def _activation(self) -> None:
        scores = next(iter(self.seen.outputs.values())).reshape(1, -1)
        if _are_probabilities(scores):
            self._take({"activation": "none"}, "activation none: its scores sum to 1 already")
        else:
            is_bounded = bool(scores.min() >= 0) and bool(scores.max() <= 1)
            self.questions.append(activation_question(is_bounded=is_bounded))

    def _sort(self, labels: list[str]) -> None:
        result = sort_labels(labels)
        fragment = {
            "categories": result.categories,
            "default_category": result.default_category,
            "names_species": result.names_species,
        }
        self._take(fragment, f"categories: {result.reason}")


def _are_probabilities(scores: Tensor) -> bool:
    """Say whether rows are the result of a softmax."""
    return bool(scores.min() >= 0) and bool(np.all(np.abs(scores.sum(axis=1) - 1) < 1e-3))
