"""DeepStack, and CodeProject.AI Server, which speaks as it did: a form with a picture in, `predictions` out.

DeepStack's fields and status codes; beside them the fields that CodeProject.AI added. Detection, faces and
models by name; recognising people, scenes and licence plates is left out.
"""

from collections.abc import Sequence
from email.utils import format_datetime
from http import HTTPStatus
from time import perf_counter

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from okapia.dialects.base import Dialect
from okapia.domain.callers import Bucket, Scope
from okapia.domain.clock import utc_now
from okapia.domain.errors import InvalidRequest, ModelNotInstalled, UnknownModel
from okapia.domain.models import ModelChoice
from okapia.service import FACES, OBJECTS, Models
from okapia.web.context import Context, Limits
from okapia.web.door import Entrance, door
from okapia.web.gateways import Sighting, confidence_of, look, model_name, selectable
from okapia.web.needs import needs
from okapia.web.paying import paid
from okapia.web.problems import Problem
from okapia.web.uploads import Upload, read_upload
from okapia.web.visit import bearer, visit_of

MIN_CONFIDENCE = 0.4
MIN_FACE_CONFIDENCE = 0.55
"""DeepStack's, where a call says nothing."""

_STATUS = {
    UnknownModel.code: HTTPStatus.NOT_FOUND,  # DeepStack has no such path then
    ModelNotInstalled.code: HTTPStatus.FORBIDDEN,  # its word for an endpoint that is not activated
}

_MODULE = "okapia"

Fields = dict[str, object]


def credential(request: Request) -> str | None:
    """Give the form's `api_key`, or what stands in a header; clients without a key send an empty one."""
    form = visit_of(request).form
    key = form.fields.get("api_key", "").strip() if form else ""
    return key or bearer(request)


def build(context: Context) -> APIRouter:
    """Make `/v1/vision/detection`, `/v1/vision/face` and `/v1/vision/custom/…`."""
    entrance = Entrance(credential=credential, reads_form=True, has_networks=True)
    router = APIRouter(
        prefix="/v1/vision", tags=["deepstack"], route_class=door(context, render_error, entrance)
    )
    _add_profiles(router, context)
    _add_custom(router, context)
    return router


def _add_profiles(router: APIRouter, context: Context) -> None:
    models = context.service.models

    @router.post("/detection", openapi_extra=_REQUEST, responses=_ANSWERS)
    @needs(Scope.DETECT, Bucket.INFERENCE)
    async def detect_objects(request: Request) -> Response:
        """Find the things of COCO's 80 classes, with the models of the profile `objects`."""
        choice = models.choice(OBJECTS)
        return await _answer(context, request, choice, "detect", default=MIN_CONFIDENCE)

    @router.post("/face", openapi_extra=_REQUEST, responses=_ANSWERS)
    @needs(Scope.DETECT, Bucket.INFERENCE)
    async def detect_faces(request: Request) -> Response:
        """Find faces, whoever they belong to, with the models of the profile `faces`."""
        choice = models.choice(FACES).alone  # nobody asks for genders here
        return await _answer(context, request, choice, "detect", default=MIN_FACE_CONFIDENCE)


def _add_custom(router: APIRouter, context: Context) -> None:
    models = context.service.models

    @router.get("/custom/list")
    @router.post("/custom/list")
    @needs(Scope.READ)
    def list_models() -> Response:
        """Name the models that `custom/{model}` may be called with: profiles and single models."""
        about: Fields = {"code": 200, "command": "list-custom", "moduleId": _MODULE}
        return _json({"success": True, "models": _names(models), **about})

    @router.post("/custom/{model}", openapi_extra=_REQUEST, responses=_ANSWERS)
    @needs(Scope.DETECT, Bucket.INFERENCE)
    async def detect_with(model: str, request: Request) -> Response:
        """Look with a model by its id, with two detectors joined by `+`, or with those of a profile."""
        return await _answer(context, request, models.named(model), "custom", default=MIN_CONFIDENCE)


def render_error(problem: Problem) -> Response:
    """Answer with `success` false and the sentence."""
    status = _STATUS.get(problem.code, problem.status)
    response = _json({"success": False, "error": problem.message, "code": int(status)}, status)
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    return response


dialect = Dialect("deepstack", "DeepStack 2022.01 and CodeProject.AI Server 2.9", build)


def _names(models: Models) -> list[str]:
    """Name the profiles whose models are all installed, then the installed models."""
    installed = {facts.id for facts in models.facts() if facts.sha256}
    profiles = [name for name, choice in models.profiles.items() if {*choice.model_ids} <= installed]
    return profiles + [facts.id for facts in selectable(models)]


async def _answer(
    context: Context, request: Request, choice: ModelChoice, command: str, *, default: float
) -> Response:
    upload = await _upload(request, context.limits)
    began = perf_counter()
    min_confidence = confidence_of(upload.fields, default=default)
    data = upload.images[0].data
    async with paid(context, request, images=1) as call:
        seen = await look(request, call, data, choice=choice, min_confidence=min_confidence)
    times = _times(request, looked_s=seen.seconds, worked_s=perf_counter() - began)
    about = {"command": command, "moduleId": _MODULE, "moduleName": model_name(choice, context)}
    return _json({**_found(seen.sightings), **about, **times})


async def _upload(request: Request, limits: Limits) -> Upload:
    """Read the form, whatever the field of its first file is called.

    Raises:
        InvalidRequest: it has no picture.
    """
    form = visit_of(request).form
    also = (form.file_field,) if form and form.file_field else ()
    upload = await read_upload(request, param="image", also=also, limits=limits)
    if not upload.images:
        raise InvalidRequest("expected a picture in the field 'image', got none", param="image")
    return upload


def _found(seen: Sequence[Sighting]) -> Fields:
    labels = ", ".join(dict.fromkeys(sighting.label for sighting in seen))
    return {
        "success": True,
        "message": f"Found {labels}" if seen else "No objects found",
        "count": len(seen),
        "predictions": [_prediction(sighting) for sighting in seen],
        "code": 200,
    }


def _prediction(sighting: Sighting) -> Fields:
    x_min, y_min, x_max, y_max = sighting.box
    corners = {"x_min": x_min, "y_min": y_min, "x_max": x_max, "y_max": y_max}
    return {"label": sighting.label, "confidence": sighting.confidence, **corners}


def _times(request: Request, *, looked_s: float, worked_s: float) -> Fields:
    """Say how long it took: decoding and networks; that and the queue; all since the call came in."""
    visit = visit_of(request)
    return {
        "inferenceMs": round(looked_s * 1000),
        "processMs": round(worked_s * 1000),
        "analysisRoundTripMs": round((perf_counter() - visit.began) * 1000),
        "duration": round(worked_s, 3),
        "requestId": visit.request_id,
        "timestampUTC": format_datetime(utc_now(), usegmt=True),
    }


def _json(body: Fields, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


_FORM = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "api_key": {"type": "string", "description": "Before the picture, or as a header"},
        "min_confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "image": {"type": "string", "format": "binary"},
    },
}
_REQUEST: dict[str, object] = {
    "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}
}
_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {
        "description": "`predictions`, the most confident first, boxes in pixels",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    400: {"description": "No picture, or `min_confidence` out of range: `error` says which"},
    403: {"description": "The models are not installed: `error` names the command"},
    404: {"description": "No such model"},
    503: {"description": "The queue is full"},
}
