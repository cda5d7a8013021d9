"""Which way a job may go."""

from datetime import timedelta

import pytest

from okapia.jobs.job import MOST_ATTEMPTS, State, pause_after
from tests.unit.jobs.drafts import draft


def test_ended_jobs_stay_as_they_are() -> None:
    ended = {state for state in State if state.is_final}

    assert ended == {State.SUCCEEDED, State.FAILED, State.CANCELED, State.EXPIRED}


@pytest.mark.parametrize("state", [state for state in State if state is not State.AWAITING_UPLOAD])
def test_every_state_but_the_first_can_be_reached(state: State) -> None:
    reached = {State.AWAITING_UPLOAD}

    for _ in State:
        reached |= {later for later in State if later.before & reached}

    assert state in reached


def test_what_is_being_worked_on_cannot_be_canceled() -> None:
    assert State.CANCELED.before == {State.AWAITING_UPLOAD, State.UPLOADED, State.QUEUED}


def test_pauses_grow_and_end() -> None:
    pauses = [pause_after(attempts) for attempts in range(1, MOST_ATTEMPTS)]

    assert pauses == [timedelta(seconds=s) for s in (5, 30, 180, 1080)]


def test_a_job_names_its_call_its_booking_and_its_blob() -> None:
    job = draft()

    assert job.endpoint == "/v1/detect"
    assert job.reference == f"job:{job.id}"
    assert job.blob_key == f"jobs/{job.id}"


def test_a_source_url_is_never_shown() -> None:
    assert "sealed_source_url" not in repr(draft())
