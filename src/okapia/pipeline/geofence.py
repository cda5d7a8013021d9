"""Where a taxon may be the answer: SpeciesNet's rules by country and US state.

The rules and their order are those of SpeciesNet 4.0.0 to 5.0.6.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from okapia.domain.errors import InvalidRequest
from okapia.domain.rollup import roll_up
from okapia.domain.taxonomy import ROOT, UNKNOWN, Key, Rank, Taxon, Taxonomy
from okapia.domain.types import Classification, Prediction, RangeRule, Restriction
from okapia.pipeline.countries import all_countries

Regions = Mapping[str, frozenset[str]]
"""Country (ISO 3166-1 alpha-3) to states (two letters); no states means the whole country."""

FENCED_RANKS = (Rank.FAMILY, Rank.ORDER, Rank.CLASS, Rank.KINGDOM)
"""Order in which a fenced-out taxon rolls up: not at the genus, unlike `ROLLUP_RANKS`."""

_SLACK = 1e-10
"""By how much the sum of a fenced-out taxon's ancestor may fall short of the taxon's own score."""

_STATE = re.compile("[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class TaxonRules:
    """Where one taxon is allowed and blocked; an empty `allow` is everywhere, and `block` wins."""

    allow: Regions = field(default_factory=dict)
    block: Regions = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Geofence:
    """The rules of all taxa; a taxon without any is allowed everywhere, and "animal" always is."""

    rules: Mapping[Key, TaxonRules]

    def at(self, country: str | None, state: str | None = None) -> "Fence":
        """Give the rules of one place; without a country nothing is fenced out."""
        return Fence(self, country, state)


@dataclass(frozen=True, slots=True)
class Fence:
    """What a geofence says at one place.

    As in SpeciesNet, the codes are looked at only when a taxon is checked, so that a picture without
    an animal never fails on them.

    Attributes:
        country: ISO 3166-1 alpha-3 in capitals.
        state: two capitals; counts only together with a country.
    """

    geofence: Geofence
    country: str | None
    state: str | None

    def allows(self, taxon: Taxon) -> bool:
        """Whether the taxon may be the answer here; raises what `rule` raises."""
        return self.rule(taxon) is None

    def rule(self, taxon: Taxon) -> RangeRule | None:
        """Name the rule that fences the taxon out; None when it may be the answer.

        Raises:
            InvalidRequest: the country is no alpha-3 code, or the state not two letters.
        """
        if not self.country:
            return None
        check_codes(self.country, self.state)
        rules = self.geofence.rules.get(taxon.key)
        if rules is None or taxon.key == ROOT:
            return None
        if rules.allow and not _covers(rules.allow, self.country, self.state or None):
            return RangeRule.ALLOW
        return RangeRule.BLOCK if _blocks(rules.block, self.country, self.state) else None

    def restriction(self, original: Taxon, rule: RangeRule, *, level: Rank | None) -> Restriction:
        """Put in words that `rule` kept `original` out here."""
        return Restriction(rule, original, level, self.country, self.state)


OPEN = Fence(Geofence({}), None, None)
"""No geofence: everything is allowed."""


def geofence_step(
    classifications: Sequence[Classification], taxonomy: Taxonomy, fence: Fence, *, decision: str
) -> Prediction:
    """Answer with the best class, or with a higher taxon when it is fenced out.

    Args:
        classifications: what rolls up, best first, at least one.
        decision: the rule that chose the best.
    """
    best, score = classifications[0].taxon, classifications[0].score
    rule = fence.rule(best)
    if rule is None:
        return Prediction(best, score, "classifier", decision)
    rolled = roll_up(
        summed(classifications),
        taxonomy,
        threshold=score - _SLACK,
        ranks=FENCED_RANKS,
        allows=fence.allows,
    )
    restriction = fence.restriction(best, rule, level=rolled.rank if rolled else None)
    if rolled is None:
        return Prediction(UNKNOWN, score, "classifier+geofence+rollup_failed", decision, (restriction,))
    source = f"classifier+geofence+rollup_to_{rolled.rank}"
    return Prediction(rolled.taxon, rolled.score, source, decision, (restriction,))


def summed(classifications: Sequence[Classification]) -> Mapping[Taxon, float]:
    """Put classes in the form that rolls up: in their order, scores of one taxon added."""
    scores: dict[Taxon, float] = {}
    for seen in classifications:
        scores[seen.taxon] = scores.get(seen.taxon, 0.0) + seen.score
    return scores


def _covers(allow: Regions, country: str, state: str | None) -> bool:
    """An unknown state lies in any list."""
    states = allow.get(country)
    return states is not None and (not states or state is None or state in states)


def _blocks(block: Regions, country: str, state: str | None) -> bool:
    """An unknown state lies in no list."""
    states = block.get(country)
    return states is not None and (not states or state in states)


def check_codes(country: str, state: str | None) -> None:
    """Make sure that rules can be looked up by these codes.

    Raises:
        InvalidRequest: the country is no alpha-3 code in capitals, or the state not two of them.
    """
    if country not in _countries():
        raise InvalidRequest(
            f"expected a country's three-letter code in capitals (KEN), got {country!r}", param="country"
        )
    if state and not _STATE.fullmatch(state):
        raise InvalidRequest(f"expected a state's two letters in capitals (CA), got {state!r}", param="state")


@cache
def _countries() -> frozenset[str]:
    return frozenset(country.cca3 for country in all_countries())
