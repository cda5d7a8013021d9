"""The table of deployments: where each camera stood, when, and by which clock.

A CSV file that people fill in, in UTF-8, with the columns of `COLUMNS` in any order; further ones
are theirs. An empty cell is something not known. Times are the camera's own, as it writes them into
its pictures: without a zone, `2024-05-01` or `2024-05-01 12:30` or with seconds.
"""

import csv
import io
import re
import unicodedata
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone, tzinfo
from difflib import get_close_matches
from functools import cache
from itertools import pairwise
from pathlib import Path

from okapia.domain.errors import InvalidDeployments, InvalidRequest
from okapia.pipeline.places import Coordinates, coordinates

COLUMNS = ("camera", "latitude", "longitude", "start", "end", "timezone")

_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?")
_OFFSET = re.compile(r"(?:UTC|GMT)?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>[0-5]\d))?")


@dataclass(frozen=True, slots=True)
class Deployment:
    """One camera in one place for one period; what is None is not known.

    Attributes:
        start: first moment in camera time, without a zone; None: since ever.
        end: last moment, inclusive; None: for ever.
        timezone: of the camera's clock.
        line: of the table, counted from 1 as spreadsheets do.
    """

    camera: str
    place: Coordinates | None
    start: datetime | None
    end: datetime | None
    timezone: tzinfo | None
    line: int

    def covers(self, taken_at: datetime) -> bool:
        """Whether a camera time lies in the period."""
        return (self.start is None or self.start <= taken_at) and (self.end is None or taken_at <= self.end)


class Deployments:
    """All deployments, no two of a camera at the same time."""

    def __init__(self, rows: Iterable[Deployment] = ()) -> None:
        """Sort the rows by camera and time.

        Raises:
            InvalidDeployments: two rows of a camera are alike or overlap; the message names both lines.
        """
        self._by_camera: dict[str, list[Deployment]] = {}
        for row in rows:
            self._by_camera.setdefault(_composed(row.camera), []).append(row)
        for periods in self._by_camera.values():
            periods.sort(key=lambda row: (row.start or datetime.min, row.line))  # noqa: DTZ901 - naive
            for before, after in pairwise(periods):
                _check_apart(before, after)

    @property
    def rows(self) -> tuple[Deployment, ...]:
        """Every deployment, by camera, then by time."""
        return tuple(row for rows in self._by_camera.values() for row in rows)

    @property
    def cameras(self) -> tuple[str, ...]:
        """Cameras of the table, in its order."""
        return tuple(rows[0].camera for rows in self._by_camera.values())

    def has(self, camera: str) -> bool:
        """Whether the table has a row of this camera."""
        return _composed(camera) in self._by_camera

    def of(self, camera: str, taken_at: datetime | None) -> Deployment | None:
        """Give the deployment in which a camera took a picture.

        Without a time it is only known of a camera that was deployed once and for all.
        """
        periods = self._by_camera.get(_composed(camera), ())
        if taken_at is None:
            return periods[0] if len(periods) == 1 else None
        return next((row for row in periods if row.covers(taken_at)), None)


