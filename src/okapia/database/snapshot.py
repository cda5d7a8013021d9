"""A SQLite database at one moment, copied while others write to it; and what is in it, counted."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import func, inspect, select, table, text
from sqlalchemy.exc import DatabaseError

from okapia.database.engine import Database
from okapia.domain.storage_errors import BackupDamaged, DatabaseUnavailable


def take_snapshot(database: Database, copy: Path) -> None:
    """Copy a SQLite database in one step, by SQLite's online backup: readers and writers go on meanwhile.

    Raises:
        DatabaseUnavailable: it cannot be read.
    """
    try:
        with (
            closing(sqlite3.connect(str(database.engine.url.database))) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # all of it in the one file
    except sqlite3.Error as error:
        raise DatabaseUnavailable(str(error)) from error


def count_rows(database: Database) -> dict[str, int]:
    """Give the number of rows by table.

    Raises:
        BackupDamaged: it is no whole SQLite database.
    """
    with _damage(), database.read() as connection:
        names = sorted(inspect(connection).get_table_names())
        counts = {name: select(func.count()).select_from(table(name)) for name in names}
        return {name: connection.execute(count).scalar_one() for name, count in counts.items()}


def check_pages(database: Database) -> None:
    """Have SQLite look at every page and index; raises `BackupDamaged`."""
    with _damage(), database.read() as connection:
        found = connection.execute(text("PRAGMA integrity_check")).scalar_one()
    if found != "ok":
        raise BackupDamaged(f"expected a whole database, SQLite says: {found}")


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        raise BackupDamaged(f"expected a whole database, SQLite says: {error.orig}") from error
