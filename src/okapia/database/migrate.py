"""Bring a database to the tables of this version."""

from pathlib import Path

from sqlalchemy import Connection, inspect, select, table, text
from sqlalchemy import column as named

from okapia.database.engine import Database
from okapia.database.migrations import HEAD
from okapia.domain.errors import InvalidSettings

_LOCK = 0x6F6B61706961  # "okapia": servers that start together on one PostgreSQL wait for each other
_VERSION = table("alembic_version", named("version_num"))


def upgrade(database: Database) -> None:
    """Make or change the tables until they are those of this version; quick when they already are.

    Raises:
        InvalidSettings: a newer Okapia has been at this database.
        DatabaseUnavailable: it cannot be reached.
    """
    with database.read() as connection:
        found = current(connection)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise InvalidSettings(f"database: expected at most version {HEAD}, got {found}; use the newer Okapia")
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        _run(connection)


def current(connection: Connection) -> str | None:
    """Give the version of a database's tables; None when it has none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(select(_VERSION.c.version_num)).scalar_one_or_none()


def _run(connection: Connection) -> None:
    # Alembic takes 0.1 s to import: only for a database that needs it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
