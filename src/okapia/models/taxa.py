"""Label tables: which taxon each output of a classifier stands for."""

import csv
from functools import cache
from importlib import resources

from okapia.domain.errors import ModelError
from okapia.domain.taxonomy import Key, Taxon, Taxonomy

_KEY_COLUMNS = ("class", "order", "family", "genus", "species")


@cache
def builtin_taxonomy() -> Taxonomy:
    """Give the taxonomy of the built-in label tables (`labels/taxa.csv`).

    Ids and names are those of SpeciesNet's public taxonomy where it knows the taxon.
    """
    return Taxonomy(Taxon(row["id"], *_key(row), common_name=row["common_name"]) for row in _rows("taxa.csv"))


def class_taxa(table: str) -> dict[int, Taxon]:
    """Read a label table: output index to taxon; an output that is no animal is absent.

    Args:
        table: file name in `okapia/models/labels`, with the columns `index`, `class`, `order`,
            `family`, `genus` and `species`.

    Raises:
        ModelError: there is no such table, or a row's taxon is not in the taxonomy.
    """
    taxonomy = builtin_taxonomy()
    try:
        return {int(row["index"]): taxonomy[_key(row)] for row in _rows(table)}
    except KeyError as error:
        raise ModelError(f"label table {table}: unknown taxon {error}") from error


def _rows(table: str) -> list[dict[str, str]]:
    file = resources.files("okapia.models") / "labels" / table
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ModelError(f"there is no label table {table}") from error
    return list(csv.DictReader(text.splitlines()))


def _key(row: dict[str, str]) -> Key:
    class_, order, family, genus, species = (row[column] for column in _KEY_COLUMNS)
    return (class_, order, family, genus, species)
