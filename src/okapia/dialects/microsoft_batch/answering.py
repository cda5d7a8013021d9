"""Where a batch stands, in Microsoft's words.

Microsoft worked in shards of 2,000 pictures, and programs may count with that; Okapia's own are smaller, and
none is ever given up: each picture ends with an answer, or by name among the failures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from okapia.domain.clock import utc_now
from okapia.formats.base import Json
from okapia.service.batch_outputs import OutputFile
from okapia.service.batches import Batch, Link, Overview, State

SHARD_IMAGES = 2000
"""Microsoft's."""

_LISTING = "Request received. Listing images next..."
_NO_IMAGES = (
    "Zero images found in container or in provided list of images "
    "after filtering with the provided parameters."
)
_SUBMITTED = (
    "Submitted {images} images to cluster in {shards} shards. Number of shards failed to be submitted: 0"
)
_CHECKED = "{done} out of {shards} shards have completed successfully, 0 shards have failed."
_CANCELED = "Request has been canceled by the user."
_FAILED = "Error occurred while preparing the Batch job: {}"
_PROBLEM = (
    "Please contact us, and do not send the request again: it goes on where it stopped after "
    "`okapia batch resume {id}{option}`. It stopped for this: {why}"
)

KINDS = {"megadetector": "detections", "failures": "failed_images"}
"""What Microsoft calls the files that it has, by their format."""


class Status(StrEnum):
    """Microsoft's states, `request_status`."""

    CREATED = "created"
    RUNNING = "running"
    FAILED = "failed"
    PROBLEM = "problem"
    COMPLETED = "completed"
    CANCELED = "canceled"


_STATUSES = {
    State.LISTING: Status.CREATED,
    State.RUNNING: Status.RUNNING,
    State.MERGING: Status.RUNNING,
    State.PAUSED: Status.PROBLEM,
    State.NEEDS_CREDENTIALS: Status.PROBLEM,
    State.COMPLETED: Status.COMPLETED,
    State.FAILED: Status.FAILED,
    State.CANCELED: Status.CANCELED,
}


@dataclass(frozen=True, slots=True)
class Age:
    """One of the states that the API was in.

    Attributes:
        version: the beginning of its paths.
        fields: its names for status, endpoint, task and time.
        clock: how it writes times.
    """

    version: str
    fields: tuple[str, str, str, str] = ("Status", "Endpoint", "TaskId", "Timestamp")
    clock: str = "%Y-%m-%dT%H:%M:%S.%fZ"

    @property
    def prefix(self) -> str:
        return f"/{self.version}/camera-trap/detection-batch"


LAST = Age("v4")
AGES = (LAST, Age("v3"), Age("v2", ("status", "endpoint", "uuid", "timestamp"), "%Y-%m-%d %H:%M:%S"))


def status_of(batch: Batch) -> Status:
    """Give Microsoft's word for where a batch stands."""
    return _STATUSES[batch.state]


def shown(overview: Overview, links: Sequence[Link], age: Age) -> dict[str, Json]:
    """Give the answer of `/task`, with the URLs of the results once there are any."""
    batch = overview.batch
    moment = (batch.finished_at or utc_now()).strftime(age.clock)
    status: dict[str, Json] = {
        "request_status": status_of(batch).value,
        "time": moment,
        "message": _message(overview, links),
    }
    if batch.images:
        status["num_images"] = batch.images
    values = (status, f"{age.prefix}/request_detections", batch.id, moment)
    return dict(zip(age.fields, values, strict=True))


def title_of(overview: Overview) -> str:
    """Give what its files are called after: the request's name, and when it came."""
    return f"{overview.request.name}_{overview.batch.created_at:%Y%m%d%H%M%S}"


def file_name(file: OutputFile, *, task_id: str, title: str) -> str:
    """Give Microsoft's name for a file: `ID_detections_NAME_TIME.json`."""
    kind = KINDS.get(file.format, file.format)
    return f"{task_id}_{kind}_{title}.{file.name.rpartition('.')[2]}"


def _message(overview: Overview, links: Sequence[Link]) -> Json:
    batch = overview.batch
    match batch.state:
        case State.LISTING:
            return _LISTING
        case State.RUNNING | State.MERGING:
            return _progress(overview)
        case State.PAUSED | State.NEEDS_CREDENTIALS:
            option = " --sas-stdin" if batch.state is State.NEEDS_CREDENTIALS else ""
            return _PROBLEM.format(id=batch.id, option=option, why=batch.message)
        case State.COMPLETED:
            return _results(links) if batch.images else _NO_IMAGES
        case State.FAILED | State.CANCELED:
            return _FAILED.format(batch.message) if batch.state is State.FAILED else _CANCELED


def _progress(overview: Overview) -> str:
    images, ended = overview.batch.images or 0, overview.progress.counts.total
    shards = ceil(images / SHARD_IMAGES)
    if ended == 0:
        return _SUBMITTED.format(images=images, shards=shards)
    return _CHECKED.format(done=shards if ended == images else ended // SHARD_IMAGES, shards=shards)


def _results(links: Sequence[Link]) -> dict[str, Json]:
    urls: dict[str, Json] = {KINDS[link.file.format]: link.url for link in links if link.file.format in KINDS}
    return {"num_failed_shards": 0, "output_file_urls": urls}
