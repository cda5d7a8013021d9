"""`okapia backup` and `okapia restore`: while a writer runs, into an empty home, and recounted there."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from typer.testing import CliRunner, Result

from okapia.accounts.recount import check
from okapia.cli.main import app
from okapia.database.engine import Database
from okapia.database.opening import open_database
from okapia.database.tables import billing, credit_entries
from okapia.domain.errors import InvalidSettings, OutputNotWritable
from okapia.domain.storage_errors import BackupDamaged, HomeNotEmpty
from okapia.storage.archive import pack
from okapia.storage.folder_blobs import FolderBlobs
from okapia.storage.secrets import load_or_make_secret
from tests.unit.accounts.bank import FOX, Bank


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with an account that has spent, a secret, an upload and a file of settings."""
    home = tmp_path / "home"
    monkeypatch.setenv("OKAPIA_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    with opened(home) as database:
        bank = Bank(database)
        bank.open("large")
        bank.spend(7, reference="call 1")
    load_or_make_secret(home, "tokens")
    FolderBlobs(home / "blobs").put("jobs/job_1", [b"a fox"], max_bytes=100)
    (home / "okapia.toml").write_text("threshold = 0.3\n", encoding="utf-8")
    (home / "models" / "a-model").mkdir(parents=True)
    return home


@contextmanager
def opened(home: Path) -> Iterator[Database]:
    database = open_database(home, "")
    yield database
    database.close()


def okapia(*arguments: str | Path) -> Result:
    """Run the command; raises what it raises."""
    return CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)


def told(*arguments: str | Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(okapia(*arguments, "--json").stdout)
    return document


def files(home: Path) -> dict[str, bytes]:
    """All that is in a home but its database."""
    found = (path for path in home.rglob("*") if path.is_file() and not path.name.startswith("okapia.db"))
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in found}


def test_what_is_restored_is_what_was_there(home: Path, tmp_path: Path) -> None:
    backup = tmp_path / "okapia.tar.gz"

    made = told("backup", backup)
    back = told("restore", backup, "--into", tmp_path / "new")

    assert (made["secrets"], made["blobs"], made["has_settings"]) == (1, 1, True)
    assert back == made
    assert files(tmp_path / "new") == files(home)
    with opened(tmp_path / "new") as database:
        assert Bank(database).balance().included_used == 7


def test_backups_while_credits_are_spent_add_up_each_time(home: Path, tmp_path: Path) -> None:
    stop = threading.Event()

    def spend() -> None:
        with opened(home) as database:
            bank = Bank(database)
            bank.grant(1_000_000)
            calls = 0
            while not stop.is_set():
                bank.close(bank.hold(3, reference=f"busy {calls}"), done=calls % 4)
                calls += 1

    writer = threading.Thread(target=spend)
    writer.start()
    entries = []
    for number in range(4):
        made = told("backup", tmp_path / f"{number}.tar.gz")
        new = tmp_path / f"new {number}"
        back = told("restore", tmp_path / f"{number}.tar.gz", "--into", new)
        assert back["rows"] == made["rows"]
        entries.append(recounted(new))
        assert entries[-1] == made["rows"]["credit_entries"]
    stop.set()
    writer.join(timeout=30)

    assert entries == sorted(entries)
    assert recounted(home) >= entries[-1] > entries[0]


def recounted(home: Path) -> int:
    """Give the number of a home's ledger entries, which add up."""
    with opened(home) as database, database.read() as connection:
        assert check(connection) == []
        return connection.execute(select(func.count()).select_from(credit_entries)).scalar_one()


def test_a_backup_is_for_its_owner_alone_and_so_is_what_comes_out_of_it(home: Path, tmp_path: Path) -> None:
    backup = tmp_path / "okapia.tar.gz"

    okapia("backup", backup)
    okapia("restore", backup, "--into", tmp_path / "new")

    modes = {
        path.stat().st_mode & 0o077 for path in [backup, tmp_path / "new", *(tmp_path / "new").rglob("*")]
    }
    assert modes == {0}
    assert home.exists()


def test_models_are_not_in_it_and_it_says_so(home: Path, tmp_path: Path) -> None:
    made = okapia("backup", tmp_path / "okapia.tar.gz")
    back = okapia("restore", tmp_path / "okapia.tar.gz", "--into", tmp_path / "new")

    assert "models are not in it" in made.stdout
    assert "okapia models pull" in back.stdout
    assert (home / "models").exists()
    assert not (tmp_path / "new" / "models").exists()


