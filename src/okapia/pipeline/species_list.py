"""A project's species list: answers become the nearest taxon that the project knows to occur.

The rules are those of MegaDetector's taxa lists (MIT): whatever is above a listed taxon is allowed
too, and the rest goes to the nearest allowed taxon above it, "animal" at last.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from okapia.domain.errors import InvalidRequest
from okapia.domain.taxon_search import folded, search
from okapia.domain.taxonomy import ANIMAL, HUMAN, Key, Taxon, Taxonomy, parent_keys
from okapia.domain.types import Prediction, RangeRule
from okapia.pipeline.geofence import OPEN, Fence
from okapia.pipeline.text_files import read_text, table_rows

Walk = Literal["up", "up_and_down"]
"""`up_and_down` goes on, from the nearest allowed taxon, while that has exactly one allowed child."""

_COLUMNS = ("latin", "common")
_PARAM = "species_list"


@dataclass(frozen=True, slots=True)
class SpeciesList:
    """Taxa that may be answers.

    Attributes:
        children: every allowed taxon to those allowed right below it.
    """

    taxonomy: Taxonomy
    children: Mapping[Key, frozenset[Key]]
    walk: Walk = "up"

    @classmethod
    def of(cls, listed: Iterable[Taxon], taxonomy: Taxonomy, *, walk: Walk = "up") -> "SpeciesList":
        """Allow `listed`, which are of the taxonomy, and what is above them.

        Raises:
            InvalidRequest: nothing is listed.
        """
        children: dict[Key, set[Key]] = {}
        for taxon in listed:
            lower = taxon.key
            children.setdefault(lower, set())
            for key in filter(taxonomy.__contains__, parent_keys(taxon.key)):
                children.setdefault(key, set()).add(lower)
                lower = key
        if not children:
            raise InvalidRequest("expected a species list with at least one taxon, got none", param=_PARAM)
        return cls(taxonomy, {key: frozenset(below) for key, below in children.items()}, walk)

    def restrict(self, prediction: Prediction, fence: Fence = OPEN) -> Prediction:
        """Give the prediction, or one of the nearest allowed taxon with the same score.

        Humans, vehicles, blank, "animal" and unknown stay what they are. What `fence` keeps out is not
        the answer here either.
        """
        taxon = prediction.taxon
        if not taxon.is_animal or taxon in {HUMAN, ANIMAL}:
            return prediction
        target = self._nearest(taxon, fence)
        if target.key == taxon.key:
            return prediction
        restriction = fence.restriction(taxon, RangeRule.SPECIES_LIST, level=target.rank)
        return replace(
            prediction,
            taxon=target,
            source=f"{prediction.source}+species_list",
            restrictions=(*prediction.restrictions, restriction),
        )

    def _nearest(self, taxon: Taxon, fence: Fence) -> Taxon:
        for key in (taxon.key, *parent_keys(taxon.key)):
            if key in self.children and fence.allows(known := self.taxonomy[key]):
                return self._lowest(known, fence) if self.walk == "up_and_down" else known
        return ANIMAL

    def _lowest(self, taxon: Taxon, fence: Fence) -> Taxon:
        """Walk down while there is exactly one way, and that not fenced out."""
        while len(below := self.children[taxon.key]) == 1:
            (key,) = below
            if not fence.allows(self.taxonomy[key]):
                return taxon
            taxon = self.taxonomy[key]
        return taxon


def read_species_list(path: Path, taxonomy: Taxonomy, *, walk: Walk = "up") -> SpeciesList:
    """Read a file of the form of `parse_species_list`; raises what that raises, or when it cannot."""
    try:
        return parse_species_list(read_text(path, param=_PARAM), taxonomy, walk=walk)
    except InvalidRequest as error:
        raise InvalidRequest(f"{path.name}: {error}", param=_PARAM) from error


def parse_species_list(text: str, taxonomy: Taxonomy, *, walk: Walk = "up") -> SpeciesList:
    """Read a CSV table with the columns `latin` and `common`, of which a row may leave one empty.

    The latin name decides where there is one: a binomial or trinomial, or a higher taxon's name. Lines
    from `#` are comments.

    Raises:
        InvalidRequest: a column is missing, nothing is listed, or the taxonomy does not know a taxon or
            knows several of its common name; the message names every such line.
    """
    return SpeciesList.of(_listed(text, taxonomy), taxonomy, walk=walk)


def _listed(text: str, taxonomy: Taxonomy) -> list[Taxon]:
    by_latin = {folded(taxon.scientific_name): taxon for taxon in reversed(list(taxonomy))}
    listed, unknown = [], []
    for row in table_rows(text, _COLUMNS, param=_PARAM):
        latin, common = row.cells
        found = by_latin.get(folded(latin)) if latin else _named(common, taxonomy)
        if found is None:
            unknown.append(f"line {row.line}: {latin or common}{_hint(latin, common, taxonomy)}")
        else:
            listed.append(found)
    if unknown:
        raise InvalidRequest(
            f"expected taxa that the model's taxonomy knows, got {'; '.join(unknown)}", param=_PARAM
        )
    return listed


def _named(common: str, taxonomy: Taxonomy) -> Taxon | None:
    """The only taxon of that common name."""
    wanted = folded(common)
    named = [taxon for taxon in taxonomy if folded(taxon.common_name) == wanted]
    return named[0] if len(named) == 1 else None


def _hint(latin: str, common: str, taxonomy: Taxonomy) -> str:
    """Name up to three taxa that were perhaps meant."""
    near = search(taxonomy, common, limit=3) or search(taxonomy, latin.partition(" ")[0], limit=3)
    return f" (did you mean {' or '.join(taxon.scientific_name for taxon in near)}?)" if near else ""
