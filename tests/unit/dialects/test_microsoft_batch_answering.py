"""Microsoft's batch API: where a batch stands, in Microsoft's words and numbers."""

from datetime import UTC, datetime

import pytest

from okapia.batches.batch import Batch, Counts, Progress, State
from okapia.dialects.microsoft_batch.answering import AGES, LAST, Age, Status, file_name, shown, title_of
from okapia.domain.models import ModelChoice
from okapia.formats.base import Json
from okapia.service.batch_outputs import OutputFile
from okapia.service.batch_request import BatchRequest, PlaceOfPictures
from okapia.service.batches import Link, Overview

V2 = AGES[-1]
ID = "f940ecd58c7746b1bde89bd6ba5a5202"
SUBMITTED = datetime(2026, 11, 20, 7, 8, 9, 123456, tzinfo=UTC)
NO_IMAGES = (
    "Zero images found in container or in provided list of images "
    "after filtering with the provided parameters."
)
FINISHED = datetime(2026, 11, 21, 17, 0, 0, 42, tzinfo=UTC)


def overview(
    state: State, *, images: int | None = None, ended: int = 0, message: str = "", name: str = "Alberta_2026"
) -> Overview:
    """Make a batch of which `ended` pictures have an answer."""
    request = BatchRequest(place=PlaceOfPictures(), choice=ModelChoice("stoat", None), name=name)
    batch = Batch(
        id=ID,
        user_id="ada",
        state=state,
        created_at=SUBMITTED,
        request=request.as_row(),
        images=images,
        message=message,
        finished_at=FINISHED if state.is_final else None,
    )
    return Overview(batch, Progress(Counts(done=ended), 0, 0), None, None)


def made(name: str, file_format: str) -> OutputFile:
    return OutputFile(name, file_format, f"batches/{ID}/{name}", 10, "0" * 64, 3)


def status_in(answer: dict[str, Json]) -> dict[str, Json]:
    status = answer["Status"]
    assert isinstance(status, dict)
    return status


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (State.LISTING, Status.CREATED),
        (State.RUNNING, Status.RUNNING),
        (State.MERGING, Status.RUNNING),
        (State.PAUSED, Status.PROBLEM),
        (State.NEEDS_CREDENTIALS, Status.PROBLEM),
        (State.COMPLETED, Status.COMPLETED),
        (State.FAILED, Status.FAILED),
        (State.CANCELED, Status.CANCELED),
    ],
)
def test_every_state_has_microsofts_word(state: State, status: Status) -> None:
    assert status_in(shown(overview(state), [], LAST))["request_status"] == status.value


def test_the_last_ages_answer_has_capitals_and_microseconds() -> None:
    answer = shown(overview(State.CANCELED, images=3), [], LAST)

    assert answer == {
        "Status": {
            "request_status": "canceled",
            "time": "2026-11-21T17:00:00.000042Z",
            "message": "Request has been canceled by the user.",
            "num_images": 3,
        },
        "Endpoint": "/v4/camera-trap/detection-batch/request_detections",
        "TaskId": ID,
        "Timestamp": "2026-11-21T17:00:00.000042Z",
    }


def test_the_first_age_has_lower_case_names_and_whole_seconds() -> None:
    answer = shown(overview(State.CANCELED), [], V2)

    assert [*answer] == ["status", "endpoint", "uuid", "timestamp"]
    assert answer["endpoint"] == "/v2/camera-trap/detection-batch/request_detections"
    assert (answer["uuid"], answer["timestamp"]) == (ID, "2026-11-21 17:00:00")


@pytest.mark.parametrize("age", AGES)
def test_a_batch_that_has_not_ended_is_told_of_as_of_now(age: Age) -> None:
    answer = shown(overview(State.RUNNING, images=1), [], age)

    moment = datetime.strptime(str(answer[age.fields[3]]), age.clock).replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60


@pytest.mark.parametrize(
    ("state", "images", "ended", "message"),
    [
        (State.LISTING, None, 0, "Request received. Listing images next..."),
        (
            State.RUNNING,
            4100,
            0,
            "Submitted 4100 images to cluster in 3 shards. Number of shards failed to be submitted: 0",
        ),
        (
            State.RUNNING,
            4100,
            1999,
            "0 out of 3 shards have completed successfully, 0 shards have failed.",
        ),
        (
            State.RUNNING,
            4100,
            4099,
            "2 out of 3 shards have completed successfully, 0 shards have failed.",
        ),
        (
            State.MERGING,
            4100,
            4100,
            "3 out of 3 shards have completed successfully, 0 shards have failed.",
        ),
        (
            State.COMPLETED,
            0,
            0,
            NO_IMAGES,
        ),
    ],
)
def test_progress_is_told_in_shards_of_2000(
    state: State, images: int | None, ended: int, message: str
) -> None:
    status = status_in(shown(overview(state, images=images, ended=ended), [], LAST))

    assert status["message"] == message
    assert status.get("num_images") == (images or None)


def test_a_completed_batch_gives_its_files_by_microsofts_names() -> None:
    links = [
        Link(made("results.json", "megadetector"), "https://okapia/results?signature=1"),
        Link(made("failures.csv", "failures"), "https://okapia/failures?signature=2"),
        Link(made("other.txt", "notes"), "https://okapia/other"),
    ]

    status = status_in(shown(overview(State.COMPLETED, images=3, ended=3), links, LAST))

    assert status["message"] == {
        "num_failed_shards": 0,
        "output_file_urls": {
            "detections": "https://okapia/results?signature=1",
            "failed_images": "https://okapia/failures?signature=2",
        },
    }


def test_a_failed_batch_says_why() -> None:
    refused = overview(State.FAILED, message="expected at least sample_n = 10 pictures, found 3")

    message = status_in(shown(refused, [], LAST))["message"]

    assert message == (
        "Error occurred while preparing the Batch job: expected at least sample_n = 10 pictures, found 3"
    )


@pytest.mark.parametrize(
    ("state", "command"),
    [
        (State.PAUSED, f"`okapia batch resume {ID}`"),
        (State.NEEDS_CREDENTIALS, f"`okapia batch resume {ID} --sas-stdin`"),
    ],
)
def test_a_batch_that_waits_for_somebody_says_for_what_and_that_nothing_is_lost(
    state: State, command: str
) -> None:
    message = status_in(shown(overview(state, images=5, message="the cloud answered 403"), [], LAST))[
        "message"
    ]

    assert isinstance(message, str)
    assert message.startswith("Please contact us, and do not send the request again")
    assert command in message
    assert message.endswith("the cloud answered 403")


@pytest.mark.parametrize(
    ("name", "title"),
    [("Alberta_2026", "Alberta_2026_20261120070809"), ("", "_20261120070809")],
)
def test_files_are_called_after_task_request_and_submission(name: str, title: str) -> None:
    told = title_of(overview(State.COMPLETED, name=name))

    names = [
        file_name(made("results.json", "megadetector"), task_id=ID, title=told),
        file_name(made("failures.csv", "failures"), task_id=ID, title=told),
    ]

    assert told == title
    assert names == [f"{ID}_detections_{title}.json", f"{ID}_failed_images_{title}.csv"]
