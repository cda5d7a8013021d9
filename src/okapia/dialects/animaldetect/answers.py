"""The answers, field by field."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated
from uuid import uuid4

from pydantic import BaseModel, Field

from okapia.dialects.animaldetect.asking import Asked
from okapia.domain.models import ModelChoice
from okapia.domain.taxonomy import HUMAN, Taxon
from okapia.domain.types import Analysis, Category, Detection, Failure, ImageResult, Restriction, Smoothing
from okapia.service import ResolvedPlace

Allowed = Callable[[Taxon], bool]
"""Whether a taxon may be the answer in the place that the caller named."""

_LABELS = {Category.PERSON: "human"}
"""The vendor says `human` where MegaDetector says `person`."""


_MIME_NAMES = {"MPO": "jpeg"}
"""Formats whose media type is not their name: an MPO is a JPEG with further pictures behind it."""


class Taxonomy(BaseModel):
    """A taxon with SpeciesNet's id; ranks below the taxon's own are empty."""

    id: str
    class_: Annotated[str, Field(serialization_alias="class")]
    order: str
    family: str
    genus: str
    species: str


class Candidate(BaseModel):
    """Another class that the classifier saw in the box, with its own score."""

    label: str
    score: float
    taxonomy: Taxonomy


class KeptOut(BaseModel):
    """What kept a more precise answer out, and what that was (ours)."""

    rule: str
    country: str | None
    admin1: str | None
    original_label: str
    original_taxonomy_id: str
    rolled_up_to: str | None


class Smoothed(BaseModel):
    """That the label comes from the box's neighbours, and what its own scores gave (ours)."""

    rule: str
    original_label: str
    original_taxonomy_id: str


class Annotation(BaseModel):
    """One box of `detect`: `bbox` is [x_min, y_min, width, height], fractions of the image."""

    id: int
    bbox: tuple[float, float, float, float]
    score: float
    label: str
    taxonomy: Taxonomy | None = None
    category: str
    detection_score: float
    source: str | None = None
    decision: str | None = None
    geofence: list[KeptOut] | None = None
    smoothing: Smoothed | None = None
    top_candidates: list[Candidate] | None = None
    rank: str | None = None
    scientific_name: str | None = None


class CoarseDetection(BaseModel):
    """One box of `filter`."""

    id: int
    bbox: tuple[float, float, float, float]
    score: float
    label: str
    category: str


class Info(BaseModel):
    """How the answer came about."""

    processing_time_ms: int
    model_id: str
    model_version: str
    threshold_applied: float
    country_processed: str | None = None
    admin1_processed: str | None = None
    warnings: list[dict[str, str]] | None = None
    source_url: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """Under which id an answer can be had again, and until when."""

    until: datetime
    id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def expires_at(self) -> str:
        return moment(self.until)


def moment(time: datetime) -> str:
    """Write a time as the vendor does: UTC, milliseconds, `Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class DetectAnswer(BaseModel):
    """Answer of `/v1/detect`."""

    id: str
    expires_at: str
    annotations: list[Annotation]
    metadata: dict[str, object] | None = None
    info: Info


class FilterAnswer(BaseModel):
    """Answer of `/v1/filter`."""

    id: str
    expires_at: str
    detections: list[CoarseDetection]
    metadata: dict[str, object] | None = None
    info: Info


class BatchInfo(BaseModel):
    """How a whole batch went: `total_failed` pictures (ours) have an `error` in place of an answer."""

    total_processed: int
    total_failed: int
    total_time_ms: int
    model_id: str
    model_version: str
    threshold_applied: float
    country_processed: str | None = None
    admin1_processed: str | None = None
    warnings: list[dict[str, str]] | None = None


class BatchAnswer(BaseModel):
    """Answer of the batch calls: one result a picture, in the order in which they were sent."""

    id: str
    expires_at: str
    results: list[dict[str, object]]
    info: BatchInfo


def info_of(
    choice: ModelChoice,
    asked: Asked,
    result: ImageResult,
    found: ResolvedPlace,
    *,
    aliases: Mapping[str, str],
) -> Info:
    """Say how the answer came about; `model_version` is what really answered, whatever its alias."""
    model_id = "+".join(choice.model_ids)
    return Info(
        processing_time_ms=round(result.seconds * 1000),
        model_id=aliases.get(model_id, model_id),
        model_version=model_id,
        threshold_applied=asked.parameters.threshold,
        country_processed=found.where.country,
        admin1_processed=found.where.state,
        warnings=[{"code": w.code, "message": w.message} for w in (*found.warnings, *asked.warnings)] or None,
        source_url=asked.source_url,
    )


def batch_item(index: int, asked: Asked, answer: DetectAnswer | FilterAnswer) -> dict[str, object]:
    """Give one picture's answer as it stands in a batch."""
    fields = answer.model_dump(by_alias=True, exclude_none=True, exclude={"id", "expires_at"})
    return {"index": index, "filename": asked.name, **fields}


def batch_failure(index: int, asked: Asked, failure: Failure, *, key: str) -> dict[str, object]:
    """Say in a picture's place why it has no answer; `key` is where its boxes would be."""
    error = {"code": failure.code, "message": failure.message}
    return {"index": index, "filename": asked.name, key: [], "error": error}


