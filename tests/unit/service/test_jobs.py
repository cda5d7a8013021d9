"""Jobs and answers for whoever asks: refused, held, refunded, told of."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from okapia.database.engine import Database
from okapia.database.tables import webhook_deliveries
from okapia.domain.callers import Caller
from okapia.domain.errors import EmptyImage, NotFound, PayloadTooLarge, SourceRefused
from okapia.domain.refusals import CreditsSpent, Expired, JobNotFinished, NotInPlan, WrongState
from okapia.domain.types import Analysis, BBox, Category, Detection, Failure, ImageInfo
from okapia.jobs.answers import Answer
from okapia.jobs.job import Job, Operation, Performed, State
from okapia.service.jobs import JobQuery, NewJob
from okapia.storage.secrets import Vault
from okapia.webhooks.endpoints import Endpoints, Subscription
from tests.unit.jobs.drafts import DAY, Watch
from tests.unit.jobs.office import ADA, BEN, FOX, PICTURE, TEN, Office, sees_a_fox


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path, Watch())


def spend_all_credits(office: Office) -> None:
    for _ in range(TEN.included or 0):
        office.submitted()


def test_a_job_costs_a_credit_from_its_submission_on(office: Office) -> None:
    job = office.create()
    office.upload(job)
    before = office.booked()

    office.desk.jobs.submit(ADA, job.id)
    office.desk.jobs.submit(ADA, job.id)

    assert before == {}
    assert office.booked() == {"hold": 1}


def test_without_credits_a_job_stays_uploaded_and_can_be_submitted_later(office: Office) -> None:
    spend_all_credits(office)
    job = office.create()
    office.upload(job)

    with pytest.raises(CreditsSpent):
        office.desk.jobs.submit(ADA, job.id)
    between = office.get(job).state
    office.run_all(lambda *_: Performed(Failure("empty_image", "expected an image, got 0 bytes")))
    office.desk.jobs.submit(ADA, job.id)

    assert between is State.UPLOADED
    assert office.get(job).state is State.QUEUED
    assert office.booked() == {"hold": 11, "refund": 10}


def test_without_credits_no_job_is_queued_from_a_url(office: Office) -> None:
    spend_all_credits(office)

    with pytest.raises(CreditsSpent):
        office.create(source_url="https://cam.example/fox.jpg")

    assert len(office.desk.jobs.page(ADA, JobQuery(limit=100)).jobs) == 10


def test_a_job_from_a_url_is_queued_and_paid_at_once(office: Office) -> None:
    job = office.create(source_url="https://cam.example/fox.jpg")

    assert (job.state, job.upload_expires_at) == (State.QUEUED, None)
    assert office.booked() == {"hold": 1}


def test_canceling_gives_the_credit_back_once_and_drops_the_picture(office: Office) -> None:
    job = office.submitted()

    canceled = office.desk.jobs.cancel(ADA, job.id)
    again = office.desk.jobs.cancel(ADA, job.id)

    assert canceled == again
    assert canceled.state is State.CANCELED
    assert office.booked() == {"hold": 1, "refund": 1}
    assert office.stored() == set()
    assert office.run_all(sees_a_fox) == 0


def test_those_who_cancel_and_those_who_work_do_not_both_win(office: Office) -> None:
    jobs = [office.submitted() for _ in range(8)]
    refused: list[str] = []

    def cancel() -> None:
        for job in jobs:
            try:
                office.desk.jobs.cancel(ADA, job.id)
            except WrongState:
                refused.append(job.id)

    canceling = threading.Thread(target=cancel)
    canceling.start()
    office.run_all(sees_a_fox)
    canceling.join()
    office.run_all(sees_a_fox)

    succeeded = {job.id for job in jobs if office.get(job).state is State.SUCCEEDED}
    booked = office.booked()
    assert succeeded == set(refused)
    assert (booked["settle"], booked["refund"]) == (len(succeeded), len(jobs) - len(succeeded))


@pytest.mark.parametrize("step", ["submit", "get", "cancel"])
def test_nobody_sees_or_moves_anothers_job(office: Office, step: str) -> None:
    job = office.create()
    steps = {
        "submit": office.desk.jobs.submit,
        "get": office.desk.jobs.get,
        "cancel": office.desk.jobs.cancel,
    }

    with pytest.raises(NotFound):
        steps[step](BEN, job.id)

    assert office.get(job) == job
    assert office.desk.jobs.page(BEN, JobQuery()).jobs == ()


def test_what_was_never_uploaded_is_not_submitted(office: Office) -> None:
    job = office.create()

    with pytest.raises(WrongState, match="to be uploaded before"):
        office.desk.jobs.submit(ADA, job.id)

    assert office.booked() == {}


@pytest.mark.parametrize(
    ("picture", "error"),
    [(b"", EmptyImage), (b"x" * 1001, PayloadTooLarge)],
    ids=["empty", "too large"],
)
def test_what_a_cloud_took_is_looked_at_before_it_is_queued(
    office: Office, picture: bytes, error: type[Exception]
) -> None:
    job = office.create()
    office.blobs.put(job.blob_key, [picture], max_bytes=2000)

    with pytest.raises(error):
        office.desk.jobs.submit(ADA, job.id)

    assert office.get(job).state is State.AWAITING_UPLOAD


def test_what_a_cloud_took_is_queued_though_it_never_passed_here(office: Office) -> None:
    job = office.create()
    office.blobs.put(job.blob_key, [PICTURE], max_bytes=1000)

    assert office.desk.jobs.submit(ADA, job.id).state is State.QUEUED


def test_a_plan_without_text_reading_has_no_jobs_for_it(office: Office) -> None:
    new = NewJob(operation=Operation.SCAN_IMAGE_TEXT, filename="fox.jpg", content_type="image/jpeg")

    with pytest.raises(NotInPlan):
        office.desk.jobs.create(ADA, new)


def test_where_nothing_is_fetched_a_url_is_refused_at_once(office: Office) -> None:
    office.desk._pictures._fetch = None

    with pytest.raises(SourceRefused):
        office.create(source_url="https://cam.example/fox.jpg")

    assert office.desk.jobs.page(ADA, JobQuery()).jobs == ()


def test_an_unfinished_job_is_found_in_place_of_its_answer(office: Office) -> None:
    job = office.submitted()

    assert office.desk.results.find(ADA, job.id) == job
    with pytest.raises(JobNotFinished):
        office.desk.results.delete(ADA, job.id)


def test_a_deleted_answer_is_gone_though_its_job_is_still_listed(office: Office) -> None:
    job = office.submitted()
    office.run_all(sees_a_fox)

    with pytest.raises(NotFound):
        office.desk.results.delete(BEN, job.id)
    assert isinstance(office.desk.results.find(ADA, job.id), Answer)
    office.desk.results.delete(ADA, job.id)

    for deed in (office.desk.results.find, office.desk.results.delete):
        with pytest.raises(NotFound):
            deed(ADA, job.id)
    assert office.get(job).state is State.SUCCEEDED


def test_an_expired_job_is_said_to_be(office: Office) -> None:
    job = office.create()
    office.upload(job)
    office.watch.pass_by(DAY)

    with pytest.raises(Expired):
        office.desk.jobs.submit(ADA, job.id)
    office.desk.sweep()
    with pytest.raises(Expired):
        office.desk.jobs.submit(ADA, job.id)

    found = office.desk.results.find(ADA, job.id)
    assert isinstance(found, Job)
    assert found.state is State.EXPIRED


def deliveries(office: Office) -> list[str]:
    with office.database.read() as connection:
        rows = connection.execute(select(webhook_deliveries.c.event_type)).scalars()
        return sorted(rows)


def subscribe(office: Office, caller: Caller) -> None:
    endpoints = Endpoints(vault=Vault(b"k" * 32))
    with office.database.write() as connection:
        endpoints.add(connection, caller.user_id, Subscription("https://example.org/hook"))


def test_subscribers_are_told_how_jobs_end_and_what_was_seen(office: Office) -> None:
    subscribe(office, ADA)
    fox = Detection(BBox(0.1, 0.1, 0.5, 0.5), Category.ANIMAL, 0.9, "animal")
    seen = Analysis(ImageInfo(100, 100, "JPEG", len(PICTURE)), (fox,))
    office.submitted()
    office.run_all(lambda *_: Performed(FOX, seen))
    office.submitted()
    office.run_all(lambda *_: Performed(Failure("empty_image", "expected an image, got 0 bytes")))
    for _ in range(2):
        office.desk.jobs.cancel(ADA, office.submitted().id)
    office.create()
    office.watch.pass_by(DAY)

    office.desk.sweep()

    assert deliveries(office) == [
        "detection.created",
        "job.canceled",
        "job.canceled",
        "job.expired",
        "job.failed",
        "job.succeeded",
    ]


def test_canceling_twice_is_told_once(office: Office) -> None:
    subscribe(office, ADA)
    job = office.create()

    office.desk.jobs.cancel(ADA, job.id)
    office.desk.jobs.cancel(ADA, job.id)

    assert deliveries(office) == ["job.canceled"]


def test_others_are_told_nothing(office: Office) -> None:
    subscribe(office, BEN)

    office.desk.jobs.cancel(ADA, office.create().id)

    assert deliveries(office) == []
