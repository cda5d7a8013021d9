"""What the pipeline says of one box: the decision list, then the project's own list."""

from okapia.domain.taxonomy import ANIMAL, HUMAN, VEHICLE, Taxonomy
from okapia.domain.types import Category, Classification, Detection, Prediction
from okapia.pipeline.ensemble import TOP, decide
from okapia.pipeline.geofence import OPEN, Fence
from okapia.pipeline.species_list import SpeciesList

_COARSE = {Category.ANIMAL: ANIMAL, Category.PERSON: HUMAN, Category.VEHICLE: VEHICLE}


def predict(
    detection: Detection,
    classifications: tuple[Classification, ...],
    taxonomy: Taxonomy,
    *,
    fence: Fence = OPEN,
    species_list: SpeciesList | None = None,
    top_classes: int = TOP,
) -> Prediction | None:
    """Say what is in a box that counts as found.

    Where nothing was classified the detector's word counts. So it does where the rules end without
    an answer (6): SpeciesNet calls a box below 0.5 unknown then, but whoever asks for boxes of at
    least some confidence has said what counts as found.

    Returns:
        None for a box of the category `other`, of which the taxonomy knows nothing.
    """
    coarse = _COARSE.get(detection.category)
    if not classifications:
        return Prediction(coarse, detection.confidence, "detector") if coarse else None
    prediction = decide(detection, classifications, taxonomy=taxonomy, fence=fence, top_classes=top_classes)
    if prediction.decision == "6":
        return Prediction(coarse, detection.confidence, "detector", "6") if coarse else None
    return species_list.restrict(prediction, fence) if species_list else prediction
