"""From a classifier's scores to what we say of one box."""

from okapia.domain.taxonomy import ANIMAL, HUMAN, VEHICLE, Taxonomy, roll_up
from okapia.domain.types import Category, Classification, Detection, Prediction

CERTAIN = 0.65
"""Score that a taxon must exceed: SpeciesNet's thresholds 4b and 5a (4.0.0 to 5.0.6)."""

_COARSE = {Category.ANIMAL: ANIMAL, Category.PERSON: HUMAN, Category.VEHICLE: VEHICLE}


def predict(
    detection: Detection, classifications: tuple[Classification, ...], taxonomy: Taxonomy
) -> Prediction | None:
    """Say what is in the box: the best taxon, else a higher one, else the detector's word.

    Returns:
        None for a box of the category `other`, of which the taxonomy knows nothing.
    """
    if classifications and classifications[0].score > CERTAIN:
        return Prediction(classifications[0].taxon, classifications[0].score, "classifier")
    scores = {c.taxon: c.score for c in classifications}
    rolled = roll_up(scores, taxonomy, threshold=CERTAIN)
    if rolled is not None:
        return Prediction(rolled.taxon, rolled.score, f"classifier+rollup_to_{rolled.rank}")
    coarse = _COARSE.get(detection.category)
    return Prediction(coarse, detection.confidence, "detector") if coarse else None
