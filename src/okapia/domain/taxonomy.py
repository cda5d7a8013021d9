"""Taxa, their ancestors, and the roll-up of uncertain scores to a taxon that is certain enough."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

Key = tuple[str, str, str, str, str]
"""(class, order, family, genus, species epithet), lower case; empty from some rank downwards."""


class Rank(StrEnum):
    """Ranks from the most general to the most specific."""

    KINGDOM = "kingdom"
    CLASS = "class"
    ORDER = "order"
    FAMILY = "family"
    GENUS = "genus"
    SPECIES = "species"


_RANKS = tuple(Rank)


@dataclass(frozen=True, slots=True)
class Taxon:
    """A named group of living things.

    The parts follow SpeciesNet's seven-part label
    (`id;class;order;family;genus;species;common name`), all lower case.

    Attributes:
        id: a UUID, stable across models (SpeciesNet's where that taxonomy knows the key).
        species: the epithet alone ("vulpes"), not the binomial.
    """

    id: str
    class_: str
    order: str
    family: str
    genus: str
    species: str
    common_name: str

    @property
    def key(self) -> Key:
        return (self.class_, self.order, self.family, self.genus, self.species)

    @property
    def rank(self) -> Rank:
        """The most specific rank that is named; `KINGDOM` for plain "animal"."""
        return _RANKS[sum(1 for part in self.key if part)]

    @property
    def scientific_name(self) -> str:
        """Binomial for species, the name at its rank otherwise; empty for "animal"."""
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
VEHICLE = Taxon("e2895ed5-780b-48f6-8a11-9e27cb594511", "", "", "", "", "", "vehicle")
"""Labels with a fixed meaning, ids as in SpeciesNet's public taxonomy (Apache-2.0)."""


class Taxonomy:
    """A closed set of taxa in which every taxon's ancestors are known.

    Raises:
        ValueError: two taxa share a key, or a parent is missing; the message names the key.
    """

    def __init__(self, taxa: Iterable[Taxon]) -> None:
        """Index `taxa`; the root (`ANIMAL`) is added when it is not among them."""
        self._by_key: dict[Key, Taxon] = {ANIMAL.key: ANIMAL}
        for taxon in taxa:
            known = self._by_key.setdefault(taxon.key, taxon)
            if known != taxon:
                raise ValueError(
                    f"two taxa share the key {taxon.key}: {known.common_name}, {taxon.common_name}"
                )
        for key in self._by_key:
            if _parent_key(key) not in self._by_key:
                raise ValueError(f"{key} has no parent in the taxonomy")

    def __getitem__(self, key: Key) -> Taxon:
        """Give the taxon of `key`; `KeyError` when it is unknown."""
        return self._by_key[key]

    def __iter__(self) -> Iterator[Taxon]:
        """Iterate over all taxa, in the order in which they were given."""
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def ancestor(self, taxon: Taxon, rank: Rank) -> Taxon | None:
        """Give the taxon's ancestor (or itself) at `rank`; None when it is not named down to there."""
        depth = _RANKS.index(rank)
        if depth and not taxon.key[depth - 1]:
            return None
        key = (*taxon.key[:depth], *("",) * (5 - depth))
        return self._by_key.get((key[0], key[1], key[2], key[3], key[4]))


@dataclass(frozen=True, slots=True)
class Rollup:
    """A taxon that is certain enough, with the summed score and the rank it was found at."""

    taxon: Taxon
    score: float
    rank: Rank


ROLLUP_RANKS = (Rank.GENUS, Rank.FAMILY, Rank.ORDER, Rank.CLASS, Rank.KINGDOM)
"""Order in which SpeciesNet 4.0.0 to 5.0.6 rolls up (its decision rule 5a)."""


def roll_up(scores: Mapping[Taxon, float], taxonomy: Taxonomy, *, threshold: float) -> Rollup | None:
    """Sum `scores` up the tree until one ancestor's sum exceeds `threshold`.

    Ranks are tried from genus to kingdom; at each the best ancestor counts. A taxon that is
    not named down to a rank adds nothing there, as in SpeciesNet's rule.

    Args:
        scores: 0..1 per taxon, not necessarily summing to 1.
        threshold: compared strictly (`sum > threshold`).

    Returns:
        None when even the kingdom's sum does not exceed the threshold.
    """
    for rank in ROLLUP_RANKS:
        sums: dict[Taxon, float] = {}
        for taxon, score in scores.items():
            ancestor = taxonomy.ancestor(taxon, rank)
            if ancestor is not None:
                sums[ancestor] = sums.get(ancestor, 0.0) + score
        if sums:
            best = max(sums, key=lambda taxon: sums[taxon])
            if sums[best] > threshold:
                return Rollup(best, min(sums[best], 1.0), rank)
    return None


def _parent_key(key: Key) -> Key:
    """Blank the lowest named part; the root is its own parent."""
    depth = sum(1 for part in key if part)
    parts = [part if place < depth - 1 else "" for place, part in enumerate(key)]
    return (parts[0], parts[1], parts[2], parts[3], parts[4])
