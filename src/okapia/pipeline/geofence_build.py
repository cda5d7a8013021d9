"""Geofences out of rows: one taxon allowed or blocked in one country or state.

The rules are those of SpeciesNet's own builder (google/cameratrapai, Apache-2.0, of 2026). The first
`allow` row of a taxon turns "everywhere" into "only there"; a row for a whole country overrides rows
for its states of the same kind; `block` wins. Then what is allowed somewhere makes all above it
allowed there, and what is blocked makes all below it blocked.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import Key, Taxon, Taxonomy, depth, parent_keys
from okapia.domain.types import RangeRule
from okapia.pipeline.countries import USA
from okapia.pipeline.geofence import Geofence, TaxonRules

_PARAM = "geofence"

_WHOLE: frozenset[str] = frozenset()
"""The states of a whole country."""

STATES_OF_THE_USA = frozenset(
    [
        "AL",
        "AK",
        "AZ",
        "AR",
        "CA",
        "CO",
        "CT",
        "DE",
        "FL",
        "GA",
        "HI",
        "ID",
        "IL",
        "IN",
        "IA",
        "KS",
        "KY",
        "LA",
        "ME",
        "MD",
        "MA",
        "MI",
        "MN",
        "MS",
        "MO",
        "MT",
        "NE",
        "NV",
        "NH",
        "NJ",
        "NM",
        "NY",
        "NC",
        "ND",
        "OH",
        "OK",
        "OR",
        "PA",
        "RI",
        "SC",
        "SD",
        "TN",
        "TX",
        "UT",
        "VT",
        "VA",
        "WA",
        "WV",
        "WI",
        "WY",
    ]
)
"""The fifty; a list of them all is refused in favour of a row for the country."""


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule.

    Attributes:
        rule: `allow` or `block`.
        country: ISO 3166-1 alpha-3.
        state: two letters; empty for the whole country.
        where: what messages call the row ("line 12").
    """

    key: Key
    rule: RangeRule
    country: str
    state: str
    where: str

    def __str__(self) -> str:
        return f"{self.where} ({';'.join(self.key)},{self.rule},{self.country},{self.state})"


def amend_geofence(base: Geofence, rows: Sequence[RuleRow], *, taxonomy: Taxonomy) -> Geofence:
    """Put somebody's own rules on top of a geofence, which may be empty.

    A taxon above that has no allow list stays allowed everywhere: others below it may be.

    Args:
        taxonomy: the taxa that block rules spread down to, and that rows may name.

    Raises:
        InvalidRequest: a row names an unknown taxon, repeats another, or is contradicted by a block
            rule of another row or of the base; or rows list all fifty states.
    """
    draft = _Draft.of(base)
    _refuse_bad_rows(rows, taxonomy)
    _refuse_allowing_what_is_blocked(rows, base)
    draft.apply(rows)
    draft.allow_parents(into={key for key, rules in draft.rules.items() if rules.allow})
    draft.block_children({taxon.key for taxon in taxonomy})
    return draft.finished()


def build_geofence(
    base: Geofence, rows: Sequence[RuleRow], *, taxonomy: Taxonomy, labels: Iterable[Taxon]
) -> Geofence:
    """Make what SpeciesNet releases: from allow rules of species, and rows that correct them.

    Every taxon above an allowed species gets an allow list of its own, so `base` should hold every
    species that has a range at all.

    Args:
        taxonomy: the taxa that rows may name.
        labels: the classifier's; only rules for them and what is above them are kept.

    Raises:
        InvalidRequest: `base` holds a block rule or a higher taxon, or a row is refused as by
            `amend_geofence`.
    """
    for key, rules in base.rules.items():
        if rules.block or depth(key) < 5:
            raise InvalidRequest(
                f"expected allow rules of species in the base, got {';'.join(key)}", param=_PARAM
            )
    draft = _Draft.of(base)
    _refuse_bad_rows(rows, taxonomy)
    draft.apply(rows)
    restricted = [key for key, rules in draft.rules.items() if rules.allow]
    draft.allow_parents(into={parent for key in restricted for parent in parent_keys(key)})
    kept = set(_with_parents(label.key for label in labels))
    draft.block_children(kept)
    return Geofence({key: rules for key, rules in draft.finished().rules.items() if key in kept})