def read_deployments(path: Path) -> Deployments:
    """Read the table.

    Raises:
        InvalidDeployments: it cannot be read, is not UTF-8, or a line of it is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _wrong(f"cannot read {path.name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _wrong(
            f"expected {path.name} in UTF-8, byte {error.start:,} is not; save it as `CSV UTF-8`"
        ) from error
    return parse_deployments(text)


def parse_deployments(text: str) -> Deployments:
    """Read a table from its text; commas or semicolons part the cells.

    Raises:
        InvalidDeployments: a column or a cell is wrong; the message names the line and the value.
    """
    header, _, _ = text.partition("\n")
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=";" if header.count(";") > header.count(",") else ","
    )
    try:
        columns = _columns(next(reader, []))
        rows = [
            _row(_cells(columns, cells, reader.line_num), line=reader.line_num)
            for cells in reader
            if any(map(str.strip, cells))
        ]
    except csv.Error as error:
        raise _wrong(f"line {reader.line_num}: expected CSV: {error}") from error
    return Deployments(rows)


def parse_timezone(text: str) -> tzinfo:
    """Give the zone of an IANA name ("Europe/Berlin") or of a fixed offset ("+02:00", "UTC+2").

    Raises:
        InvalidRequest: there is no such zone; the message names near misses.
    """
    offset = _OFFSET.fullmatch(text)
    if offset:
        ahead = timedelta(hours=int(offset["hours"]), minutes=int(offset["minutes"] or 0))
        if ahead <= timedelta(hours=14):
            return timezone(ahead if offset["sign"] == "+" else -ahead)
    elif text in _zones():
        return zoneinfo.ZoneInfo(text)
    near = get_close_matches(text, _zones(), n=3) if len(text) < 50 else []
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise InvalidRequest(
        f"expected a time zone such as Europe/Berlin or +02:00, got {text[:50]!r}{hint}", param="timezone"
    )


@cache
def _zones() -> tuple[str, ...]:
    """Every zone that this machine knows; Windows knows them by the package tzdata."""
    return tuple(sorted(zoneinfo.available_timezones()))


def _columns(cells: Sequence[str]) -> list[str]:
    columns = [cell.strip().casefold() for cell in cells]
    if "camera" not in columns:
        raise _wrong(f"line 1: expected the columns {', '.join(COLUMNS)}, got {', '.join(columns) or 'none'}")
    for column in columns:
        if columns.count(column) > 1 and column in COLUMNS:
            raise _wrong(f"line 1: expected each column once, got {column} {columns.count(column)} times")
        meant = get_close_matches(column, COLUMNS, n=1, cutoff=0.75)
        if meant and meant[0] not in columns:
            raise _wrong(f"line 1: expected the column {meant[0]}, got {column}")
    return columns


def _cells(columns: Sequence[str], cells: Sequence[str], line: int) -> Mapping[str, str]:
    if len(cells) > len(columns):
        raise _wrong(
            f"line {line}: expected {len(columns)} cells, got {len(cells)}: {', '.join(cells)}; "
            "decimals need a point, and texts with a comma quotation marks"
        )
    return dict.fromkeys(COLUMNS, "") | dict(zip(columns, map(str.strip, cells), strict=False))


def _row(cells: Mapping[str, str], *, line: int) -> Deployment:
    if not cells["camera"]:
        raise _wrong(f"line {line}: expected a camera, the cell is empty")
    start = _time(cells["start"], "start", line=line)
    end = _time(cells["end"], "end", line=line)
    if end is not None and len(cells["end"]) == len("2024-05-01"):
        end = datetime.combine(end, time.max)
    if start is not None and end is not None and start > end:
        raise _wrong(f"line {line}: expected start before end, got {cells['start']} after {cells['end']}")
    try:
        place = coordinates(
            _number(cells["latitude"], "latitude", line=line),
            _number(cells["longitude"], "longitude", line=line),
        )
        zone = parse_timezone(cells["timezone"]) if cells["timezone"] else None
    except InvalidDeployments:
        raise
    except InvalidRequest as error:
        raise _wrong(f"line {line}: {error}") from error
    return Deployment(cells["camera"], place, start, end, zone, line)


def _number(cell: str, name: str, *, line: int) -> float | None:
    try:
        return float(cell) if cell else None
    except ValueError as error:
        raise _wrong(f"line {line}: expected a {name} in degrees such as -2.3333, got {cell!r}") from error


def _time(cell: str, name: str, *, line: int) -> datetime | None:
    if not cell:
        return None
    try:
        if _TIME.fullmatch(cell):
            return datetime.fromisoformat(cell)
    except ValueError:  # the form of a time, and no day of the calendar: 2024-02-30
        pass
    raise _wrong(f"line {line}: expected a {name} such as 2024-05-01 or 2024-05-01 12:30, got {cell!r}")


def _composed(camera: str) -> str:
    """One spelling for what looks alike: macOS takes the umlauts of folder names apart, tables do not."""
    return unicodedata.normalize("NFC", camera)


def _check_apart(before: Deployment, after: Deployment) -> None:
    """Refuse two periods of one camera that share a moment; sorted by their starts."""
    if (before.start, before.end) == (after.start, after.end):
        raise _wrong(f"line {after.line}: {after.camera} has the same period in line {before.line}")
    if before.end is None or after.start is None or after.start <= before.end:
        raise _wrong(f"line {after.line}: the period of {after.camera} overlaps that in line {before.line}")


def _wrong(message: str) -> InvalidDeployments:
    return InvalidDeployments(message, param="deployments")
