"""Pictures of animals, people and cars, as they were answered."""

from datetime import datetime

from okapia.domain.taxonomy import Taxon
from okapia.domain.types import Analysis, BBox, Category, Detection, ImageInfo, Prediction
from okapia.models.taxa import builtin_taxonomy
from okapia.webhooks.events import Seen

TAXONOMY = builtin_taxonomy()
DUSK = datetime(2026, 6, 1, 21, 30, 0)  # noqa: DTZ001 - cameras do not know their zone
BOX = BBox(0.1, 0.2, 0.3, 0.4)


def taxon(name: str) -> Taxon:
    """Give a taxon by its common or latin name."""
    return next(one for one in TAXONOMY if name in {one.common_name, one.scientific_name.lower()})


def animal(name: str | None = None, *, score: float = 0.8, confidence: float = 0.9) -> Detection:
    """An animal, named or not."""
    prediction = Prediction(taxon(name), score, "classifier") if name else None
    return Detection(BOX, Category.ANIMAL, confidence, "animal", prediction=prediction)


def thing(category: Category, *, confidence: float = 0.9) -> Detection:
    return Detection(BOX, category, confidence, category.value)


def seen(
    *detections: Detection,
    answer_id: str = "a1",
    camera: str | None = None,
    captured_at: datetime | None = None,
    sequence_id: str | None = None,
) -> Seen:
    """A picture with these detections."""
    analysis = Analysis(ImageInfo(640, 480, "JPEG", 1000), detections)
    return Seen(
        answer_id,
        "fox.jpg",
        analysis,
        camera=camera,
        sequence_id=sequence_id,
        captured_at=captured_at,
    )
