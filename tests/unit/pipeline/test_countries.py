"""Countries are found by whatever people call them, and never guessed."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.errors import InvalidRequest, UnknownCountry
from okapia.pipeline.countries import MAX_TEXT, Country, all_countries, parse_country, parse_state

USA = parse_country("USA")


@pytest.mark.parametrize(
    ("text", "cca3"),
    [
        ("UK", "GBR"),
        ("England", "GBR"),
        ("Scotland", "GBR"),
        ("Wales", "GBR"),
        ("Ivory Coast", "CIV"),
        ("Cote d'Ivoire", "CIV"),
        ("Côte d\u2019Ivoire", "CIV"),
        ("Turkey", "TUR"),
        ("Türkiye", "TUR"),
        ("Burma", "MMR"),
        ("Czech Republic", "CZE"),
        ("Congo-Kinshasa", "COD"),
        ("DR Congo", "COD"),
        ("Congo, The Democratic Republic of the", "COD"),
        ("Congo-Brazzaville", "COG"),
        ("Republic of the Congo", "COG"),
        ("Kosovo", "XKX"),
        ("XK", "XKX"),
        ("Taiwan", "TWN"),
        ("Palestine", "PSE"),
        ("Holland", "NLD"),
        ("Swaziland", "SWZ"),
        ("Macedonia", "MKD"),
        ("Cape Verde", "CPV"),
        ("Cabo Verde", "CPV"),
        ("East Timor", "TLS"),
        ("USA", "USA"),
        ("u.s.a.", "USA"),
        ("United States", "USA"),
        ("the United States of America", "USA"),
        ("Russia", "RUS"),
        ("Russian Federation", "RUS"),
        ("South Korea", "KOR"),
        ("Korea, Republic of", "KOR"),
        ("Vietnam", "VNM"),
        ("na", "NAM"),
        ("DENMARK", "DNK"),
        ("dk", "DNK"),
        ("Tanzania", "TZA"),
        ("Bolivia", "BOL"),
        ("Deutschland", "DEU"),
        ("中国", "CHN"),
    ],
)
def test_a_country_is_found_by_code_name_old_name_and_other_languages(text: str, cca3: str) -> None:
    assert parse_country(text).cca3 == cca3


@given(st.sampled_from(all_countries()))
def test_case_spaces_and_punctuation_do_not_matter(country: Country) -> None:
    for text in (country.cca2, country.cca3, country.name):
        assert parse_country(f"  {text.swapcase()}. ") == country


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Tanzanya", ["Tanzania (TZA)"]),
        ("Germny", ["Germany (DEU)"]),
        ("Zimbawe", ["Zimbabwe (ZWE)"]),
        ("Congo", ["Democratic Republic of the Congo (COD)", "Republic of the Congo (COG)"]),
        ("Korea", ["South Korea (KOR)", "North Korea (PRK)"]),
        ("Atlantis", []),
        ("QQ", []),
        ("ENG", []),
        ("", []),
        ("a" * 1_000_000, []),
    ],
)
def test_an_unknown_country_is_refused_with_near_misses(text: str, near: list[str]) -> None:
    with pytest.raises(UnknownCountry) as caught:
        parse_country(text)

    assert caught.value.near == near
    assert caught.value.param == "country"
    assert all(name in str(caught.value) for name in near)
    assert len(str(caught.value)) < 3 * MAX_TEXT


def test_no_name_belongs_to_two_countries() -> None:
    names = [name for country in all_countries() for name in (country.cca2, country.cca3, country.name)]

    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_every_country_of_the_range_rules_is_known(shared_data: Path) -> None:
    with (shared_data / "speciesnet" / "geofence_fixes.csv").open(encoding="utf-8") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        codes = {row["country_code"] for row in rows}

    assert codes - {country.cca3 for country in all_countries()} == set()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CA", "CA"),
        ("us-ca", "CA"),
        ("California", "CA"),
        ("Puerto Rico", "PR"),
        ("gu", "GU"),
        ("d.c.", "DC"),
    ],
)
def test_a_state_is_found_by_code_and_name(text: str, code: str) -> None:
    assert parse_state(USA, text).code == code


def test_a_state_needs_a_country() -> None:
    with pytest.raises(InvalidRequest, match="expected a country with the state 'CA', got none") as caught:
        parse_state(None, "CA")

    assert caught.value.param == "country"


def test_a_state_of_another_country_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="expected no state with Germany") as caught:
        parse_state(parse_country("DEU"), "BY")

    assert caught.value.param == "state"


@pytest.mark.parametrize("text", ["XX", "Calif", "CAL", "", "US"])
def test_an_unknown_state_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="expected a US state such as CA or California") as caught:
        parse_state(USA, text)

    assert caught.value.param == "state"
