"""What `okapia taxa` and `okapia geofence` do and print."""

from dataclasses import dataclass
from pathlib import Path

import orjson

from okapia.cli.logs import configure_logs
from okapia.cli.species_files import SpeciesFiles, naming_of
from okapia.domain.errors import InvalidRequest
from okapia.domain.taxon_search import folded, search
from okapia.domain.taxonomy import SPECIAL, Taxon, Taxonomy, parse_key
from okapia.domain.types import Classification, Prediction, RangeRule
from okapia.pipeline.countries import USA, Country, State, parse_country, parse_state
from okapia.pipeline.geofence import Fence, Regions, TaxonRules, geofence_step
from okapia.settings import Settings, load_settings

_SHOWN = 12
"""Countries of a rule that a sentence names."""


@dataclass(frozen=True, slots=True)
class TaxaFound:
    """The taxa that fit some words."""

    words: str
    taxa: tuple[Taxon, ...]
    known: int

    def as_json(self) -> str:
        return _json([_facts(taxon) for taxon in self.taxa])

    def as_text(self) -> str:
        """One line a taxon: rank, latin name, common name, the whole label."""
        if not self.taxa:
            return f"none of {self.known:,} taxa is called {self.words!r}; try a part of the name"
        rows = [(taxon.rank, taxon.scientific_name, taxon.common_name, taxon.label) for taxon in self.taxa]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        return "\n".join(
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, (*widths, 0), strict=True))
            for row in rows
        )


def search_taxa(words: str, *, model: str | None, taxonomy: Path | None, limit: int) -> TaxaFound:
    """Find taxa by latin or common name.

    Raises:
        InvalidRequest: the taxonomy is not readable, or there are no words.
        ModelError: the model is unknown.
    """
    if not folded(words):
        raise InvalidRequest("expected a latin or common name, got none", param="words")
    known = naming_of(_settings(), SpeciesFiles(model=model, taxonomy=taxonomy)).taxonomy
    return TaxaFound(words, search(known, words, limit=limit), len(known))


@dataclass(frozen=True, slots=True)
class RangeVerdict:
    """Whether a taxon may be the answer at a place.

    Attributes:
        prediction: what a certain classifier's answer becomes there.
        reason: the rule, in words.
    """

    taxon: Taxon
    country: Country
    state: State | None
    rule: RangeRule | None
    reason: str
    prediction: Prediction

    def as_json(self) -> str:
        restriction = next(iter(self.prediction.restrictions), None)
        return _json(
            {
                "taxon": _facts(self.taxon),
                "country": self.country.cca3,
                "state": self.state.code if self.state else None,
                "allowed": self.rule is None,
                "rule": self.rule,
                "reason": self.reason,
                "answer": _facts(self.prediction.taxon),
                "level": restriction.level if restriction else None,
                "source": self.prediction.source,
            }
        )

    def as_text(self) -> str:
        where = f"{self.state.name}, {self.country.name}" if self.state else self.country.name
        verdict = "may be the answer" if self.rule is None else "is no answer"
        lines = [f"{_named(self.taxon)} {verdict} in {where} ({self.country.cca3})", f"  {self.reason}"]
        if self.rule is not None:
            lines.append(f"  the answer becomes {_named(self.prediction.taxon)} [{self.prediction.source}]")
        return "\n".join(lines)


def check_range(label: str, *, country: str, state: str | None, files: SpeciesFiles) -> RangeVerdict:
    """Ask the ranges about one taxon at one place.

    Raises:
        UnknownCountry: with near misses.
        InvalidRequest: the taxon or the state is none, or a file is wrong.
        ModelError: the model is unknown.
    """
    place = parse_country(country)
    within = parse_state(place, state) if state else None
    naming = naming_of(_settings(), files)
    taxon = find_taxon(naming.taxonomy, label)
    fence = naming.geofence.at(place.cca3, within.code if within else None)
    return RangeVerdict(
        taxon,
        place,
        within,
        rule=fence.rule(taxon),
        reason=_reason(taxon, place, within, fence),
        prediction=geofence_step((Classification(taxon, 1.0),), naming.taxonomy, fence, decision="4a"),
    )


