"""All that a server could not make again, in one file, and back: accounts, ledger, answers, secrets, uploads.

Models are not in it: they come from where they came from.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sqlalchemy import URL

from okapia import __version__
from okapia.accounts.recount import Discrepancy, check
from okapia.database.engine import Database
from okapia.database.migrate import upgrade
from okapia.database.opening import FILE
from okapia.database.snapshot import check_pages, count_rows, take_snapshot
from okapia.domain.clock import Clock, utc_now
from okapia.domain.errors import InvalidSettings, OutputNotWritable
from okapia.domain.storage_errors import BackupDamaged, HomeNotEmpty
from okapia.storage.archive import OnBytes, pack, unpack
from okapia.storage.folder_blobs import FolderBlobs

SETTINGS: Final = "okapia.toml"
_SECRETS: Final = "secrets"
_BLOBS: Final = "blobs"
_KEPT: Final = (SETTINGS, _SECRETS, _BLOBS, FILE)
"""What of a home is in a backup. The database comes last into a home: what is there with it is all there."""

OnTotal = Callable[[int], OnBytes]
"""Told how many bytes there are to read; gives what is told of those that were."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a backup.

    Attributes:
        rows: by table.
        secrets, blobs: files of each.
        discrepancies: what in the restored ledger does not add up.
    """

    rows: Mapping[str, int]
    secrets: int
    blobs: int
    has_settings: bool
    discrepancies: Sequence[Discrepancy] = ()


def back_up(
    database: Database, *, home: Path, archive: Path, on_total: OnTotal, clock: Clock = utc_now
) -> Contents:
    """Write a backup (0600) of a SQLite database and of its home, while a server runs on them.

    The database is as it was at one moment. The uploads that it names are there, but for those that were
    deleted since.

    Raises:
        InvalidSettings: the database is not SQLite's, or is not there.
        DatabaseUnavailable: it cannot be read.
        OutputNotWritable: `archive` is there already, or cannot be written.
    """
    _check_source(database)
    with _staging(archive.parent) as folder:
        copy = folder / FILE
        take_snapshot(database, copy)
        with _opened(copy) as snapshot:
            rows = count_rows(snapshot)
        files = [(FILE, copy), *_files(home)]
        facts = {"okapia": __version__, "created_at": clock().isoformat(), "rows": rows}
        names = pack(archive, files, facts=facts, on_bytes=on_total(sum(_size(path) for _, path in files)))
    return _contents(names, rows)


def restore(archive: Path, *, home: Path, on_total: OnTotal) -> Contents:
    """Unpack a backup into a home without a database, secrets and uploads; it is there when all was checked.

    Checked are the checksums, the pages of the database and the number of its rows; the ledger is recounted.

    Raises:
        HomeNotEmpty: something is there that the backup would replace.
        BackupDamaged: the backup is not as it was written; nothing was restored.
        InvalidSettings: a newer Okapia wrote it; nothing was restored.
        OutputNotWritable: it cannot be read, or the home not be written.
    """
    _check_empty(home)
    with _staging(home) as folder:
        facts = unpack(archive, folder, on_bytes=on_total(_size(archive)))
        names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
        _check_names(names)
        with _opened(folder / FILE) as database:
            rows = _recounted(database, facts)
            upgrade(database)
            with database.read() as connection:
                discrepancies = check(connection)
        for name in _KEPT:
            if (folder / name).exists():
                (folder / name).rename(home / name)
    return _contents(names, rows, discrepancies)


def _check_source(database: Database) -> None:
    url = database.engine.url
    if not database.is_sqlite:
        address = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
        command = f"pg_dump --format=custom --file=okapia.dump --dbname='{address.render_as_string()}'"
        raise InvalidSettings(
            "database: expected SQLite; PostgreSQL has a backup of its own, to be kept with the folder "
            f"{_SECRETS} of the home: {command}"
        )
    if not Path(str(url.database)).is_file():
        raise InvalidSettings(f"home: expected {FILE} there, there is none: no server has run on it")


def _check_empty(home: Path) -> None:
    for path in [home / SETTINGS, *home.glob(f"{FILE}*"), home / _SECRETS, home / _BLOBS]:
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path.exists():
            raise HomeNotEmpty(f"expected an empty home, {path.name} is there; choose another with --into")


def _check_names(names: Sequence[str]) -> None:
    """Refuse an archive that is whole, and something else."""
    beside = (f"{_SECRETS}/", f"{_BLOBS}/")
    strange = [name for name in names if name not in {FILE, SETTINGS} and not name.startswith(beside)]
    if strange or FILE not in names:
        raise BackupDamaged(
            f"expected {FILE} and what belongs to it, got {', '.join(strange[:3]) or 'no database'}"
        )


def _recounted(database: Database, facts: Mapping[str, object]) -> Mapping[str, int]:
    check_pages(database)
    rows = count_rows(database)
    if facts.get("rows") != rows:
        raise BackupDamaged(f"expected as many rows as its manifest says, found {sum(rows.values()):,}")
    return rows


def _files(home: Path) -> Iterator[tuple[str, Path]]:
    """Give what lies beside the database, by its name in the archive."""
    if (home / SETTINGS).is_file():
        yield SETTINGS, home / SETTINGS
    for path in sorted((home / _SECRETS).glob("[!.]*")):
        yield f"{_SECRETS}/{path.name}", path
    if (home / _BLOBS).is_dir():
        for key in FolderBlobs(home / _BLOBS).keys(""):
            yield f"{_BLOBS}/{key}", home / _BLOBS / key


def _contents(
    names: Iterable[str], rows: Mapping[str, int], discrepancies: Sequence[Discrepancy] = ()
) -> Contents:
    folders = [_folder(name) for name in names]
    return Contents(
        rows, folders.count(_SECRETS), folders.count(_BLOBS), SETTINGS in folders, tuple(discrepancies)
    )


def _folder(name: str) -> str:
    return name.partition("/")[0]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def _opened(path: Path) -> Iterator[Database]:
    database = Database.open_file(path)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def _staging(parent: Path) -> Iterator[Path]:
    """Give a private folder in another one, gone in the end."""
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = TemporaryDirectory(dir=parent, prefix=".okapia-")
    except OSError as error:
        raise OutputNotWritable(f"cannot write in the folder {parent.name}: {error.strerror}") from error
    with folder as name:
        yield Path(name)
