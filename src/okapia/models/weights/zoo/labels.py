"""The zoo's three formats of label files."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from okapia.domain.errors import ModelError

LabelFormat = Literal["one_per_line", "name_index_csv", "index_name_csv"]

_MAX_LABELS = 100_000
"""More than the species of mammals, birds and reptiles; a larger index is a slip of the pen."""


def read_labels(path: Path, form: LabelFormat) -> tuple[str, ...]:
    """Give the names in the order of the network's outputs; "" where an index has none.

    A byte order mark, CR LF, and one line of headings in the CSV formats are let through.

    Raises:
        ModelError: the file cannot be read, has no label, or gives an index twice.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").rstrip("\n").split("\n")
    except OSError as error:
        raise ModelError(f"{path.name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{path.name}: expected UTF-8, got {error.reason} at byte {error.start}") from error
    pairs = enumerate(line.strip() for line in lines) if form == "one_per_line" else _pairs(path, lines, form)
    return _in_order(path, pairs)


def _pairs(path: Path, lines: Iterable[str], form: LabelFormat) -> Iterator[tuple[int, str]]:
    for number, row in enumerate(csv.reader(lines), start=1):
        if not "".join(row).strip():
            continue
        # A name with a comma may stand there without quotes: the index is one cell at one end.
        index, name = (row[0], row[1:]) if form == "index_name_csv" else (row[-1], row[:-1])
        if number == 1 and index.strip().casefold() in {"index", "id", "class", "class_id"}:
            continue
        if not index.strip().isascii() or not index.strip().isdecimal() or not name:
            raise ModelError(f"{path.name}, line {number}: expected {form.removesuffix('_csv')}, got {row}")
        yield int(index), ",".join(name).strip()


def _in_order(path: Path, pairs: Iterable[tuple[int, str]]) -> tuple[str, ...]:
    names: dict[int, str] = {}
    for index, name in pairs:
        if index in names or index >= _MAX_LABELS:
            problem = "is there twice" if index in names else f"is not below {_MAX_LABELS:,}"
            raise ModelError(f"{path.name}: the index {index} {problem}")
        names[index] = name
    if not any(names.values()):
        raise ModelError(f"{path.name} has no label")
    return tuple(names.get(index, "") for index in range(max(names) + 1))
