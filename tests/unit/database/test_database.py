"""The door to the database, on SQLite and on PostgreSQL."""

import multiprocessing
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Delete, Update, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

import okapia.database.migrations
from okapia.database.engine import Database
from okapia.database.instances import DEAD_AFTER, Instance
from okapia.database.migrate import current, upgrade
from okapia.database.migrations import HEAD
from okapia.database.tables import audit_entries, instances, metadata, users
from okapia.domain.errors import InvalidSettings
from okapia.domain.storage_errors import DatabaseUnavailable

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def add_user(database: Database, name: str) -> None:
    with database.write() as connection:
        connection.execute(insert(users).values(id=name, name=name, role="user", created_at=NOON))


def names(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(select(users.c.name)).scalars())


def test_the_migrations_make_the_tables_of_the_code(database: Database) -> None:
    with database.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)

    assert differences == []


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(okapia.database.migrations.__file__).parent))

    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    upgrade(database)

    with database.read() as connection:
        assert current(connection) == HEAD


def test_a_database_of_a_newer_okapia_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(InvalidSettings, match="9999"):
        upgrade(database)


def test_a_block_that_raises_changes_nothing(database: Database) -> None:
    with suppress(RuntimeError), database.write() as connection:
        connection.execute(insert(users).values(id="ada", name="ada", role="user", created_at=NOON))
        raise RuntimeError

    assert names(database) == {"local"}


def test_writers_in_threads_all_get_their_turn(database: Database) -> None:
    threads = [threading.Thread(target=add_user, args=(database, f"ada{n}")) for n in range(20)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(names(database)) == 21


def test_times_come_back_in_utc_whatever_zone_they_had(database: Database) -> None:
    from_east = NOON.astimezone(datetime.strptime("+0900", "%z").tzinfo)
    with database.write() as connection:
        connection.execute(insert(users).values(id="ada", name="ada", role="user", created_at=from_east))

    with database.read() as connection:
        found = connection.execute(select(users.c.created_at).where(users.c.id == "ada")).scalar_one()

    assert (found, found.tzinfo) == (NOON, UTC)


@pytest.mark.parametrize("change", [update(audit_entries).values(actor="nobody"), delete(audit_entries)])
def test_the_audit_log_only_grows(database: Database, change: Delete | Update) -> None:
    entry = {"at": NOON, "actor": "ada", "action": "key.revoke", "subject": "k1", "details": {}}
    with database.write() as connection:
        connection.execute(insert(audit_entries).values(entry))

    with pytest.raises((DBAPIError, DatabaseUnavailable)), database.write() as connection:
        connection.execute(change)

    with database.read() as connection:
        assert connection.execute(select(audit_entries.c.actor)).scalars().all() == ["ada"]


@pytest.mark.parametrize(
    "address", ["mysql://ada@host/okapia", "no address", "postgresql+nothing://ada@host/okapia"]
)
def test_an_address_of_no_known_database_is_refused(address: str) -> None:
    with pytest.raises(InvalidSettings, match="database"):
        Database.open(address)


def test_an_unreachable_server_is_said_without_its_password() -> None:
    database = Database.open("postgresql://ada:secret@127.0.0.1:9/okapia")

    with pytest.raises(DatabaseUnavailable) as caught, database.read():
        pass

    assert "secret" not in str(caught.value)


def test_a_process_that_ended_without_leaving_is_dead(database: Database) -> None:
    mine = Instance(database)
    context = multiprocessing.get_context("spawn")
    process = context.Process(
        target=_live_and_die, args=(database.engine.url.render_as_string(hide_password=False),)
    )
    process.start()
    process.join()

    dead = mine.dead()
    for instance_id in dead:
        mine.bury(instance_id)

    assert process.exitcode == 0
    assert len(dead) == 1
    assert mine.dead() == []


def test_a_silent_process_of_another_host_is_dead_after_a_while(database: Database) -> None:
    now = NOON
    mine = Instance(database, clock=lambda: now)
    other = Instance(database, clock=lambda: NOON)
    with database.write() as connection:
        connection.execute(update(instances).where(instances.c.id == other.id).values(host="elsewhere"))

    alive = mine.dead()
    now = NOON + DEAD_AFTER + timedelta(seconds=1)

    assert alive == []
    assert mine.dead() == [other.id]
    other.leave()
    assert mine.dead() == []


def test_a_process_that_beats_stays_alive(database: Database) -> None:
    now = NOON
    mine, other = (Instance(database, clock=lambda: now) for _ in range(2))
    now = NOON + DEAD_AFTER + timedelta(seconds=1)

    other.beat()

    assert mine.dead() == []


def test_a_process_that_was_taken_for_dead_says_that_it_is_not(database: Database) -> None:
    mine, other = Instance(database), Instance(database)
    mine.bury(other.id)

    other.beat()

    with database.read() as connection:
        assert set(connection.execute(select(instances.c.id)).scalars()) == {mine.id, other.id}


def _live_and_die(address: str) -> None:
    Instance(Database.open(address))
