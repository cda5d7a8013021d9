"""What endpoints are told: events, and their payloads as the Standard Webhooks specification has them.

https://www.standardwebhooks.com: `type`, `timestamp` and `data`, less than 20 kB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import orjson

from okapia.domain.taxonomy import ANIMAL, HUMAN, VEHICLE, Taxon
from okapia.domain.types import Analysis, Category, Detection, Prediction

MAX_BYTES = 20_000
"""Of a payload."""

MAX_TEXT = 500
"""Characters of one text in a payload."""

_TAXA = {Category.ANIMAL: ANIMAL, Category.PERSON: HUMAN, Category.VEHICLE: VEHICLE}
_CATEGORY_NAMES = {Category.PERSON: "human"}
"""As the answers of our native API have it."""


class EventType(StrEnum):
    """What can happen."""

    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    JOB_EXPIRED = "job.expired"
    JOB_CANCELED = "job.canceled"
    BATCH_COMPLETED = "batch.completed"
    BATCH_FAILED = "batch.failed"
    DETECTION_CREATED = "detection.created"
    TEST = "webhook.test"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        data: what JSON can hold; without its list `detections` far below `MAX_BYTES`.
    """

    type: EventType
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Seen:
    """An answered picture, as `detection.created` needs it.

    Attributes:
        answer_id: also that of the job, where one was answered.
        analysis: without the detections below the caller's threshold.
        camera: None when unknown.
        sequence_id: what the caller says the picture's sequence is.
        captured_at: by the camera's clock, with or without its time zone.
        endpoint: path of the call that was answered.
    """

    answer_id: str
    filename: str
    analysis: Analysis
    camera: str | None = None
    sequence_id: str | None = None
    captured_at: datetime | None = None
    endpoint: str = "/v1/detect"


def encode(event: Event, at: datetime) -> bytes:
    """Give the payload of what happened `at` a time, as JSON of at most `MAX_BYTES`.

    Long texts are cut, and `detections` loses its last ones until it fits.

    Raises:
        ValueError: it would not fit without any detections either.
    """
    data = {name: _cut(value) for name, value in event.data.items()}
    while len(body := _json(event.type, at, data)) > MAX_BYTES:
        detections = data.get("detections")
        if not isinstance(detections, list) or not detections:
            raise ValueError(f"expected a {event.type} of at most {MAX_BYTES} bytes, got {len(body)}")
        data["detections"] = detections[: len(detections) * 4 // 5]
    return body


def detection_event(seen: Seen, detections: Sequence[Detection]) -> Event:
    """Tell of the detections of a picture that an endpoint wants to know of, most confident first.

    `detections_total` also counts those for which the payload has no room.
    """
    data = {
        "answer_id": seen.answer_id,
        "endpoint": seen.endpoint,
        "filename": seen.filename,
        "camera": seen.camera,
        "captured_at": seen.captured_at.isoformat() if seen.captured_at else None,
        "detections_total": len(detections),
        "detections": [_detection(detection) for detection in detections],
    }
    return Event(EventType.DETECTION_CREATED, data)


def score_of(detection: Detection) -> float:
    """Give the score that the answer shows: the prediction's for an animal that has one, else the box's."""
    prediction = _prediction(detection)
    return prediction.score if prediction else detection.confidence


def taxon_of(detection: Detection) -> Taxon | None:
    """Give what a box holds as far as that is known; None for what is neither animal, human nor vehicle."""
    prediction = _prediction(detection)
    return prediction.taxon if prediction else _TAXA.get(detection.category)


def _prediction(detection: Detection) -> Prediction | None:
    return detection.prediction if detection.category is Category.ANIMAL else None


def _detection(detection: Detection) -> dict[str, object]:
    box, taxon = detection.bbox, taxon_of(detection)
    category = _CATEGORY_NAMES.get(detection.category, detection.category.value)
    return {
        "bbox": [round(value, 4) for value in (box.x_min, box.y_min, box.width, box.height)],
        "category": category,
        "score": round(score_of(detection), 4),
        "label": _label(prediction.taxon) if (prediction := _prediction(detection)) else category,
        "taxonomy_id": taxon.id if taxon else None,
    }


def _label(taxon: Taxon) -> str:
    """Name a taxon; some of SpeciesNet's have no common name."""
    return taxon.common_name or taxon.scientific_name.lower()


def _cut(value: object) -> object:
    """Shorten texts, and replace what cannot be written as UTF-8: names of files may hold anything."""
    match value:
        case str():
            text = value if len(value) <= MAX_TEXT else value[: MAX_TEXT - 1] + "…"
            return text.encode(errors="replace").decode()
        case dict():
            return {name: _cut(part) for name, part in value.items()}
        case list():
            return [_cut(part) for part in value]
        case _:
            return value


def _json(kind: EventType, at: datetime, data: Mapping[str, object]) -> bytes:
    return orjson.dumps({"type": kind.value, "timestamp": at.isoformat(), "data": data})
