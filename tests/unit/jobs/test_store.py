"""Jobs as their owners see them, on SQLite and PostgreSQL."""

import threading
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from okapia.database.engine import Database
from okapia.domain.errors import InvalidRequest, NotFound
from okapia.domain.refusals import Expired, WrongState
from okapia.jobs import store as store_module
from okapia.jobs.job import Job, State
from okapia.jobs.queue import JobQueue
from okapia.jobs.store import JobQuery, JobStore, TooManyJobs
from tests.unit.jobs.drafts import ADA, BEN, DAY, NOON, Watch, draft, queued

SECOND = timedelta(seconds=1)


def create(database: Database, store: JobStore, *created: Job) -> None:
    with database.write() as connection:
        for job in created:
            store.create(connection, job)


def get(database: Database, store: JobStore, job: Job) -> Job:
    with database.read() as connection:
        return store.get(connection, job.user_id, job.id)


def upload(database: Database, store: JobStore, job: Job) -> None:
    with database.write() as connection:
        store.mark_uploaded(connection, job.id)


def submit(database: Database, store: JobStore, job: Job) -> Job | None:
    with database.write() as connection:
        return store.submit(connection, job.user_id, job.id)


def cancel(database: Database, store: JobStore, job: Job) -> Job | None:
    with database.write() as connection:
        return store.cancel(connection, job.user_id, job.id)


def test_a_job_comes_back_as_it_was_made(database: Database, store: JobStore) -> None:
    job = replace(
        draft(ADA),
        key_id="key_1",
        client_reference_id="camera 7",
        sequence_id="burst 3",
        priority=2,
        sealed_source_url=b"sealed",
        keeps_image=True,
    )

    create(database, store, job)

    assert get(database, store, job) == job


def test_somebody_elses_job_is_as_unknown_as_none(database: Database, store: JobStore) -> None:
    job, nobody = draft(ADA), str(uuid4())
    create(database, store, job)

    with database.write() as connection:
        for deed in (store.get, store.submit, store.cancel):
            with pytest.raises(NotFound) as others:
                deed(connection, BEN, job.id)
            with pytest.raises(NotFound) as unknown:
                deed(connection, BEN, nobody)
            assert str(others.value).replace(job.id, nobody) == str(unknown.value)

    assert get(database, store, job).state is State.AWAITING_UPLOAD


def test_uploaded_and_submitted_a_job_is_in_the_queue(
    database: Database, store: JobStore, watch: Watch
) -> None:
    job = draft(ADA)
    create(database, store, job)

    upload(database, store, job)
    watch.pass_by(SECOND)
    submitted = submit(database, store, job)

    assert submitted == get(database, store, job)
    assert submitted is not None
    assert (submitted.state, submitted.submitted_at) == (State.QUEUED, NOON + SECOND)


def test_a_picture_may_be_uploaded_again_until_the_job_is_submitted(
    database: Database, store: JobStore
) -> None:
    job = draft(ADA)
    create(database, store, job)

    upload(database, store, job)
    upload(database, store, job)
    submit(database, store, job)

    with pytest.raises(WrongState, match="is awaiting_upload or uploaded, this one is queued"):
        upload(database, store, job)


def test_a_picture_that_a_cloud_took_needs_no_note_of_it(database: Database, store: JobStore) -> None:
    job = draft(ADA)
    create(database, store, job)

    submitted = submit(database, store, job)

    assert submitted is not None
    assert submitted.state is State.QUEUED


def test_submitting_again_changes_nothing_even_when_the_job_is_done(
    database: Database, store: JobStore, queue: JobQueue
) -> None:
    job = draft(ADA)
    create(database, store, job)
    upload(database, store, job)

    first = submit(database, store, job)
    again = submit(database, store, job)
    with database.write() as connection:
        claimed = queue.claim(connection)
        assert claimed is not None
        queue.finish(connection, claimed, None)
    late = submit(database, store, job)

    assert first is not None
    assert (again, late) == (None, None)
    assert get(database, store, job).state is State.SUCCEEDED


@pytest.mark.parametrize("threads", [8])
def test_of_those_who_submit_at_once_one_does(database: Database, store: JobStore, threads: int) -> None:
    job = draft(ADA)
    create(database, store, job)
    upload(database, store, job)
    won: list[Job | None] = []
    start = threading.Barrier(threads)

    def run() -> None:
        start.wait()
        won.append(submit(database, store, job))

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len(won) == threads
    assert sum(one is not None for one in won) == 1


