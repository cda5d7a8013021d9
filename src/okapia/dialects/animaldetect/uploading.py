"""The route that takes the pictures of jobs where no cloud does."""

from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from uuid import UUID

from anyio import CapacityLimiter, from_thread, to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from okapia.web.context import Context
from okapia.web.door import door
from okapia.web.needs import signed
from okapia.web.problems import problem_json

MOST_UPLOADS = 16
"""Uploads that are written at a time, a thread each: slow ones must not hold the threads of others."""


def upload_path(job_id: str) -> str:
    """Give the path that is signed for a job's upload."""
    return f"/v1/uploads/{job_id}"


def build(context: Context) -> APIRouter:
    """Make `/v1/uploads/{job_id}`, which needs no key: the URL is one."""
    router = APIRouter(prefix="/v1", tags=["jobs"], route_class=door(context, problem_json))
    jobs, limiter = context.desk.jobs, CapacityLimiter(MOST_UPLOADS)

    @router.put("/uploads/{job_id}", status_code=HTTPStatus.NO_CONTENT, openapi_extra=_BODY)
    @signed(max_body_bytes=jobs.max_bytes)
    async def upload_picture(job_id: UUID, request: Request) -> Response:
        """Upload the picture of a job to the URL that the job's making gave; the last upload counts."""
        receive = partial(
            jobs.receive,
            str(job_id),
            _chunks(request),
            path=upload_path(str(job_id)),
            query=request.url.query,
            content_type=request.headers.get("content-type", ""),
        )
        await to_thread.run_sync(receive, limiter=limiter)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    return router


def _chunks(request: Request) -> Iterator[bytes]:
    """Give the body as it arrives, to a thread that the event loop started."""
    stream = request.stream()

    async def next_chunk() -> bytes | None:
        return await anext(stream, None)

    while (chunk := from_thread.run(next_chunk)) is not None:
        yield chunk


_BODY: dict[str, object] = {
    "requestBody": {
        "required": True,
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}
