"""The routes: ask for detections, see how far they are, cancel them, and which models there are."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

import orjson
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from okapia.dialects.microsoft_batch.answering import AGES, LAST, Age
from okapia.dialects.microsoft_batch.asking import NAME, read_body
from okapia.dialects.microsoft_batch.tasks import OUTPUT, Tasks
from okapia.dialects.microsoft_batch.versions import Versions
from okapia.domain.callers import Scope
from okapia.formats.base import Json
from okapia.service.batches import TooManyBatches
from okapia.web.context import Context
from okapia.web.door import Entrance, door
from okapia.web.needs import needs, public, signed
from okapia.web.problems import Problem
from okapia.web.visit import Asker, bearer

MAX_BODY_BYTES = 65_536

_HELLO = "Camera traps batch processing API. Instance: Okapia"
_CANCELING = "Canceling signal has been sent. You can verify the status at the /task endpoint"
_TOO_MANY = "Too many active jobs, please try again later"


def build(context: Context) -> APIRouter:
    """Make the routes at the addresses of all ages; documented are those of the last."""
    doors, tasks = door(context, render_error, Entrance(credential=credential)), Tasks(context)
    routers = []
    for age in AGES:
        router = APIRouter(prefix=age.prefix, tags=[NAME], route_class=doors, include_in_schema=age is LAST)
        _add_asking(router, tasks)
        _add_looking(router, tasks, age, context)
        _add_facts(router, Versions(context))
        routers.append(router)
    files = APIRouter(tags=[NAME], route_class=doors)
    _add_files(files, tasks)
    return APIRouter(routes=[route for router in (*routers, files) for route in router.routes])


def _add_asking(router: APIRouter, tasks: Tasks) -> None:
    @router.post("/request_detections", openapi_extra=_body(_DETECTIONS), responses=_ERRORS)
    @needs(Scope.JOBS, max_body_bytes=MAX_BODY_BYTES)
    async def request_detections(request: Request, caller: Asker) -> Response:
        """Have the pictures of a container, or behind URLs, looked at; gives the id to ask about them by."""
        body = await read_body(request)
        return _json({"request_id": await run_in_threadpool(tasks.request, caller, body)})

    @router.post("/cancel_request", openapi_extra=_body(_CANCELLATION), responses=_ERRORS)
    @needs(Scope.JOBS, max_body_bytes=MAX_BODY_BYTES)
    async def cancel_request(request: Request, caller: Asker) -> Response:
        """End a task that has not ended; what was looked at stays paid."""
        body = await read_body(request)
        await run_in_threadpool(tasks.cancel, caller, body)
        return PlainTextResponse(_CANCELING)


def _add_looking(router: APIRouter, tasks: Tasks, age: Age, context: Context) -> None:
    @router.get("/task/{task_id}")
    @needs(Scope.READ)
    def task(task_id: str, request: Request, caller: Asker) -> Response:
        """Say how far a task is and, once it is completed, where its results are."""
        base_url = context.public_url or str(request.base_url).rstrip("/")
        response = _json(tasks.status(caller, task_id, age, base_url=base_url))
        response.headers["Cache-Control"] = "no-store"  # its URLs are secrets
        return response


def _add_facts(router: APIRouter, versions: Versions) -> None:
    @router.get("/")
    @public
    def health() -> Response:
        """Say that the process answers."""
        return PlainTextResponse(_HELLO)

    @router.get("/default_model_version")
    @needs(Scope.READ)
    def default_model_version() -> Response:
        """Name the models that look where a request names none."""
        return PlainTextResponse(versions.default)

    @router.get("/supported_model_versions")
    @needs(Scope.READ)
    def supported_model_versions() -> Response:
        """Name the models that a request may name."""
        return _json([*versions.supported()])


def _add_files(router: APIRouter, tasks: Tasks) -> None:
    @router.get(OUTPUT.replace("{id}", "{task_id}"))
    @signed(max_body_bytes=1)
    def output(task_id: str, title: str, name: str, request: Request) -> Response:
        """Give a file of results to whoever has its URL from `/task`."""
        file_name, n_bytes, chunks = tasks.output(task_id, title, name, query=request.url.query)
        headers = {
            "Content-Disposition": f'attachment; filename="{file_name}"',
            "Content-Length": str(n_bytes),
        }
        kind = "application/json" if file_name.endswith(".json") else "text/csv"
        return StreamingResponse(chunks, headers=headers, media_type=kind)


def credential(request: Request) -> str | None:
    """Give the key, wherever programs of the hosted age or of ours put it.

    Those that send none have it in the server's address, `http://any:KEY@HOST/…`, which is Basic.
    """
    places = (
        request.headers.get("ocp-apim-subscription-key", ""),
        request.query_params.get("subscription-key", ""),
        request.headers.get("key", ""),
    )
    return next((key.strip() for key in places if key.strip()), None) or bearer(request)


def render_error(problem: Problem) -> Response:
    """Answer with the sentence as `error`; 503 where too many tasks have not ended."""
    if isinstance(problem.error, TooManyBatches):
        problem = replace(problem, status=HTTPStatus.SERVICE_UNAVAILABLE, message=_TOO_MANY)
    response = _json({"error": problem.message}, problem.status)
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    return response


def _json(body: Json, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 1}
_DETECTIONS = {
    "type": "object",
    "required": ["caller"],
    "properties": {
        "caller": _TEXT,
        "input_container_sas": _TEXT,
        "images_requested_json_sas": _TEXT,
        "use_url": {"type": "boolean", "default": False},
        "image_path_prefix": _TEXT,
        "first_n": _COUNT,
        "sample_n": _COUNT,
        "model_version": _TEXT,
        "request_name": {"type": "string", "pattern": "^[A-Za-z0-9_-]{0,92}$"},
        "country": _TEXT,
        "organization_name": _TEXT,
    },
}
_CANCELLATION = {
    "type": "object",
    "required": ["caller", "request_id"],
    "properties": {"caller": _TEXT, "request_id": _TEXT},
}
_ERRORS: dict[int | str, dict[str, object]] = {
    400: {"description": "A parameter is missing or wrong: `error` says which"},
    401: {"description": "No valid key, or `caller` is not who has it"},
    415: {"description": "The body is not JSON"},
    503: {"description": "Too many tasks have not ended"},
}


def _body(schema: Mapping[str, object]) -> dict[str, object]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
