"""Lets the animals of one picture, or of one sequence, agree on what they are.

The rules are those of MegaDetector's classification post-processing (MIT, 10.0.28), of which
SpeciesNet has none. Each looks at how often every taxon occurs and then renames whole taxa:

1. other: "animal", "unknown" and the like become the most common taxon;
2. minority: a taxon seen once beside a common one becomes that;
3. taxonomy: a broad taxon becomes the more specific one below it that is there too;
4. family: a taxon becomes the most common one of its family.

Where MegaDetector's code and its comments differ, this follows the code:
`max_detections_nondominant_class` = 1 does flip single detections (the comment says never), and
`max_detections_nondominant_class_same_family` = -1 switches rule 4 off (the comment says that it
knows no bounds).

Where this differs from the code: "below" is decided on the parts of the taxonomy, not by looking
for one string in the other, so a wolf does not become the dog, whose "lupus familiaris" begins with
"lupus". Ties are broken by what the taxa are, not by which detection came first. And the rules are
repeated until they change nothing (MegaDetector stops after one round, and goes on if it is run
again): `max_rounds` = 1 gives its answer.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from okapia.domain.taxonomy import HUMAN, VEHICLE, Taxon
from okapia.domain.types import Category

OTHER_NAMES = frozenset({"other", "unknown", "no cv result", "animal", "blank", "mammal"})
"""Common names that say little: MegaDetector's `other_category_names`."""

_UNTOUCHED_IN_HERDS = frozenset({HUMAN.common_name, VEHICLE.common_name, "blank"})

_FAMILY = 3
"""Parts of a key down to the family."""


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
class SmoothingOptions:
    """MegaDetector's parameters under its own names, with its defaults.

    Attributes:
        detection_confidence_threshold: weaker detections are neither counted nor changed.
        classification_confidence_threshold: nor are those whose taxon has a lower score.
        detection_categories_to_smooth: nor are those of other categories.
        other_category_names: common names that rule 1 replaces.
        min_detections_to_overwrite_other: of the most common taxon, for rule 1.
        min_detections_to_overwrite_secondary: of the most common taxon, for rule 2.
        max_detections_nondominant_class: of the taxon that rule 2 replaces.
        propagate_classifications_through_taxonomy: whether rule 3 applies.
        taxonomy_propagation_level_weight: worth of each rank towards species, for rule 3.
        taxonomy_propagation_count_weight: worth of each detection, for rule 3.
        min_detections_to_overwrite_secondary_same_family: of the most common taxon, for rule 4;
            0 or less switches it off.
        max_detections_nondominant_class_same_family: of the taxon that rule 4 replaces; -1, the
            default, is less than any taxon has, so the rule does nothing.
        kept_names: not MegaDetector's: common names that are neither counted nor changed.
        max_rounds: not MegaDetector's, see the module.
    """

    detection_confidence_threshold: float = 0.15
    classification_confidence_threshold: float = 0.5
    detection_categories_to_smooth: frozenset[Category] = frozenset({Category.ANIMAL})
    other_category_names: frozenset[str] = OTHER_NAMES
    min_detections_to_overwrite_other: int = 2
    min_detections_to_overwrite_secondary: int = 4
    max_detections_nondominant_class: int = 1
    propagate_classifications_through_taxonomy: bool = True
    taxonomy_propagation_level_weight: float = 1.0
    taxonomy_propagation_count_weight: float = 0.01
    min_detections_to_overwrite_secondary_same_family: int = 2
    max_detections_nondominant_class_same_family: int = -1
    kept_names: frozenset[str] = frozenset()
    max_rounds: int = 100


@dataclass(frozen=True, slots=True)
class HerdOptions:
    """When a herd's members take a precise taxon from each other.

    Attributes:
        min_target_score: of the taxon that is taken, 0..1; lower ones do not count.
        min_for_taxonomy: detections of it below which a broad taxon stays.
        min_for_other: detections of it below which "animal", "unknown" and the like stay.
    """

    min_target_score: float = 0.5
    min_for_taxonomy: int = 1
    min_for_other: int = 2


_DEFAULTS, _HERD_DEFAULTS = SmoothingOptions(), HerdOptions()