@pytest.mark.parametrize("name", ["okapia.db", "okapia.db-wal", "okapia.toml", "secrets/tokens", "blobs/a"])
def test_a_home_that_has_something_of_its_own_is_left_alone(home: Path, tmp_path: Path, name: str) -> None:
    okapia("backup", tmp_path / "okapia.tar.gz")
    other = tmp_path / "other"
    (other / name).parent.mkdir(parents=True)
    (other / name).write_bytes(b"mine")

    with pytest.raises(HomeNotEmpty):
        okapia("restore", tmp_path / "okapia.tar.gz", "--into", other)

    assert [path.read_bytes() for path in other.rglob("*") if path.is_file()] == [b"mine"]
    assert home.exists()


@pytest.mark.usefixtures("home")
def test_a_home_with_models_only_is_empty_enough(tmp_path: Path) -> None:
    okapia("backup", tmp_path / "okapia.tar.gz")
    for folder in ("models/a-model", "secrets", "blobs"):
        (tmp_path / "new" / folder).mkdir(parents=True)

    okapia("restore", tmp_path / "okapia.tar.gz", "--into", tmp_path / "new")

    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {"models", "secrets", "blobs", "okapia.db", "okapia.toml"}


@pytest.mark.usefixtures("home")
def test_a_damaged_backup_changes_nothing(tmp_path: Path) -> None:
    backup = tmp_path / "okapia.tar.gz"
    okapia("backup", backup)
    backup.write_bytes(backup.read_bytes()[:-200])

    with pytest.raises(BackupDamaged):
        okapia("restore", backup, "--into", tmp_path / "new")

    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "rows"),
    [(b"these are my notes " * 99, {}), (b"", {}), (None, {}), (None, {"users": 1})],
    ids=["no database", "an empty file", "rows that nobody counted", "other numbers of rows"],
)
def test_a_whole_archive_without_a_whole_database_is_refused(
    tmp_path: Path, content: bytes | None, rows: dict[str, int]
) -> None:
    file = tmp_path / "okapia.db"
    if content is None:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("CREATE TABLE users (id TEXT)")
    else:
        file.write_bytes(content)
    facts = {"rows": rows or {"answers": 1}}
    pack(tmp_path / "b.tar.gz", [("okapia.db", file)], facts=facts, on_bytes=lambda _: None)

    with pytest.raises(BackupDamaged):
        okapia("restore", tmp_path / "b.tar.gz", "--into", tmp_path / "new")

    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("name", ["notes", "models/a", "secrets"])
def test_an_archive_with_something_else_is_refused(home: Path, tmp_path: Path, name: str) -> None:
    database = home / "okapia.db"
    archive = tmp_path / "b.tar.gz"
    pack(archive, [("okapia.db", database), (name, database)], facts={}, on_bytes=lambda _: None)

    with pytest.raises(BackupDamaged, match="what belongs to it"):
        okapia("restore", archive, "--into", tmp_path / "new")


def test_a_ledger_that_did_not_add_up_is_restored_and_told_of(home: Path, tmp_path: Path) -> None:
    with opened(home) as database, database.write() as connection:
        connection.execute(update(billing).where(billing.c.user_id == FOX).values(included=50))
    okapia("backup", tmp_path / "okapia.tar.gz")

    restored = okapia("restore", tmp_path / "okapia.tar.gz", "--into", tmp_path / "new")

    assert restored.exit_code == 1
    assert "the ledger does not add up: usr_fox: included: 50 left" in restored.stderr
    assert (tmp_path / "new" / "okapia.db").exists()


@pytest.mark.usefixtures("home")
def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "okapia.tar.gz").write_bytes(b"mine")

    with pytest.raises(OutputNotWritable):
        okapia("backup", tmp_path / "okapia.tar.gz")

    assert (tmp_path / "okapia.tar.gz").read_bytes() == b"mine"


@pytest.mark.usefixtures("home")
def test_postgresql_is_answered_with_its_own_command_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OKAPIA_DATABASE", "postgresql://ada:hunter2@db.example/okapia?sslmode=require")

    with pytest.raises(InvalidSettings) as refused:
        okapia("backup", tmp_path / "okapia.tar.gz")

    command = "pg_dump --format=custom --file=okapia.dump"
    assert f"{command} --dbname='postgresql://ada@db.example/okapia?sslmode=require'" in str(refused.value)


def test_without_a_database_there_is_nothing_to_back_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OKAPIA_HOME", str(tmp_path / "home"))

    with pytest.raises(InvalidSettings, match=r"okapia\.db"):
        okapia("backup", tmp_path / "okapia.tar.gz")

    with suppress(FileNotFoundError):
        assert list((tmp_path / "home").iterdir()) == []
