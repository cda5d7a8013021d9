"""Reading range rules: SpeciesNet's JSON, and the CSV of its corrections."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import orjson

from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import Key, parse_key
from okapia.domain.types import RangeRule
from okapia.pipeline.countries import Country, all_countries, parse_state
from okapia.pipeline.geofence import Geofence, TaxonRules, check_codes
from okapia.pipeline.geofence_build import RuleRow
from okapia.pipeline.text_files import TableRow, read_text, table_rows

_PARAM = "geofence"
_COLUMNS = ("species", "rule", "country_code", "admin1_region_code")
_KINDS = {"allow": RangeRule.ALLOW, "block": RangeRule.BLOCK}

_COUNTRY = re.compile("[A-Z]{3}")
_STATE = re.compile("[A-Z]{2}")


def read_geofence(path: Path) -> Geofence:
    """Read a whole geofence as SpeciesNet's model folder has it.

    `{"class;order;family;genus;species": {"allow": {"KEN": [], "USA": ["AK"]}, "block": {"FRA": []}}}`,
    where an empty list is the whole country. Rules for taxa that no classifier knows do nothing.

    Raises:
        InvalidRequest: the file cannot be read or is not of this form.
    """
    try:
        return _geofence(read_text(path, param=_PARAM))
    except InvalidRequest as error:
        raise InvalidRequest(f"{path.name}: {error}", param=_PARAM) from error


def geofence_of(document: object) -> Geofence:
    """Take a geofence from the JSON of `read_geofence`, already parsed; raises what that raises."""
    return Geofence({_key(text): _taxon_rules(text, rules) for text, rules in _items(document, "taxa")})


def read_rules(path: Path) -> tuple[RuleRow, ...]:
    """Read rules to put on top of a geofence: `.json` as above, else a CSV table.

    The table has the columns `species` (five parts), `rule` (allow or block), `country_code` and
    `admin1_region_code` (empty for the whole country); lines from `#` are comments.

    Raises:
        InvalidRequest: the file cannot be read, or a rule in it; the message names the line.
    """
    try:
        text = read_text(path, param=_PARAM)
        rows = _json_rules(text) if path.suffix.lower() == ".json" else _csv_rules(text)
        return tuple(rows)
    except InvalidRequest as error:
        raise InvalidRequest(f"{path.name}: {error}", param=_PARAM) from error


def _csv_rules(text: str) -> Iterator[RuleRow]:
    for row in table_rows(text, _COLUMNS, param=_PARAM):
        try:
            yield _checked(_rule_row(row))
        except InvalidRequest as error:
            raise InvalidRequest(f"line {row.line}: {error}", param=_PARAM) from error


def _rule_row(row: TableRow) -> RuleRow:
    species, kind, country, state = row.cells
    if kind.lower() not in _KINDS:
        raise InvalidRequest(f"expected the rule allow or block, got {kind!r}", param=_PARAM)
    return RuleRow(parse_key(species), _KINDS[kind.lower()], country, state, f"line {row.line}")


def _json_rules(text: str) -> Iterator[RuleRow]:
    for key, rules in _geofence(text).rules.items():
        for kind, regions in ((RangeRule.ALLOW, rules.allow), (RangeRule.BLOCK, rules.block)):
            for country, states in regions.items():
                for state in sorted(states) or ("",):
                    yield _checked(RuleRow(key, kind, country, state, "the rule"))


def _checked(row: RuleRow) -> RuleRow:
    """Refuse codes that no place has: a slip in a rule must not pass for a rule."""
    check_codes(row.country, row.state)
    if row.state:
        parse_state(_country(row.country), row.state)
    return row


@cache
def _country(cca3: str) -> Country:
    return next(country for country in all_countries() if country.cca3 == cca3)


def _geofence(text: str) -> Geofence:
    try:
        return geofence_of(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"expected JSON: {error}", param=_PARAM) from error


def _key(text: str) -> Key:
    key = parse_key(text)
    if not any(key):
        raise InvalidRequest("expected rules for taxa below animal, got one for ';;;;'", param=_PARAM)
    return key


def _taxon_rules(taxon: str, value: object) -> TaxonRules:
    rules = dict(_items(value, taxon))
    if unknown := rules.keys() - _KINDS.keys():
        raise InvalidRequest(
            f"{taxon}: expected allow or block, got {', '.join(sorted(unknown))}", param=_PARAM
        )
    return TaxonRules(_regions(taxon, rules.get("allow", {})), _regions(taxon, rules.get("block", {})))


def _regions(taxon: str, value: object) -> Mapping[str, frozenset[str]]:
    regions: dict[str, frozenset[str]] = {}
    for country, states in _items(value, taxon):
        if not _COUNTRY.fullmatch(country):
            raise InvalidRequest(
                f"{taxon}: expected a country's three-letter code, got {country!r}", param=_PARAM
            )
        regions[country] = _states(f"{taxon}, {country}", states)
    return regions


def _states(where: str, value: object) -> frozenset[str]:
    codes = value if isinstance(value, list) else [None]
    states = frozenset(code for code in codes if isinstance(code, str) and _STATE.fullmatch(code))
    if len(states) != len(codes):
        raise InvalidRequest(
            f"{where}: expected a list of different two-letter states, got {value!r}", param=_PARAM
        )
    return states


def _items(value: object, where: str) -> Iterator[tuple[str, object]]:
    if not isinstance(value, dict):
        raise InvalidRequest(f"{where}: expected a JSON object, got {str(value)[:50]!r}", param=_PARAM)
    for key, item in value.items():
        yield str(key), item