def find_taxon(taxonomy: Taxonomy, text: str) -> Taxon:
    """Give the taxon that a label, a key of five parts, a latin or a common name means.

    Raises:
        InvalidRequest: the taxonomy knows none, or several of that common name; names near misses.
    """
    if ";" in text:
        return _by_label(taxonomy, text)
    wanted = folded(text)
    everything: tuple[Taxon, ...] = (*taxonomy, *SPECIAL)
    latin = [taxon for taxon in everything if wanted and folded(taxon.scientific_name) == wanted]
    named = latin or [taxon for taxon in everything if wanted and folded(taxon.common_name) == wanted]
    distinct = list(dict.fromkeys(named))
    if len(distinct) > 1:
        several = "; ".join(_named(taxon) for taxon in distinct[:_SHOWN])
        raise InvalidRequest(f"expected one taxon, {text!r} are several: {several}", param="label")
    if not distinct:
        raise _unknown(taxonomy, text, words=text)
    return distinct[0]


def _by_label(taxonomy: Taxonomy, text: str) -> Taxon:
    """Look up a seven-part label by its id, then by its ranks; five parts by these."""
    if text.count(";") == 6:
        taxon = Taxon.from_label(text)
        known = taxonomy.by_id(taxon.id)
        if known is not None:
            return known
        key = taxon.key
    else:
        key = parse_key(text)
    if key not in taxonomy:
        raise _unknown(taxonomy, text, words=next((part for part in reversed(key) if part), ""))
    return taxonomy[key]


def _unknown(taxonomy: Taxonomy, text: str, *, words: str) -> InvalidRequest:
    near = search(taxonomy, words, limit=3) or search(taxonomy, words.partition(" ")[0], limit=3)
    hint = f"; did you mean {' or '.join(map(_named, near))}?" if near else "; look it up: okapia taxa search"
    return InvalidRequest(
        f"expected one of the {len(taxonomy):,} taxa that the model knows, got {text[:200]!r}{hint}",
        param="label",
    )


def _reason(taxon: Taxon, country: Country, state: State | None, fence: Fence) -> str:
    """Say what the rules of a taxon say of a place, whether they keep it out or not."""
    rules = fence.geofence.rules.get(taxon.key, TaxonRules()) if any(taxon.key) else TaxonRules()
    match fence.rule(taxon):
        case RangeRule.BLOCK:
            return f"its block list has {_region(rules.block, country, state)}"
        case RangeRule.ALLOW:
            return f"its allow list lacks {_lacking(rules.allow, country, state)}"
        case _:
            pass
    if rules.allow:
        return f"its allow list has {_region(rules.allow, country, state)}"
    if rules.block:
        return f"its block list lacks {country.name}: it names {_listed(rules.block)}"
    return "no rule names it, and what no rule names is allowed everywhere"


def _region(regions: Regions, country: Country, state: State | None) -> str:
    """Name the part of a country that a list has."""
    states = regions.get(country.cca3)
    if not states:
        return country.name
    within = "" if state else "; which state was not said"
    return f"{', '.join(sorted(states))} of {country.name}{within}"


def _lacking(allow: Regions, country: Country, state: State | None) -> str:
    if country.cca3 == USA and country.cca3 in allow and state is not None:
        return f"{state.name}: of {country.name} it names {', '.join(sorted(allow[USA]))}"
    return f"{country.name}: it names {_listed(allow)}"


def _listed(regions: Regions) -> str:
    codes = sorted(regions)
    more = f" and {len(codes) - _SHOWN} more countries" if len(codes) > _SHOWN else ""
    return ", ".join(codes[:_SHOWN]) + more


def _named(taxon: Taxon) -> str:
    common, latin = taxon.common_name, taxon.scientific_name
    if common and latin and common != latin.lower():
        return f"{common} ({latin})"
    return common or latin or taxon.id


def _facts(taxon: Taxon) -> dict[str, str]:
    return {
        "label": taxon.label,
        "rank": taxon.rank,
        "scientific_name": taxon.scientific_name,
        "common_name": taxon.common_name,
    }


def _settings() -> Settings:
    settings = load_settings()
    configure_logs(settings.log_level)
    return settings


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
