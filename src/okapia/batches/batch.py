"""Many pictures under one request: what a batch is, what it is worked off in, and which way it may go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Self

from okapia.domain.errors import OkapiaError

SHARD_IMAGES = 256
"""Pictures that are leased together; what a killed worker may have to do again."""


class State(StrEnum):
    """Where a batch stands.

    `NEEDS_CREDENTIALS` is a pause that ends when somebody gives the source's secret anew.
    """

    LISTING = "listing"
    RUNNING = "running"
    MERGING = "merging"
    PAUSED = "paused"
    NEEDS_CREDENTIALS = "needs_credentials"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        return not _NEXT[self]

    @property
    def before(self) -> frozenset["State"]:
        """The states from which a batch may come to this one."""
        return frozenset(state for state, following in _NEXT.items() if self in following)


WORKED_ON = frozenset({State.LISTING, State.RUNNING, State.MERGING})
"""The states in which tasks of a batch may be begun."""

_HALTS = frozenset({State.PAUSED, State.NEEDS_CREDENTIALS, State.CANCELED})

_NEXT: Mapping[State, frozenset[State]] = {
    State.LISTING: frozenset({State.RUNNING, State.MERGING, State.FAILED}) | _HALTS,
    State.RUNNING: frozenset({State.MERGING, State.FAILED}) | _HALTS,
    State.MERGING: frozenset({State.COMPLETED, State.FAILED}) | _HALTS,
    State.PAUSED: WORKED_ON | {State.CANCELED},
    State.NEEDS_CREDENTIALS: WORKED_ON | {State.CANCELED},
    State.COMPLETED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELED: frozenset(),
}


class Kind(StrEnum):
    """What a task is: finding the pictures, analysing some of them, or putting the results together."""

    LIST = "list"
    SHARD = "shard"
    MERGE = "merge"


class Verdict(StrEnum):
    """How a picture ended; each of a batch ends in exactly one of these.

    `DAMAGED` has an answer, made from the part that could be read. `MISSING` was listed and is not there.
    """

    DONE = "done"
    DAMAGED = "damaged"
    UNDECODABLE = "undecodable"
    UNSUPPORTED = "unsupported"
    MISSING = "missing"
    FAILED = "failed"


class LeaseLost(OkapiaError):
    """A task is somebody else's by now, or its batch was canceled: what was done does not count."""

    code = "lease_lost"

    def __init__(self) -> None:
        super().__init__("the task is somebody else's by now, or its batch was canceled")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many pictures ended how."""

    done: int = 0
    damaged: int = 0
    undecodable: int = 0
    unsupported: int = 0
    missing: int = 0
    failed: int = 0

    @classmethod
    def of(cls, verdicts: Mapping[Verdict, int]) -> Self:
        """Count by verdict; what is not named is 0."""
        return cls(**{verdict.value: number for verdict, number in verdicts.items()})

    @property
    def total(self) -> int:
        return sum(getattr(self, one.name) for one in fields(self))

    @property
    def answered(self) -> int:
        """Pictures that have an answer, which are those that cost a credit."""
        return self.done + self.damaged


@dataclass(frozen=True, slots=True)
class Batch:
    """One request for many pictures.

    Attributes:
        request: what was asked, without any secret.
        sealed_secret: what opens the source, until the batch ends; None when the server's own identity does.
        worked_by: name of the only worker that may do its tasks; empty when any may.
        outputs: the files that were made of its answers, as they were recorded.
        images: how many pictures were found; None while that is being found out.
        message: why it stands where it stands, for people.
    """

    id: str
    user_id: str
    state: State
    created_at: datetime
    request: Mapping[str, object] = field(default_factory=dict)
    key_id: str | None = None
    priority: int = 0
    sealed_secret: bytes | None = field(default=None, repr=False)
    worked_by: str = ""
    outputs: Sequence[Mapping[str, object]] = ()
    images: int | None = None
    message: str = ""
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """A task that a worker has for a time.

    Attributes:
        number: of a shard within its batch, from 0.
        token: grows with every lease of the task; a commit under an older one is refused.
        attempts: how often it was begun, this time too.
        items: the pictures of a shard, packed (`okapia.batches.items`).
        ends_at: until when nobody else is given it, unless it is renewed.
    """

    task_id: int
    batch_id: str
    user_id: str
    kind: Kind
    number: int
    token: int
    attempts: int
    images: int
    items: bytes
    ends_at: datetime

    @property
    def file_stem(self) -> str:
        """Name of its results without suffix: a late worker writes beside its successor's, never over it."""
        return f"{self.number:07d}-{self.token}"


@dataclass(frozen=True, slots=True)
class ShardFile:
    """The results of a shard, as they lie on the disk or in a container.

    Attributes:
        sha256: of its bytes, in hexadecimal.
    """

    name: str
    sha256: str
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is.

    Attributes:
        shards, shards_done: tasks that analyse pictures.
    """

    counts: Counts
    shards: int
    shards_done: int
