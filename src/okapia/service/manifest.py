"""What made a results file: enough to make its numbers again, or to say what would make others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import TypeAdapter, ValidationError

from okapia import __version__
from okapia.domain.clips import FrameRule
from okapia.domain.errors import InvalidRequest
from okapia.domain.models import ModelChoice, ModelReport
from okapia.domain.types import AnalysisOptions, Crops, Smooth, Where
from okapia.formats.base import Json
from okapia.models.tuning import machine_name
from okapia.service.analysis import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What made a results file; lies in it as JSON.

    Attributes:
        fingerprint: of the models (`Models.fingerprint`).
        models: how each network ran.
        machine: its processor.
        keep_above: least confidence of a box that was written.
        top_k: most classes written for a box; None for all.
        geofence, species_list: names of the files that were put on top of what the models bring.
    """

    okapia_version: str
    fingerprint: str
    models: tuple[ModelReport, ...]
    machine: str
    detector: str
    classifier: str | None
    tiles: int
    threshold: float
    classify: bool
    crops: Crops
    smooth: Smooth
    frames: FrameRule | None
    country: str | None
    state: str | None
    keep_above: float
    top_k: int | None
    scaling: str
    truncated: str
    max_pixels: int
    geofence: str | None
    species_list: str | None

    @classmethod
    def of(
        cls,
        service: Service,
        choice: ModelChoice,
        options: AnalysisOptions,
        *,
        keep_above: float,
        top_k: int | None = None,
    ) -> Self:
        """Say how a service answers with these models; they are loaded if need be.

        Raises:
            ModelError: a model is unknown, not installed, damaged, or cannot be loaded.
        """
        pipeline, ranges = service.models.pipeline(choice), service.models.ranges
        return cls(
            okapia_version=__version__,
            fingerprint=service.models.fingerprint(choice),
            models=pipeline.reports,
            machine=machine_name(),
            detector=choice.detector,
            classifier=choice.classifier,
            tiles=choice.tiles,
            threshold=options.threshold,
            classify=options.classify,
            crops=options.crops,
            smooth=options.smooth,
            frames=options.frames,
            country=options.where.country,
            state=options.where.state,
            keep_above=keep_above,
            top_k=top_k,
            scaling=pipeline.policy.scaling,
            truncated=pipeline.policy.truncated,
            max_pixels=pipeline.policy.max_pixels,
            geofence=ranges.rules.name if ranges.rules else None,
            species_list=ranges.species_list.name if ranges.species_list else None,
        )

    @classmethod
    def read(cls, document: object) -> "Manifest":
        """Read what `as_json` gave.

        Raises:
            InvalidRequest: it is something else, or of an Okapia that wrote less down.
        """
        try:
            return _MANIFEST.validate_python(document)
        except ValidationError as error:
            lacking = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors()[:3])
            raise InvalidRequest(
                f"expected a results file with Okapia's manifest, this one's lacks {lacking or 'everything'}",
                param="results",
            ) from error

    def as_json(self) -> Mapping[str, Json]:
        """Give it as it lies in a results file."""
        written: Mapping[str, Json] = _MANIFEST.dump_python(self, mode="json")
        return written

    @property
    def choice(self) -> ModelChoice:
        return ModelChoice(self.detector, self.classifier, self.tiles)

    @property
    def options(self) -> AnalysisOptions:
        return AnalysisOptions(
            threshold=self.threshold,
            classify=self.classify,
            crops=self.crops,
            where=Where(self.country, self.state),
            smooth=self.smooth,
            frames=self.frames,
        )


_MANIFEST = TypeAdapter(Manifest)
