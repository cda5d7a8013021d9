"""Class names: reading them from a file, and sorting a detector's into categories."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from okapia.domain.errors import ModelError
from okapia.models.card import builtin_cards
from okapia.models.taxa import HUMANS, NOTHING, VEHICLES

ANIMAL = "animal"

MEGADETECTOR = (ANIMAL, "person", "vehicle")
"""MegaDetector's classes in the order of its outputs, every version."""

_MOST_LABELS = 100_000
_HEADERS = ({"name", "index"}, {"label", "index"}, {"class", "index"}, {"name", "id"})

CategoryName = Literal["animal", "person", "vehicle", "other"]

_ANIMALS = frozenset({"animal", "animals", "wildlife"})
_WORDS: dict[str, CategoryName] = {
    **dict.fromkeys(_ANIMALS, "animal"),
    **dict.fromkeys(HUMANS | {"persons", "humans", "woman", "child", "pedestrian", "hunter"}, "person"),
    **dict.fromkeys(VEHICLES | {"vehicles", "cars", "van", "bike", "quad", "tractor", "train"}, "vehicle"),
    **dict.fromkeys(NOTHING, "other"),
}


@dataclass(frozen=True, slots=True)
class Sorted:
    """How a detector's labels become categories: the card's keys of the same names.

    Attributes:
        reason: why, for people.
    """

    categories: Mapping[str, CategoryName]
    default_category: Literal["animal", "other"]
    names_species: bool
    reason: str


def read_labels(path: Path) -> tuple[str, ...]:
    """Read a labels file: one name a line, `name,index` or `index,name` lines, a JSON list or object.

    An object is read either way round. Indices may have holes, which become "".

    Raises:
        ModelError: not to be read, none of these, an index twice or out of range.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{path} is not a text file in UTF-8") from error
    if path.suffix.lower() in {".yaml", ".yml"}:
        raise ModelError(f"{path} is YAML; expected one name a line, name,index lines, or JSON")
    labels = _of_json(text, path) if text.lstrip()[:1] in {"[", "{"} else _of_lines(text, path)
    if not any(labels):
        raise ModelError(f"{path} holds no labels")
    return labels


def check_count(labels: Sequence[str], *, expected: int, network: str) -> None:
    """Refuse labels that are fewer or more than a network's outputs.

    Raises:
        ModelError: with both numbers.
    """
    if len(labels) != expected:
        raise ModelError(f"{network} tells {expected:,} classes apart, got {len(labels):,} labels")


def coco() -> tuple[str, ...]:
    """Give COCO's 80 class names in the order of every COCO network's outputs."""
    labels = builtin_cards()["nanodet-coco"].labels
    return labels if isinstance(labels, tuple) else ()


def sort_labels(labels: Sequence[str]) -> Sorted:
    """Sort a detector's labels into categories, by words, in any case.

    COCO's classes are sorted as the built-in COCO detector's card does. Where nothing is called `animal`,
    every name that is not a known thing is taken for a species.
    """
    known = _coco_categories() | _WORDS
    categories = {label: known[word] for label in labels if (word := _word(label)) in known}
    if any(_word(label) in _ANIMALS for label in labels):
        return Sorted(categories, "other", names_species=False, reason="one class is animals as such")
    if len(categories) == len(set(labels)):
        return Sorted(categories, "other", names_species=False, reason="every class is a well-known thing")
    strange = [label for label in labels if label not in categories]
    return Sorted(
        categories,
        "animal",
        names_species=True,
        reason=f"no class is called animal, so {strange[0]!r} and {len(strange) - 1} more are species",
    )


@cache
def _coco_categories() -> dict[str, CategoryName]:
    card = builtin_cards()["nanodet-coco"]
    return {label: card.categories.get(label, "other") for label in card.labels}


def _word(label: str) -> str:
    """Give the name that a label is sorted by: SpeciesNet's seven-part labels end with it."""
    return label.rpartition(";")[2].strip().replace("_", " ").lower()


# --- the formats ----------------------------------------------------------------------


def _of_lines(text: str, path: Path) -> tuple[str, ...]:
    """Read lines: indexed when every one of them has an index, plain otherwise."""
    lines = [line.rstrip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    filled = [line for line in lines if line]
    rows = [[cell.strip() for cell in row] for row in csv.reader(filled)]
    if rows and {cell.lower() for cell in rows[0]} in _HEADERS:
        rows = rows[1:]
    pairs = [_pair(row) for row in rows]
    indexed = [pair for pair in pairs if pair is not None]
    return _placed(indexed, path) if indexed and len(indexed) == len(pairs) else tuple(lines)


def _pair(row: Sequence[str]) -> tuple[int, str] | None:
    """Read `index,name` or `name,index`; None when the row is neither."""
    if len(row) != 2:
        return None
    for index, name in (row, row[::-1]):
        if index.isascii() and index.isdigit():
            return int(index), name
    return None


def _of_json(text: str, path: Path) -> tuple[str, ...]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} begins like JSON and is none: {error}") from error
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return tuple(name.strip() for name in value)
    pairs = [_pair([str(key), str(name)]) for key, name in value.items()] if isinstance(value, dict) else []
    indexed = [pair for pair in pairs if pair is not None]
    if not indexed or len(indexed) < len(pairs):
        raise ModelError(f"{path}: expected a JSON list of names, or an object of names and indices")
    return _placed(indexed, path)


def _placed(pairs: Sequence[tuple[int, str]], path: Path) -> tuple[str, ...]:
    """Put names at their indices; what no name has is empty."""
    last = max(index for index, _ in pairs)
    if last >= _MOST_LABELS:
        raise ModelError(f"{path}: expected indices below {_MOST_LABELS:,}, got {last:,}")
    labels: list[str | None] = [None] * (last + 1)
    for index, name in pairs:
        if labels[index] is not None:
            raise ModelError(f"{path}: index {index} stands twice, for {labels[index]!r} and {name!r}")
        labels[index] = name
    return tuple(label or "" for label in labels)
