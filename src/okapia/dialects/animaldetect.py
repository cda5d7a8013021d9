"""Animal Detect's contract, which is our native API: boxes and species of one picture.

Field names, ranges and shapes follow the vendor's; what is ours is added beside them.
"""

from asyncio import wrap_future
from dataclasses import dataclass, replace
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from okapia.dialects.base import Context, Dialect, RefusedImage, error_route, problem_json
from okapia.dialects.uploads import Upload, read_upload
from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import Taxon
from okapia.domain.types import (
    Analysis,
    AnalysisOptions,
    Category,
    Detection,
    Failure,
    ImageResult,
    ModelChoice,
    People,
)
from okapia.service import URBAN, WILD, NamedImage, Service

_LABELS = {Category.PERSON: "human"}
"""The vendor says `human` where MegaDetector says `person`."""


_MIME_NAMES = {"MPO": "jpeg"}
"""Formats whose media type is not their name: an MPO is a JPEG with further pictures behind it."""


class Parameters(BaseModel):
    """What can be said beside the image: in the form, in the JSON or in the query.

    Attributes:
        render: answer with an annotated JPEG in place of JSON (ours).
        people: how people appear in that JPEG (ours).
        detector: id of the detector, or two joined by `+`, in place of the profile's (ours).
        classifier: id of the classifier in place of the profile's (ours).
        tiles: tiles a side that the picture is also looked at in, for small animals (ours).
    """

    threshold: Annotated[float, Field(ge=0.01, le=0.99, allow_inf_nan=False)]
    classify: bool = True
    metadata: bool = False
    render: bool = False
    people: People = People.BLUR
    detector: str | None = None
    classifier: str | None = None
    tiles: Annotated[int, Field(ge=1, le=4)] | None = None


class Taxonomy(BaseModel):
    """A taxon with SpeciesNet's id; ranks below the taxon's own are empty."""

    id: str
    class_: Annotated[str, Field(serialization_alias="class")]
    order: str
    family: str
    genus: str
    species: str


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


class DetectAnswer(BaseModel):
    """Answer of `/v1/detect`."""

    id: str
    annotations: list[Annotation]
    metadata: dict[str, object] | None = None
    info: Info


class FilterAnswer(BaseModel):
    """Answer of `/v1/filter`."""

    id: str
    detections: list[CoarseDetection]
    metadata: dict[str, object] | None = None
    info: Info


@dataclass(frozen=True, slots=True)
class _Asked:
    """One picture and what is asked of it."""

    data: bytes
    name: str
    parameters: Parameters

    @property
    def image(self) -> NamedImage:
        return NamedImage(self.name, lambda: self.data)

    def options(self, *, classify: bool) -> AnalysisOptions:
        return AnalysisOptions(self.parameters.threshold, classify and self.parameters.classify)

    def choice(self, profile: ModelChoice) -> ModelChoice:
        """Give the profile's models with those that the caller wants instead."""
        wanted = self.parameters
        return ModelChoice(
            wanted.detector or profile.detector,
            wanted.classifier or profile.classifier,
            wanted.tiles or profile.tiles,
        )


def build(context: Context) -> APIRouter:
    """Make the routes `POST /v1/detect` and `POST /v1/filter`, and their variants for towns."""
    router = APIRouter(prefix="/v1", tags=["detect"], route_class=error_route(problem_json))
    answers = _Answers(context.service)

    async def read(request: Request) -> _Asked:
        """Read the one picture and the parameters, which may also stand in the query."""
        upload = await read_upload(request, param="image", limits=context.limits)
        return _asked(upload, dict(request.query_params), default_threshold=context.threshold)

    Picture = Annotated[_Asked, Depends(read)]  # noqa: N806 - a type, bound to this service

    @router.post("/detect", openapi_extra=_REQUEST, responses=_ANSWERS, response_model=DetectAnswer)
    async def detect(asked: Picture) -> Response:
        """Find the animals, people and vehicles of one picture and name the species."""
        return await answers.detect(asked, WILD)

    @router.post("/detect-urban", openapi_extra=_REQUEST, responses=_ANSWERS, response_model=DetectAnswer)
    async def detect_urban(asked: Picture) -> Response:
        """Do as `detect` does with the models of the profile `urban`."""
        return await answers.detect(asked, URBAN)

    @router.post("/filter", openapi_extra=_REQUEST, responses=_ANSWERS, response_model=FilterAnswer)
    async def filter_(asked: Picture) -> Response:
        """Say whether one picture holds animals, people or vehicles, and where."""
        return await answers.filter(asked, WILD)

    @router.post("/filter-urban", openapi_extra=_REQUEST, responses=_ANSWERS, response_model=FilterAnswer)
    async def filter_urban(asked: Picture) -> Response:
        """Do as `filter` does with the models of the profile `urban`."""
        return await answers.filter(asked, URBAN)

    return router