def smooth(votes: Sequence[Vote], options: SmoothingOptions = _DEFAULTS) -> tuple[Smoothed, ...]:
    """Apply MegaDetector's rules to one group: a picture's detections, or a sequence's.

    Returns:
        One answer a vote, in the order of `votes`, on which nothing else depends. With the default
        options, smoothing what was smoothed changes nothing, and no taxon becomes an ancestor of
        what it was; but rules 1, 2 and 4 may put a broader taxon of another branch in its place.
    """
    group = _Group(
        votes,
        is_member=partial(_is_seen, options=options),
        counts=lambda _taxon, _score: True,
        others=options.other_category_names,
    )
    steps = (
        (Rule.OTHER, partial(_other, options=options)),
        (Rule.MINORITY, partial(_minority, options=options)),
        (Rule.TAXONOMY, partial(_taxonomy, options=options)),
        (Rule.FAMILY, partial(_family, options=options)),
    )
    return group.run(steps, rounds=options.max_rounds)


def smooth_herd(
    votes: Sequence[Vote], *, allowed: Callable[[Taxon], bool], options: HerdOptions = _HERD_DEFAULTS
) -> tuple[Smoothed, ...]:
    """Let the broad labels of one picture take a precise taxon found in it: rules 3 and 1 only.

    A taxon is only ever replaced by one below it; "animal" and labels outside the taxonomy
    ("unknown") have everything below them. Humans, vehicles and blanks are left alone and taken
    from by nobody.

    Args:
        allowed: whether a taxon may be taken, e.g. whether it occurs in the country.

    Returns:
        As `smooth`; never more general, and smoothing it again changes nothing.
    """
    group = _Group(
        votes,
        is_member=_is_of_herd,
        counts=lambda taxon, score: score >= options.min_target_score and allowed(taxon),
        others=OTHER_NAMES,
    )
    steps = (
        (Rule.TAXONOMY, partial(_herd_taxonomy, options=options)),
        (Rule.OTHER, partial(_herd_other, options=options)),
    )
    return group.run(steps, rounds=_DEFAULTS.max_rounds)


# --- counting and renaming ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Count:
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
        return (-self.number, self.is_other, -_level(self.taxon), -self.total, self.taxon.label)


_Tally = Sequence[_Count]
"""The counts of all taxa of a group, by precedence."""

_Moves = Mapping[Taxon, Taxon]
"""Which taxa are renamed, and to what."""

_Step = Callable[[_Tally], _Moves]


@dataclass(slots=True)
class _Named:
    """A vote and what it is called so far."""

    vote: Vote
    taxon: Taxon
    rule: Rule | None = None


