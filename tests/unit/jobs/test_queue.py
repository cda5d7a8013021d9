"""Jobs as their workers see them, on SQLite and PostgreSQL."""

import threading
from datetime import timedelta

import pytest

from okapia.database.engine import Database
from okapia.database.instances import Instance
from okapia.domain.types import Failure
from okapia.jobs.answers import Answer, Answers
from okapia.jobs.job import Job, State
from okapia.jobs.queue import JobQueue
from okapia.jobs.store import JobStore
from tests.unit.jobs.drafts import ADA, DAY, NOON, Watch, draft, queued

SECOND = timedelta(seconds=1)


def create(database: Database, store: JobStore, *created: Job) -> None:
    with database.write() as connection:
        for job in created:
            store.create(connection, job)


def get(database: Database, store: JobStore, job: Job) -> Job:
    with database.read() as connection:
        return store.get(connection, job.user_id, job.id)


def claim(database: Database, queue: JobQueue) -> Job | None:
    with database.write() as connection:
        return queue.claim(connection)


def test_what_is_claimed_is_this_processs_alone(database: Database, store: JobStore, queue: JobQueue) -> None:
    job = queued(draft(ADA))
    create(database, store, job)

    claimed, nothing = claim(database, queue), claim(database, queue)

    assert nothing is None
    assert claimed == get(database, store, job)
    assert claimed is not None
    assert (claimed.state, claimed.instance_id, claimed.attempts) == (State.PROCESSING, "run_here", 1)
    assert claimed.started_at == NOON


def test_what_may_wait_waits_and_the_first_come_is_the_first_served(
    database: Database, store: JobStore, queue: JobQueue
) -> None:
    patient = queued(draft(ADA, created_at=NOON - 9 * SECOND), priority=1)
    second = queued(draft(ADA, created_at=NOON - 3 * SECOND))
    first = queued(draft(ADA, created_at=NOON - 6 * SECOND))
    create(database, store, patient, second, first)

    order = [claim(database, queue) for _ in range(3)]

    assert [job.id for job in order if job] == [first.id, second.id, patient.id]


def test_each_job_goes_to_one_of_many_workers(database: Database, store: JobStore) -> None:
    create(database, store, *(queued(draft(ADA)) for _ in range(20)))
    queues = [JobQueue(instance_id=f"run_{number}", clock=Watch()) for number in range(4)]
    claimed: list[str] = []

    def work(queue: JobQueue) -> None:
        while (job := claim(database, queue)) is not None:
            claimed.append(job.id)

    workers = [threading.Thread(target=work, args=[queue]) for queue in queues]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    # A worker may find nothing while others hold the last rows; those are done by whoever holds them.
    assert len(claimed) == len(set(claimed)) == 20


@pytest.mark.parametrize(
    ("failure", "state"),
    [(None, State.SUCCEEDED), (Failure("empty_image", "expected an image, got 0 bytes"), State.FAILED)],
    ids=["succeeded", "failed"],
)
def test_a_finished_job_says_how_it_ended(
    database: Database, store: JobStore, queue: JobQueue, failure: Failure | None, state: State
) -> None:
    create(database, store, queued(draft(ADA)))
    claimed = claim(database, queue)
    assert claimed is not None

    with database.write() as connection:
        finished = queue.finish(connection, claimed, failure)

    assert finished is not None
    assert finished == get(database, store, claimed)
    assert (finished.state, finished.failure, finished.finished_at) == (state, failure, NOON)


def test_what_is_put_back_waits_longer_each_time(
    database: Database, store: JobStore, queue: JobQueue, watch: Watch
) -> None:
    create(database, store, queued(draft(ADA)))
    pauses = []

    for _ in range(3):
        claimed = claim(database, queue)
        assert claimed is not None
        with database.write() as connection:
            queue.put_back(connection, claimed)
        assert claim(database, queue) is None
        due_at = get(database, store, claimed).due_at
        assert due_at is not None
        pauses.append(due_at - watch.now)
        watch.now = due_at

    assert pauses == [timedelta(seconds=s) for s in (5, 30, 180)]


