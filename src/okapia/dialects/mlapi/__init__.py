"""mlapi, ZoneMinder's gateway: a login, and one picture in, boxes in pixels and percentages as text out.

The contract is the README of April 2019, with what later versions added beside it. Pictures are kept, as that
README says, unless the call has `delete=true`; and only those that were answered: of others nothing stays.
"""

from asyncio import wrap_future
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from okapia.dialects.base import Dialect
from okapia.dialects.mlapi.answers import json_response, legacy, render_error, shown, zm_detect
from okapia.dialects.mlapi.asking import (
    MAX_BODY_BYTES,
    Asked,
    Kind,
    Shape,
    ending_of,
    json_object,
    sent_image,
)
from okapia.domain.callers import Bucket, Scope
from okapia.domain.refusals import InvalidCredentials
from okapia.domain.types import Analysis, AnalysisOptions, Failure
from okapia.service import NamedImage
from okapia.web.context import Context
from okapia.web.door import door
from okapia.web.needs import needs, public
from okapia.web.paying import paid
from okapia.web.problems import RefusedImage
from okapia.web.uploads import UploadedImage

__all__ = ["dialect"]

MOST_LOGINS, MOST_FETCHES = 2, 8
"""At a time: neither guesses at passwords nor slow hosts may hold the threads that others need."""


def build(context: Context) -> APIRouter:
    """Make `/api/v1/login`, `/api/v1/detect/object` and `/api/v1/health`."""
    router = APIRouter(prefix="/api/v1", tags=["mlapi"], route_class=door(context, render_error))
    _add_login(router, context)
    _add_detect(router, context)

    @router.get("/health")
    @public
    async def health() -> str:
        """Say that the server lives."""
        return "ok"

    return router


def _add_login(router: APIRouter, context: Context) -> None:
    logins = CapacityLimiter(MOST_LOGINS)

    @router.post("/login", openapi_extra=_LOGIN_REQUEST, responses=_LOGIN_ANSWERS)
    @public
    async def login(request: Request) -> Response:
        """Give a token for a name and its password."""
        body = await json_object(request, context.limits)
        if body is None:
            return json_response({"msg": "Missing JSON in request"}, HTTPStatus.BAD_REQUEST)
        for name in ("username", "password"):
            if not body.get(name):
                return json_response({"message": f"Missing {name}"}, HTTPStatus.BAD_REQUEST)
        log_in = partial(context.desk.callers.log_in, str(body["username"]), str(body["password"]))
        try:
            token = await to_thread.run_sync(log_in, limiter=logins)
        except InvalidCredentials:
            return json_response({"message": "incorrect credentials"}, HTTPStatus.UNAUTHORIZED)
        return json_response({"access_token": token, "expires": context.mlapi_expires_s})


def _add_detect(router: APIRouter, context: Context) -> None:
    fetches = CapacityLimiter(MOST_FETCHES)
    max_body_bytes = min(MAX_BODY_BYTES, context.limits.max_body_bytes)

    @router.post("/detect/object", openapi_extra=_DETECT_REQUEST, responses=_DETECT_ANSWERS)
    @needs(Scope.DETECT, Bucket.INFERENCE, max_body_bytes=max_body_bytes)
    async def detect_object(request: Request) -> Response:
        """Find the things of one picture, or its faces."""
        asked = Asked.of(request.query_params)
        image = await sent_image(context, request, fetches)
        analysis = await _analysis(context, request, asked, image)
        await _keep(context, asked, image, analysis)
        if asked.shape is Shape.LEGACY:
            return json_response([legacy(d, analysis.image, asked) for d in analysis.detections])
        models = "+".join(asked.choice(context.service.models).model_ids)
        return json_response(zm_detect(analysis, asked, models))


dialect = Dialect("mlapi", "ZoneMinder/mlapi, README of 2019-04-26; 2.1 for response_format", build)


async def _analysis(context: Context, request: Request, asked: Asked, image: UploadedImage) -> Analysis:
    """Look at a picture; gives what is found in it, and no less confident boxes.

    Raises:
        RefusedImage: it cannot be looked at.
    """
    options = AnalysisOptions(context.gateway_threshold, classify=False)
    choice = asked.choice(context.service.models)
    async with paid(context, request, images=1) as call:
        named = NamedImage(image.name, lambda: image.data)
        result = await wrap_future(call.analyze(named, options, choice=choice))
    if isinstance(result.outcome, Failure):
        raise RefusedImage(result.outcome)
    return result.outcome.above(options.threshold)


async def _keep(context: Context, asked: Asked, image: UploadedImage, analysis: Analysis) -> None:
    """Keep the picture and a copy with its boxes, unless the caller or the operator wants neither."""
    keeper = context.desk.keeper
    if keeper is None or asked.deletes:
        return
    suffix = f".{ending_of(image.name)}"
    drawn = [shown(detection, asked) for detection in analysis.detections]
    keep = partial(keeper.keep, image.data, suffix=suffix, kind=asked.kind.value, detections=drawn)
    await to_thread.run_sync(keep)


def _content(schema: Mapping[str, object], media_type: str = "application/json") -> dict[str, object]:
    return {"content": {media_type: {"schema": schema}}}


_LOGIN_REQUEST: dict[str, object] = {
    "requestBody": {
        "required": True,
        **_content(
            {
                "type": "object",
                "required": ["username", "password"],
                "properties": {"username": {"type": "string"}, "password": {"type": "string"}},
            }
        ),
    }
}
_LOGIN_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {"description": "`access_token`, and the seconds after which to log in again: `expires`"},
    400: {"description": "No JSON (`msg`), or one of the two is missing (`message`)"},
    401: {"description": "`message`: incorrect credentials"},
    429: {"description": "Too many wrong passwords: `Retry-After` says when"},
}
_FILE = {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
_DETECT_REQUEST: dict[str, object] = {
    "parameters": [
        {"name": name, "in": "query", "schema": schema}
        for name, schema in {
            "type": {"enum": [*Kind], "default": Kind.OBJECT},
            "gender": {"type": "boolean", "default": False},
            "delete": {"type": "boolean", "default": False},
            "download": {"type": "boolean", "default": False},
            "response_format": {"enum": [*Shape], "default": Shape.LEGACY},
            "url": {"type": "string"},
        }.items()
    ],
    "requestBody": _content(_FILE, "multipart/form-data"),
}
_DETECT_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {
        "description": "A list, or the object of `response_format=zm_detect`",
        **_content({"type": ["array", "object"]}),
    },
    400: {"description": "No picture, a bad one, or a wrong parameter: `msg` says which"},
    401: {"description": "No token, or one that has expired or was revoked"},
    413: {"description": "More than 5 MiB"},
    422: {"description": "No token of this server"},
    503: {"description": "No model is installed, or the queue is full"},
}
