"""Taxa, their seven-part labels, and the tree that they stand in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from okapia.domain.errors import InvalidRequest

Key = tuple[str, str, str, str, str]
"""(class, order, family, genus, species epithet), lower case; empty from some rank downwards."""

ROOT: Key = ("", "", "", "", "")

_NO_RESULT = "no cv result"
_SHOWN = 200  # characters of somebody's text that a message repeats


class Rank(StrEnum):
    """Ranks from the most general to the most specific."""

    KINGDOM = "kingdom"
    CLASS = "class"
    ORDER = "order"
    FAMILY = "family"
    GENUS = "genus"
    SPECIES = "species"


_RANKS = tuple(Rank)
_DEPTHS = {rank: depth for depth, rank in enumerate(Rank)}


@dataclass(frozen=True, slots=True)
class Taxon:
    """A named group of living things, or a label that is no animal (`BLANK`, `VEHICLE`, `UNKNOWN`).

    The parts follow SpeciesNet's seven-part label
    (`id;class;order;family;genus;species;common name`), all lower case.

    Attributes:
        id: a UUID, stable across models (SpeciesNet's where that taxonomy knows the key).
        species: the epithet alone ("vulpes"), not the binomial; with a subspecies "lupus dingo".
        common_name: empty for some taxa of SpeciesNet's own taxonomy.
    """

    id: str
    class_: str
    order: str
    family: str
    genus: str
    species: str
    common_name: str

    @classmethod
    def from_label(cls, label: str) -> Self:
        """Read SpeciesNet's seven-part string; case and spaces around a part do not matter.

        Raises:
            InvalidRequest: there are not seven parts, or a named rank follows an empty one.
        """
        parts = [part.strip().lower() for part in label.split(";")]
        if len(parts) != 7:
            raise InvalidRequest(
                "expected the 7 parts id;class;order;family;genus;species;common name, "
                f"got {len(parts)}: {label[:_SHOWN]!r}",
                param="label",
            )
        taxon_id, *ranks, common_name = parts
        return cls(taxon_id, *_without_gap(ranks, label), common_name)

    @property
    def key(self) -> Key:
        return (self.class_, self.order, self.family, self.genus, self.species)

    @property
    def is_animal(self) -> bool:
        """Whether it says that there is an animal (humans are)."""
        return self.id not in _NO_ANIMALS

    @property
    def rank(self) -> Rank:
        """The most specific rank that is named; `KINGDOM` for "animal" and for what is no animal."""
        return _RANKS[depth(self.key)] if self.is_animal else Rank.KINGDOM

    @property
    def scientific_name(self) -> str:
        """Binomial for species, the name at its rank otherwise; empty for "animal" and what is none."""
        if not self.is_animal:
            return ""
        if self.species:
            return f"{self.genus} {self.species}".capitalize()
        return next((part.capitalize() for part in reversed(self.key) if part), "")

    @property
    def label(self) -> str:
        """SpeciesNet's seven-part string."""
        return ";".join((self.id, *self.key, self.common_name))


ANIMAL = Taxon("1f689929-883d-4dae-958c-3d57ab5b6c16", "", "", "", "", "", "animal")
HUMAN = Taxon(
    "990ae9dd-7a59-4344-afcb-1b7b21368000", "mammalia", "primates", "hominidae", "homo", "sapiens", "human"
)
BLANK = Taxon("f1856211-cfb7-4a5b-9158-c0f72fd09ee6", "", "", "", "", "", "blank")
VEHICLE = Taxon("e2895ed5-780b-48f6-8a11-9e27cb594511", "", "", "", "", "", "vehicle")
UNKNOWN = Taxon(
    "f2efdae9-efb8-48fb-8a91-eccf79ab4ffb",
    _NO_RESULT,
    _NO_RESULT,
    _NO_RESULT,
    _NO_RESULT,
    _NO_RESULT,
    _NO_RESULT,
)
"""Labels with a fixed meaning, ids as in SpeciesNet's public taxonomy (Apache-2.0)."""

SPECIAL = (ANIMAL, HUMAN, BLANK, VEHICLE, UNKNOWN)

_NO_ANIMALS = frozenset({BLANK.id, VEHICLE.id, UNKNOWN.id})


class Taxonomy:
    """A closed set of taxa in which every taxon's ancestors are known.

    Raises:
        ValueError: two taxa share a key, or a parent is missing; the message names the key.
    """

    def __init__(self, taxa: Iterable[Taxon]) -> None:
        """Index `taxa`; the root (`ANIMAL`) is added when it is not among them."""
        by_key: dict[Key, Taxon] = {ANIMAL.key: ANIMAL}
        for taxon in taxa:
            known = by_key.setdefault(taxon.key, taxon)
            if known != taxon:
                raise ValueError(
                    f"two taxa share the key {taxon.key}: {known.common_name}, {taxon.common_name}"
                )
        for key in by_key:
            if _cut(key, max(depth(key) - 1, 0)) not in by_key:
                raise ValueError(f"{key} has no parent in the taxonomy")
        self._index(by_key, by_key.values())

    @classmethod
    def from_labels(cls, lines: Iterable[str]) -> Self:
        """Read a taxonomy file as SpeciesNet does, one seven-part label a line.

        Of labels with one key the last counts, but all their ids find it. `BLANK`, `VEHICLE` and
        `UNKNOWN` have no place in the tree; `ANIMAL` is its root and `HUMAN` has its key whatever the
        file says. A parent may be missing: nothing rolls up to it then. Empty lines are skipped.

        Raises:
            InvalidRequest: a line is no label (the message has its number), or there is none at all.
        """
        taxa = [taxon for _, taxon in _numbered(lines)]
        if not taxa:
            raise InvalidRequest("expected seven-part labels, one a line, got none", param="taxonomy")
        by_key = {taxon.key: taxon for taxon in taxa if taxon.is_animal and any(taxon.key)}
        by_key |= {special.key: special for special in (HUMAN, ANIMAL)}
        taxonomy = cls(())
        taxonomy._index(by_key, taxa)
        return taxonomy

    def __getitem__(self, key: Key) -> Taxon:
        """Give the taxon of `key`; `KeyError` when it is unknown."""
        return self._by_key[key]

    def __contains__(self, key: Key) -> bool:
        return key in self._by_key

    def __iter__(self) -> Iterator[Taxon]:
        """Iterate over all taxa, in the order in which they were given."""
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def by_id(self, taxon_id: str) -> Taxon | None:
        """Give the taxon, or the label without a place in the tree, that has the id."""
        return self._by_id.get(taxon_id.strip().lower())

    def ancestor(self, taxon: Taxon, rank: Rank) -> Taxon | None:
        """Give the taxon's ancestor (or itself) at `rank`.

        None when the taxon is not named down to there, when the taxonomy lacks that ancestor, and for
        what is no animal.
        """
        if not taxon.is_animal:
            return None
        return (self._lineages.get(taxon.key) or self._lineage(taxon.key))[_DEPTHS[rank]]

    def ancestors(self, taxon: Taxon) -> tuple[Taxon, ...]:
        """Give the known taxa above, nearest first, `ANIMAL` last; none for what is no animal."""
        above = _RANKS[: _DEPTHS[taxon.rank]]
        return tuple(known for rank in reversed(above) if (known := self.ancestor(taxon, rank)))

    def common_ancestor(self, taxa: Sequence[Taxon]) -> Taxon | None:
        """Give the most specific taxon that is an ancestor of all, or is one of them and of the others.

        None when there are no taxa, or one is no animal.
        """
        for rank in reversed(_RANKS):
            shared = {self.ancestor(taxon, rank) for taxon in taxa}
            if len(shared) == 1 and (common := shared.pop()) is not None:
                return common
        return None

    def _index(self, by_key: Mapping[Key, Taxon], named: Iterable[Taxon]) -> None:
        self._by_key = by_key
        self._by_id = {taxon.id: by_key.get(taxon.key, taxon) for taxon in named}
        self._by_id |= {taxon.id: taxon for taxon in (*by_key.values(), *SPECIAL)}
        self._lineages = {key: self._lineage(key) for key in by_key}

    def _lineage(self, key: Key) -> tuple[Taxon | None, ...]:
        """The ancestors at each rank, kingdom first."""
        named = depth(key)
        return tuple(
            self._by_key.get(_cut(key, place)) if place <= named else None for place in range(len(_RANKS))
        )


def parse_labels(lines: Iterable[str]) -> tuple[Taxon, ...]:
    """Read a labels file: line n is the taxon of output n - 1.

    Raises:
        InvalidRequest: a line is no seven-part label, or an empty one stands between labels, which
            would shift those below; the message has its number.
    """
    labels: list[Taxon] = []
    for number, taxon in _numbered(lines):
        if number != len(labels) + 1:
            raise InvalidRequest(
                f"line {len(labels) + 1}: expected a seven-part label, got an empty line", param="labels"
            )
        labels.append(taxon)
    return tuple(labels)


def parse_key(text: str) -> Key:
    """Read `class;order;family;genus;species`; case and spaces around a part do not matter.

    Raises:
        InvalidRequest: there are not five parts, or a named rank follows an empty one.
    """
    parts = [part.strip().lower() for part in text.split(";")]
    if len(parts) != 5:
        raise InvalidRequest(
            f"expected the 5 parts class;order;family;genus;species, got {len(parts)}: {text[:_SHOWN]!r}",
            param="label",
        )
    return _without_gap(parts, text)


def depth(key: Key) -> int:
    """Number of named ranks, 0 for the root to 5 for a species."""
    return sum(1 for part in key if part)


def parent_keys(key: Key) -> tuple[Key, ...]:
    """The keys above, nearest first, without the root."""
    return tuple(_cut(key, place) for place in reversed(range(1, depth(key))))


def _cut(key: Key, named: int) -> Key:
    """Leave the first `named` ranks."""
    parts = (*key[:named], *("",) * (5 - named))
    return (parts[0], parts[1], parts[2], parts[3], parts[4])


def _without_gap(ranks: Sequence[str], text: str) -> Key:
    named = sum(1 for part in ranks if part)
    if not all(ranks[:named]):
        raise InvalidRequest(
            f"expected a name for every rank above the lowest named one, got {text[:_SHOWN]!r}", param="label"
        )
    return (ranks[0], ranks[1], ranks[2], ranks[3], ranks[4])


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, Taxon]]:
    """Read the lines that are not empty, each with its number from 1."""
    for number, line in enumerate(lines, start=1):
        text = line.strip().removeprefix("\ufeff")
        if not text:
            continue
        try:
            yield number, Taxon.from_label(text)
        except InvalidRequest as error:
            raise InvalidRequest(f"line {number}: {error}", param=error.param) from error
