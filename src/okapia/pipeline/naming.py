"""What scores are turned into answers with: a taxonomy, ranges, and a project's own list."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from okapia.domain.taxonomy import Taxonomy
from okapia.domain.types import Classification, Detection, Prediction, Where
from okapia.models.ranges import builtin_ranges
from okapia.pipeline.ensemble import TOP, decide
from okapia.pipeline.geofence import Fence, Geofence
from okapia.pipeline.geofence_build import amend_geofence
from okapia.pipeline.geofence_files import geofence_of, read_geofence, read_rules
from okapia.pipeline.species import predict
from okapia.pipeline.species_list import SpeciesList, read_species_list

BUILTIN = "builtin"
"""A card's word for the ranges that ship with the built-in label tables."""


@dataclass(frozen=True, slots=True)
class Naming:
    """Turns scores into answers; the same for every picture of a pipeline.

    Attributes:
        top_classes: how many of a classifier's best classes the rules look at.
    """

    taxonomy: Taxonomy
    geofence: Geofence
    species_list: SpeciesList | None = None
    top_classes: int = TOP

    def fence(self, where: Where) -> Fence:
        """Give what the ranges say at one place."""
        return self.geofence.at(where.country, where.state)

    def found(
        self, detection: Detection, scores: tuple[Classification, ...], fence: Fence
    ) -> Prediction | None:
        """Answer as Okapia does, for a box that counts as found; None for a box of the category `other`."""
        return predict(
            detection,
            scores,
            self.taxonomy,
            fence=fence,
            species_list=self.species_list,
            top_classes=self.top_classes,
        )

    def decided(
        self, detection: Detection | None, scores: Sequence[Classification], fence: Fence
    ) -> Prediction:
        """Answer as SpeciesNet does: pictures without a box and unknown animals have answers too."""
        prediction = decide(
            detection, scores, taxonomy=self.taxonomy, fence=fence, top_classes=self.top_classes
        )
        return self.species_list.restrict(prediction, fence) if self.species_list else prediction


@dataclass(frozen=True, slots=True)
class RangeFiles:
    """What an operator or a run adds to what models bring.

    Attributes:
        rules: a file of range rules on top of the model's.
        species_list: a CSV of the only taxa that an answer may be.
    """

    rules: Path | None = None
    species_list: Path | None = None

    def naming(self, taxonomy: Taxonomy, *, geofence: str, top_classes: int = TOP) -> Naming:
        """Put together what answers are made with.

        Args:
            geofence: of the model's card: a file, `builtin`, or empty for none.
            top_classes: of the model's card.

        Raises:
            InvalidRequest: a file is not readable or contradicts itself; the message names it.
        """
        ranges = _ranges(geofence)
        if self.rules is not None:
            ranges = amend_geofence(ranges, read_rules(self.rules), taxonomy=taxonomy)
        listed = read_species_list(self.species_list, taxonomy) if self.species_list is not None else None
        return Naming(taxonomy, ranges, listed, top_classes)


def _ranges(source: str) -> Geofence:
    if not source:
        return Geofence({})
    return geofence_of(builtin_ranges().as_rules()) if source == BUILTIN else read_geofence(Path(source))
