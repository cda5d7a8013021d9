"""Jobs for whoever asks: pictures that are analysed when a worker is free."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import Connection

from okapia.accounts.ledger import Ledger
from okapia.database.engine import Database
from okapia.domain.callers import Caller
from okapia.domain.clock import Clock, utc_now
from okapia.domain.refusals import NotInPlan
from okapia.domain.types import Analysis
from okapia.jobs.answers import RETENTION
from okapia.jobs.closing import Closing, Emit
from okapia.jobs.job import Job, Operation, Performed, State
from okapia.jobs.pictures import Pictures
from okapia.jobs.store import JobPage, JobQuery, JobStore
from okapia.jobs.uploads import Uploads
from okapia.storage.blobs import SignedUpload
from okapia.webhooks.events import Event, EventType, Seen
from okapia.webhooks.outbox import Outbox

__all__ = ["Job", "JobPage", "JobQuery", "Jobs", "NewJob", "Operation", "Performed", "State", "told_to"]

UPLOAD_WINDOW = timedelta(days=1)
"""How long a job waits for its picture and its submission."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What somebody wants done.

    Attributes:
        options: checked; kept as they are.
        source_url: where the picture is fetched from, http or https; None when it will be uploaded.
    """

    operation: Operation
    filename: str
    content_type: str
    options: Mapping[str, object] = field(default_factory=dict)
    client_reference_id: str | None = None
    sequence_id: str | None = None
    priority: int = 0
    source_url: str | None = field(default=None, repr=False)
    keeps_image: bool = False


class Jobs:
    """Takes jobs, their pictures and their submission. All of it blocks on the database.

    Somebody else's job, an unknown and an expired one are the same: `NotFound`.
    """

    def __init__(
        self,
        database: Database,
        *,
        store: JobStore,
        closing: Closing,
        uploads: Uploads,
        pictures: Pictures,
        ledger: Ledger,
        wake: Callable[[], None],
        retention: timedelta = RETENTION,
        clock: Clock = utc_now,
    ) -> None:
        """Hold credits with a ledger of the instance `JOBS_INSTANCE`; call `wake` when a job was queued."""
        self._database = database
        self._store = store
        self._closing = closing
        self._uploads = uploads
        self._pictures = pictures
        self._ledger = ledger
        self._wake = wake
        self._retention = retention
        self._clock = clock

    @property
    def max_bytes(self) -> int:
        """Of a job's picture."""
        return self._uploads.max_bytes

    def create(self, caller: Caller, wanted: NewJob) -> Job:
        """Take a new job; one whose picture is fetched is queued at once.

        Raises:
            NotInPlan: the caller's plan does not have the operation.
            SourceRefused: no pictures are fetched here.
            CreditsSpent: a job that would be queued cannot be paid.
            TooManyJobs: too many of the caller's wait for their upload or submission.
        """
        if wanted.operation is Operation.SCAN_IMAGE_TEXT and not caller.plan.has_ocr:
            raise NotInPlan(f"the plan {caller.plan.name} does not have {wanted.operation.value}")
        job = self._new(caller, wanted)
        with self._database.write() as connection:
            self._store.create(connection, job)
            if job.state is State.QUEUED:
                self._hold(connection, job)
        if job.state is State.QUEUED:
            self._wake()
        return job

    def invite(self, job: Job, *, base_url: str, path: str) -> SignedUpload:
        """Say how a job's picture is to be uploaded; raises what `Uploads.invite` raises."""
        return self._uploads.invite(job, base_url=base_url, path=path)

    def receive(
        self, job_id: str, chunks: Iterable[bytes], *, path: str, query: str, content_type: str
    ) -> None:
        """Take the picture of a job from whoever has its signed URL, which `path` and `query` are of.

        Raises:
            SignatureInvalid, SignatureExpired, UnsupportedMediaType: before a byte is asked for.
            NotFound, Expired, WrongState: the job does not take a picture (any more).
            EmptyImage, PayloadTooLarge, StorageError: what was there before is there still.
        """
        self._uploads.check(path, query, content_type=content_type)
        with self._database.read() as connection:
            job = self._store.awaiting(connection, job_id)
        self._uploads.take(job, chunks)
        with self._database.write() as connection:
            self._store.mark_uploaded(connection, job_id)

    def submit(self, caller: Caller, job_id: str) -> Job:
        """Hold the job's credit and queue it; one that was submitted before stays as it is.

        Raises:
            NotFound, Expired: there is no such job, or its time to be submitted is over.
            WrongState: its picture is not there, or it was canceled.
            EmptyImage, PayloadTooLarge: its picture is none, or too large.
            CreditsSpent: nothing was changed; it can be submitted again.
        """
        job = self.get(caller, job_id)
        if job.state in {State.AWAITING_UPLOAD, State.UPLOADED}:
            self._uploads.check_there(job)
        with self._database.write() as connection:
            queued = self._store.submit(connection, caller.user_id, job_id)
            if queued is not None:
                self._hold(connection, queued)
        if queued is None:
            return self.get(caller, job_id)
        self._wake()
        return queued

    def get(self, caller: Caller, job_id: str) -> Job:
        with self._database.read() as connection:
            return self._store.get(connection, caller.user_id, job_id)

    def page(self, caller: Caller, query: JobQuery) -> JobPage:
        """List the caller's jobs; raises `InvalidRequest` for a cursor that is none."""
        with self._database.read() as connection:
            return self._store.page(connection, caller.user_id, query)

    def cancel(self, caller: Caller, job_id: str) -> Job:
        """End a job that has not been begun and refund it; one that was canceled before stays so.

        Raises:
            NotFound: there is no such job.
            WrongState: it is being worked on, or ended otherwise.
        """
        with self._database.write() as connection:
            self._closing.cancel(connection, caller.user_id, job_id)
            job = self._store.get(connection, caller.user_id, job_id)
        self._pictures.drop(job.blob_key)
        return job

    def _new(self, caller: Caller, wanted: NewJob) -> Job:
        now, job_id = self._clock(), str(uuid4())
        job = Job(
            id=job_id,
            user_id=caller.user_id,
            key_id=caller.key_id,
            operation=wanted.operation,
            state=State.AWAITING_UPLOAD,
            filename=wanted.filename,
            content_type=wanted.content_type,
            options=wanted.options,
            client_reference_id=wanted.client_reference_id,
            sequence_id=wanted.sequence_id,
            priority=wanted.priority,
            keeps_image=wanted.keeps_image,
            created_at=now,
            upload_expires_at=now + UPLOAD_WINDOW,
            expires_at=now + self._retention,
        )
        if wanted.source_url is None:
            return job
        sealed = self._pictures.seal(wanted.source_url, job_id=job_id)
        return replace(
            job,
            state=State.QUEUED,
            sealed_source_url=sealed,
            upload_expires_at=None,
            submitted_at=now,
            due_at=now,
        )

    def _hold(self, connection: Connection, job: Job) -> None:
        self._ledger.hold(connection, job.user_id, images=1, reference=job.reference, key_id=job.key_id)


