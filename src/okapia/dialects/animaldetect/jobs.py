"""Jobs: one picture each, uploaded to a signed URL and analysed when there is time."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from okapia.dialects.animaldetect.answers import moment
from okapia.dialects.animaldetect.job_bodies import JobList, JobRequest, ShownJob, Text, UploadPlace
from okapia.dialects.animaldetect.performing import Performer
from okapia.dialects.animaldetect.results import saved
from okapia.dialects.animaldetect.uploading import upload_path
from okapia.domain.callers import Scope
from okapia.domain.refusals import Expired, JobNotFinished
from okapia.service.jobs import Job, JobQuery, State
from okapia.web.context import Context
from okapia.web.door import door
from okapia.web.needs import needs
from okapia.web.problems import problem_json
from okapia.web.visit import Asker

POLL_AFTER_S = 2
"""When a client may look again at a job that has not ended."""


class ListQuery(BaseModel):
    """Which jobs, and which part of them."""

    status: State | None = None
    client_reference_id: Text | None = None
    cursor: Annotated[str | None, Query(max_length=128)] = None
    limit: Annotated[int, Query(ge=1, le=100)] = 50

    def query(self) -> JobQuery:
        return JobQuery(self.status, self.client_reference_id, self.cursor, self.limit)


def build(context: Context) -> APIRouter:
    """Make `/v1/jobs` and everything below it, and have jobs done as this contract's calls do it."""
    router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=door(context, problem_json))
    _add_making(router, context)
    _add_looking(router, context)
    return router


def _add_making(router: APIRouter, context: Context) -> None:
    jobs, performer = context.desk.jobs, Performer(context)
    context.desk.perform_jobs_with(performer.perform)

    @router.post("", status_code=HTTPStatus.CREATED)
    @needs(Scope.JOBS)
    def create_job(body: JobRequest, request: Request, response: Response, caller: Asker) -> ShownJob:
        """Make a job. Upload its picture to `upload.url`, then submit it, which costs its credit."""
        job, base_url = jobs.create(caller, body.new_job(performer)), _base_url(context, request)
        shown = ShownJob.of(job, base_url=base_url, upload=_upload(context, job, base_url))
        response.headers["Location"] = shown.status_url
        return shown

    @router.post("/{job_id}/submit", status_code=HTTPStatus.ACCEPTED)
    @needs(Scope.JOBS)
    def submit_job(job_id: UUID, request: Request, response: Response, caller: Asker) -> ShownJob:
        """Have a job whose picture is uploaded done; submitting it again changes nothing."""
        return _shown(context, jobs.submit(caller, str(job_id)), request, response)

    @router.post("/{job_id}/cancel")
    @needs(Scope.JOBS)
    def cancel_job(job_id: UUID, request: Request, response: Response, caller: Asker) -> ShownJob:
        """End a job that has not been begun; its credit comes back."""
        return _shown(context, jobs.cancel(caller, str(job_id)), request, response)


def _add_looking(router: APIRouter, context: Context) -> None:
    jobs = context.desk.jobs
    Asked = Annotated[ListQuery, Query()]  # noqa: N806 - a type

    @router.get("")
    @needs(Scope.READ)
    def list_jobs(query: Asked, request: Request, response: Response, caller: Asker) -> JobList:
        """List the account's jobs, newest first."""
        page, base_url = jobs.page(caller, query.query()), _base_url(context, request)
        if page.next_cursor is not None:
            following = request.url.include_query_params(cursor=page.next_cursor).query
            response.headers["Link"] = f'<{base_url}/v1/jobs?{following}>; rel="next"'
        return JobList.of(page, base_url=base_url)

    @router.get("/{job_id}")
    @needs(Scope.READ)
    def show_job(job_id: UUID, request: Request, response: Response, caller: Asker) -> ShownJob:
        """Say where a job stands, and when to look again."""
        return _shown(context, jobs.get(caller, str(job_id)), request, response)

    @router.get("/{job_id}/result")
    @needs(Scope.READ)
    def show_result(job_id: UUID, caller: Asker) -> Response:
        """Give the answer of a job that has ended; that of a failed one says why."""
        job = jobs.get(caller, str(job_id))
        found = context.desk.results.find(caller, job.id)
        if not isinstance(found, Job):
            return saved(found)
        if found.state.is_final:
            raise Expired(f"expected a job with an answer, this one is {found.state.value}")
        raise JobNotFinished(f"expected a job that has ended, this one is {found.state.value}")


def _base_url(context: Context, request: Request) -> str:
    return context.public_url or str(request.base_url).rstrip("/")


def _upload(context: Context, job: Job, base_url: str) -> UploadPlace | None:
    if job.state is not State.AWAITING_UPLOAD or job.upload_expires_at is None:
        return None
    jobs = context.desk.jobs
    signed = jobs.invite(job, base_url=base_url, path=upload_path(job.id))
    return UploadPlace(
        url=signed.url,
        headers=dict(signed.headers),
        expires_at=moment(job.upload_expires_at),
        max_bytes=jobs.max_bytes,
    )


def _shown(context: Context, job: Job, request: Request, response: Response) -> ShownJob:
    if not job.state.is_final:
        response.headers["Retry-After"] = str(POLL_AFTER_S)
    return ShownJob.of(job, base_url=_base_url(context, request))
