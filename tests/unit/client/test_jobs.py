"""Jobs through the client, done by the real application."""

import httpx
import pytest

from okapia.client import BadImage, Conflict, JobFailed, Okapia, Options, WaitedTooLong
from tests.unit.client.faults import Faults, ManualClock
from tests.unit.dialects.test_animaldetect import jpeg

FOX = jpeg()


def test_process_gives_the_answer_of_a_picture(okapia: Okapia) -> None:
    answer = okapia.jobs.process(FOX, Options(threshold=0.05, country="Denmark"))

    assert [a.label for a in answer.annotations] == ["red fox", "human"]
    assert answer.info is not None
    assert answer.info.country_processed == "DNK"


def test_process_filters_too(okapia: Okapia) -> None:
    answer = okapia.jobs.process(FOX, operation="filter-urban")

    assert [d.label for d in answer.detections] == ["animal"]


def test_a_job_goes_step_by_step(okapia: Okapia) -> None:
    made = okapia.jobs.create("fox.jpg", client_reference_id="night 7")
    okapia.jobs.upload(made, FOX)
    uploaded = okapia.jobs.get(made.id)
    submitted = okapia.jobs.submit(made.id)
    ended = okapia.jobs.wait(made.id)

    assert (made.status, uploaded.status) == ("awaiting_upload", "uploaded")
    assert submitted.status in {"queued", "processing", "succeeded"}
    assert (ended.status, ended.filename, ended.client_reference_id) == ("succeeded", "fox.jpg", "night 7")
    assert okapia.jobs.result(made.id).annotations[0].label == "red fox"


def test_a_picture_that_cannot_be_read_fails_its_job_with_its_reason(okapia: Okapia) -> None:
    with pytest.raises(JobFailed) as caught:
        okapia.jobs.process(b"%PDF-1.7 is no picture")

    assert caught.value.code == "unsupported_format"


def test_an_empty_upload_is_refused(okapia: Okapia) -> None:
    job = okapia.jobs.create("fox.jpg")

    with pytest.raises(BadImage) as caught:
        okapia.jobs.upload(job, b"")

    assert caught.value.code == "empty_image"


def test_a_result_before_its_time_is_a_conflict(okapia: Okapia) -> None:
    job = okapia.jobs.create("fox.jpg")

    with pytest.raises(Conflict) as caught:
        okapia.jobs.result(job.id)

    assert caught.value.code == "job_not_finished"


def test_a_canceled_job_has_ended(okapia: Okapia) -> None:
    job = okapia.jobs.create("fox.jpg")

    canceled = okapia.jobs.cancel(job.id)

    assert canceled.status == "canceled"
    assert okapia.jobs.wait(job.id).has_ended


def test_jobs_are_listed_over_all_pages_newest_first(okapia: Okapia) -> None:
    ids = [okapia.jobs.create("fox.jpg", client_reference_id="many").id for _ in range(103)]

    listed = [job.id for job in okapia.jobs.all(client_reference_id="many")]

    assert listed == ids[::-1]


def test_jobs_are_listed_by_status(okapia: Okapia) -> None:
    waiting = okapia.jobs.create("fox.jpg", client_reference_id="two")
    okapia.jobs.cancel(okapia.jobs.create("fox.jpg", client_reference_id="two").id)

    found = okapia.jobs.all(status="awaiting_upload", client_reference_id="two")

    assert [job.id for job in found] == [waiting.id]


def test_a_job_made_twice_under_one_key_is_one(okapia: Okapia) -> None:
    first, second = (okapia.jobs.create("fox.jpg", idempotency_key="night 7, fox 3") for _ in range(2))

    assert second.id == first.id


def test_a_job_without_its_upload_place_cannot_be_uploaded_to(okapia: Okapia) -> None:
    job = okapia.jobs.get(okapia.jobs.create("fox.jpg").id)

    with pytest.raises(ValueError, match="as `create` gives it"):
        okapia.jobs.upload(job, FOX)


def test_the_upload_carries_no_key_and_its_url_is_not_shown() -> None:
    url = "https://storage.example.org/jobs/j1?signature=SECRET"
    made = {
        "id": "j1",
        "status": "awaiting_upload",
        "upload": {"url": url, "headers": {"X-Kind": "image/jpeg"}},
    }
    faults = Faults(httpx.Response(201, json=made), httpx.Response(200, text="<Ok/>"))
    okapia = faults.client(api_key="ok_live_key")

    job = okapia.jobs.create("fox.jpg")
    okapia.jobs.upload(job, FOX)

    _, upload = faults.requests
    assert (upload.method, str(upload.url), upload.content) == ("PUT", url, FOX)
    assert upload.headers["X-Kind"] == "image/jpeg"
    assert "Authorization" not in upload.headers
    assert "SECRET" not in repr(job)


def test_waiting_asks_as_often_as_the_server_likes() -> None:
    clock = ManualClock()
    states = ["queued", "processing", "succeeded"]
    answers = [
        httpx.Response(200, json={"id": "j1", "status": state}, headers={"Retry-After": "2"})
        for state in states
    ]

    ended = Faults(*answers).client(clock).jobs.wait("j1")

    assert ended.status == "succeeded"
    assert clock.slept == [2, 2]


def test_waiting_ends_in_time() -> None:
    clock = ManualClock()
    queued = httpx.Response(200, json={"id": "j1", "status": "queued"}, headers={"Retry-After": "2"})

    with pytest.raises(WaitedTooLong, match="queued after 5 s"):
        Faults(*[queued] * 9).client(clock).jobs.wait("j1", timeout_s=5)

    assert clock.now_s == 4
