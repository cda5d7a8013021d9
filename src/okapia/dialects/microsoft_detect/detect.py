"""The routes: detect, the model's version, and a sign of life."""

from http import HTTPStatus

import orjson
from fastapi import APIRouter
from fastapi.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from okapia.dialects.microsoft_detect.answering import Answers
from okapia.dialects.microsoft_detect.asking import IMAGE_TYPES, MAX_BODY_BYTES, MAX_IMAGES, read_asked
from okapia.domain.callers import Bucket, Scope
from okapia.domain.refusals import InvalidCredentials
from okapia.domain.types import People
from okapia.web.context import Context
from okapia.web.door import Credential, Entrance, door
from okapia.web.needs import needs, public
from okapia.web.problems import Problem
from okapia.web.visit import bearer

PREFIX = "/v1/camera-trap/sync"

_DENIED = "Access denied, please provide a valid API key"


def build(context: Context) -> APIRouter:
    """Make `POST /detect` and what stands beside it."""
    entrance = Entrance(credential=credential_of(context))
    router = APIRouter(
        prefix=PREFIX, tags=["microsoft_detect"], route_class=door(context, render_error, entrance)
    )
    answers = Answers(context)

    @router.post("/detect", openapi_extra=_REQUEST, responses=_ANSWERS)
    @needs(Scope.DETECT, Bucket.INFERENCE, max_body_bytes=MAX_BODY_BYTES)
    async def detect(request: Request) -> Response:
        """Find the animals, people and vehicles of up to eight pictures; draw them where that is asked."""
        return await answers.answer(request, await read_asked(request, context))

    @router.get("/detector_model_version")
    @router.get("/model_version")
    @needs(Scope.READ)
    def detector_model_version() -> Response:
        """Name the detector that answers."""
        model_id = "+".join(answers.choice.model_ids)
        return PlainTextResponse(context.model_aliases.get(model_id, model_id))

    @router.get("/")
    @public
    def health() -> Response:
        """Say that the process answers."""
        return PlainTextResponse("Health check OK")

    return router


def credential_of(context: Context) -> Credential:
    """Give what finds the key, wherever one of the ages put it; empty ones count as none."""

    def credential(request: Request) -> str | None:
        hosted = request.headers.get("ocp-apim-subscription-key") or request.query_params.get(
            "subscription-key"
        )
        if hosted and hosted.strip():
            return hosted.strip()
        key = request.headers.get("key", "").strip()
        if not key:
            return bearer(request)
        try:
            context.desk.callers.authenticate(key)
        except InvalidCredentials:
            # Its programs know 403 for a wrong key, where those of the hosted age know 401.
            raise HTTPException(HTTPStatus.FORBIDDEN, _DENIED) from None
        return key

    return credential


def render_error(problem: Problem) -> Response:
    """Answer with the sentence as `error`."""
    body = orjson.dumps({"error": problem.message})
    headers = {} if problem.retry_after_s is None else {"Retry-After": str(problem.retry_after_s)}
    return Response(body, problem.status, headers, "application/json")


_CONFIDENCE = {"type": "number", "minimum": 0, "maximum": 1}
_PARAMETERS: dict[str, dict[str, object]] = {
    "confidence": {
        **_CONFIDENCE,
        "description": "For `min_confidence` and `min_rendering_confidence` at once",
    },
    "min_confidence": {**_CONFIDENCE, "default": 0.01},
    "min_rendering_confidence": {**_CONFIDENCE, "default": 0.2},
    "render": {"type": "boolean", "default": False},
    "classification": {"type": "string", "enum": ["serengeti", "caltech"]},
    "people": {"type": "string", "enum": list(People), "default": People.BLUR},
    "failures": {"type": "string", "enum": ["strict", "per_image"]},
}
_FORM = {
    "schema": {"type": "object", "additionalProperties": {"type": "string", "format": "binary"}},
    "encoding": {"image": {"contentType": ", ".join(IMAGE_TYPES)}},
}
_REQUEST: dict[str, object] = {
    "parameters": [{"name": name, "in": "query", "schema": schema} for name, schema in _PARAMETERS.items()],
    "requestBody": {"required": True, "content": {"multipart/form-data": _FORM}},
}
_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {
        "description": "`detection_result`, and a JPEG for each picture when it is rendered",
        "content": {
            "multipart/form-data": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "object"}},
        },
    },
    400: {"description": "No picture of an accepted type, a bad one, or a parameter out of range"},
    411: {"description": "No body, or none of a declared length"},
    413: {"description": f"More than {MAX_IMAGES} pictures, or more than 5 MiB in one or 40 MiB in all"},
    503: {"description": "No model is installed, or the queue is full"},
}
