"""Two detectors as one: an animal specialist and a COCO network that knows people and vehicles.

MegadetectorLite sees animals only, and fires on people and vehicles as well; NanoDet knows
people, vehicles and ten common animals, and takes apes for people. Together they give
MegaDetector's three classes. The rule was developed on 41 public pictures; its numbers are
limits of suppression only, so a lower threshold of the caller still finds weaker boxes.
"""

from okapia.domain.models import ModelReport
from okapia.domain.types import Category, Detection, Size
from okapia.models.base import Detector
from okapia.vision.resample import Pixels

COCO_ANIMAL = 0.4
"""The COCO network's animals count from here: below, it calls stumps and shadows animals."""
COCO_SURE = 0.4
"""A person or vehicle of at least this confidence can overrule the animal specialist."""
ANIMAL_SURE = 0.7
"""An animal of at least this confidence is never overruled, and overrules a person."""
SAME_ANIMAL_IOU = 0.45
OVERRULED_IOU = 0.3
OVERRULED_COVER = 0.6
PERSON_IS_ANIMAL_IOU = 0.5


class Fusion:
    """A detector made of an animal specialist and a COCO detector."""

    def __init__(self, *, animals: Detector, coco: Detector) -> None:
        self._animals = animals
        self._coco = coco
        self.reports: tuple[ModelReport, ...] = (*animals.reports, *coco.reports)

    def wanted(self, picture: Size) -> Size:
        animals, coco = self._animals.wanted(picture), self._coco.wanted(picture)
        return max(animals[0], coco[0]), max(animals[1], coco[1])

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        return fuse(self._animals.detect(pixels), self._coco.detect(pixels))


def fuse(animals: tuple[Detection, ...], coco: tuple[Detection, ...]) -> tuple[Detection, ...]:
    """Join what two detectors saw in one picture, most confident first.

    Args:
        animals: boxes of the animal specialist.
        coco: boxes of the COCO detector, of every category; `other` is left out.
    """
    specialist = [a for a in animals if not _is_overruled(a, coco)]
    further = [c for c in coco if c.category is Category.ANIMAL and c.confidence >= COCO_ANIMAL]
    joined = _without_doubles([*specialist, *further])
    sure_animals = [a for a in joined if a.confidence >= ANIMAL_SURE]
    people = [c for c in coco if c.category is Category.PERSON and not _is_sure_animal(c, sure_animals)]
    vehicles = [c for c in coco if c.category is Category.VEHICLE]
    return tuple(sorted([*joined, *people, *vehicles], key=lambda d: d.confidence, reverse=True))


def _is_overruled(animal: Detection, coco: tuple[Detection, ...]) -> bool:
    """Decide whether the specialist fired on a person or a vehicle."""
    if animal.confidence >= ANIMAL_SURE:
        return False
    return any(
        animal.bbox.iou(other.bbox) >= OVERRULED_IOU or animal.bbox.covered_by(other.bbox) >= OVERRULED_COVER
        for other in coco
        if other.category in {Category.PERSON, Category.VEHICLE} and other.confidence >= COCO_SURE
    )


def _is_sure_animal(person: Detection, sure_animals: list[Detection]) -> bool:
    """Decide whether the COCO network took an animal (an ape) for a person."""
    return person.confidence < ANIMAL_SURE and any(
        person.bbox.iou(animal.bbox) >= PERSON_IS_ANIMAL_IOU for animal in sure_animals
    )


def _without_doubles(boxes: list[Detection]) -> list[Detection]:
    """Keep the most confident of boxes that overlap by more than `SAME_ANIMAL_IOU`."""
    kept: list[Detection] = []
    for box in sorted(boxes, key=lambda d: d.confidence, reverse=True):
        if all(box.bbox.iou(other.bbox) <= SAME_ANIMAL_IOU for other in kept):
            kept.append(box)
    return kept
