"""Open the database that the settings mean."""

from pathlib import Path

from okapia.database.engine import Database
from okapia.database.migrate import upgrade

FILE = "okapia.db"


def open_database(home: Path, address: str) -> Database:
    """Open the database at `address`, or the file in `home`, and bring it to the tables of this version.

    A file is made when there is none, for its owner alone (0600).

    Raises:
        InvalidSettings: the address is wrong, or a newer Okapia has been there.
        DatabaseUnavailable: it does not answer.
    """
    database = Database.open(address) if address else Database.open_file(_private(home / FILE))
    upgrade(database)
    return database


def _private(path: Path) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)  # SQLite gives the files beside it the same mode
    return path
