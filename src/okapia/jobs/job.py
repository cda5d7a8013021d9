"""One picture that is analysed when a worker is free: what it is, and which way it may go."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from okapia.domain.types import Analysis, Failure

MOST_ATTEMPTS = 5
"""Times that a job is begun before trouble that may pass counts as its end."""


class Operation(StrEnum):
    """What is done with a job's picture; the names are those of the calls that do it at once."""

    DETECT = "detect"
    DETECT_URBAN = "detect-urban"
    FILTER = "filter"
    FILTER_URBAN = "filter-urban"
    SCAN_IMAGE_TEXT = "scan-image-text"


class State(StrEnum):
    """Where a job stands.

    `EXPIRED` is a job whose upload or submission never came.
    """

    AWAITING_UPLOAD = "awaiting_upload"
    UPLOADED = "uploaded"
    QUEUED = "queued"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        return not _NEXT[self]

    @property
    def before(self) -> frozenset["State"]:
        """The states from which a job may come to this one; itself, where coming twice changes nothing."""
        return frozenset(state for state, following in _NEXT.items() if self in following)


_NEXT: Mapping[State, frozenset[State]] = {
    State.AWAITING_UPLOAD: frozenset({State.UPLOADED, State.CANCELED, State.EXPIRED}),
    # A second upload replaces the first.
    State.UPLOADED: frozenset({State.UPLOADED, State.QUEUED, State.CANCELED, State.EXPIRED}),
    State.QUEUED: frozenset({State.PROCESSING, State.CANCELED, State.EXPIRED}),
    State.PROCESSING: frozenset({State.SUCCEEDED, State.FAILED, State.QUEUED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELED: frozenset(),
    State.EXPIRED: frozenset(),
}

UNSUBMITTED = State.UPLOADED.before
"""The states in which a job still takes a picture."""


@dataclass(frozen=True, slots=True)
class Job:
    """One picture and what is asked of it.

    Attributes:
        id: a UUID of version 4; its answer has the same one.
        options: the parameters of the call that would do it at once, checked.
        priority: 0 goes first; more may wait until others are done.
        sealed_source_url: where the picture is fetched from; None when it is uploaded.
        attempts: how often it was begun.
        due_at: when it may be begun; later than `submitted_at` after trouble that may pass.
        upload_expires_at: until when the picture must be there and the job submitted; None with a source.
        expires_at: when the job and its answer are forgotten.
    """

    id: str
    user_id: str
    operation: Operation
    state: State
    filename: str
    content_type: str
    created_at: datetime
    expires_at: datetime
    options: Mapping[str, object] = field(default_factory=dict)
    key_id: str | None = None
    client_reference_id: str | None = None
    sequence_id: str | None = None
    priority: int = 0
    sealed_source_url: bytes | None = field(default=None, repr=False)
    keeps_image: bool = False
    attempts: int = 0
    instance_id: str | None = None
    failure: Failure | None = None
    upload_expires_at: datetime | None = None
    submitted_at: datetime | None = None
    due_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def blob_key(self) -> str:
        """Where its picture is kept."""
        return f"{BLOBS}/{self.id}"

    @property
    def reference(self) -> str:
        """What its credit is booked under."""
        return f"job:{self.id}"

    @property
    def endpoint(self) -> str:
        """The call that would do the same at once."""
        return f"/v1/{self.operation.value}"


BLOBS = "jobs"
"""Prefix of the keys under which jobs' pictures are kept."""


@dataclass(frozen=True, slots=True)
class Performed:
    """What came of a job's picture.

    Attributes:
        outcome: the answer, JSON; or why there is none.
        analysis: what was seen; None after a failure, and where only text was read.
    """

    outcome: bytes | Failure
    analysis: Analysis | None = None


def pause_after(attempts: int) -> timedelta:
    """Give how long a job waits after trouble that may pass: 5 s, 30 s, 3 min, 18 min."""
    return timedelta(seconds=5 * 6 ** (attempts - 1))
