"""Whether two networks say the same of the same pictures: the gate before a faster variant is installed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, Literal

from okapia.domain.types import Classification, Detection

BOX_CONFIDENCE: Final = 0.2
"""A box counts from this confidence on: what a caller sees who asks for nothing else (`AnalysisOptions`)."""

CROP_SCORE: Final = 0.65
"""A crop counts from this score of its best taxon on: below it no species is reported (SpeciesNet's
thresholds 4b and 5a)."""

PARTNER: Final = 0.5
"""Share of those that the same answer of the other network has to reach.

An answer next to the line falls on either side of it in every engine (bf16 against f32 had 33 of 35 boxes
of 0.2, November 2026). That is a change of confidence and is judged as one; nothing was lost.
"""

SAME_IOU: Final = 0.5
"""Boxes that overlap this much are the same box, as in every detection benchmark since PASCAL VOC."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What a variant needs to be let through.

    The defaults lie between bf16, which is taken for harmless, and plain quantisation, which lost or
    invented a quarter of the boxes (YOLOX-tiny on 30 photos, 34 boxes, November 2026): boxes found or
    confirmed 34 of 34 against 25 of 34 and 33 of 51; mean IoU 0.991 against 0.83 and 0.89; mean change of
    confidence 0.004 against 0.064 and 0.047.

    Attributes:
        least_items: boxes or crops that count, at least. A variant that loses a quarter of them keeps
            all of 20 with a probability of 0.3 %.
        least_share: of the original's that the variant has too, and of the variant's that the original has.
        least_iou: mean over the pairs. Another way of shrinking pictures costs as much (0.937 to 0.977).
        largest_mean_change: of confidence.
        largest_change: of any one confidence; less than separates two neighbouring thresholds in use.
    """

    least_items: int = 20
    least_share: float = 0.97
    least_iou: float = 0.95
    largest_mean_change: float = 0.02
    largest_change: float = 0.2


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a candidate's answers compare with those of a reference.

    Attributes:
        kind: what is counted: boxes of a detector, crops of a classifier.
        inputs: pictures or crops that both networks were shown.
        reference: boxes of at least `BOX_CONFIDENCE`, or crops with a taxon of at least `CROP_SCORE`.
        candidate: the same of the other network.
        matched: pairs of which both count.
        found: of `reference`, those that the candidate has at `PARTNER` of the line or above.
        confirmed: of `candidate`, those that the reference has so.
        mean_iou: of the pairs of which at least one counts, 0..1; None for crops.
        mean_change: of confidence, over the same pairs, 0..1; 0 without pairs.
        largest_change: the greatest of those.
    """

    kind: Literal["boxes", "crops"]
    inputs: int
    reference: int
    candidate: int
    matched: int
    found: int
    confirmed: int
    mean_iou: float | None
    mean_change: float
    largest_change: float

    def passes(self, gate: Gate) -> bool:
        return not self.shortfalls(gate)

    def shortfalls(self, gate: Gate) -> tuple[str, ...]:
        """Say in words what is missing; empty when the gate is passed."""
        return tuple(self._shortfalls(gate))

    def __str__(self) -> str:
        iou = "" if self.mean_iou is None else f", mean IoU {self.mean_iou:.3f}"
        return (
            f"{self.kind} {self.reference} / {self.candidate} / {self.matched} (original / variant / both), "
            f"found again {self.found}, confirmed {self.confirmed}{iou}, change of confidence "
            f"{self.mean_change:.3f} on average, {self.largest_change:.3f} at most"
        )

    def _shortfalls(self, gate: Gate) -> Iterator[str]:
        if self.reference < gate.least_items:
            yield (
                f"{self.reference} {self.kind} in the original's answers are too few to judge by; "
                f"expected {gate.least_items}, so give more pictures that show something"
            )
        if self.found < gate.least_share * self.reference:
            yield f"{self.reference - self.found} of {self.reference} {self.kind} are lost"
        if self.confirmed < gate.least_share * self.candidate:
            yield f"{self.candidate - self.confirmed} of {self.candidate} {self.kind} are invented"
        if self.mean_iou is not None and self.mean_iou < gate.least_iou:
            yield f"boxes moved: mean IoU {self.mean_iou:.3f}, expected {gate.least_iou:g}"
        if self.mean_change > gate.largest_mean_change:
            yield f"mean change of confidence {self.mean_change:.3f}, at most {gate.largest_mean_change:g}"
        if self.largest_change > gate.largest_change:
            yield f"one confidence changed by {self.largest_change:.3f}, at most {gate.largest_change:g}"


