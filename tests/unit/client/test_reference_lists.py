"""Taxa, countries and models through the client, answered by the real application."""

import pytest

from okapia.client import InvalidRequest, NotFound, Okapia


def test_species_are_given_over_all_pages(okapia: Okapia) -> None:
    species = list(okapia.species())

    assert len(species) > 100  # more than a page holds
    assert len({one.id for one in species}) == len(species)


def test_species_are_searched_within_ranks(okapia: Okapia) -> None:
    foxes = list(okapia.species("fox", family="canidae"))

    assert "red fox" in {one.common_name for one in foxes}
    assert {one.taxonomy.family for one in foxes} == {"canidae"}


def test_a_taxon_says_where_it_may_be(okapia: Okapia) -> None:
    (grey_fox,) = okapia.species("grey fox")

    taxon = okapia.taxon(grey_fox.id)

    assert taxon.scientific_name == "Urocyon cinereoargenteus"
    assert "USA" in taxon.countries
    assert "KEN" not in taxon.countries


def test_countries_and_their_species(okapia: Okapia) -> None:
    by_code = {country.code: country for country in okapia.countries()}

    names = {one.common_name for one in okapia.country_species("KEN")}

    assert (by_code["KEN"].name, by_code["KEN"].cca2) == ("Kenya", "KE")
    assert "african bush elephant" in names or "lion" in names
    assert "grey fox" not in names


def test_an_unknown_country_is_not_found(okapia: Okapia) -> None:
    with pytest.raises(NotFound):
        list(okapia.country_species("XXX"))


def test_a_wrong_rank_is_refused(okapia: Okapia) -> None:
    with pytest.raises(InvalidRequest) as caught:
        list(okapia.species(rank="kind"))

    assert caught.value.param == "rank"


def test_models_say_what_they_are(okapia: Okapia) -> None:
    models = {model.id: model for model in okapia.models()}

    assert models["megadetector-lite"].licence == "MIT"
