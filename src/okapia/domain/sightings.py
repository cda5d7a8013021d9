"""What a clip holds in short: each kind of animal or thing once, with its best frame."""

from collections.abc import Iterable
from dataclasses import dataclass

from okapia.domain.taxonomy import Taxon
from okapia.domain.types import Category, Detection


@dataclass(frozen=True, slots=True)
class Sighting:
    """One taxon of one category in a clip.

    Attributes:
        taxon: None where nothing names it: boxes of the category `other`.
        best: its most confident box; `best.frame` is the frame to show.
        frames: in how many frames that were looked at it was found, however many boxes each has.
    """

    category: Category
    taxon: Taxon | None
    best: Detection
    frames: int


def sightings(detections: Iterable[Detection]) -> tuple[Sighting, ...]:
    """Sum up the boxes that counted as found; what is in most frames comes first.

    Args:
        detections: an analysis's, of at least the threshold of its run (`Analysis.above`).
    """
    kinds: dict[tuple[Category, Taxon | None], list[Detection]] = {}
    for detection in detections:
        taxon = detection.prediction.taxon if detection.prediction else None
        kinds.setdefault((detection.category, taxon), []).append(detection)
    summed = (_sighting(category, taxon, boxes) for (category, taxon), boxes in kinds.items())
    return tuple(sorted(summed, key=lambda sighting: (-sighting.frames, -sighting.best.confidence)))


def _sighting(category: Category, taxon: Taxon | None, boxes: list[Detection]) -> Sighting:
    best = max(boxes, key=lambda box: box.confidence)
    return Sighting(category, taxon, best, frames=len({box.frame for box in boxes}))