def compare_boxes(
    reference: Sequence[Sequence[Detection]], candidate: Sequence[Sequence[Detection]]
) -> Agreement:
    """Compare two detectors' answers to the same pictures, in the same order.

    Boxes of one label are paired within a picture, the best overlap first. The label is the detector's own,
    which decides the category too: a dog that became a cat is lost and invented.

    Raises:
        ValueError: the sequences differ in length.
    """
    pairs = [pair for old, new in zip(reference, candidate, strict=True) for pair in _same_boxes(old, new)]
    return _agreement(
        "boxes",
        inputs=len(reference),
        line=BOX_CONFIDENCE,
        scores=[[box.confidence for boxes in answers for box in boxes] for answers in (reference, candidate)],
        pairs=pairs,
    )


def compare_crops(
    reference: Sequence[Sequence[Classification]], candidate: Sequence[Sequence[Classification]]
) -> Agreement:
    """Compare two classifiers' answers to the same crops, in the same order; best taxon first.

    Crops on which both name the same best taxon are pairs.

    Raises:
        ValueError: the sequences differ in length.
    """
    pairs = [
        _Pair(old[0].score, new[0].score)
        for old, new in zip(reference, candidate, strict=True)
        if old and new and old[0].taxon == new[0].taxon
    ]
    return _agreement(
        "crops",
        inputs=len(reference),
        line=CROP_SCORE,
        scores=[[taxa[0].score for taxa in answers if taxa] for answers in (reference, candidate)],
        pairs=[pair for pair in pairs if min(pair.old, pair.new) >= PARTNER * CROP_SCORE],
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    """The same answer of both networks: its confidences, and the overlap when it is a box."""

    old: float
    new: float
    iou: float | None = None


def _same_boxes(old: Sequence[Detection], new: Sequence[Detection]) -> Iterator[_Pair]:
    """Pair the boxes of one picture that reach `PARTNER` of the line."""
    near_old, near_new = (
        [box for box in boxes if box.confidence >= PARTNER * BOX_CONFIDENCE] for boxes in (old, new)
    )
    overlaps = (
        (a.bbox.iou(b.bbox), i, j)
        for i, a in enumerate(near_old)
        for j, b in enumerate(near_new)
        if a.label == b.label
    )
    free_old, free_new = set(range(len(near_old))), set(range(len(near_new)))
    for iou, i, j in sorted(overlaps, key=lambda overlap: overlap[0], reverse=True):
        if iou >= SAME_IOU and i in free_old and j in free_new:
            free_old.remove(i)
            free_new.remove(j)
            yield _Pair(near_old[i].confidence, near_new[j].confidence, iou)


def _agreement(
    kind: Literal["boxes", "crops"],
    *,
    inputs: int,
    line: float,
    scores: Sequence[Sequence[float]],
    pairs: Sequence[_Pair],
) -> Agreement:
    """Sum up; `scores` are the reference's and the candidate's, of any height."""
    counted = [pair for pair in pairs if max(pair.old, pair.new) >= line]
    overlaps = [pair.iou for pair in counted if pair.iou is not None]
    changes = [abs(pair.old - pair.new) for pair in counted]
    reference, candidate = (sum(score >= line for score in of_one) for of_one in scores)
    return Agreement(
        kind=kind,
        inputs=inputs,
        reference=reference,
        candidate=candidate,
        matched=sum(min(pair.old, pair.new) >= line for pair in counted),
        found=sum(pair.old >= line for pair in counted),
        confirmed=sum(pair.new >= line for pair in counted),
        mean_iou=fmean(overlaps) if overlaps else None,
        mean_change=fmean(changes) if changes else 0.0,
        largest_change=max(changes, default=0.0),
    )
