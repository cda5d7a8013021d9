"""Countries and US states as people write them: codes, names, old names, other languages.

The table is `data/countries.csv`, made once from ISO 3166-1's codes, the Unicode CLDR's names
(English, six more languages, the country's own) and a list by hand; Kosovo has its customary XK and
XKX. A name that two countries share ("Congo", "Korea") is none of theirs.
"""

import csv
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources

from okapia.domain.errors import InvalidRequest, UnknownCountry

MAX_TEXT = 100
"""A longer text is no name; the longest known one has 77 characters."""

_NEAR = 0.72
"""difflib's ratio from which a name is a near miss: one slip in a word of five letters passes."""

# Letters that Unicode does not take apart into a plain one and a mark; U+0131 is Turkish's dotless i.
_PLAIN_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th", "\u0131": "i"}
)


@dataclass(frozen=True, slots=True)
class Country:
    """A country or a territory with a code of its own.

    Attributes:
        cca2: ISO 3166-1 alpha-2, upper case.
        cca3: ISO 3166-1 alpha-3, upper case: what range rules are keyed by.
        name: its usual English name.
    """

    cca2: str
    cca3: str
    name: str


@dataclass(frozen=True, slots=True)
class State:
    """A state, district or territory of the USA.

    Attributes:
        code: two letters, as in ISO 3166-2:US without its prefix.
    """

    code: str
    name: str


USA = "USA"
"""The one country whose ranges are known by state."""


def parse_country(text: str) -> Country:
    """Give the country that a code or a name means; case, accents and punctuation do not matter.

    Raises:
        UnknownCountry: it is none, or more than one; names up to three that were perhaps meant.
    """
    known = _by_folded_name()
    country = known.get(_fold(text)) or known.get(_fold(_without_article(text)))
    if country is None:
        raise UnknownCountry(text[:MAX_TEXT], near=[f"{c.name} ({c.cca3})" for c in _near_misses(text)])
    return country


def parse_state(country: Country | None, text: str) -> State:
    """Give the US state or territory that a code ("CA", "US-CA") or a name means.

    Raises:
        InvalidRequest: there is no country, it is not the USA, or it has no such state.
    """
    if country is None:
        raise InvalidRequest(
            f"expected a country with the state {text[:MAX_TEXT]!r}, got none", param="country"
        )
    if country.cca3 != USA:
        raise InvalidRequest(
            f"expected no state with {country.name}: only ranges in the USA are known by state",
            param="state",
        )
    folded = _fold(text)
    state = _states_by_folded_name().get(folded) or _states_by_folded_name().get(folded.removeprefix("us"))
    if state is None:
        raise InvalidRequest(
            f"expected a US state such as CA or California, got {text[:MAX_TEXT]!r}", param="state"
        )
    return state


def all_countries() -> tuple[Country, ...]:
    """Every country of the table, by alpha-2 code."""
    return tuple(country for country, _ in _table())


@cache
def _table() -> tuple[tuple[Country, tuple[str, ...]], ...]:
    """Each country with its further names."""
    return tuple(
        (Country(row["cca2"], row["cca3"], row["name"]), tuple(filter(None, row["aliases"].split(";"))))
        for row in _rows("countries.csv")
    )


@cache
def _by_folded_name() -> Mapping[str, Country]:
    return {
        _fold(text): country
        for country, aliases in _table()
        for text in (country.cca2, country.cca3, country.name, *aliases)
    }


@cache
def _states_by_folded_name() -> Mapping[str, State]:
    states = [State(row["code"], row["name"]) for row in _rows("us_states.csv")]
    return {_fold(text): state for state in states for text in (state.code, state.name)}


def _rows(file_name: str) -> Iterable[dict[str, str]]:
    text = (resources.files("okapia.pipeline") / "data" / file_name).read_text(encoding="utf-8")
    return csv.DictReader(text.splitlines())


def _fold(text: str) -> str:
    """Reduce to lower-case letters and digits without accents; to nothing when it is too long."""
    if len(text) > MAX_TEXT:
        return ""
    plain = text.replace("&", "and").casefold().translate(_PLAIN_LETTERS)
    return "".join(c for c in unicodedata.normalize("NFKD", plain) if c.isalnum())


def _without_article(text: str) -> str:
    first, _, rest = text.strip().partition(" ")
    return rest if first.casefold() == "the" else text


def _near_misses(text: str) -> Sequence[Country]:
    """Up to three countries, best first, of which one name resembles or contains the text."""
    folded, known = _fold(text), _by_folded_name()
    if len(folded) <= 3:
        return []  # a code, and codes all resemble each other
    names = [name for name in known if len(name) > 3]
    containing = [name for name in names if folded in name]
    close = get_close_matches(folded, names, n=12, cutoff=_NEAR)
    return list(dict.fromkeys(known[name] for name in (*close, *containing)))[:3]
