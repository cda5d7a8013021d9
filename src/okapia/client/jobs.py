"""Pictures that are analysed when there is time: larger ones, and answers that need not be waited for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from okapia.client.answers import Notice, SavedAnswer
from okapia.client.connection import Connection, at
from okapia.client.errors import JobFailed, WaitedTooLong
from okapia.client.images import Image, content_type_of, read_picture
from okapia.client.options import DEFAULTS, Options
from okapia.client.pages import rows
from okapia.client.reading import Answer, read

Operation = Literal["detect", "detect-urban", "filter", "filter-urban", "scan-image-text"]
"""What is done with the picture; the names are those of the calls that do it at once."""

_POLL_S = 1.0
_ENDS = frozenset({"succeeded", "failed", "canceled", "expired"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload(Answer):
    """Where a job's picture goes.

    Attributes:
        url: signed: whoever has it may upload, so it is a secret.
        headers: that the upload must have.
    """

    url: str = field(repr=False)
    headers: Mapping[str, object] = field(default_factory=dict)
    expires_at: datetime | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Answer):
    """One picture and where it stands.

    Attributes:
        status: `awaiting_upload`, `uploaded`, `queued`, `processing`, `succeeded`, `failed`, `canceled` or
            `expired`.
        upload: only from `create`.
        error: why it failed.
    """

    id: str
    status: str
    operation: str | None = None
    filename: str | None = None
    client_reference_id: str | None = None
    upload: Upload | None = None
    error: Notice | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        return self.status in _ENDS


class Jobs:
    """Makes jobs and follows them; one picture is one job."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def process(
        self,
        image: Image,
        options: Options = DEFAULTS,
        *,
        operation: Operation = "detect",
        timeout_s: float = 600,
    ) -> SavedAnswer:
        """Have one picture analysed and wait for the answer: `create`, `upload`, `submit`, `wait`, `result`.

        Raises:
            JobFailed: there is no answer; the message says why.
            WaitedTooLong: there is none yet.
        """
        picture = read_picture(image)
        job = self.create(picture.name, options, operation=operation)
        self.upload(job, picture.data)
        self.submit(job.id)
        ended = self.wait(job.id, timeout_s=timeout_s)
        if ended.status != "succeeded":
            raise _failure(ended)
        return self.result(job.id)

    def create(
        self,
        filename: str,
        options: Options = DEFAULTS,
        *,
        operation: Operation = "detect",
        source_url: str | None = None,
        client_reference_id: str | None = None,
        sequence_id: str | None = None,
        priority: int = 0,
        keep_image: bool = False,
        idempotency_key: str | None = None,
    ) -> Job:
        """Make a job; nothing is analysed before its picture is uploaded and it is submitted.

        Args:
            source_url: where the server fetches the picture, in place of `upload` and `submit`.
            client_reference_id: your own name for it, by which `all` finds it.
            sequence_id: pictures of one sequence bear the same.
            priority: below 0, down to -9, for what may wait until other jobs are done.
            keep_image: have the server keep the picture as long as the answer.
        """
        asked = {
            "operation": operation,
            "filename": filename,
            "content_type": content_type_of(filename),
            "source_url": source_url,
            "client_reference_id": client_reference_id,
            "sequence_id": sequence_id,
            "priority": priority,
            "keep_image": keep_image,
            "options": options.fields(),
        }
        given = {name: value for name, value in asked.items() if value is not None}
        return read(Job, self._connection.post(at("jobs"), given, idempotency_key=idempotency_key).document)

    def upload(self, job: Job, image: Image) -> None:
        """Send the picture of a job to where the server wants it; the key is not sent there.

        Raises:
            ValueError: the job is not as `create` gave it.
        """
        if job.upload is None:
            raise ValueError("expected a job as `create` gives it, with the place of its upload")
        headers = {name: str(value) for name, value in job.upload.headers.items()}
        self._connection.put(job.upload.url, read_picture(image).data, headers=headers)

    def submit(self, job_id: str) -> Job:
        """Queue a job whose picture is there; from now on it costs its credit."""
        return read(Job, self._connection.post(at("jobs", job_id, "submit")).document)

    def get(self, job_id: str) -> Job:
        """Say where a job stands."""
        return read(Job, self._connection.get(at("jobs", job_id)).document)

    def wait(self, job_id: str, *, timeout_s: float = 600) -> Job:
        """Wait for the end of a job, asking as often as the server likes.

        Raises:
            WaitedTooLong: it has not ended in time.
        """
        timing = self._connection.retrying.timing
        ends_at = timing.clock() + timeout_s
        while True:
            reply = self._connection.get(at("jobs", job_id))
            job = read(Job, reply.document)
            if job.has_ended:
                return job
            wait_s = reply.retry_after_s or _POLL_S
            if timing.clock() + wait_s > ends_at:
                raise WaitedTooLong(f"job {job_id} is {job.status} after {timeout_s:g} s")
            timing.sleep(wait_s)

    def result(self, job_id: str) -> SavedAnswer:
        """Give the answer of a job that has succeeded."""
        return read(SavedAnswer, self._connection.get(at("jobs", job_id, "result")).document)

    def cancel(self, job_id: str) -> Job:
        """End a job that has not been begun; it costs nothing."""
        return read(Job, self._connection.post(at("jobs", job_id, "cancel")).document)

    def all(self, *, status: str | None = None, client_reference_id: str | None = None) -> Iterator[Job]:
        """Give the account's jobs, newest first."""
        query = {"status": status, "client_reference_id": client_reference_id}
        return rows(self._connection, at("jobs"), Job, key="jobs", query=query)


def _failure(job: Job) -> JobFailed:
    if job.error is None:
        return JobFailed(f"expected a job that succeeds, this one is {job.status}", code=job.status)
    return JobFailed(job.error.message, code=job.error.code)