def test_after_its_time_a_job_is_neither_uploaded_nor_submitted(
    database: Database, store: JobStore, watch: Watch
) -> None:
    early, late = draft(ADA), draft(ADA)
    create(database, store, early, late)
    upload(database, store, early)

    watch.pass_by(DAY)

    with pytest.raises(Expired):
        submit(database, store, early)
    with pytest.raises(Expired):
        upload(database, store, late)
    with database.read() as connection, pytest.raises(Expired):
        store.awaiting(connection, late.id)


def test_what_waits_for_its_picture_is_found_without_its_owner(database: Database, store: JobStore) -> None:
    job = draft(ADA)
    create(database, store, job)

    with database.read() as connection:
        assert store.awaiting(connection, job.id) == job
    cancel(database, store, job)
    with database.read() as connection, pytest.raises(WrongState):
        store.awaiting(connection, job.id)


@pytest.mark.parametrize("steps", [0, 1, 2], ids=["awaiting upload", "uploaded", "queued"])
def test_what_was_not_begun_can_be_canceled_twice(database: Database, store: JobStore, steps: int) -> None:
    job = draft(ADA)
    create(database, store, job)
    if steps > 0:
        upload(database, store, job)
    if steps > 1:
        submit(database, store, job)

    first, second = cancel(database, store, job), cancel(database, store, job)

    assert first == get(database, store, job)
    assert first is not None
    assert (first.state, first.finished_at) == (State.CANCELED, NOON)
    assert second is None
    with pytest.raises(WrongState, match="this one is canceled"):
        submit(database, store, job)


def test_what_is_being_worked_on_is_not_canceled(
    database: Database, store: JobStore, queue: JobQueue
) -> None:
    job = queued(draft(ADA))
    create(database, store, job)
    with database.write() as connection:
        queue.claim(connection)

    with pytest.raises(WrongState, match="this one is processing"):
        cancel(database, store, job)


def test_a_job_is_forgotten_with_its_time_though_nobody_swept(
    database: Database, store: JobStore, watch: Watch
) -> None:
    job = draft(ADA)
    create(database, store, job)

    watch.pass_by(30 * DAY)

    with pytest.raises(NotFound):
        get(database, store, job)
    with database.read() as connection:
        assert store.page(connection, ADA, JobQuery()).jobs == ()


def test_pages_show_every_job_once_newest_first_though_many_are_of_one_moment(
    database: Database, store: JobStore
) -> None:
    made = [draft(ADA, created_at=NOON - (place // 3) * SECOND) for place in range(10)]
    create(database, store, *made, draft(BEN))

    seen: list[Job] = []
    cursor, pages = None, 0
    while cursor is not None or not pages:
        with database.read() as connection:
            page = store.page(connection, ADA, JobQuery(cursor=cursor, limit=4))
        seen, cursor, pages = [*seen, *page.jobs], page.next_cursor, pages + 1

    assert pages == 3
    assert seen == sorted(made, key=lambda job: (job.created_at, job.id), reverse=True)


def test_a_full_last_page_says_that_it_is_the_last(database: Database, store: JobStore) -> None:
    create(database, store, draft(ADA), draft(ADA))

    with database.read() as connection:
        assert store.page(connection, ADA, JobQuery(limit=2)).next_cursor is None


def test_jobs_are_found_by_state_and_by_the_clients_own_name(database: Database, store: JobStore) -> None:
    named, waiting = replace(draft(ADA), client_reference_id="fox 1"), draft(ADA)
    create(database, store, named, waiting)
    upload(database, store, named)

    with database.read() as connection:
        by_state = store.page(connection, ADA, JobQuery(state=State.AWAITING_UPLOAD)).jobs
        by_name = store.page(connection, ADA, JobQuery(client_reference_id="fox 1")).jobs

    assert [job.id for job in by_state] == [waiting.id]
    assert [job.id for job in by_name] == [named.id]


@pytest.mark.parametrize(
    "cursor", ["", "fox", "%%%", "Zm94", "w6Q=", "MjAyNi0wNi0wMVQxMjowMDowMCBmb3g="], ids=repr
)
def test_a_cursor_of_ones_own_making_is_refused(database: Database, store: JobStore, cursor: str) -> None:
    with database.read() as connection, pytest.raises(InvalidRequest) as refused:
        store.page(connection, ADA, JobQuery(cursor=cursor))

    assert refused.value.param == "cursor"


def test_jobs_that_are_never_submitted_do_not_pile_up(
    database: Database, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MOST_UNSUBMITTED", 2)
    create(database, store, draft(ADA), draft(ADA), draft(BEN))

    with pytest.raises(TooManyJobs):
        create(database, store, draft(ADA))

    create(database, store, queued(draft(ADA)), draft(BEN))