@dataclass(slots=True)
class _DraftRules:
    allow: dict[str, frozenset[str]] = field(default_factory=dict)
    block: dict[str, frozenset[str]] = field(default_factory=dict)


@dataclass(slots=True)
class _Draft:
    """A geofence in the making."""

    rules: defaultdict[Key, _DraftRules]

    @classmethod
    def of(cls, base: Geofence) -> "_Draft":
        rules = {key: _DraftRules(dict(r.allow), dict(r.block)) for key, r in base.rules.items()}
        return cls(defaultdict(_DraftRules, rules))

    def apply(self, rows: Iterable[RuleRow]) -> None:
        for row in rows:
            rules = self.rules[row.key]
            regions = rules.allow if row.rule is RangeRule.ALLOW else rules.block
            _merge(regions, row.country, frozenset({row.state} if row.state else ()))

    def allow_parents(self, *, into: Collection[Key]) -> None:
        """Allow the parents among `into` in every country where a taxon below is, states or not."""
        for key, rules in list(self.rules.items()):
            for parent in parent_keys(key):
                if parent in into and rules.allow:
                    self.rules[parent].allow |= dict.fromkeys(rules.allow, _WHOLE)

    def block_children(self, taxa: Iterable[Key]) -> None:
        """Block whatever is below a blocked taxon, among `taxa`, the taxa with rules, and their parents."""
        blocked = {key: dict(rules.block) for key, rules in self.rules.items() if rules.block}
        for key in set(_with_parents((*taxa, *self.rules))):
            for parent in parent_keys(key):
                for country, states in blocked.get(parent, {}).items():
                    _merge(self.rules[key].block, country, states)

    def finished(self) -> Geofence:
        return Geofence({key: TaxonRules(r.allow, r.block) for key, r in self.rules.items()})


def _merge(regions: dict[str, frozenset[str]], country: str, states: frozenset[str]) -> None:
    """Add states to a country's; the whole country, which is no states, stays or becomes whole."""
    known = regions.get(country, states)
    regions[country] = known | states if known and states else _WHOLE


def _with_parents(keys: Iterable[Key]) -> Iterator[Key]:
    for key in keys:
        if any(key):
            yield key
            yield from parent_keys(key)


def _refuse_bad_rows(rows: Sequence[RuleRow], taxonomy: Taxonomy) -> None:
    seen: dict[tuple[Key, RangeRule, str, str], RuleRow] = {}
    states: defaultdict[tuple[Key, RangeRule], set[str]] = defaultdict(set)
    for row in rows:
        if row.key not in taxonomy or not any(row.key):
            raise InvalidRequest(f"expected a taxon that the taxonomy knows, got {row}", param=_PARAM)
        known = seen.setdefault((row.key, row.rule, row.country, row.state), row)
        if known is not row:
            raise InvalidRequest(f"expected every rule once, got {row} after {known.where}", param=_PARAM)
        if row.country == USA:
            states[row.key, row.rule].add(row.state)
        if states[row.key, row.rule] >= STATES_OF_THE_USA:
            raise InvalidRequest(
                f"expected one rule for the whole USA instead of one for each of its fifty states, got {row}",
                param=_PARAM,
            )
    _refuse_contradictions(rows)


def _refuse_contradictions(rows: Sequence[RuleRow]) -> None:
    """Block beats allow, so an allow row under a block row of the same or a higher taxon is an error."""
    blocks = {(row.key, row.country, row.state): row for row in rows if row.rule is RangeRule.BLOCK}
    for row in rows:
        if row.rule is not RangeRule.ALLOW:
            continue
        for key in (row.key, *parent_keys(row.key)):
            block = blocks.get((key, row.country, "")) or blocks.get((key, row.country, row.state))
            if block is not None:
                raise InvalidRequest(
                    f"expected rules that agree, got {row} and {block}: block wins", param=_PARAM
                )


def _refuse_allowing_what_is_blocked(rows: Sequence[RuleRow], base: Geofence) -> None:
    for row in rows:
        if row.rule is not RangeRule.ALLOW:
            continue
        for key in (row.key, *parent_keys(row.key)):
            rules = base.rules.get(key, TaxonRules())
            states = rules.block.get(row.country)
            if states is not None and (not states or row.state in states):
                raise InvalidRequest(
                    f"expected rules that agree, got {row}, but the geofence below it blocks "
                    f"{';'.join(key)} there, and block wins",
                    param=_PARAM,
                )
