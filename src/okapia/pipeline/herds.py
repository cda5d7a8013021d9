"""Lets a herd agree on what it is: broad labels take a precise taxon found in the same picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from okapia.domain.taxonomy import HUMAN, VEHICLE, Taxon
from okapia.domain.types import Category
from okapia.pipeline.smoothing import SmoothingOptions, descents
from okapia.pipeline.votes import MAX_ROUNDS, OTHER_NAMES, Group, Moves, Rule, Smoothed, Tally, Vote, is_below

_UNTOUCHED = frozenset({HUMAN.common_name, VEHICLE.common_name, "blank"})


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


_DEFAULTS = HerdOptions()


def smooth_herd(
    votes: Sequence[Vote], *, allowed: Callable[[Taxon], bool], options: HerdOptions = _DEFAULTS
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
    group = Group(
        votes,
        is_member=_is_of_herd,
        counts=lambda taxon, score: score >= options.min_target_score and allowed(taxon),
        others=OTHER_NAMES,
    )
    steps = (
        (Rule.TAXONOMY, partial(_herd_taxonomy, options=options)),
        (Rule.OTHER, partial(_herd_other, options=options)),
    )
    return group.run(steps, rounds=MAX_ROUNDS)


def _is_of_herd(vote: Vote) -> bool:
    return vote.category is Category.ANIMAL and vote.taxon.common_name not in _UNTOUCHED


def _herd_taxonomy(tally: Tally, *, options: HerdOptions) -> Moves:
    targets = [count for count in tally if count.number and count.number >= options.min_for_taxonomy]
    return descents(tally, targets, SmoothingOptions())


def _herd_other(tally: Tally, *, options: HerdOptions) -> Moves:
    targets = [
        count
        for count in tally
        if count.number and count.number >= options.min_for_other and not count.is_other
    ]
    moves: dict[Taxon, Taxon] = {}
    for broad in tally:
        below = [c.taxon for c in targets if _is_outside(broad.taxon) or is_below(c.taxon, broad.taxon)]
        if broad.is_other and below:
            moves[broad.taxon] = below[0]
    return moves


def _is_outside(taxon: Taxon) -> bool:
    """Whether the taxonomy has no place for it: "animal", and "no cv result", its own name at every rank."""
    return not taxon.class_ or taxon.class_ == taxon.common_name