def test_the_work_of_a_dead_process_is_taken_up_and_the_dead_cannot_finish_it(
    database: Database, store: JobStore, instance: Instance, watch: Watch
) -> None:
    create(database, store, queued(draft(ADA)))
    dying, living = Instance(database), JobQueue(instance_id=instance.id, clock=watch)
    dead = JobQueue(instance_id=dying.id, clock=watch)
    lost = claim(database, dead)
    assert lost is not None

    instance.bury(dying.id)
    with database.write() as connection:
        assert living.recover(connection) == 1
    taken_up = claim(database, living)
    with database.write() as connection:
        from_the_grave = dead.finish(connection, lost, None)
        dead.put_back(connection, lost)

    assert taken_up is not None
    assert (taken_up.id, taken_up.attempts) == (lost.id, 2)
    assert from_the_grave is None
    assert get(database, store, taken_up) == taken_up


def test_a_process_that_was_taken_for_dead_ends_only_its_last_claim(
    database: Database, store: JobStore, queue: JobQueue
) -> None:
    create(database, store, queued(draft(ADA)))
    first = claim(database, queue)
    with database.write() as connection:
        queue.recover(connection)  # `run_here` is no process that the database knows
    second = claim(database, queue)
    assert first is not None
    assert second is not None

    with database.write() as connection:
        assert queue.finish(connection, first, None) is None
        assert queue.finish(connection, second, None) is not None


def test_the_work_of_the_living_stays_theirs(
    database: Database, store: JobStore, instance: Instance, watch: Watch
) -> None:
    create(database, store, queued(draft(ADA)))
    claimed = claim(database, JobQueue(instance_id=instance.id, clock=watch))
    assert claimed is not None

    with database.write() as connection:
        assert JobQueue(instance_id="run_other", clock=watch).recover(connection) == 0

    assert get(database, store, claimed) == claimed


def test_a_job_whose_time_is_over_expires_once(
    database: Database, store: JobStore, queue: JobQueue, watch: Watch
) -> None:
    never_uploaded, never_begun = draft(ADA), queued(draft(ADA))
    create(database, store, never_uploaded, never_begun)

    watch.pass_by(DAY)
    with database.write() as connection:
        first = queue.expire(connection)
        again = queue.expire(connection)
    watch.pass_by(29 * DAY)
    with database.write() as connection:
        later = queue.expire(connection)

    assert [job.id for job in first] == [never_uploaded.id]
    assert (first[0].state, first[0].finished_at) == (State.EXPIRED, NOON + DAY)
    assert again == []
    assert [job.id for job in later] == [never_begun.id]


def test_jobs_expire_a_few_at_a_time(
    database: Database, store: JobStore, queue: JobQueue, watch: Watch
) -> None:
    create(database, store, *(draft(ADA) for _ in range(5)))
    watch.pass_by(DAY)

    counts = []
    for _ in range(4):
        with database.write() as connection:
            counts.append(len(queue.expire(connection, most=2)))

    assert counts == [2, 2, 1, 0]


def test_what_expired_unbegun_is_not_claimed(
    database: Database, store: JobStore, queue: JobQueue, watch: Watch
) -> None:
    create(database, store, queued(draft(ADA)))

    watch.pass_by(30 * DAY)

    assert claim(database, queue) is None


def test_ended_jobs_are_forgotten_when_their_time_is_over(
    database: Database, store: JobStore, queue: JobQueue, watch: Watch
) -> None:
    ended, running = queued(draft(ADA, created_at=NOON - SECOND)), queued(draft(ADA))
    create(database, store, ended, running)
    first = claim(database, queue)
    assert first is not None
    with database.write() as connection:
        queue.finish(connection, first, None)
    claim(database, queue)

    watch.pass_by(30 * DAY)

    with database.write() as connection:
        assert queue.forget(connection) == 1
        assert queue.forget(connection) == 0


def test_a_picture_is_needed_while_its_job_is_open_or_its_answer_keeps_it(
    database: Database, store: JobStore, queue: JobQueue, watch: Watch
) -> None:
    open_job, done, kept = draft(ADA), queued(draft(ADA)), queued(draft(ADA))
    create(database, store, open_job, done, kept)
    for _ in range(2):
        claimed = claim(database, queue)
        assert claimed is not None
        with database.write() as connection:
            queue.finish(connection, claimed, None)
    answer = Answer(kept.id, ADA, "/v1/detect", b"{}", NOON, NOON, kept.expires_at, kept.blob_key)
    with database.write() as connection:
        Answers(clock=watch).keep(connection, answer)

    with database.read() as connection:
        keys = [open_job.blob_key, done.blob_key, kept.blob_key, "jobs/unknown"]
        assert queue.needed(connection, keys) == {open_job.blob_key, kept.blob_key}
