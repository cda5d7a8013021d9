"""Batches as their owners see them."""

from okapia.database.engine import Database
from tests.unit.batches.floor import Floor, new_batch
from tests.unit.jobs.drafts import ADA, BEN, add_people


def test_a_user_sees_only_what_is_theirs(floor: Floor, database: Database) -> None:
    add_people(database)
    mine, other = floor.submit(new_batch(user_id=ADA)), floor.submit(new_batch(user_id=BEN))

    with database.read() as connection:
        assert floor.store.get(connection, ADA, mine.id) == mine
        assert floor.store.get(connection, ADA, other.id) is None
        assert floor.store.page(connection, ADA) == [mine]


def test_pages_go_on_where_the_last_one_ended(floor: Floor) -> None:
    batches = [floor.submit() for _ in range(5)]
    newest_first = sorted(batches, key=lambda batch: (batch.created_at, batch.id), reverse=True)

    with floor.database.read() as connection:
        first = floor.store.page(connection, batches[0].user_id, limit=3)
        end = (first[-1].created_at, first[-1].id)
        second = floor.store.page(connection, batches[0].user_id, before=end, limit=3)

    assert first + second == newest_first
