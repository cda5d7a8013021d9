"""Answers are kept for their owner until they expire."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from okapia.database.engine import Database
from okapia.domain.errors import NotFound
from okapia.jobs.answers import RETENTION, Answer, Answers
from okapia.jobs.store import JobStore
from tests.unit.jobs.drafts import ADA, BEN, NOON, Watch

SECOND = timedelta(seconds=1)


@pytest.fixture
def answers(store: JobStore, watch: Watch) -> Answers:
    del store  # it makes the users
    return Answers(clock=watch)


def answer(user_id: str = ADA, *, image_key: str | None = None) -> Answer:
    return Answer(
        id=str(uuid4()),
        user_id=user_id,
        endpoint="/v1/detect",
        body=b'{"annotations": [{"label": "red fox"}]}',
        created_at=NOON,
        completed_at=NOON + SECOND,
        expires_at=NOON + RETENTION,
        image_key=image_key,
    )


def keep(database: Database, answers: Answers, *kept: Answer) -> None:
    with database.write() as connection:
        for one in kept:
            answers.keep(connection, one)


def test_what_is_kept_comes_back_as_it_was(database: Database, answers: Answers) -> None:
    fox = answer(image_key="jobs/fox")
    keep(database, answers, fox)

    with database.read() as connection:
        assert answers.get(connection, ADA, fox.id) == fox


def test_somebody_elses_answer_is_as_unknown_as_none(database: Database, answers: Answers) -> None:
    fox, nobody = answer(), str(uuid4())
    keep(database, answers, fox)

    with database.read() as connection:
        with pytest.raises(NotFound) as others:
            answers.get(connection, BEN, fox.id)
        with pytest.raises(NotFound) as unknown:
            answers.get(connection, BEN, nobody)

    assert str(others.value).replace(fox.id, nobody) == str(unknown.value)


def test_an_answer_ends_with_its_time_though_nobody_swept(
    database: Database, answers: Answers, watch: Watch
) -> None:
    fox = answer()
    keep(database, answers, fox)

    watch.pass_by(RETENTION - SECOND)
    with database.read() as connection:
        assert answers.get(connection, ADA, fox.id) == fox
    watch.pass_by(SECOND)
    with database.read() as connection, pytest.raises(NotFound):
        answers.get(connection, ADA, fox.id)


def test_deleting_gives_the_picture_that_goes_with_it(database: Database, answers: Answers) -> None:
    fox = answer(image_key="jobs/fox")
    keep(database, answers, fox)

    with database.write() as connection:
        assert answers.delete(connection, ADA, fox.id) == "jobs/fox"
    with database.write() as connection, pytest.raises(NotFound):
        answers.delete(connection, ADA, fox.id)


def test_nobody_deletes_somebody_elses_answer(database: Database, answers: Answers) -> None:
    fox = answer()
    keep(database, answers, fox)

    with database.write() as connection, pytest.raises(NotFound):
        answers.delete(connection, BEN, fox.id)

    with database.read() as connection:
        assert answers.get(connection, ADA, fox.id) == fox


def test_sweeping_forgets_what_expired_a_few_at_a_time(
    database: Database, answers: Answers, watch: Watch
) -> None:
    keep(database, answers, answer(image_key="jobs/a"), answer(), answer(image_key="jobs/b"))
    watch.pass_by(RETENTION)
    fresh = replace(answer(), expires_at=watch.now + SECOND)
    keep(database, answers, fresh)

    swept: list[str | None] = []
    for _ in range(3):
        with database.write() as connection:
            swept += answers.sweep(connection, most=2)

    assert sorted(key or "" for key in swept) == ["", "jobs/a", "jobs/b"]
    with database.read() as connection:
        assert answers.get(connection, ADA, fresh.id) == fresh
