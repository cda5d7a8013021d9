"""pyzm.serve, ZoneMinder's gateway of today: `/infer` of pyzm 2.5, `/detect` and `/detect_urls` up to 2.4.

As there, a model that is not to be had and a look that failed are answered with 200 and `error`; a picture
that is none, credentials and a full queue with their HTTP status, on which clients may look for themselves.
"""

from functools import partial

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from okapia.dialects.base import Dialect
from okapia.dialects.pyzm.answers import (
    Fields,
    detection_result,
    detections,
    failed,
    json_response,
    not_fetched,
    not_seen,
    render_error,
)
from okapia.dialects.pyzm.asking import Asked, Event, name_and_password
from okapia.domain.callers import Bucket, Scope
from okapia.domain.errors import BadImage, InvalidRequest, ModelError
from okapia.service import OBJECTS
from okapia.service.calls import Call
from okapia.web.context import Context
from okapia.web.door import Entrance, door
from okapia.web.gateways import gateway_row, look, model_name, read_form, selectable
from okapia.web.needs import needs, public
from okapia.web.paying import paid
from okapia.web.problems import RefusedImage
from okapia.web.uploads import read_upload

__all__ = ["dialect"]

MOST_LOGINS, MOST_FETCHES = 2, 8
"""At a time: neither guesses at passwords nor slow hosts may hold the threads that others need."""


def build(context: Context) -> APIRouter:
    """Make `/login`, `/infer`, `/detect`, `/detect_urls`, `/models` and `/health`."""
    entrance = Entrance(has_networks=True)
    router = APIRouter(tags=["pyzm"], route_class=door(context, render_error, entrance))
    _add_login(router, context)
    _add_looks(router, context)
    _add_state(router, context)
    return router


def _add_login(router: APIRouter, context: Context) -> None:
    logins = CapacityLimiter(MOST_LOGINS)
    expires = int(context.desk.token_life.total_seconds())

    @router.post("/login", openapi_extra=_LOGIN_REQUEST, responses=_LOGIN_ANSWERS)
    @public
    async def login(request: Request) -> Response:
        """Give a token for a name and its password; an empty one where none is needed."""
        name, password = await name_and_password(request, max_s=context.limits.max_body_s)
        token = await to_thread.run_sync(partial(_token, context, name, password), limiter=logins)
        return json_response({"access_token": token, "expires": expires})


def _add_looks(router: APIRouter, context: Context) -> None:
    gateway = _Gateway(context)

    @router.post("/infer", openapi_extra=_INFER_REQUEST, responses=_ANSWERS)
    @needs(Scope.DETECT, Bucket.INFERENCE)
    async def infer(request: Request) -> Response:
        """Look at one frame with one model: that of `name`, else the first of `type`."""
        upload = await read_form(request, param="image", limits=context.limits)
        data = upload.images[0].data if upload.images else b""
        asked = Asked.of(upload.fields, data, threshold=context.gateway_threshold)
        return json_response(await gateway.infer(request, asked))

    @router.post("/detect", openapi_extra=_DETECT_REQUEST, responses=_ANSWERS)
    @needs(Scope.DETECT, Bucket.INFERENCE)
    async def detect(request: Request) -> Response:
        """Look at one frame with the models of the profile `objects`, for pyzm up to 2.4."""
        upload = await read_upload(request, param="file", limits=context.limits)
        data = upload.images[0].data if upload.images else b""
        if not data:
            raise InvalidRequest("Empty file", param="file")
        return json_response(await gateway.detect(request, data))

    @router.post("/detect_urls", responses=_ANSWERS)
    @needs(Scope.DETECT, Bucket.INFERENCE)
    async def detect_urls(event: Event, request: Request) -> Response:
        """Fetch the frames of an event and look at each, for pyzm up to 2.4."""
        if not event.urls:
            raise InvalidRequest("No URLs provided", param="urls")
        return json_response(await gateway.detect_urls(request, event))


def _add_state(router: APIRouter, context: Context) -> None:
    models = context.service.models

    @router.get("/models")
    @needs(Scope.READ)
    def list_models() -> Response:
        """List the models that `name` may be, and whether they are in memory."""
        return json_response({"models": [gateway_row(facts) for facts in selectable(models)]})

    @router.get("/health")
    @public
    def health() -> Response:
        """Say that the server lives, and whether what `/infer` looks with is in memory."""
        return json_response({"status": "ok", "models_loaded": models.holds(models.choice(OBJECTS))})


