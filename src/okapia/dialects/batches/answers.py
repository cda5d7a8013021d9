"""What the routes of batches answer, field by field."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel

from okapia.domain.clips import FrameUnit
from okapia.domain.types import Failure, Smooth
from okapia.formats.megadetector import as_utf8
from okapia.formats.shard_file import ShardRow
from okapia.service import Warned
from okapia.service.batch_outputs import OutputFile
from okapia.service.batch_request import BatchRequest, Split
from okapia.service.batches import BatchPage, Link, Overview, Recount

Status = Literal[
    "listing", "running", "merging", "paused", "needs_credentials", "completed", "failed", "canceled"
]


class ShownCounts(BaseModel):
    """How many pictures ended how; each ends in exactly one way.

    Attributes:
        damaged: those that have an answer, made from the part that could be read.
        missing: those that were listed, and were not there any more.
    """

    done: int
    damaged: int
    undecodable: int
    unsupported: int
    missing: int
    failed: int


class ShownProgress(ShownCounts):
    """How far a batch is.

    Attributes:
        images: how many pictures it has; null while they are being listed.
        ended: how many of them have ended, one way or the other.
        per_second: how many end in a second; null when nothing has ended lately.
        seconds_left: until the last one ends, at that rate.
    """

    images: int | None
    ended: int
    per_second: float | None
    seconds_left: float | None

    @classmethod
    def of(cls, overview: Overview) -> Self:
        counts = overview.progress.counts
        return cls(
            images=overview.batch.images,
            ended=counts.total,
            per_second=overview.per_second,
            seconds_left=overview.seconds_left,
            done=counts.done,
            damaged=counts.damaged,
            undecodable=counts.undecodable,
            unsupported=counts.unsupported,
            missing=counts.missing,
            failed=counts.failed,
        )


class ShownSource(BaseModel):
    """Where the pictures lie (null: each at a URL of its own), and which of them are meant."""

    place: str | None
    prefix: str
    suffixes: list[str]
    first_n: int | None
    sample_n: int | None
    seed: int


class ShownModels(BaseModel):
    """The models that answer; `classifier` null means boxes without species."""

    detector: str
    classifier: str | None
    tiles: int


class ShownFrames(BaseModel):
    """Which frames of video files are looked at."""

    every: float
    unit: FrameUnit
    most: int


class ShownOptions(BaseModel):
    """What is asked of every picture; the place in codes."""

    threshold: float
    classify: bool
    country: str | None
    state: str | None
    smooth: Smooth
    frames: ShownFrames | None


class ShownOutputs(BaseModel):
    """Which files are made of the answers."""

    formats: list[str]
    keep_above: float
    top_k: int | None
    split: Split
    address: str | None


class ShownFile(BaseModel):
    """A file that was made, with the number of its pictures.

    Attributes:
        format: name of a result format, or `failures` or `manifest`, of which every batch has one.
        part: the folder or the camera that it is about; null for a file about all.
    """

    name: str
    format: str
    part: str | None
    bytes: int
    sha256: str
    images: int

    @classmethod
    def of(cls, file: OutputFile) -> Self:
        return cls(
            name=file.name,
            format=file.format,
            part=file.part or None,
            bytes=file.n_bytes,
            sha256=file.sha256,
            images=file.images,
        )


class ShownBatch(BaseModel):
    """A batch: what was asked, without its secrets, and where it stands.

    Attributes:
        message: why it stands there, for people.
        files: what was made of its answers, once it is completed.
    """

    id: str
    name: str | None
    status: Status
    message: str
    priority: int
    source: ShownSource
    model: ShownModels
    options: ShownOptions
    outputs: ShownOutputs
    webhook: str | None
    uses_cache: bool
    progress: ShownProgress
    files: list[ShownFile]
    created_at: datetime
    completed_at: datetime | None
    status_url: str
    events_url: str
    results_url: str
    failures_url: str

    @classmethod
    def of(cls, overview: Overview, *, base_url: str) -> Self:
        return cls.model_validate(_fields(overview, base_url=base_url))


class ShownWarning(BaseModel):
    """Something that the request says, and that is not used."""

    code: str
    message: str


class MadeBatch(ShownBatch):
    """A batch that was just made."""

    warnings: list[ShownWarning]

    @classmethod
    def of_new(cls, overview: Overview, warnings: tuple[Warned, ...], *, base_url: str) -> Self:
        told = [ShownWarning(code=one.code, message=one.message) for one in warnings]
        return cls.model_validate({**_fields(overview, base_url=base_url), "warnings": told})


class BatchList(BaseModel):
    """Some batches, newest first; `next_cursor` gives those after them."""

    batches: list[ShownBatch]
    next_cursor: str | None

    @classmethod
    def of(cls, page: BatchPage, *, base_url: str) -> Self:
        batches = [ShownBatch.of(one, base_url=base_url) for one in page.batches]
        return cls(batches=batches, next_cursor=page.next_cursor)


class ShownLink(ShownFile):
    """A file with a URL that gives it to whoever has it, until it expires."""

    url: str

    @classmethod
    def of_link(cls, link: Link) -> Self:
        return cls.model_validate({**ShownFile.of(link.file).model_dump(), "url": link.url})


class Results(BaseModel):
    """The files of a completed batch."""

    files: list[ShownLink]
    expires_at: datetime

    @classmethod
    def of(cls, links: Sequence[Link], *, expires_at: datetime) -> Self:
        return cls(files=[ShownLink.of_link(link) for link in links], expires_at=expires_at)


class ShownFailure(BaseModel):
    """A picture without an answer."""

    file: str
    verdict: str
    code: str
    message: str
    meta: str | None

    @classmethod
    def of(cls, row: ShardRow, failure: Failure) -> Self:
        return cls(
            file=as_utf8(row.result.name),
            verdict=row.verdict,
            code=failure.code,
            message=as_utf8(failure.message),
            meta=row.result.meta,
        )


class ShownRecount(BaseModel):
    """All pictures of the finished parts, counted anew from their files.

    Attributes:
        is_right: whether the books say the same.
        problems: what differs, one sentence each.
    """

    is_right: bool
    images: int
    counts: ShownCounts
    problems: list[str]

    @classmethod
    def of(cls, recount: Recount) -> Self:
        counts = ShownCounts.model_validate(recount.counts, from_attributes=True)
        return cls(
            is_right=not recount.problems,
            images=recount.counts.total,
            counts=counts,
            problems=list(recount.problems),
        )


def _fields(overview: Overview, *, base_url: str) -> dict[str, object]:
    batch = overview.batch
    url = f"{base_url}/v1/batches/{batch.id}"
    return {
        "id": batch.id,
        "status": batch.state.value,
        "message": batch.message,
        "priority": batch.priority,
        **_asked(overview.request),
        "progress": ShownProgress.of(overview),
        "files": [ShownFile.of(file) for file in overview.outputs],
        "created_at": batch.created_at,
        "completed_at": batch.finished_at,
        "status_url": url,
        "events_url": f"{url}/events",
        "results_url": f"{url}/results",
        "failures_url": f"{url}/failures",
    }


def _asked(request: BatchRequest) -> dict[str, object]:
    options, outputs = request.options, request.outputs
    return {
        "name": request.name or None,
        "source": {"place": request.place.address or None, **asdict(request.selection)},
        "model": asdict(request.choice),
        "options": {
            "threshold": options.threshold,
            "classify": options.classify,
            "country": options.where.country,
            "state": options.where.state,
            "smooth": options.smooth,
            "frames": asdict(options.frames) if options.frames else None,
        },
        "outputs": {**asdict(outputs), "address": outputs.address or None},
        "webhook": request.webhook or None,
        "uses_cache": request.uses_cache,
    }
