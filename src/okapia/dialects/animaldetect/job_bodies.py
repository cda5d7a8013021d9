"""What is sent to and from the routes of jobs, field by field."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from okapia.dialects.animaldetect.answers import moment
from okapia.dialects.animaldetect.performing import Performer
from okapia.domain.types import Failure
from okapia.service.jobs import Job, JobPage, NewJob, Operation, State

Text = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""One line without control characters: PostgreSQL keeps no NUL."""

MediaType = Annotated[
    str, StringConstraints(to_lower=True, max_length=127, pattern=r"^image/[A-Za-z0-9][A-Za-z0-9.+-]*$")
]
SourceUrl = Annotated[
    str, StringConstraints(max_length=2048, pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://[^\x00-\x20\x7f]+$")
]

UNTYPED = "image/*"
"""Content type of a picture that is fetched, where its job does not say more."""


class JobRequest(BaseModel):
    """A job to be made: about the picture, never the picture itself.

    Attributes:
        content_type: that the upload will have; needed unless there is a `source_url`.
        options: the parameters of the call that does the operation at once.
        source_url: where the server fetches the picture, in place of an upload (ours).
        sequence_id: pictures of one sequence bear the same (ours).
        priority: 0 goes first, 9 last: nobody gets ahead of others, but may let them by (ours).
        keep_image: whether the picture is kept with the answer; otherwise it is deleted (ours).
    """

    operation: Operation = Operation.DETECT
    filename: Text = "image"
    content_type: MediaType | None = None
    client_reference_id: Text | None = None
    options: dict[str, object] = Field(default_factory=dict)
    source_url: SourceUrl | None = None
    sequence_id: Text | None = None
    priority: Annotated[int, Field(ge=0, le=9)] = 0
    keep_image: bool = False

    @model_validator(mode="after")
    def _has_picture(self) -> Self:
        if self.content_type is None and self.source_url is None:
            raise ValueError("expected a content_type, or a source_url")
        return self

    def new_job(self, performer: Performer) -> NewJob:
        """Give it in our words; raises what `Performer.options` does."""
        return NewJob(
            operation=self.operation,
            filename=self.filename,
            content_type=self.content_type or UNTYPED,
            options=performer.options(self.operation, self.options),
            client_reference_id=self.client_reference_id,
            sequence_id=self.sequence_id,
            priority=self.priority,
            source_url=self.source_url,
            keeps_image=self.keep_image,
        )


class UploadPlace(BaseModel):
    """Where the picture goes: one PUT with these headers, without a key; the URL is a secret."""

    url: str
    method: str = "PUT"
    headers: dict[str, str]
    expires_at: str
    max_bytes: int


class JobError(BaseModel):
    """Why a job failed."""

    code: str
    message: str

    @classmethod
    def of(cls, failure: Failure) -> Self:
        return cls(code=failure.code, message=failure.message)


class ShownJob(BaseModel):
    """A job.

    Attributes:
        attempts: how often it was begun (ours).
        upload: only when it was just made.
    """

    id: str
    status: State
    operation: Operation
    filename: str
    content_type: str
    client_reference_id: str | None = None
    sequence_id: str | None = None
    priority: int
    attempts: int
    error: JobError | None = None
    created_at: str
    submitted_at: str | None = None
    completed_at: str | None = None
    expires_at: str
    upload: UploadPlace | None = None
    submit_url: str
    status_url: str
    result_url: str

    @classmethod
    def of(cls, job: Job, *, base_url: str, upload: UploadPlace | None = None) -> Self:
        url = f"{base_url}/v1/jobs/{job.id}"
        return cls(
            id=job.id,
            status=job.state,
            operation=job.operation,
            filename=job.filename,
            content_type=job.content_type,
            client_reference_id=job.client_reference_id,
            sequence_id=job.sequence_id,
            priority=job.priority,
            attempts=job.attempts,
            error=JobError.of(job.failure) if job.failure else None,
            created_at=moment(job.created_at),
            submitted_at=moment(job.submitted_at) if job.submitted_at else None,
            completed_at=moment(job.finished_at) if job.finished_at else None,
            expires_at=moment(job.expires_at),
            upload=upload,
            submit_url=f"{url}/submit",
            status_url=url,
            result_url=f"{url}/result",
        )


class JobList(BaseModel):
    """Some jobs, newest first; `next_cursor` gives those after them."""

    jobs: list[ShownJob]
    next_cursor: str | None

    @classmethod
    def of(cls, page: JobPage, *, base_url: str) -> Self:
        jobs = [ShownJob.of(job, base_url=base_url) for job in page.jobs]
        return cls(jobs=jobs, next_cursor=page.next_cursor)
