"""The roll-up of uncertain scores to a taxon that is certain enough."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from okapia.domain.taxonomy import Rank, Taxon, Taxonomy


@dataclass(frozen=True, slots=True)
class Rollup:
    """A taxon that is certain enough, with the summed score and the rank it was found at."""

    taxon: Taxon
    score: float
    rank: Rank


ROLLUP_RANKS = (Rank.GENUS, Rank.FAMILY, Rank.ORDER, Rank.CLASS, Rank.KINGDOM)
"""Order in which SpeciesNet 4.0.0 to 5.0.6 rolls up (its decision rule 5a)."""


def _everything(_: Taxon) -> bool:
    return True


def roll_up(
    scores: Mapping[Taxon, float],
    taxonomy: Taxonomy,
    *,
    threshold: float,
    ranks: Sequence[Rank] = ROLLUP_RANKS,
    allows: Callable[[Taxon], bool] = _everything,
) -> Rollup | None:
    """Sum `scores` up the tree until one ancestor's sum exceeds `threshold`.

    At each rank the best allowed ancestor counts, the first of equals. A taxon that is not named
    down to a rank adds nothing there, and what is no animal adds nothing anywhere, as in
    SpeciesNet's rule.

    Args:
        scores: 0..1 per taxon, not necessarily summing to 1.
        threshold: compared strictly (`sum > threshold`).
        allows: whether an ancestor may be the answer.

    Returns:
        None when no sum exceeds the threshold. A score above 1 (of a classifier whose scores do not
        sum to 1) is given as 1.
    """
    for rank in ranks:
        sums: dict[Taxon, float] = {}
        for taxon, score in scores.items():
            ancestor = taxonomy.ancestor(taxon, rank)
            if ancestor is not None:
                sums[ancestor] = sums.get(ancestor, 0.0) + score
        best, most = None, 0.0
        for ancestor, total in sums.items():
            if total > most and allows(ancestor):
                best, most = ancestor, total
        if best is not None and most > threshold:
            return Rollup(best, min(most, 1.0), rank)
    return None
