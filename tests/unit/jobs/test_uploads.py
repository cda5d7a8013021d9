"""Who may upload what, and until when."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from okapia.domain.errors import (
    EmptyImage,
    NotFound,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from okapia.domain.refusals import Expired, SignatureExpired, SignatureInvalid, WrongState
from okapia.jobs.job import Job, State
from tests.unit.jobs.drafts import DAY, draft
from tests.unit.jobs.office import ADA, PICTURE, Office, sees_a_fox


def receive(
    office: Office, job: Job, *chunks: bytes, content_type: str = "image/jpeg", tampered: str = ""
) -> None:
    path = f"/v1/uploads/{job.id}"
    url = office.desk.jobs.invite(job, base_url="", path=path).url
    query = url.partition("?")[2] + tampered
    office.desk.jobs.receive(job.id, chunks, path=path, query=query, content_type=content_type)


def test_an_upload_says_how_it_is_done_and_is_no_secret_in_logs(office: Office) -> None:
    job = office.create()

    upload = office.desk.jobs.invite(job, base_url="https://okapia.example", path=f"/v1/uploads/{job.id}")

    assert upload.url.startswith(f"https://okapia.example/v1/uploads/{job.id}?expires=")
    assert upload.headers == {"Content-Type": "image/jpeg"}
    assert "signature" not in repr(upload)


def test_an_upload_in_pieces_is_one_picture(office: Office) -> None:
    job = office.create()

    receive(office, job, PICTURE[:5], PICTURE[5:])

    assert office.blobs.read(job.blob_key, max_bytes=1000) == PICTURE
    assert office.get(job).state is State.UPLOADED


def test_the_last_upload_counts(office: Office) -> None:
    job = office.create()

    receive(office, job, b"a stoat")
    receive(office, job, PICTURE)

    assert office.blobs.read(job.blob_key, max_bytes=1000) == PICTURE


def test_an_upload_may_have_a_charset_that_means_nothing(office: Office) -> None:
    job = office.create()

    receive(office, job, PICTURE, content_type="Image/JPEG; charset=binary")

    assert office.get(job).state is State.UPLOADED


def unwanted() -> Iterator[bytes]:
    """A body of which not a byte must be asked for."""
    yield pytest.fail("a byte was asked for")


def test_another_type_than_announced_is_refused_before_a_byte_is_asked_for(office: Office) -> None:
    job = office.create()
    path = f"/v1/uploads/{job.id}"
    query = office.desk.jobs.invite(job, base_url="", path=path).url.partition("?")[2]

    with pytest.raises(UnsupportedMediaType, match="expected image/jpeg, got text/html"):
        office.desk.jobs.receive(job.id, unwanted(), path=path, query=query, content_type="text/html")


@pytest.mark.parametrize("tampered", ["0", "&expires=9", "&x=1"])
def test_a_url_that_was_not_signed_here_is_refused(office: Office, tampered: str) -> None:
    with pytest.raises(SignatureInvalid):
        receive(office, office.create(), PICTURE, tampered=tampered)


def test_a_url_is_for_one_job(office: Office) -> None:
    mine, other = office.create(), office.create()
    query = office.desk.jobs.invite(mine, base_url="", path=f"/v1/uploads/{mine.id}").url.partition("?")[2]

    with pytest.raises(SignatureInvalid):
        office.desk.jobs.receive(
            other.id, [PICTURE], path=f"/v1/uploads/{other.id}", query=query, content_type="image/jpeg"
        )


def test_a_url_ends_with_its_time(office: Office) -> None:
    job = office.create()
    path = f"/v1/uploads/{job.id}"
    query = office.desk.jobs.invite(job, base_url="", path=path).url.partition("?")[2]

    office.watch.pass_by(DAY)

    with pytest.raises(SignatureExpired):
        office.desk.jobs.receive(job.id, unwanted(), path=path, query=query, content_type="image/jpeg")
    with pytest.raises(Expired):
        office.desk.jobs.invite(job, base_url="", path=path)


@pytest.mark.parametrize(
    ("chunks", "error"),
    [([], EmptyImage), ([b"", b""], EmptyImage), ([b"x" * 600, b"x" * 600], PayloadTooLarge)],
    ids=["nothing", "nothing in pieces", "too much"],
)
def test_an_upload_that_is_refused_leaves_the_one_before(
    office: Office, chunks: list[bytes], error: type[Exception]
) -> None:
    job = office.create()
    receive(office, job, PICTURE)

    with pytest.raises(error):
        receive(office, job, *chunks)

    assert office.blobs.read(job.blob_key, max_bytes=1000) == PICTURE


@pytest.mark.parametrize("is_canceled", [True, False], ids=["canceled", "submitted"])
def test_a_job_that_went_on_takes_no_picture(office: Office, *, is_canceled: bool) -> None:
    job = office.create()
    receive(office, job, PICTURE)
    step = office.desk.jobs.cancel if is_canceled else office.desk.jobs.submit
    step(ADA, job.id)

    with pytest.raises(WrongState):
        receive(office, job, b"another")


def test_a_job_that_is_gone_takes_no_picture(office: Office) -> None:
    job = office.submitted()
    office.run_all(sees_a_fox)
    office.watch.pass_by(30 * DAY)
    path = f"/v1/uploads/{job.id}"
    late = draft("ada", created_at=office.watch.now)
    signed = office.desk.jobs._uploads.invite(late, base_url="", path=path)

    with pytest.raises(NotFound):
        office.desk.jobs.receive(
            job.id, unwanted(), path=path, query=signed.url.partition("?")[2], content_type="image/jpeg"
        )


def test_urls_last_until_the_picture_must_be_there(office: Office) -> None:
    job = office.create()

    office.watch.pass_by(DAY - timedelta(seconds=1))
    receive(office, job, PICTURE)

    assert office.get(job).state is State.UPLOADED
