"""The routes."""

from datetime import timedelta
from functools import partial
from http import HTTPStatus
from mimetypes import guess_type
from typing import Annotated
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from okapia.dialects.batches.answers import BatchList, MadeBatch, Results, ShownBatch, ShownRecount
from okapia.dialects.batches.asking import MAX_BODY_BYTES, REQUEST, Asked, read_asked
from okapia.dialects.batches.bodies import RESUME, NewSecrets, checked
from okapia.dialects.batches.events import progress_events
from okapia.dialects.batches.failures import JSON_LINES, failure_lines
from okapia.domain.callers import Scope
from okapia.domain.clock import utc_now
from okapia.domain.refusals import Expired, JobNotFinished
from okapia.service.batches import Overview, State
from okapia.web.context import Context
from okapia.web.door import door
from okapia.web.needs import needs, signed
from okapia.web.problems import problem_json
from okapia.web.visit import Asker

POLL_AFTER_S = 2
"""When a client may look again at a batch that has not ended."""

_LINK_LIFE_S = 3600
_FILE_PATH = "/v1/batches/{id}/files/{name}"

BatchId = Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,64}$")]
Cursor = Annotated[str | None, Query(max_length=128)]
Limit = Annotated[int, Query(ge=1, le=100)]
LinkLife = Annotated[int, Query(ge=1, le=604_800)]


def build(context: Context) -> APIRouter:
    """Make `/v1/batches` and everything below it."""
    router = APIRouter(prefix="/v1/batches", tags=["batches"], route_class=door(context, problem_json))
    _add_making(router, context)
    _add_steering(router, context)
    _add_looking(router, context)
    _add_results(router, context)
    return router


def _add_making(router: APIRouter, context: Context) -> None:
    batches = context.desk.batches

    async def asked_for(request: Request) -> Asked:
        return await read_asked(request, context.limits)

    @router.post("", status_code=HTTPStatus.ACCEPTED, openapi_extra=REQUEST)
    @needs(Scope.JOBS, max_body_bytes=MAX_BODY_BYTES)
    def create_batch(
        asked: Annotated[Asked, Depends(asked_for)], request: Request, response: Response, caller: Asker
    ) -> MadeBatch:
        """Have any number of pictures analysed; a long list of them goes beside the request, in a form."""
        new, warnings = asked.new_batch(context.service, threshold=context.threshold)
        if new.request.webhook:
            context.desk.webhooks.get(caller, new.request.webhook)
        made = batches.get(caller, batches.create(caller, new).id)
        shown = MadeBatch.of_new(made, warnings, base_url=_base_url(context, request))
        response.headers["Location"] = shown.status_url
        return shown


def _add_steering(router: APIRouter, context: Context) -> None:
    batches = context.desk.batches

    async def secrets_of(request: Request) -> NewSecrets:
        return checked(NewSecrets, await request.body())

    @router.post("/{batch_id}/pause")
    @needs(Scope.JOBS)
    def pause_batch(batch_id: BatchId, request: Request, response: Response, caller: Asker) -> ShownBatch:
        """Halt a batch: what is being worked on is finished, nothing else is begun."""
        batches.pause(caller, batch_id)
        return _shown(context, batches.get(caller, batch_id), request, response)

    @router.post("/{batch_id}/resume", openapi_extra=RESUME)
    @needs(Scope.JOBS)
    def resume_batch(
        batch_id: BatchId,
        given: Annotated[NewSecrets, Depends(secrets_of)],
        request: Request,
        response: Response,
        caller: Asker,
    ) -> ShownBatch:
        """Go on with a halted batch, with other secrets where its own were refused or have expired."""
        batches.resume(caller, batch_id, secrets=given.secrets())
        return _shown(context, batches.get(caller, batch_id), request, response)

    @router.post("/{batch_id}/cancel")
    @needs(Scope.JOBS)
    def cancel_batch(batch_id: BatchId, request: Request, response: Response, caller: Asker) -> ShownBatch:
        """End a batch. Only what has an answer by then is paid for."""
        batches.cancel(caller, batch_id)
        return _shown(context, batches.get(caller, batch_id), request, response)


