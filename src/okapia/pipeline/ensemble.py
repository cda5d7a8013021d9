"""From a detector's box and a classifier's scores to one answer: SpeciesNet's decision list.

The rules, their order, thresholds and sources are those of SpeciesNet 4.0.0 to 5.0.6 (google/
cameratrapai, Apache-2.0), which asked them once a picture until 5.0.5 and asks them once a box since.
"""

from collections.abc import Iterable, Sequence

from okapia.domain.errors import InvalidRequest
from okapia.domain.rollup import roll_up
from okapia.domain.taxonomy import ANIMAL, BLANK, HUMAN, UNKNOWN, VEHICLE, Taxon, Taxonomy
from okapia.domain.types import Category, Classification, Detection, Prediction
from okapia.pipeline.geofence import OPEN, Fence, geofence_step, summed

TOP = 5
"""Classes that SpeciesNet's rules look at, however many are reported."""

# Every threshold is compared strictly: a value that equals it does not pass.
SURE_BOX = 0.7  # 1a, 2b
POSSIBLE_BOX = 0.2  # 1b, 2a, 2c, 4b; below it a picture may be blank (3a)
ANIMAL_BOX = 0.5  # 5b
LIKELY_CLASS = 0.5  # 1b, 2a, 3a
VEHICLE_CLASS = 0.4  # 2c
SURE_BLANK = 0.99  # 3b
SURE_CLASS = 0.8  # 4a
CERTAIN = 0.65  # 4b, 5a

_NOT_SPECIES = (BLANK, HUMAN, VEHICLE)

_ROUNDING = 1e-6
"""By how much a score may exceed 1: a softmax in 32-bit floats does."""


def decide(  # noqa: C901, PLR0911 - a flat list: one guarded return a rule, as the field knows them
    detection: Detection | None,
    classifications: Sequence[Classification],
    *,
    taxonomy: Taxonomy,
    fence: Fence = OPEN,
    top_classes: int = TOP,
) -> Prediction:
    """Give one answer by the first rule that holds, of 1a to 6.

    Args:
        detection: the box that was classified; the most confident of all for one answer a picture;
            None when there is no box, which counts as an animal of confidence 0.
        classifications: best first, of which the first `top_classes` count; they may hold `BLANK`,
            `HUMAN` and `VEHICLE`, need not sum to 1, and may be empty.
        taxonomy: knows the ancestors that scores roll up to.

    Raises:
        InvalidRequest: a score or the confidence is no number of 0..1, classes are not best first, or
            `fence` names a place by no code and an animal is looked up.
    """
    top = _checked(classifications[:top_classes])
    best, c = (top[0].taxon, top[0].score) if top else (UNKNOWN, 0.0)
    box, d = (detection.category, _checked_confidence(detection)) if detection else (Category.ANIMAL, 0.0)
    is_possible = d > POSSIBLE_BOX

    if box is Category.PERSON and d > SURE_BOX:
        return Prediction(HUMAN, d, "detector", "1a")
    if box is Category.PERSON and is_possible and best in {HUMAN, VEHICLE} and c > LIKELY_CLASS:
        return Prediction(HUMAN, c, "classifier", "1b")
    if box is Category.VEHICLE and is_possible and best == HUMAN and c > LIKELY_CLASS:
        return Prediction(HUMAN, c, "classifier", "2a")
    if box is Category.VEHICLE and d > SURE_BOX:
        return Prediction(VEHICLE, d, "detector", "2b")
    if box is Category.VEHICLE and is_possible and best == VEHICLE and c > VEHICLE_CLASS:
        return Prediction(VEHICLE, c, "classifier", "2c")
    if d < POSSIBLE_BOX and best == BLANK and c > LIKELY_CLASS:
        return Prediction(BLANK, c, "classifier", "3a")
    if best == BLANK and c > SURE_BLANK:
        return Prediction(BLANK, c, "classifier", "3b")
    if best not in _NOT_SPECIES and c > SURE_CLASS:
        return geofence_step(top, taxonomy, fence, decision="4a")
    if best not in _NOT_SPECIES and c > CERTAIN and box is Category.ANIMAL and is_possible:
        return geofence_step(top, taxonomy, fence, decision="4b")
    if rolled := _rolled_up(top, taxonomy, fence):
        return rolled
    if box is Category.ANIMAL and d > ANIMAL_BOX:
        return Prediction(ANIMAL, d, "detector", "5b")
    return Prediction(UNKNOWN, c, "classifier", "6")


def top_detection(detections: Iterable[Detection]) -> Detection | None:
    """Give the box that one answer a picture is made with: the most confident, the first of equals."""
    return max(detections, key=lambda box: box.confidence, default=None)


def picture_prediction(detections: Iterable[Detection]) -> Prediction | None:
    """Give one answer a picture from answers a box, for formats that have one (SpeciesNet's to 5.0.5).

    It is that of the most confident box that was classified; None when none was.
    """
    classified = top_detection(box for box in detections if box.classifications)
    return classified.prediction if classified else None


def classifications_of(labels: Sequence[str], scores: Sequence[float]) -> tuple[Classification, ...]:
    """Pair a file's seven-part labels with its scores, in their order.

    Raises:
        InvalidRequest: their numbers differ, or one is no seven-part label.
    """
    if len(labels) != len(scores):
        raise InvalidRequest(
            f"expected a score for each class, got {len(labels)} classes and {len(scores)} scores",
            param="classifications",
        )
    return tuple(
        Classification(Taxon.from_label(label), score) for label, score in zip(labels, scores, strict=True)
    )


def _rolled_up(top: Sequence[Classification], taxonomy: Taxonomy, fence: Fence) -> Prediction | None:
    """Rule 5a; says what would have been the answer elsewhere, where that is another."""
    scores = summed(top)
    rolled = roll_up(scores, taxonomy, threshold=CERTAIN, allows=fence.allows)
    if rolled is None:
        return None
    source = f"classifier+rollup_to_{rolled.rank}"
    elsewhere = roll_up(scores, taxonomy, threshold=CERTAIN) if fence.country else rolled
    kept_out = fence.rule(elsewhere.taxon) if elsewhere else None
    if elsewhere is None or kept_out is None:
        return Prediction(rolled.taxon, rolled.score, source, "5a")
    restriction = fence.restriction(elsewhere.taxon, kept_out, level=rolled.rank)
    return Prediction(rolled.taxon, rolled.score, source, "5a", (restriction,))


def _checked(classifications: Sequence[Classification]) -> tuple[Classification, ...]:
    """The classes that count, after a look at their scores; NaN fails every comparison."""
    top = tuple(classifications)
    limit = 1.0 + _ROUNDING
    for seen in top:
        if not 0.0 <= seen.score <= limit:
            raise InvalidRequest(
                f"expected scores of 0..1, best first, got {', '.join(f'{s.score:g}' for s in top)}",
                param="scores",
            )
        limit = seen.score
    return top


def _checked_confidence(detection: Detection) -> float:
    if not 0.0 <= detection.confidence <= 1.0 + _ROUNDING:
        raise InvalidRequest(
            f"expected a detection's confidence of 0..1, got {detection.confidence:g}", param="detections"
        )
    return detection.confidence
