"""One door to the database: SQLite in WAL mode, or PostgreSQL, by the same statements.

Everything above says `with database.write() as connection:` and uses SQLAlchemy Core on the tables of
`okapia.database.tables`. A transaction commits when its block ends, and not at all when it raises.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from okapia.domain.errors import InvalidSettings
from okapia.domain.storage_errors import DatabaseUnavailable

BUSY_S = 15
"""Seconds that a writer of another process may hold SQLite before a call gives up with 503."""

_FULL, _RELAXED = "FULL", "NORMAL"
"""SQLite's names: each commit waits for the disk, or only what is moved out of the write-ahead log does."""

_MOST_LOGGED_PAGES = 16_384
"""64 MB: what may stand in SQLite's log when nobody calls `checkpoint`; then a commit has to tidy it up."""

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {BUSY_S * 1000}",
    f"PRAGMA wal_autocheckpoint = {_MOST_LOGGED_PAGES}",
)


class Database:
    """A pool of connections; safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # SQLite has one writer. Threads that queue here wake at once; in SQLite's own queue they poll.
        self._turn = threading.Lock()

    @classmethod
    def open(cls, address: str) -> Self:
        """Open the database at an SQLAlchemy URL; connects when first used.

        Raises:
            InvalidSettings: the URL is none, names another kind of database, or its driver is missing.
        """
        url = _url(address)
        try:
            engine = _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)
        except ModuleNotFoundError as error:
            message = f"database: {error.name} is missing; pip install 'okapia[postgres]'"
            raise InvalidSettings(message) from error
        return cls(engine)

    @classmethod
    def open_file(cls, path: Path) -> Self:
        """Open a SQLite file, which is made when it is missing."""
        return cls.open(URL.create("sqlite", database=str(path)).render_as_string())

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @property
    def is_ready(self) -> bool:
        """Whether a transaction begun now waits for nobody in this process, nor for another machine."""
        return self.is_sqlite and not self._turn.locked()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database throughout.

        Raises:
            DatabaseUnavailable: it cannot be reached, or stayed locked.
        """
        with _translated(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose changes are committed together, and are on the disk when the block ends.

        Keep the block short, and call nothing slow in it: on SQLite nobody else can write meanwhile.

        Raises:
            DatabaseUnavailable: it cannot be reached, or stayed locked; nothing was changed.
        """
        with self._writing(_FULL) as connection:
            yield connection

    @contextmanager
    def write_soon(self) -> Iterator[Connection]:
        """Do as `write` does without waiting for the disk: a power cut may undo the last moments.

        For what every call writes and nobody was promised: a crash of the process undoes nothing.
        """
        with self._writing(_RELAXED) as connection:
            yield connection

    @contextmanager
    def _writing(self, durability: str) -> Iterator[Connection]:
        turn = self._turn if self.is_sqlite else nullcontext()
        with _translated(), turn, self.engine.begin() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql(f"PRAGMA synchronous = {durability}")
                # A reader that turns writer fails when somebody wrote in between; so writers say it at once.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            elif durability == _RELAXED:
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
            yield connection

    def checkpoint(self) -> None:
        """Move what stands in SQLite's log to its place, so that no commit has to; holds up nobody."""
        if self.is_sqlite:
            with _translated(), self.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close the pool."""
        self.engine.dispose()


def _url(address: str) -> URL:
    """Read the address, and take the driver that Okapia is tested with."""
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise InvalidSettings("database: expected sqlite:///FILE or postgresql://USER@HOST/NAME") from error
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise InvalidSettings(f"database: expected sqlite or postgresql, got {url.get_backend_name()}")
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def _sqlite(url: URL) -> Engine:
    # A commit that waits for the disk must not hold up readers: each thread has its own connection.
    engine = create_engine(url, poolclass=QueuePool, pool_size=32, max_overflow=32)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _postgresql(url: URL) -> Engine:
    try:
        return create_engine(url, pool_size=16, max_overflow=16, pool_pre_ping=True)
    except NoSuchModuleError as error:
        raise InvalidSettings(f"database: {url.drivername} is not a driver that SQLAlchemy knows") from error


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # Python's driver would open transactions by itself, as readers; `Database` says which it wants, in plain
    # statements: a listener for `begin` would make every statement ask for listeners.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


@contextmanager
def _translated() -> Iterator[None]:
    """Say "not now" in our words; a broken constraint stays what it is, for whoever can read it."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise DatabaseUnavailable(_reason(error)) from error


def _reason(error: DBAPIError) -> str:
    """Give the driver's own first line: SQLAlchemy's words would hold the statement and its values."""
    return str(error.orig).strip().partition("\n")[0]
