"""Label tables: which taxon each class of a network stands for.

A built-in table is a CSV of this package. A network of somebody else brings a list of labels:
SpeciesNet's seven-part ones, or plain names, latin or common.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from okapia.domain.errors import InvalidRequest, ModelError
from okapia.domain.taxonomy import BLANK, HUMAN, SPECIAL, VEHICLE, Key, Taxon, Taxonomy

_KEY_COLUMNS = ("class", "order", "family", "genus", "species")

NOTHING = frozenset({"blank", "empty", "none", "nothing", "background", "no animal", "no cv result"})
VEHICLES = frozenset({"vehicle", "car", "truck", "bus", "motorcycle", "motorbike", "bicycle", "boat"})
HUMANS = frozenset({"human", "person", "people", "man", "homo sapiens"})


@dataclass(frozen=True, slots=True)
class ClassTaxa:
    """What the classes of a network stand for.

    Attributes:
        by_class: output index to taxon; an output without a name is absent.
        taxonomy: knows the ancestors of every taxon that has a key.
        n_classes: outputs that the network must have; None when a table does not say.
    """

    by_class: Mapping[int, Taxon]
    taxonomy: Taxonomy
    n_classes: int | None


@cache
def builtin_taxonomy() -> Taxonomy:
    """Give the taxonomy of the built-in label tables (`labels/taxa.csv`).

    Ids and names are those of SpeciesNet's public taxonomy where it knows the taxon.
    """
    return Taxonomy(Taxon(row["id"], *_key(row), common_name=row["common_name"]) for row in _rows("taxa.csv"))


def class_taxa(labels: str | Sequence[str], *, taxonomy: str = "") -> ClassTaxa:
    """Say what each class stands for.

    Args:
        labels: a file name in `okapia/models/labels`, with the columns `index`, `class`, `order`,
            `family`, `genus` and `species`; or one label an output, in order.
        taxonomy: file of seven-part labels; without it the labels' own ancestors are all there is.

    Raises:
        ModelError: there is no such table or file, or a row's taxon is not in the taxonomy.
    """
    if isinstance(labels, str):
        return ClassTaxa(_table_taxa(labels), builtin_taxonomy(), None)
    taxa = {index: taxon for index, label in enumerate(labels) if (taxon := label_taxon(label))}
    known = _read_taxonomy(Path(taxonomy)) if taxonomy else _with_ancestors(taxa.values())
    return ClassTaxa(taxa, known, len(labels))


def label_taxon(label: str) -> Taxon | None:
    """Give the taxon that a label names, `BLANK`, `VEHICLE`, `UNKNOWN` among them; None for an empty label.

    A plain name that the built-in taxonomy does not know becomes a taxon without ranks, under its own
    name and an id derived from it.
    """
    if label.count(";") == 6:
        return _seven_part(label)
    name = " ".join(label.lower().replace("_", " ").replace("-", " ").split())
    if not name:
        return None
    for names, taxon in ((NOTHING, BLANK), (VEHICLES, VEHICLE), (HUMANS, HUMAN)):
        if name in names:
            return taxon
    return _by_name().get(name) or _species_of_known_genus(name) or _without_ranks(name)


def _seven_part(label: str) -> Taxon:
    """Read SpeciesNet's form; an id that is missing is derived."""
    taxon = Taxon.from_label(label)
    special = next((one for one in SPECIAL if one.id == taxon.id), None)
    if special is not None:
        return special
    return taxon if taxon.id else replace(taxon, id=derived_id(taxon.key))


def _read_taxonomy(file: Path) -> Taxonomy:
    try:
        return Taxonomy.from_labels(file.read_text(encoding="utf-8-sig").splitlines())
    except OSError as error:
        raise ModelError(f"cannot read the taxonomy {file}: {error.strerror}") from error
    except (UnicodeDecodeError, ValueError, InvalidRequest) as error:
        raise ModelError(f"{file} is no taxonomy of seven-part labels: {error}") from error


def _without_ranks(name: str) -> Taxon:
    return Taxon(str(uuid5(NAMESPACE_URL, f"okapia:name:{name}")), "", "", "", "", "", common_name=name)


def derived_id(key: Key) -> str:
    """Give the id of a taxon that SpeciesNet's public taxonomy does not know."""
    return str(uuid5(NAMESPACE_URL, "okapia:taxon:" + ";".join(key)))


@cache
def _by_name() -> Mapping[str, Taxon]:
    """Built-in taxa by latin and by common name, in lower case; the first of a name counts."""
    names: dict[str, Taxon] = {}
    for taxon in builtin_taxonomy():
        names.setdefault(taxon.scientific_name.lower(), taxon)
    for taxon in builtin_taxonomy():
        names.setdefault(taxon.common_name.replace("-", " "), taxon)
    return names


def _species_of_known_genus(name: str) -> Taxon | None:
    """Read `genus epithet` when the genus is known."""
    genus_name, _, epithet = name.partition(" ")
    genus = _by_name().get(genus_name)
    if genus is None or not epithet or genus.genus != genus_name or genus.species:
        return None
    key = (genus.class_, genus.order, genus.family, genus.genus, epithet)
    return Taxon(derived_id(key), *key, common_name=name)


def _with_ancestors(taxa: Iterable[Taxon]) -> Taxonomy:
    """Make a taxonomy of labels: higher taxa that are no label themselves are taken from the built-in
    taxonomy, or made.
    """
    by_key: dict[Key, Taxon] = {}
    for taxon in taxa:
        if taxon.is_animal and any(taxon.key):
            by_key.setdefault(taxon.key, taxon)
    known = {taxon.key: taxon for taxon in builtin_taxonomy()}
    for key in list(by_key):
        for higher in _higher(key):
            by_key.setdefault(higher, known.get(higher) or _higher_taxon(higher))
    return Taxonomy(by_key.values())


def _higher(key: Key) -> Iterator[Key]:
    """Give the keys above `key`, nearest first, without the root."""
    parts = list(key)
    for place in reversed(range(1, 5)):
        if parts[place]:
            parts[place] = ""
            yield (parts[0], parts[1], parts[2], parts[3], parts[4])


def _higher_taxon(key: Key) -> Taxon:
    depth, name = max((place, part) for place, part in enumerate(key) if part)
    return Taxon(derived_id(key), *key, common_name=f"{name} {_KEY_COLUMNS[depth]}")


def _table_taxa(table: str) -> dict[int, Taxon]:
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
