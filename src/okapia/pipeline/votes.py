"""The taxa of a group of detections: counted, ranked, and renamed by rules.

What `okapia.pipeline.smoothing` and `okapia.pipeline.herds` have in common. A rule looks at how often
every taxon occurs in the group and then renames whole taxa.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from okapia.domain.taxonomy import Taxon
from okapia.domain.types import Category

OTHER_NAMES = frozenset({"other", "unknown", "no cv result", "animal", "blank", "mammal"})
"""Common names that say little: MegaDetector's `other_category_names`."""

MAX_ROUNDS = 100
"""Rounds after which a group is left as it is: more than there are taxa in any real group."""


class Rule(StrEnum):
    """Why a detection has another taxon than the classifier gave it."""

    OTHER = "other"
    MINORITY = "minority"
    TAXONOMY = "taxonomy"
    FAMILY = "family"


@dataclass(frozen=True, slots=True)
class Vote:
    """A detection as smoothing sees it: the best taxon only.

    Attributes:
        id: tells it from the group's others; also names it as a source, see `Smoothed`.
        confidence: the detector's, 0..1.
        taxon: what it is taken for so far.
        score: of that taxon, 0..1.
    """

    id: str
    category: Category
    confidence: float
    taxon: Taxon
    score: float


@dataclass(frozen=True, slots=True)
class Smoothed:
    """What a detection is after smoothing; its score and confidence stay what they were.

    Attributes:
        original: the taxon before.
        rule: the last rule that changed it; None when none did, and `taxon` is `original`.
        source: id of the best-scored detection that had `taxon` from the start; None when unchanged.
    """

    id: str
    taxon: Taxon
    original: Taxon
    rule: Rule | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How often one taxon occurs.

    Attributes:
        number: detections that count, 0 when it only occurs on others.
        total: sum of their scores, rounded once: the same in any order.
    """

    taxon: Taxon
    number: int
    total: float
    is_other: bool

    @property
    def precedence(self) -> tuple[float, bool, float, float, str]:
        """Sorts the most common first; ties: precise before "other", specific before broad, score, label."""
        return (-self.number, self.is_other, -level(self.taxon), -self.total, self.taxon.label)


Tally = Sequence[Count]
"""The counts of all taxa of a group, by precedence."""

Moves = Mapping[Taxon, Taxon]
"""Which taxa are renamed, and to what."""

Step = Callable[[Tally], Moves]


@dataclass(slots=True)
class _Named:
    """A vote and what it is called so far."""

    vote: Vote
    taxon: Taxon
    rule: Rule | None = None


class Group:
    """The votes of one group while the rules run."""

    def __init__(
        self,
        votes: Sequence[Vote],
        *,
        is_member: Callable[[Vote], bool],
        counts: Callable[[Taxon, float], bool],
        others: frozenset[str],
    ) -> None:
        """Take the votes; `counts` says of a member's present taxon and score whether it is counted."""
        self._all = [_Named(vote, vote.taxon) for vote in votes]
        self._members = [named for named in self._all if is_member(named.vote)]
        self._counts = counts
        self._others = others

    def run(self, steps: Sequence[tuple[Rule, Step]], *, rounds: int) -> tuple[Smoothed, ...]:
        """Apply the steps in turn until a round changes nothing.

        Every change takes a taxon out of the group, so there are fewer rounds than taxa.
        """
        sources = self._sources()
        for _ in range(rounds):
            if not sum(self._apply(rule, step) for rule, step in steps):
                break
        return tuple(_answer(named, sources) for named in self._all)

    def _apply(self, rule: Rule, step: Step) -> int:
        moves = step(self._tally())
        moved = [member for member in self._members if member.taxon in moves]
        for member in moved:
            member.taxon, member.rule = moves[member.taxon], rule
        return len(moved)

    def _tally(self) -> Tally:
        scores: defaultdict[Taxon, list[float]] = defaultdict(list)
        for member in self._members:
            counted = self._counts(member.taxon, member.vote.score)
            scores[member.taxon].extend([member.vote.score] if counted else [])
        counts = [
            Count(taxon, len(values), math.fsum(values), taxon.common_name in self._others)
            for taxon, values in scores.items()
        ]
        return sorted(counts, key=lambda count: count.precedence)

    def _sources(self) -> Mapping[Taxon, str]:
        """For each taxon the id of the counted detection that has it with the best score."""
        votes = [m.vote for m in self._members if self._counts(m.vote.taxon, m.vote.score)]
        return {vote.taxon: vote.id for vote in sorted(votes, key=lambda vote: (vote.score, vote.id))}


def _answer(named: _Named, sources: Mapping[Taxon, str]) -> Smoothed:
    vote = named.vote
    source = sources[named.taxon] if named.taxon != vote.taxon else None
    return Smoothed(vote.id, named.taxon, vote.taxon, named.rule, source)


# --- the tree -------------------------------------------------------------------------


def depth(taxon: Taxon) -> int:
    """Parts of the key that are named: 0 for "animal", 3 for a family, 5 for a species."""
    return sum(1 for part in taxon.key if part)


def level(taxon: Taxon) -> int:
    """The depth, and one more for a subspecies ("lupus familiaris"), as MegaDetector counts levels."""
    return depth(taxon) + (" " in taxon.species)


def is_within(taxon: Taxon, ancestor: Taxon) -> bool:
    """Whether one is the other, or an ancestor of it; two names of one taxon are within each other."""
    named = depth(ancestor)
    return taxon.key[:named] == ancestor.key[:named]


def is_below(taxon: Taxon, ancestor: Taxon) -> bool:
    return is_within(taxon, ancestor) and depth(taxon) > depth(ancestor)
