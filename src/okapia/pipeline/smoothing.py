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

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from okapia.domain.taxonomy import Taxon
from okapia.domain.types import Category
from okapia.pipeline.votes import (
    MAX_ROUNDS,
    OTHER_NAMES,
    Count,
    Group,
    Moves,
    Rule,
    Smoothed,
    Tally,
    Vote,
    depth,
    is_below,
    is_within,
    level,
)

_FAMILY = 3
"""Parts of a key down to the family."""


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
    max_rounds: int = MAX_ROUNDS


_DEFAULTS = SmoothingOptions()


def smooth(votes: Sequence[Vote], options: SmoothingOptions = _DEFAULTS) -> tuple[Smoothed, ...]:
    """Apply MegaDetector's rules to one group: a picture's detections, or a sequence's.

    Returns:
        One answer a vote, in the order of `votes`, on which nothing else depends. With the default
        options, smoothing what was smoothed changes nothing, and no taxon becomes an ancestor of
        what it was; but rules 1, 2 and 4 may put a broader taxon of another branch in its place.
    """
    group = Group(
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


# --- MegaDetector's rules -------------------------------------------------------------


def _is_seen(vote: Vote, options: SmoothingOptions) -> bool:
    return (
        vote.category in options.detection_categories_to_smooth
        and vote.confidence >= options.detection_confidence_threshold
        and vote.score >= options.classification_confidence_threshold
        and vote.taxon.common_name not in options.kept_names
    )


def _other(tally: Tally, *, options: SmoothingOptions) -> Moves:
    leader = _leader(tally, at_least=options.min_detections_to_overwrite_other)
    return {count.taxon: leader.taxon for count in tally if count.is_other} if leader else {}


def _minority(tally: Tally, *, options: SmoothingOptions) -> Moves:
    leader = _leader(tally, at_least=options.min_detections_to_overwrite_secondary)
    if leader is None:
        return {}
    return {
        count.taxon: leader.taxon
        for count in tally
        if count.number < leader.number
        and count.number <= options.max_detections_nondominant_class
        and depth(count.taxon)
        and not is_within(count.taxon, leader.taxon)
    }


def _taxonomy(tally: Tally, *, options: SmoothingOptions) -> Moves:
    return descents(tally, tally, options) if options.propagate_classifications_through_taxonomy else {}


def descents(broads: Tally, candidates: Tally, options: SmoothingOptions) -> Moves:
    """For each broad taxon the best of the candidates below it; "animal" is left to the rule "other"."""

    def worth(count: Count) -> tuple[float, int, float, str]:
        precision = level(count.taxon)
        weighed = (
            precision * options.taxonomy_propagation_level_weight
            + count.number * options.taxonomy_propagation_count_weight
        )
        return (weighed, precision, count.total, count.taxon.label)

    moves: dict[Taxon, Taxon] = {}
    for broad in broads:
        below = [c for c in candidates if depth(broad.taxon) and is_below(c.taxon, broad.taxon)]
        if below:
            moves[broad.taxon] = max(below, key=worth).taxon
    return moves


def _family(tally: Tally, *, options: SmoothingOptions) -> Moves:
    needed = options.min_detections_to_overwrite_secondary_same_family
    leader = _leader(tally, at_least=needed) if needed > 0 else None
    if leader is None or level(leader.taxon) <= _FAMILY or not leader.taxon.family:
        return {}
    return {
        count.taxon: leader.taxon
        for count in tally
        if count.taxon != leader.taxon
        and count.taxon.family == leader.taxon.family
        and count.number <= options.max_detections_nondominant_class_same_family
        and count.number < leader.number
        and not (count.taxon.genus == leader.taxon.genus and level(count.taxon) > level(leader.taxon))
    }


def _leader(tally: Tally, *, at_least: int) -> Count | None:
    """The most common taxon, if it is precise and common enough."""
    if not tally or tally[0].is_other or tally[0].number < at_least:
        return None
    return tally[0]
