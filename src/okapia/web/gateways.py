"""What the contracts of video gateways share: which models they mean, and how they say what was seen."""

from asyncio import wrap_future
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from urllib.parse import parse_qsl

from starlette.requests import Request

from okapia.domain.errors import InvalidRequest, PayloadTooLarge
from okapia.domain.models import ModelChoice, ModelFacts
from okapia.domain.types import AnalysisOptions, BBox, Category, Detection, Failure, Size
from okapia.service import Models, NamedImage
from okapia.service.calls import Call
from okapia.web.context import Context, Limits
from okapia.web.problems import RefusedImage
from okapia.web.uploads import Upload, read_upload
from okapia.web.visit import visit_of

_FORM = "application/x-www-form-urlencoded"
_LEAST, _MOST = 0.01, 0.99
"""Of `AnalysisOptions.threshold`."""

PixelBox = tuple[int, int, int, int]
"""x_min, y_min, x_max, y_max in pixels of the upright picture."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One box as gateways' clients want it.

    Attributes:
        label: the species where a classifier was asked, else the detector's own class.
        confidence: the detector's, 0..1.
    """

    label: str
    confidence: float
    box: PixelBox


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen in a picture.

    Attributes:
        sightings: the most confident first.
        size: of the upright picture.
        seconds: that decoding and the networks took.
    """

    sightings: tuple[Sighting, ...]
    size: Size
    seconds: float


async def read_form(request: Request, *, param: str, limits: Limits) -> Upload:
    """Do what `read_upload` does, and read forms without a file too: `requests` sends them URL-encoded.

    Raises:
        PayloadTooLarge, UnsupportedMediaType, InvalidRequest: as `read_upload` does.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return await read_upload(request, param=param, limits=limits)
    body = await request.body()
    if len(body) > limits.max_field_bytes:
        raise PayloadTooLarge(max_bytes=limits.max_field_bytes)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=limits.max_parts)
    except ValueError as error:
        raise InvalidRequest("the form is not URL-encoded UTF-8, or has too many fields") from error
    return Upload(fields=dict(pairs))


def confidence_of(fields: Mapping[str, object], *, default: float) -> float:
    """Read the field `min_confidence`; empty counts as not given.

    Raises:
        InvalidRequest: it is no number of 0..1.
    """
    given = fields.get("min_confidence", "")
    if given == "":
        return default
    try:
        value = float(str(given))
    except ValueError:
        value = float("nan")
    if not (isfinite(value) and 0 <= value <= 1):
        raise InvalidRequest(
            f"min_confidence: expected a number from 0 to 1, got {str(given)[:40]!r}", param="min_confidence"
        )
    return value


async def look(
    request: Request, call: Call, data: bytes, *, choice: ModelChoice, min_confidence: float
) -> Seen:
    """Analyse one picture for a gateway's client; raises what `Call.analyze` does.

    Raises:
        RefusedImage: it cannot be looked at.
    """
    visit = visit_of(request)
    visit.model_id = "+".join(choice.model_ids)
    options = AnalysisOptions(threshold=min(max(min_confidence, _LEAST), _MOST))
    with visit.span("analysis"):
        image = NamedImage("picture", lambda: data)
        result = await wrap_future(call.analyze(image, options, choice=choice))
    if isinstance(result.outcome, Failure):
        raise RefusedImage(result.outcome)
    picture = result.outcome.image
    size = (picture.width, picture.height)
    found = (d for d in result.outcome.detections if d.confidence >= min_confidence)
    boxes = tuple(Sighting(_label(d, choice), round(d.confidence, 4), _pixels(d.bbox, size)) for d in found)
    return Seen(boxes, size, result.seconds)


def model_name(choice: ModelChoice, context: Context) -> str:
    """Give the name by which the models of a choice are reported."""
    model_id = "+".join(choice.model_ids)
    return context.model_aliases.get(model_id, model_id)


def selectable(models: Models) -> list[ModelFacts]:
    """Give the installed models that a client may name; what reads the faces of another is none."""
    return [facts for facts in models.facts() if facts.sha256 and facts.task != "face_reader"]


def gateway_row(facts: ModelFacts) -> dict[str, object]:
    """Say of a model what pyzm 2.x says of one."""
    report = facts.loaded.report if facts.loaded else None
    return {
        "name": facts.id,
        "type": "face" if facts.task == "face_reader" or facts.classes == ("face",) else "object",
        "framework": report.engine.partition(" ")[0] if report else "onnx",
        "loaded": report is not None,
        "processor": report.device if report else None,
        "requested_processor": None,
    }


def _label(detection: Detection, choice: ModelChoice) -> str:
    """Name what is in a box; people and vehicles keep the detector's word, which clients' patterns have."""
    is_named = choice.classifier is not None and detection.category is Category.ANIMAL
    if not is_named or detection.prediction is None:
        return detection.label
    # Some taxa have no common name.
    return next(part for part in reversed(detection.prediction.taxon.label.split(";")) if part)


def _pixels(box: BBox, picture: Size) -> PixelBox:
    width, height = picture
    return (
        round(box.x_min * width),
        round(box.y_min * height),
        round(box.x_max * width),
        round(box.y_max * height),
    )
