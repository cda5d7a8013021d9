"""Text files that people bring: labels, taxonomies, tables with comments."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import Taxon, Taxonomy, parse_labels


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a CSV file.

    Attributes:
        line: its number in the file, from 1, comments counted.
        cells: as many as the file's head, spaces around them cut off.
    """

    line: int
    cells: tuple[str, ...]


def read_taxonomy(path: Path) -> Taxonomy:
    """Read a file of seven-part labels (`taxonomy_release.txt`) as the tree of `Taxonomy.from_labels`.

    Raises:
        InvalidRequest: it cannot be read, or a line is no label.
    """
    try:
        return Taxonomy.from_labels(read_text(path, param="taxonomy").split("\n"))
    except InvalidRequest as error:
        raise InvalidRequest(f"{path.name}: {error}", param="taxonomy") from error


def read_labels(path: Path) -> tuple[Taxon, ...]:
    """Read a labels file: line n names output n - 1 of the classifier.

    Raises:
        InvalidRequest: it cannot be read, or a line is no label.
    """
    try:
        return parse_labels(read_text(path, param="labels").split("\n"))
    except InvalidRequest as error:
        raise InvalidRequest(f"{path.name}: {error}", param="labels") from error


def read_text(path: Path, *, param: str) -> str:
    """Read a UTF-8 file, with or without a byte order mark.

    Raises:
        InvalidRequest: of `param`, when the file cannot be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidRequest(f"cannot read {path.name}: {error.strerror}", param=param) from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"{path.name}: expected UTF-8 text, byte {error.start} is not", param=param
        ) from error


def table_rows(text: str, columns: Sequence[str], *, param: str) -> Iterator[TableRow]:
    """Give a CSV table's cells of `columns`, in that order; empty lines and those from `#` are skipped.

    The head may hold the columns in any order, and others besides.

    Raises:
        InvalidRequest: of `param`, when there is no head, a column is missing in it, or a row has more
            or fewer cells than the head.
    """
    lines = _cells_by_line(text, param)
    line, head = next(lines, (1, []))
    names = [name.lower() for name in head]
    if missing := [column for column in columns if column not in names]:
        raise InvalidRequest(
            f"line {line}: expected the columns {', '.join(columns)}, {', '.join(missing)} missing in "
            f"{', '.join(head) or 'an empty file'}",
            param=param,
        )
    places = [names.index(column) for column in columns]
    for line, cells in lines:
        if len(cells) != len(head):
            raise InvalidRequest(
                f"line {line}: expected {len(head)} cells as in the head, got {len(cells)}", param=param
            )
        yield TableRow(line, tuple(cells[place] for place in places))


def _cells_by_line(text: str, param: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            cells = [cell.strip() for cell in next(csv.reader([line]), [])]
        except csv.Error as error:
            raise InvalidRequest(f"line {number}: expected CSV: {error}", param=param) from error
        if any(cells) and not cells[0].startswith("#"):
            yield number, cells