def batch_answer(
    results: list[dict[str, object]], info: Info, *, kept: Kept, milliseconds: int
) -> BatchAnswer:
    """Put the answers of a batch together; `info` is that of any of its pictures."""
    failed = sum("error" in result for result in results)
    totals = {
        "total_processed": len(results) - failed,
        "total_failed": failed,
        "total_time_ms": milliseconds,
    }
    shared = info.model_dump(exclude={"processing_time_ms", "source_url"})
    return BatchAnswer(
        id=kept.id,
        expires_at=kept.expires_at,
        results=results,
        info=BatchInfo.model_validate(totals | shared),
    )


def detect_answer(
    asked: Asked, analysis: Analysis, info: Info, *, kept: Kept, allowed: Allowed
) -> DetectAnswer:
    """Answer `/v1/detect`; further candidates are those that `allowed` lets be there."""
    annotations = [
        _annotation(place, d, asked.parameters.top_candidate, allowed)
        for place, d in enumerate(analysis.detections)
    ]
    return DetectAnswer(
        id=kept.id,
        expires_at=kept.expires_at,
        annotations=annotations,
        metadata=_metadata(asked, analysis),
        info=info,
    )


def filter_answer(asked: Asked, analysis: Analysis, info: Info, *, kept: Kept) -> FilterAnswer:
    detections = [_coarse(place, d) for place, d in enumerate(analysis.detections)]
    return FilterAnswer(
        id=kept.id,
        expires_at=kept.expires_at,
        detections=detections,
        metadata=_metadata(asked, analysis),
        info=info,
    )


def _annotation(place: int, detection: Detection, most: int | None, allowed: Allowed) -> Annotation:
    coarse = _coarse(place, detection)
    prediction = detection.prediction
    is_classified = detection.category is Category.ANIMAL and bool(detection.classifications)
    if prediction is None or not is_classified:
        taxonomy = _taxonomy(HUMAN) if detection.category is Category.PERSON else None
        return Annotation(**coarse.model_dump(), detection_score=coarse.score, taxonomy=taxonomy)
    return Annotation(
        **coarse.model_dump(exclude={"score", "label"}),
        score=round(prediction.score, 4),
        label=_label(prediction.taxon),
        taxonomy=_taxonomy(prediction.taxon),
        detection_score=coarse.score,
        source=prediction.source,
        decision=prediction.decision or None,
        geofence=[_kept(restriction) for restriction in prediction.restrictions] or None,
        smoothing=_smoothed(prediction.smoothing),
        top_candidates=_candidates(detection, prediction.taxon, most, allowed) if most else None,
        rank=prediction.taxon.rank,
        scientific_name=prediction.taxon.scientific_name,
    )


def _label(taxon: Taxon) -> str:
    """Name a taxon; some of SpeciesNet's have no common name."""
    return taxon.common_name or taxon.scientific_name.lower()


def _kept(restriction: Restriction) -> KeptOut:
    return KeptOut(
        rule=restriction.rule,
        country=restriction.country,
        admin1=restriction.state,
        original_label=_label(restriction.original),
        original_taxonomy_id=restriction.original.id,
        rolled_up_to=restriction.level,
    )


def _smoothed(smoothing: Smoothing | None) -> Smoothed | None:
    if smoothing is None:
        return None
    original = smoothing.original
    return Smoothed(rule=smoothing.rule, original_label=_label(original), original_taxonomy_id=original.id)


def _candidates(detection: Detection, answer: Taxon, most: int, allowed: Allowed) -> list[Candidate]:
    """Give the classes behind the answer, best first, that may be there."""
    others = (c for c in detection.classifications if c.taxon != answer and allowed(c.taxon))
    return [
        Candidate(label=_label(c.taxon), score=round(c.score, 4), taxonomy=_taxonomy(c.taxon))
        for c in islice(others, most)
    ]


def _coarse(place: int, detection: Detection) -> CoarseDetection:
    box = detection.bbox
    label = _LABELS.get(detection.category, detection.category.value)
    return CoarseDetection(
        id=place,
        bbox=(round(box.x_min, 4), round(box.y_min, 4), round(box.width, 4), round(box.height, 4)),
        score=round(detection.confidence, 4),
        label=label,
        category=label,
    )


def _taxonomy(taxon: Taxon) -> Taxonomy:
    return Taxonomy(
        id=taxon.id,
        class_=taxon.class_,
        order=taxon.order,
        family=taxon.family,
        genus=taxon.genus,
        species=taxon.species,
    )


def _metadata(asked: Asked, analysis: Analysis) -> dict[str, object] | None:
    """Give the fields that are known, when the caller asks for them."""
    if not asked.parameters.metadata:
        return None
    image, capture = analysis.image, analysis.image.capture
    fields: dict[str, object] = {
        "image_width": image.width,
        "image_height": image.height,
        "file_size": image.n_bytes,
        "mime_type": f"image/{_MIME_NAMES.get(image.format, image.format.lower())}",
        "captured_at": capture.captured_at.isoformat() if capture.captured_at else None,
        "captured_at_source": capture.captured_at_source,
        "camera_make": capture.camera_make,
        "camera_model": capture.camera_model,
        "camera_serial": capture.camera_serial,
        "latitude": capture.latitude,
        "longitude": capture.longitude,
        "orientation": capture.orientation,
        "exposure_time": round(capture.exposure_time, 6) if capture.exposure_time else None,
        "iso": capture.iso,
        "f_number": capture.f_number,
        "focal_length": capture.focal_length,
        "flash": capture.flash,
        "temperature": capture.temperature,
        "moon_phase": capture.moon_phase,
        "sequence": asdict(capture.sequence) if capture.sequence else None,
        "decoded_fraction": image.decoded_fraction if image.is_damaged else None,
    }
    return {name: value for name, value in fields.items() if value is not None}
