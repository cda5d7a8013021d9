"""Answers of before, by their id: `GET` and `DELETE /v1/detect/{id}`, whichever call gave them."""

from http import HTTPStatus
from uuid import UUID

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from okapia.dialects.animaldetect.answers import moment
from okapia.domain.callers import Scope
from okapia.domain.errors import NotFound
from okapia.service.jobs import Job
from okapia.service.results import Answer
from okapia.web.context import Context
from okapia.web.door import door
from okapia.web.needs import needs
from okapia.web.problems import problem_json
from okapia.web.visit import Asker

RETRY_AFTER_S = 2
"""When a client may ask again for an answer that is not there yet."""


def build(context: Context) -> APIRouter:
    """Make `/v1/detect/{answer_id}`."""
    router = APIRouter(prefix="/v1", tags=["detect"], route_class=door(context, problem_json))
    results = context.desk.results

    @router.get("/detect/{answer_id}", responses=_ANSWERS)
    @needs(Scope.READ)
    def show_answer(answer_id: UUID, caller: Asker) -> Response:
        """Give an answer again, of any call and of any job, until it expires."""
        found = results.find(caller, str(answer_id))
        return _unfinished(found) if isinstance(found, Job) else saved(found)

    @router.delete("/detect/{answer_id}", status_code=HTTPStatus.NO_CONTENT)
    @needs(Scope.DETECT)
    def delete_answer(answer_id: UUID, caller: Asker) -> None:
        """Delete an answer, and its picture where that was kept."""
        results.delete(caller, str(answer_id))

    return router


def saved(answer: Answer) -> Response:
    """Give an answer again, in its own shape, with when it was given; one that is an error says so."""
    given = orjson.loads(answer.body)
    document = {
        "id": answer.id,
        "status": "error" if "error" in given else "success",
        "endpoint": answer.endpoint,
        "created_at": moment(answer.created_at),
        "completed_at": moment(answer.completed_at),
        **given,
        "expires_at": moment(answer.expires_at),
    }
    return Response(orjson.dumps(document), media_type="application/json")


def _unfinished(job: Job) -> Response:
    """Say where the job of an answer stands that is not there yet.

    Raises:
        NotFound: it never will be.
    """
    if job.state.is_final:
        raise NotFound(f"expected the id of an answer, {job.id} is that of a job that was {job.state.value}")
    document = {
        "id": job.id,
        "status": job.state.value,
        "endpoint": job.endpoint,
        "created_at": moment(job.created_at),
        "expires_at": moment(job.expires_at),
    }
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return Response(orjson.dumps(document), HTTPStatus.ACCEPTED, headers, "application/json")


_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {"description": "The answer as it was given, or the error that there is in its place"},
    202: {"description": "Its job has not ended: `Retry-After` says when to ask again"},
    404: {"description": "Unknown, deleted or expired"},
}