class _Answers:
    """Answers one picture with the models of a profile, as JSON or as a drawn copy."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def detect(self, asked: _Asked, profile: str) -> Response:
        choice = asked.choice(self._service.models.choice(profile))
        result = await self._result(asked, choice, classify=True)
        analysis = _analysis(result, asked)
        if asked.parameters.render:
            return await self._drawn(asked, analysis)
        return _json(_detect_answer(asked, analysis, _info(choice, asked, result)))

    async def filter(self, asked: _Asked, profile: str) -> Response:
        choice = replace(asked.choice(self._service.models.choice(profile)), classifier=None)
        result = await self._result(asked, choice, classify=False)
        analysis = _analysis(result, asked)
        if asked.parameters.render:
            return await self._drawn(asked, analysis)
        return _json(_filter_answer(asked, analysis, _info(choice, asked, result)))

    async def _result(self, asked: _Asked, choice: ModelChoice, *, classify: bool) -> ImageResult:
        options = asked.options(classify=classify)
        return await wrap_future(self._service.analyze(asked.image, options, choice=choice))

    async def _drawn(self, asked: _Asked, analysis: Analysis) -> Response:
        people = asked.parameters.people
        copy = self._service.annotate(asked.data, analysis.detections, people=people)
        return Response(await wrap_future(copy), media_type="image/jpeg")


dialect = Dialect("animaldetect", "Animal Detect API, state of June 2026", build)


def _asked(upload: Upload, query: dict[str, str], *, default_threshold: float) -> _Asked:
    """Check the request; what stands in the body wins over the query."""
    image = upload.one_image("image")
    given = {"threshold": default_threshold} | query | upload.fields
    try:
        parameters = Parameters.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise InvalidRequest(f"{name}: {first['msg']}, got {first['input']!r}", param=name) from error
    return _Asked(image.data, image.name, parameters)


def _analysis(result: ImageResult, asked: _Asked) -> Analysis:
    """Give what was found above the caller's threshold, or refuse the picture."""
    if isinstance(result.outcome, Failure):
        raise RefusedImage(result.outcome)
    return result.outcome.above(asked.parameters.threshold)


def _info(choice: ModelChoice, asked: _Asked, result: ImageResult) -> Info:
    model_id = "+".join(choice.model_ids)
    return Info(
        processing_time_ms=round(result.seconds * 1000),
        model_id=model_id,
        model_version=model_id,
        threshold_applied=asked.parameters.threshold,
    )


def _detect_answer(asked: _Asked, analysis: Analysis, info: Info) -> DetectAnswer:
    annotations = [_annotation(place, d) for place, d in enumerate(analysis.detections)]
    return DetectAnswer(
        id=str(uuid4()), annotations=annotations, metadata=_metadata(asked, analysis), info=info
    )


def _filter_answer(asked: _Asked, analysis: Analysis, info: Info) -> FilterAnswer:
    detections = [_coarse(place, d) for place, d in enumerate(analysis.detections)]
    return FilterAnswer(
        id=str(uuid4()), detections=detections, metadata=_metadata(asked, analysis), info=info
    )


def _annotation(place: int, detection: Detection) -> Annotation:
    coarse = _coarse(place, detection)
    prediction = detection.prediction
    if prediction is None or detection.category is not Category.ANIMAL:
        return Annotation(**coarse.model_dump(), detection_score=coarse.score)
    return Annotation(
        **coarse.model_dump(exclude={"score", "label"}),
        score=round(prediction.score, 4),
        label=prediction.taxon.common_name,
        taxonomy=_taxonomy(prediction.taxon),
        detection_score=coarse.score,
        source=prediction.source,
        rank=prediction.taxon.rank,
        scientific_name=prediction.taxon.scientific_name,
    )


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


def _metadata(asked: _Asked, analysis: Analysis) -> dict[str, object] | None:
    """Give the fields that are known, when the caller asks for them."""
    if not asked.parameters.metadata:
        return None
    image, capture = analysis.image, analysis.image.capture
    fields: dict[str, object] = {
        "image_width": image.width,
        "image_height": image.height,
        "file_size": image.n_bytes,
        "mime_type": f"image/{_MIME_NAMES.get(image.format, image.format.lower())}",
        "orientation": capture.orientation,
        "captured_at": capture.captured_at.isoformat() if capture.captured_at else None,
        "camera_make": capture.camera_make,
        "camera_model": capture.camera_model,
        "camera_serial": capture.camera_serial,
        "latitude": capture.latitude,
        "longitude": capture.longitude,
        "decoded_fraction": image.decoded_fraction if image.is_damaged else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _json(answer: BaseModel) -> Response:
    body = answer.model_dump_json(by_alias=True, exclude_none=True)
    return Response(body, media_type="application/json")


_FIELDS: dict[str, dict[str, object]] = {
    "threshold": {"type": "number", "minimum": 0.01, "maximum": 0.99, "default": 0.2},
    "classify": {"type": "boolean", "default": True},
    "metadata": {"type": "boolean", "default": False},
    "render": {"type": "boolean", "default": False},
    "people": {"type": "string", "enum": [people.value for people in People], "default": "blur"},
    "detector": {"type": "string"},
    "classifier": {"type": "string"},
    "tiles": {"type": "integer", "minimum": 1, "maximum": 4},
}


def _body_of(image: dict[str, str]) -> dict[str, object]:
    properties = {"image": image, **_FIELDS}
    return {"schema": {"type": "object", "required": ["image"], "properties": properties}}


_REQUEST = {
    "parameters": [{"name": name, "in": "query", "schema": schema} for name, schema in _FIELDS.items()],
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": _body_of({"type": "string", "format": "binary"}),
            "application/json": _body_of({"type": "string", "contentEncoding": "base64"}),
            "image/jpeg": {"schema": {"type": "string", "format": "binary"}},
        },
    },
}
_PROBLEM = {"content": {"application/problem+json": {"schema": {"type": "object"}}}}
_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {"description": "What was found", "content": {"image/jpeg": {"schema": {"type": "string"}}}},
    400: {"description": "The request or its picture is wrong: `code` says how", **_PROBLEM},
    413: {"description": "The body is too large", **_PROBLEM},
    415: {"description": "The body is of no accepted type", **_PROBLEM},
    503: {"description": "No model is installed, or the queue is full", **_PROBLEM},
}
