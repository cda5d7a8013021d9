"""Answers of before in one file, as many as fit: those that nobody used for longest go first."""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import lz4.frame
import structlog

T = TypeVar("T")

_log = structlog.get_logger(__name__)

RESTS_S = 60
"""After a fault the file is left alone for so long: a full disk is not to be logged once a picture."""

_TOUCHED_EVERY_S = 3600
"""Reading writes only where a use is that much later than the last: who went first is known to the hour."""

_KEPT_AT_ONCE = 64
"""Values that one transaction writes: each by itself would take three times as long."""

_GO_AT_ONCE = 8
_LOCKED_S = 1.0

_OPEN = """
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, used INTEGER NOT NULL, value BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS answers_by_use ON answers (used);
"""
_GET = "SELECT value, used FROM answers WHERE key = ?"
_TOUCH = "UPDATE answers SET used = ? WHERE key = ?"
_PUT = "INSERT OR REPLACE INTO answers (key, used, value) VALUES (?, ?, ?)"
_BYTES = """
SELECT (page_count - freelist_count) * page_size
FROM pragma_page_count, pragma_freelist_count, pragma_page_size
"""
_DROP_OLDEST = "DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers ORDER BY used, rowid LIMIT ?)"

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class AnswerCache:
    """Keeps bytes under keys; safe to use from several threads, and several processes may share the file.

    It never raises: what cannot be had is not there, what cannot be kept is not kept, and the log says why.
    A damaged file is begun anew.
    """

    def __init__(self, file: Path, *, max_bytes: int, clock: Callable[[], float] = time.time) -> None:
        """Use `file`, which is opened when it is first needed.

        Args:
            max_bytes: that the file may take, its journal of a few MB apart.
        """
        self._file = file
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._due: dict[bytes, bytes] = {}
        self._rests_until = float("-inf")

    def get(self, key: bytes) -> bytes | None:
        """Give what was put under a key; None when there is nothing."""
        packed = self._try(lambda connection: self._get(connection, key))
        if packed is None:
            return None
        try:
            value: bytes = lz4.frame.decompress(packed)
        except RuntimeError as error:  # the checksum tells
            _log.warning("answer_damaged", reason=str(error))
            return None
        return value

    def put(self, key: bytes, value: bytes) -> None:
        """Keep a value under a key, in place of the one that was there."""
        packed = lz4.frame.compress(value, content_checksum=True)
        with self._lock:
            self._due[key] = packed
            is_time = len(self._due) >= _KEPT_AT_ONCE
        if is_time:
            self._try(self._write_due)

    def close(self) -> None:
        """Write what is due and let go of the file; the next use opens it again."""
        if self._due:
            self._try(self._write_due)
        with self._lock:
            self._disconnect()

    def _try(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Do something with the file; None where it fails, or is at rest since it did."""
        with self._lock:
            if self._clock() < self._rests_until:
                self._due.clear()
                return None
            try:
                return work(self._connected())
            except (sqlite3.Error, OSError) as error:
                self._rest(error)
                return None

    def _get(self, connection: sqlite3.Connection, key: bytes) -> bytes | None:
        if key in self._due:
            return self._due[key]
        row: tuple[bytes, int] | None = connection.execute(_GET, (key,)).fetchone()
        if row is None:
            return None
        value, used = row
        if (now := int(self._clock())) - used >= _TOUCHED_EVERY_S:
            connection.execute(_TOUCH, (now, key))
        return value

    def _write_due(self, connection: sqlite3.Connection) -> None:
        now = int(self._clock())
        due, self._due = self._due, {}
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            connection.executemany(_PUT, ((key, now, value) for key, value in due.items()))
            self._make_room(connection)

    def _make_room(self, connection: sqlite3.Connection) -> None:
        while connection.execute(_BYTES).fetchone()[0] > self._max_bytes:
            if connection.execute(_DROP_OLDEST, (_GO_AT_ONCE,)).rowcount == 0:
                return

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.touch(mode=0o600)
            self._connection = sqlite3.connect(
                self._file, timeout=_LOCKED_S, isolation_level=None, check_same_thread=False
            )
            self._connection.executescript(_OPEN)
            # The limit may have been lowered: what is beyond it goes, from the disk as well.
            self._make_room(self._connection)
            self._connection.executescript("PRAGMA incremental_vacuum")
        return self._connection

    def _rest(self, error: sqlite3.Error | OSError) -> None:
        """Leave the file alone for a while; throw it away if it is damaged."""
        _log.warning("answer_cache_failed", reason=str(error), rests_s=RESTS_S)
        self._rests_until = self._clock() + RESTS_S
        self._disconnect()
        # SQLite keeps details in the upper bytes of its codes.
        if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            self._remove()

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):  # on Windows another process may have it open
                self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