_EVENTS = {
    State.SUCCEEDED: EventType.JOB_SUCCEEDED,
    State.FAILED: EventType.JOB_FAILED,
    State.CANCELED: EventType.JOB_CANCELED,
    State.EXPIRED: EventType.JOB_EXPIRED,
}


def told_to(outbox: Outbox) -> Emit:
    """Give what tells a user's endpoints how a job ended, and what was seen in its picture."""

    def emit(connection: Connection, job: Job, analysis: Analysis | None) -> None:
        data = {
            "id": job.id,
            "operation": job.operation.value,
            "status": job.state.value,
            "filename": job.filename,
            "client_reference_id": job.client_reference_id,
            "error": {"code": job.failure.code, "message": job.failure.message} if job.failure else None,
        }
        outbox.emit(connection, job.user_id, Event(_EVENTS[job.state], data))
        if analysis is not None:
            outbox.emit_detections(connection, job.user_id, _seen(job, analysis))

    return emit


def _seen(job: Job, analysis: Analysis) -> Seen:
    capture = analysis.image.capture
    return Seen(
        answer_id=job.id,
        filename=job.filename,
        analysis=analysis,
        camera=capture.camera_serial,
        sequence_id=job.sequence_id,
        captured_at=capture.captured_at,
        endpoint=job.endpoint,
    )