dialect = Dialect("pyzm", "pyzm.serve 2.5.6; 2.4.0 for /detect and /detect_urls", build, ("/api/v1",))


class _Gateway:
    """Looks at frames, and fetches them where the settings let it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._models = context.service.models
        self._fetches = CapacityLimiter(MOST_FETCHES)

    async def infer(self, request: Request, asked: Asked) -> Fields:
        """Give what was seen, or the `error`; raises for what has a status of its own."""
        try:
            choice = asked.choice(self._models)
            data = await self._fetched(asked.url, asked.zm_auth) if asked.url else asked.data
            async with paid(self._context, request, images=1) as call:
                seen = await look(request, call, data, choice=choice, min_confidence=asked.min_confidence)
        except (ModelError, InvalidRequest) as error:
            return failed(str(error))
        except BadImage as error:
            return failed(f"fetch failed: {error}")
        except RefusedImage as error:
            return not_seen(error, is_fetched=bool(asked.url))
        return detections(seen, kind=asked.kind, model=model_name(choice, self._context))

    async def detect(self, request: Request, data: bytes) -> Fields:
        """Give the result of one frame."""
        async with paid(self._context, request, images=1) as call:
            return await self._result(request, call, data, self._context.gateway_threshold)

    async def detect_urls(self, request: Request, event: Event) -> Fields:
        """Give the results of the frames that could be looked at; where none could, `error` says why."""
        results: list[Fields] = []
        problem, n_missing = "", 0
        async with paid(self._context, request, images=len(event.urls)) as call:
            for frame in event.urls:
                try:
                    data = await self._fetched(frame.url, event.zm_auth)
                    result = await self._result(request, call, data, event.min_confidence)
                except (BadImage, RefusedImage) as error:
                    problem, n_missing = not_fetched(error), n_missing + 1
                    if n_missing >= event.contig_frames_before_error:
                        break
                    continue
                n_missing = 0
                results.append(result | {"frame_id": str(frame.frame_id)})
                if result["labels"] and event.stops_at_any:
                    break
        return {"results": results} if results else {"results": [], "error": problem}

    async def _result(self, request: Request, call: Call, data: bytes, min_confidence: float) -> Fields:
        choice = self._models.choice(OBJECTS)
        seen = await look(request, call, data, choice=choice, min_confidence=min_confidence)
        return detection_result(seen, model_name(choice, self._context))

    async def _fetched(self, url: str, zm_auth: str) -> bytes:
        """Fetch a frame, with ZoneMinder's credentials in its query.

        Raises:
            BadImage: it may not be fetched, or cannot be.
        """
        if not url.lower().startswith(("http://", "https://")):
            raise BadImage("expected an http or https URL")
        separator = "&" if "?" in url else "?"
        source = f"{url}{separator}{zm_auth}" if zm_auth else url
        return await to_thread.run_sync(self._context.read_source, source, limiter=self._fetches)


def _token(context: Context, name: str, password: str) -> str:
    """Give a token; an empty one, which clients do not send, while programs here need none. Blocks."""
    callers = context.desk.callers
    if context.is_loopback and not callers.has_people():
        return ""
    return callers.log_in(name, password)


def _schema(media_type: str, types: dict[str, str]) -> dict[str, object]:
    """Describe a request's fields by their types; `binary` is a file."""
    fields = {
        name: {"type": "string", "format": "binary"} if kind == "binary" else {"type": kind}
        for name, kind in types.items()
    }
    schema = {"type": "object", "properties": fields}
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


_LOGIN_REQUEST = _schema("application/json", {"username": "string", "password": "string"})
_DETECT_REQUEST = _schema("multipart/form-data", {"file": "binary"})
_INFER_REQUEST = _schema(
    "multipart/form-data",
    {
        "type": "string",
        "name": "string",
        "min_confidence": "number",
        "image": "binary",
        "url": "string",
        "zm_auth": "string",
    },
)
_LOGIN_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {"description": "`access_token`, and the seconds that it lives: `expires`"},
    401: {"description": "Wrong name or password, or a disabled user"},
    429: {"description": "Too many wrong passwords: `Retry-After` says when"},
}
_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {
        "description": "What was seen, boxes in pixels; where nothing could be, `error`",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    400: {"description": "No picture, or one that does not decode"},
    401: {"description": "No token or key, or one that has expired or was revoked"},
    503: {"description": "The queue is full"},
}
