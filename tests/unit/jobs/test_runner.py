"""Jobs are worked off once, charged once, and every end is in one transaction."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import orjson
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from okapia.database.instances import Instance
from okapia.domain.errors import (
    DeadlineExceeded,
    DeviceOutOfMemory,
    EmptyImage,
    ModelNotInstalled,
    OkapiaError,
    ServerBusy,
    UnknownModel,
)
from okapia.domain.types import Failure
from okapia.jobs import runner as runner_module
from okapia.jobs.answers import Answer
from okapia.jobs.job import MOST_ATTEMPTS, Job, Performed, State
from tests.unit.jobs.office import ADA, FOX, PICTURE, Office, sees_a_fox, wanted

HOUR = timedelta(hours=1)


def eventually(is_so: Callable[[], bool]) -> bool:
    """Wait for what threads do; false when it has not come about in 20 s."""
    ends_at = time.monotonic() + 20
    while not is_so():
        if time.monotonic() > ends_at:
            return False
        time.sleep(0.01)
    return True


def recorded_error(office: Office, job: Job) -> str:
    answer = office.desk.results.find(ADA, job.id)
    assert isinstance(answer, Answer)
    return str(orjson.loads(answer.body)["error"]["code"])


def test_a_job_has_its_answer_its_charge_and_no_picture_any_more(office: Office) -> None:
    job = office.submitted()
    office.watch.pass_by(HOUR)

    assert office.run_all(sees_a_fox) == 1

    answer = office.desk.results.find(ADA, job.id)
    assert isinstance(answer, Answer)
    assert (answer.body, answer.endpoint) == (FOX, "/v1/detect")
    assert (answer.created_at, answer.completed_at) == (job.created_at, office.watch.now)
    assert answer.expires_at == job.expires_at
    assert office.get(job).state is State.SUCCEEDED
    assert office.booked() == {"hold": 1, "settle": 1}
    assert office.stored() == set()


def test_a_kept_picture_stays_with_its_answer_and_goes_with_it(office: Office) -> None:
    job = office.desk.jobs.create(ADA, wanted(keeps_image=True))
    office.upload(job)
    office.desk.jobs.submit(ADA, job.id)

    office.run_all(sees_a_fox)
    kept = office.stored()
    office.desk.results.delete(ADA, job.id)

    assert kept == {job.blob_key}
    assert office.stored() == set()


def test_a_bad_picture_fails_at_once_and_costs_nothing(office: Office) -> None:
    job = office.submitted()

    office.run_all(lambda *_: Performed(Failure("unsupported_format", "expected a picture")))

    ended = office.get(job)
    assert (ended.state, ended.attempts) == (State.FAILED, 1)
    assert ended.failure == Failure("unsupported_format", "expected a picture")
    assert recorded_error(office, job) == "unsupported_format"
    assert office.booked() == {"hold": 1, "refund": 1}
    assert office.stored() == set()


@pytest.mark.parametrize(
    "trouble",
    [
        ServerBusy(waiting=64, retry_after_s=1),
        DeadlineExceeded(deadline_s=60),
        ModelNotInstalled("megadetector-lite", command="okapia models pull lite"),
        DeviceOutOfMemory("no memory"),
    ],
    ids=lambda error: error.code,
)
def test_trouble_that_passes_is_tried_again_later(office: Office, trouble: OkapiaError) -> None:
    job = office.submitted()

    def perform(job: Job, picture: bytes) -> Performed:
        if job.attempts < 3:
            raise trouble
        return sees_a_fox(job, picture)

    ran = []
    for _ in range(4):
        ran.append(office.run_all(perform))
        office.watch.pass_by(HOUR)

    assert ran == [1, 1, 1, 0]
    assert (office.get(job).state, office.get(job).attempts) == (State.SUCCEEDED, 3)
    assert office.booked() == {"hold": 1, "settle": 1}


def test_trouble_that_comes_as_a_failure_is_tried_again_too(office: Office) -> None:
    job = office.submitted()

    office.run_all(lambda *_: Performed(Failure("device_out_of_memory", "no memory")))

    assert office.get(job).state is State.QUEUED
    assert office.stored() == {job.blob_key}


def test_trouble_that_does_not_pass_ends_the_job_in_the_end(office: Office) -> None:
    job = office.submitted()

    def busy(_: Job, __: bytes) -> Performed:
        raise ServerBusy(waiting=64, retry_after_s=1)

    ran = 0
    for _ in range(MOST_ATTEMPTS + 2):
        ran += office.run_all(busy)
        office.watch.pass_by(HOUR)

    assert ran == MOST_ATTEMPTS
    assert office.get(job).state is State.FAILED
    assert recorded_error(office, job) == "server_busy"
    assert office.booked() == {"hold": 1, "refund": 1}
    assert office.stored() == set()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnknownModel("yeti", known=["stoat"]), "unknown_model"),
        (EmptyImage(), "empty_image"),
        (ZeroDivisionError("a fault"), "internal_error"),
    ],
    ids=["unknown model", "bad picture", "fault"],
)
def test_what_would_go_wrong_again_fails_at_once(office: Office, error: Exception, code: str) -> None:
    job = office.submitted()

    def perform(_: Job, __: bytes) -> Performed:
        raise error

    office.run_all(perform)

    assert office.get(job).state is State.FAILED
    assert recorded_error(office, job) == code


def test_a_picture_by_url_is_fetched_and_not_kept(office: Office) -> None:
    office.web["https://cam.example/fox.jpg"] = PICTURE
    seen: list[bytes] = []
    job = office.create(source_url="https://cam.example/fox.jpg")

    def perform(_: Job, picture: bytes) -> Performed:
        seen.append(picture)
        return Performed(FOX)

    office.run_all(perform)

    assert seen == [PICTURE]
    assert office.get(job).state is State.SUCCEEDED
    assert office.stored() == set()


def test_a_fetched_picture_is_kept_where_that_is_asked(office: Office) -> None:
    office.web["https://cam.example/fox.jpg"] = PICTURE
    new = wanted(source_url="https://cam.example/fox.jpg", keeps_image=True)
    job = office.desk.jobs.create(ADA, new)

    office.run_all(sees_a_fox)

    assert office.blobs.read(job.blob_key, max_bytes=1000) == PICTURE


def test_a_url_that_leads_nowhere_fails_its_job(office: Office) -> None:
    job = office.create(source_url="https://cam.example/none.jpg")

    office.run_all(sees_a_fox)

    assert recorded_error(office, job) == "source_unavailable"
    assert office.booked() == {"hold": 1, "refund": 1}


def test_a_picture_that_vanished_fails_its_job(office: Office) -> None:
    job = office.submitted()
    office.blobs.delete(job.blob_key)

    office.run_all(sees_a_fox)

    assert recorded_error(office, job) == "blob_missing"


def test_the_job_of_a_killed_process_is_done_and_charged_once(office: Office) -> None:
    killed = Instance(office.database)
    job = office.submitted()
    begun, killed_now = threading.Event(), threading.Event()

    def never_comes_back(job: Job, picture: bytes) -> Performed:
        begun.set()
        killed_now.wait(timeout=20)
        return sees_a_fox(job, picture)

    theirs = office.process(killed).runner(never_comes_back)
    zombie = threading.Thread(target=theirs.run_next)
    zombie.start()
    assert begun.wait(timeout=20)

    office.instance.bury(killed.id)
    office.desk.sweep()
    assert office.run_all(sees_a_fox) == 1
    killed_now.set()
    zombie.join()

    assert (office.get(job).state, office.get(job).attempts) == (State.SUCCEEDED, 2)
    assert office.booked() == {"hold": 1, "settle": 1}


def test_a_picture_that_kills_every_server_is_given_up(office: Office) -> None:
    job = office.submitted()
    for _ in range(MOST_ATTEMPTS):
        killed = Instance(office.database)
        with office.database.write() as connection:
            assert office.process(killed)._queue.claim(connection) is not None
        office.instance.bury(killed.id)
        office.desk.sweep()

    office.run_all(sees_a_fox)

    assert office.get(job).state is State.FAILED
    assert recorded_error(office, job) == "internal_error"
    assert office.booked() == {"hold": 1, "refund": 1}


def test_an_end_that_cannot_be_written_is_not_half_written(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "POLL_S", 0.01)
    job = office.submitted()
    runner = office.desk.runner(sees_a_fox)

    @event.listens_for(office.database.engine, "before_cursor_execute")
    def lose_the_ledger(*told: object) -> None:
        if "DELETE FROM open_holds" in str(told[2]):
            event.remove(office.database.engine, "before_cursor_execute", lose_the_ledger)
            raise OperationalError("DELETE", {}, ConnectionError("the database went away"))

    runner.run_next()

    # Written the second time, all of it.
    assert office.get(job).state is State.SUCCEEDED
    assert isinstance(office.desk.results.find(ADA, job.id), Answer)
    assert office.booked() == {"hold": 1, "settle": 1}


def test_threads_work_jobs_off_as_they_come_and_closing_finishes_what_runs(office: Office) -> None:
    done = threading.Barrier(2)

    def perform(job: Job, picture: bytes) -> Performed:
        done.wait(timeout=20)
        return sees_a_fox(job, picture)

    desk = office.process(office.instance, workers=2)
    desk.start(perform)
    submitted = []
    for _ in range(4):
        job = office.create()
        office.upload(job)
        submitted.append(desk.jobs.submit(ADA, job.id))  # queued in the process that works
    ended = eventually(lambda: all(office.get(job).state is State.SUCCEEDED for job in submitted))
    desk.close()

    assert ended
    assert office.booked() == {"hold": 4, "settle": 4}


def test_after_closing_nothing_is_begun(office: Office) -> None:
    desk = office.process(office.instance)
    desk.start(sees_a_fox)
    desk.close()

    job = office.submitted()

    assert office.get(job).state is State.QUEUED