def _add_looking(router: APIRouter, context: Context) -> None:
    batches = context.desk.batches

    @router.get("")
    @needs(Scope.READ)
    def list_batches(
        request: Request, response: Response, caller: Asker, cursor: Cursor = None, limit: Limit = 50
    ) -> BatchList:
        """List the account's batches, newest first."""
        page, base_url = batches.page(caller, cursor=cursor, limit=limit), _base_url(context, request)
        if page.next_cursor is not None:
            following = request.url.include_query_params(cursor=page.next_cursor).query
            response.headers["Link"] = f'<{base_url}/v1/batches?{following}>; rel="next"'
        return BatchList.of(page, base_url=base_url)

    @router.get("/{batch_id}")
    @needs(Scope.READ)
    def show_batch(batch_id: BatchId, request: Request, response: Response, caller: Asker) -> ShownBatch:
        """Say where a batch stands, how fast it goes and when it will have ended."""
        return _shown(context, batches.get(caller, batch_id), request, response)

    @router.get("/{batch_id}/events", responses=_EVENTS, response_class=Response)
    @needs(Scope.READ)
    async def follow_batch(batch_id: BatchId, request: Request, caller: Asker) -> Response:
        """Tell of each change as a server-sent event `progress`, and of the end as `end`."""
        look = partial(batches.get, caller, batch_id)
        await to_thread.run_sync(look)  # whatever speaks against it is an answer of its own
        return progress_events(look, base_url=_base_url(context, request))


def _add_results(router: APIRouter, context: Context) -> None:
    batches = context.desk.batches

    @router.get("/{batch_id}/results")
    @needs(Scope.READ)
    def link_results(
        batch_id: BatchId,
        request: Request,
        response: Response,
        caller: Asker,
        expires_in_s: LinkLife = _LINK_LIFE_S,
    ) -> Results:
        """Give URLs of the files of a completed batch, which need no key and expire."""
        _check_completed(batches.get(caller, batch_id))
        response.headers["Cache-Control"] = "no-store"
        base_url = _base_url(context, request)
        links = batches.links(caller, batch_id, base_url=base_url, path=_FILE_PATH, expires_in_s=expires_in_s)
        return Results.of(links, expires_at=utc_now() + timedelta(seconds=expires_in_s))

    @router.get("/{batch_id}/files/{name}", responses=_FILE, response_class=Response)
    @signed(max_body_bytes=1)
    def download_file(batch_id: BatchId, name: str, request: Request) -> Response:
        """Give a file to whoever has its URL from `results`."""
        path = _FILE_PATH.format(id=batch_id, name=name)
        file, chunks = batches.open_output(batch_id, name, path=path, query=request.url.query)
        kind = guess_type(file.name)[0] or "application/octet-stream"
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
            "Content-Length": str(file.n_bytes),
        }
        return StreamingResponse(chunks, media_type=kind, headers=headers)

    @router.get("/{batch_id}/failures", responses=_LINES, response_class=Response)
    @needs(Scope.READ)
    def list_failures(batch_id: BatchId, caller: Asker) -> Response:
        """Name every picture that has no answer, so far, and why: JSON lines, in the order of the listing."""
        return StreamingResponse(failure_lines(batches.failures(caller, batch_id)), media_type=JSON_LINES)

    @router.get("/{batch_id}/verify")
    @needs(Scope.READ)
    def verify_batch(batch_id: BatchId, caller: Asker) -> ShownRecount:
        """Count the pictures anew, from the files of answers alone; takes a second for some 50,000."""
        return ShownRecount.of(batches.verify(caller, batch_id))


def _base_url(context: Context, request: Request) -> str:
    return context.public_url or str(request.base_url).rstrip("/")


def _shown(context: Context, overview: Overview, request: Request, response: Response) -> ShownBatch:
    if not overview.batch.state.is_final:
        response.headers["Retry-After"] = str(POLL_AFTER_S)
    return ShownBatch.of(overview, base_url=_base_url(context, request))


def _check_completed(overview: Overview) -> None:
    """Raise `JobNotFinished` where files are still to come, and `Expired` where none will."""
    state = overview.batch.state
    if state is State.COMPLETED:
        return
    expected = f"expected a batch that has completed, this one is {state.value}"
    raise Expired(expected) if state.is_final else JobNotFinished(expected)


_EVENTS: dict[int | str, dict[str, object]] = {
    200: {"description": "Events, until the batch has ended", "content": {"text/event-stream": {}}}
}
_FILE: dict[int | str, dict[str, object]] = {
    200: {"description": "The file", "content": {"application/octet-stream": {}}}
}
_LINES: dict[int | str, dict[str, object]] = {
    200: {"description": "A JSON object a line", "content": {JSON_LINES: {}}}
}
