"""Where the taxa of the built-in classifier occur wild, by country.

Two tables that a biologist can read and mend: `labels/regions.csv` names groups of countries, and
`labels/ranges.csv` says in those names where a taxon lives:

    europe caucasus TUR + AUS - IRL ISL

Terms are regions, ISO 3166-1 alpha-3 codes (XKX for Kosovo), `everywhere` and `nowhere`, taken from
left to right; a sign holds for the terms after it until the next sign, and the first terms need none.
A taxon without a row is fenced nowhere: its range does not follow from those of its species, for
the classifier does not know all of them.
"""

import csv
import difflib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import NamedTuple

from okapia.domain.errors import ModelError
from okapia.domain.taxonomy import Key

REGION_COLUMNS = ("region", "where", "note")
RANGE_COLUMNS = ("class", "order", "family", "genus", "species", "common_name", "where", "note")

_CODE = re.compile(r"\b[A-Z]{3}\b")
_REGION_NAME = re.compile(r"[a-z]+(_[a-z]+)*")
_PIECE = re.compile(r"[+-]|[^\s+-]+")
_SIGNS = frozenset("+-")

Area = frozenset[str]
"""Countries, as ISO 3166-1 alpha-3 codes."""

GeofenceRules = dict[str, dict[str, dict[str, list[str]]]]
"""SpeciesNet's geofence: taxon key with semicolons, then `allow` or `block`, country, its states."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """Where taxa occur wild, native or long feral.

    Attributes:
        areas: only taxa that do not occur everywhere; an extinct taxon has an empty area.
        world: every country that the regions name.
    """

    areas: Mapping[Key, Area]
    world: Area

    def allowed(self, key: Key) -> Area | None:
        """Give the countries where a taxon occurs; None when nothing fences it."""
        return self.areas.get(key)

    def as_rules(self) -> GeofenceRules:
        """Give the ranges as SpeciesNet's geofence files hold them.

        There an empty `allow` means everywhere, so a taxon that occurs nowhere is blocked country by country.
        """
        return {";".join(key): self._rule(area) for key, area in sorted(self.areas.items())}

    def _rule(self, area: Area) -> dict[str, dict[str, list[str]]]:
        if not area:
            return {"block": _whole_countries(self.world)}
        return {"allow": _whole_countries(area)}


@cache
def builtin_ranges() -> Ranges:
    """Give the ranges of the taxa in the built-in label tables."""
    labels = resources.files("okapia.models") / "labels"
    return read_ranges(labels / "ranges.csv", regions=labels / "regions.csv")


def read_ranges(ranges: Traversable, *, regions: Traversable) -> Ranges:
    """Read a table of ranges and the table of regions that it speaks in.

    Args:
        ranges: CSV with `RANGE_COLUMNS`, a row a taxon; only the key and `where` count.
        regions: CSV with `REGION_COLUMNS`; a region may use those above it. Every code that it names
            belongs to the world, and no other code is known in `ranges`.

    Raises:
        ModelError: a table has other columns, or a line is wrong (unknown or doubled region or taxon,
            unknown code, a sign without a term, a code taken out that was never in); the message names
            the file, the line and the term.
    """
    names = _read_regions(regions)
    areas: dict[Key, Area] = {}
    for line in _lines(ranges, RANGE_COLUMNS):
        class_, order, family, genus, species, _, where, _ = line.cells
        key = (class_, order, family, genus, species)
        with line.blamed():
            if key in areas:
                raise ValueError(f"{';'.join(key)} has a row already")
            areas[key] = _area(where, names)
    world = names["everywhere"]
    return Ranges({key: area for key, area in areas.items() if area != world}, world)


def _read_regions(table: Traversable) -> dict[str, Area]:
    """Give the area of each term: countries, regions, `everywhere` and `nowhere`."""
    lines = list(_lines(table, REGION_COLUMNS))
    codes = frozenset(code for line in lines for code in _CODE.findall(line.cells[1]))
    names = {code: frozenset({code}) for code in codes} | {"everywhere": codes, "nowhere": frozenset()}
    for line in lines:
        region, where, _ = line.cells
        with line.blamed():
            if not _REGION_NAME.fullmatch(region):
                raise ValueError(f"expected a region's name in lower case, words joined by _, got {region!r}")
            if region in names:
                raise ValueError(f"region {region!r} is defined already")
            names[region] = _area(where, names)
    return names


def _area(where: str, names: Mapping[str, Area]) -> Area:
    """Work out an expression; a ValueError says what is wrong with it."""
    area: Area = frozenset()
    for sign, term in _signed_terms(where):
        named = names.get(term)
        if named is None:
            raise ValueError(f"unknown region or country {term!r}{_suggestion(term, names)}")
        if sign == "+":
            area |= named
            continue
        if not named & area:
            raise ValueError(f"'- {term}' takes nothing away: no country of it stands before it")
        area -= named
    return area


def _signed_terms(where: str) -> Iterator[tuple[str, str]]:
    sign, before = "+", "the start"
    for piece in _PIECE.findall(where):
        if piece not in _SIGNS:
            yield sign, piece
        elif before in _SIGNS:
            raise ValueError(f"expected a region or country after {before!r}, got {piece!r}")
        else:
            sign = piece
        before = piece
    if before in {*_SIGNS, "the start"}:
        raise ValueError(f"expected a region or country after {before!r}, got the end of {where!r}")


def _suggestion(term: str, names: Mapping[str, Area]) -> str:
    near = difflib.get_close_matches(term, names, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


class _Line(NamedTuple):
    place: str
    cells: tuple[str, ...]

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Say where it was when a ValueError is raised inside."""
        try:
            yield
        except ValueError as error:
            raise ModelError(f"{self.place}: {error}") from error


def _lines(table: Traversable, columns: tuple[str, ...]) -> Iterator[_Line]:
    reader = csv.reader(table.read_text(encoding="utf-8").splitlines())
    header = tuple(next(reader, []))
    if header != columns:
        raise ModelError(f"{table.name}: expected the columns {', '.join(columns)}, got {', '.join(header)}")
    for cells in reader:
        line = _Line(f"{table.name}, line {reader.line_num}", tuple(cells))
        with line.blamed():
            if len(cells) != len(columns):
                raise ValueError(f"expected {len(columns)} cells, got {len(cells)}")
        yield line


def _whole_countries(area: Area) -> dict[str, list[str]]:
    return {code: [] for code in sorted(area)}