class _Group:
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

    def run(self, steps: Sequence[tuple[Rule, _Step]], *, rounds: int) -> tuple[Smoothed, ...]:
        """Apply the steps in turn until a round changes nothing.

        Every change takes a taxon out of the group, so there are fewer rounds than taxa.
        """
        sources = self._sources()
        for _ in range(rounds):
            if not any([self._apply(rule, step) for rule, step in steps]):
                break
        return tuple(_answer(named, sources) for named in self._all)

    def _apply(self, rule: Rule, step: _Step) -> bool:
        moves = step(self._tally())
        moved = [member for member in self._members if member.taxon in moves]
        for member in moved:
            member.taxon, member.rule = moves[member.taxon], rule
        return bool(moved)

    def _tally(self) -> _Tally:
        scores: defaultdict[Taxon, list[float]] = defaultdict(list)
        for member in self._members:
            counted = self._counts(member.taxon, member.vote.score)
            scores[member.taxon].extend([member.vote.score] if counted else [])
        counts = [
            _Count(taxon, len(values), math.fsum(values), taxon.common_name in self._others)
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


# --- MegaDetector's rules -------------------------------------------------------------


def _is_seen(vote: Vote, options: SmoothingOptions) -> bool:
    return (
        vote.category in options.detection_categories_to_smooth
        and vote.confidence >= options.detection_confidence_threshold
        and vote.score >= options.classification_confidence_threshold
        and vote.taxon.common_name not in options.kept_names
    )


def _other(tally: _Tally, *, options: SmoothingOptions) -> _Moves:
    leader = _leader(tally, at_least=options.min_detections_to_overwrite_other)
    return {count.taxon: leader.taxon for count in tally if count.is_other} if leader else {}


def _minority(tally: _Tally, *, options: SmoothingOptions) -> _Moves:
    leader = _leader(tally, at_least=options.min_detections_to_overwrite_secondary)
    if leader is None:
        return {}
    return {
        count.taxon: leader.taxon
        for count in tally
        if count.number < leader.number
        and count.number <= options.max_detections_nondominant_class
        and _depth(count.taxon)
        and not _is_within(count.taxon, leader.taxon)
    }


def _taxonomy(tally: _Tally, *, options: SmoothingOptions) -> _Moves:
    return _descents(tally, tally, options) if options.propagate_classifications_through_taxonomy else {}


def _descents(broads: _Tally, candidates: _Tally, options: SmoothingOptions) -> _Moves:
    """For each broad taxon the best of the candidates below it; "animal" is left to the rule "other"."""

    def worth(count: _Count) -> tuple[float, int, float, str]:
        level = _level(count.taxon)
        weighed = (
            level * options.taxonomy_propagation_level_weight
            + count.number * options.taxonomy_propagation_count_weight
        )
        return (weighed, level, count.total, count.taxon.label)

    moves: dict[Taxon, Taxon] = {}
    for broad in broads:
        below = [c for c in candidates if _depth(broad.taxon) and _is_below(c.taxon, broad.taxon)]
        if below:
            moves[broad.taxon] = max(below, key=worth).taxon
    return moves


def _family(tally: _Tally, *, options: SmoothingOptions) -> _Moves:
    needed = options.min_detections_to_overwrite_secondary_same_family
    leader = _leader(tally, at_least=needed) if needed > 0 else None
    if leader is None or _level(leader.taxon) <= _FAMILY or not leader.taxon.family:
        return {}
    return {
        count.taxon: leader.taxon
        for count in tally
        if count.taxon != leader.taxon
        and count.taxon.family == leader.taxon.family
        and count.number <= options.max_detections_nondominant_class_same_family
        and count.number < leader.number
        and not (count.taxon.genus == leader.taxon.genus and _level(count.taxon) > _level(leader.taxon))
    }


def _leader(tally: _Tally, *, at_least: int) -> _Count | None:
    """The most common taxon, if it is precise and common enough."""
    if not tally or tally[0].is_other or tally[0].number < at_least:
        return None
    return tally[0]


# --- herds ----------------------------------------------------------------------------


def _is_of_herd(vote: Vote) -> bool:
    return vote.category is Category.ANIMAL and vote.taxon.common_name not in _UNTOUCHED_IN_HERDS


def _herd_taxonomy(tally: _Tally, *, options: HerdOptions) -> _Moves:
    targets = [count for count in tally if count.number and count.number >= options.min_for_taxonomy]
    return _descents(tally, targets, _DEFAULTS)


def _herd_other(tally: _Tally, *, options: HerdOptions) -> _Moves:
    targets = [
        count
        for count in tally
        if count.number and count.number >= options.min_for_other and not count.is_other
    ]
    moves: dict[Taxon, Taxon] = {}
    for broad in tally:
        below = [c.taxon for c in targets if _is_outside(broad.taxon) or _is_below(c.taxon, broad.taxon)]
        if broad.is_other and below:
            moves[broad.taxon] = below[0]
    return moves


# --- the tree -------------------------------------------------------------------------


def _depth(taxon: Taxon) -> int:
    """Parts of the key that are named: 0 for "animal", 3 for a family, 5 for a species."""
    return sum(1 for part in taxon.key if part)


def _level(taxon: Taxon) -> int:
    """The depth, and one more for a subspecies ("lupus familiaris"), as MegaDetector counts levels."""
    return _depth(taxon) + (" " in taxon.species)


def _is_within(taxon: Taxon, ancestor: Taxon) -> bool:
    """Whether one is the other, or an ancestor of it; two names of one taxon are within each other."""
    depth = _depth(ancestor)
    return taxon.key[:depth] == ancestor.key[:depth]


def _is_below(taxon: Taxon, ancestor: Taxon) -> bool:
    return _is_within(taxon, ancestor) and _depth(taxon) > _depth(ancestor)


def _is_outside(taxon: Taxon) -> bool:
    """Whether the taxonomy has no place for it: "animal", and "no cv result", its own name at every rank."""
    return not taxon.class_ or taxon.class_ == taxon.common_name
