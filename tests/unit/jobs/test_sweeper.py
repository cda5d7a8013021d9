"""What nobody needs any more goes away by itself, and nothing else does."""

from datetime import timedelta

import pytest

from okapia.database.instances import Instance
from okapia.domain.errors import NotFound
from okapia.jobs.job import State
from tests.unit.jobs.drafts import DAY
from tests.unit.jobs.office import ADA, PICTURE, Office, sees_a_fox, wanted


def test_a_job_that_was_never_submitted_expires_with_its_picture(office: Office) -> None:
    abandoned, other = office.create(), office.create()
    office.upload(abandoned)

    office.watch.pass_by(DAY)
    fresh = office.create()
    office.desk.sweep()

    assert [office.get(job).state for job in (abandoned, other)] == [State.EXPIRED, State.EXPIRED]
    assert office.get(fresh).state is State.AWAITING_UPLOAD
    assert office.stored() == set()
    assert office.booked() == {}


def test_a_job_that_nobody_ever_began_is_refunded(office: Office) -> None:
    job = office.submitted()

    office.watch.pass_by(30 * DAY - timedelta(seconds=1))
    office.desk.sweep()
    assert office.get(job).state is State.QUEUED
    office.watch.pass_by(timedelta(seconds=1))
    office.desk.sweep()

    assert office.run_all(sees_a_fox) == 0
    assert office.booked()["refund"] == 1
    assert office.stored() == set()


def test_answers_jobs_and_kept_pictures_end_together(office: Office) -> None:
    job = office.desk.jobs.create(ADA, wanted(keeps_image=True))
    office.upload(job)
    office.desk.jobs.submit(ADA, job.id)
    office.run_all(sees_a_fox)

    office.watch.pass_by(30 * DAY - timedelta(seconds=1))
    office.desk.sweep()
    assert office.stored() == {job.blob_key}
    office.watch.pass_by(timedelta(seconds=1))
    office.desk.sweep()

    assert office.stored() == set()
    with pytest.raises(NotFound):
        office.desk.results.find(ADA, job.id)


def test_pictures_without_a_job_are_dropped_once_a_day(office: Office) -> None:
    waiting, queued = office.create(), office.submitted()
    office.upload(waiting)
    needed = {waiting.blob_key, queued.blob_key}
    office.blobs.put("jobs/lost", [PICTURE], max_bytes=1000)
    office.blobs.put("results/of-others", [PICTURE], max_bytes=1000)

    office.desk.sweep()
    assert office.stored() == needed | {"results/of-others"}
    office.blobs.put("jobs/lost-again", [PICTURE], max_bytes=1000)
    office.watch.pass_by(timedelta(hours=23))
    office.desk.sweep()
    assert "jobs/lost-again" in office.stored()
    office.watch.pass_by(timedelta(hours=1))
    office.desk.sweep()

    assert "jobs/lost-again" not in office.stored()


def test_the_jobs_of_processes_that_are_gone_are_queued_again(office: Office) -> None:
    gone = Instance(office.database)
    job = office.submitted()
    with office.database.write() as connection:
        office.process(gone)._queue.claim(connection)

    office.desk.sweep()
    assert office.get(job).state is State.PROCESSING
    gone.leave()
    office.desk.sweep()

    assert office.get(job).state is State.QUEUED
