"""The lists of taxa and countries, page by page."""

import pytest
from starlette.testclient import TestClient

RED_FOX = "ac0e8ba7-7261-4d17-8645-11ed3d02165a"


def get(client: TestClient, path: str, **query: object) -> dict[str, object]:
    answer = client.get(f"/v1/{path}", params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


def names(body: dict[str, object]) -> list[str]:
    rows = body["species"]
    assert isinstance(rows, list)
    return [row["common_name"] for row in rows]


def test_species_are_found_by_name(client: TestClient) -> None:
    body = get(client, "species", search="fox")

    assert {"red fox", "arctic fox", "grey fox", "kit fox"} <= set(names(body))
    assert body["pagination"] == {"total": len(names(body)), "limit": 50, "offset": 0, "has_more": False}


def test_species_are_found_by_their_taxa(client: TestClient) -> None:
    assert names(get(client, "species", **{"class": "Mammalia", "genus": "vulpes"})) == [
        "arctic fox",
        "kit fox",
        "red fox",
    ]
    assert names(get(client, "species", rank="family", family="canidae")) == ["canine family"]


def test_pages_cover_the_list_once(client: TestClient) -> None:
    first = get(client, "species", limit=100)
    seen, offset = names(first), 100
    page = first["pagination"]
    assert isinstance(page, dict)
    while page["has_more"]:
        body = get(client, "species", limit=100, offset=offset)
        seen, offset, page = seen + names(body), offset + 100, body["pagination"]
        assert isinstance(page, dict)

    assert len(seen) == page["total"] > 100
    assert seen == sorted(seen)


def test_a_country_has_the_species_that_may_be_there(client: TestClient) -> None:
    kenya = names(get(client, "countries/KEN/species", search="fox"))
    denmark = get(client, "countries/dk/species", search="fox")

    assert "red fox" not in kenya
    assert "red fox" in names(denmark)
    assert denmark["country"] == "DNK"


def test_a_taxon_names_the_countries_where_it_may_be(client: TestClient) -> None:
    body = get(client, f"species/{RED_FOX}")

    countries = body["countries"]
    assert isinstance(countries, list)
    assert body["scientific_name"] == "Vulpes vulpes"
    assert {"DNK", "AUS", "USA"} <= set(countries)
    assert "KEN" not in countries


def test_every_country_is_listed_and_only_the_usa_has_states(client: TestClient) -> None:
    rows = get(client, "countries")["countries"]

    assert isinstance(rows, list)
    assert len(rows) == 250
    assert [row["code"] for row in rows if row["admin1_supported"]] == ["USA"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("species/00000000-0000-0000-0000-000000000000", 404, "not_found"),
        ("species/fox", 404, "not_found"),
        ("countries/XYZ/species", 404, "not_found"),
        ("species?country=Kenja", 400, "unknown_country"),
        ("species?limit=0", 400, "invalid_request"),
        ("species?limit=101", 400, "invalid_request"),
        ("species?offset=-1", 400, "invalid_request"),
        ("species?rank=tribe", 400, "invalid_request"),
    ],
)
def test_what_is_not_there_is_said(client: TestClient, path: str, status: int, code: str) -> None:
    answer = client.get(f"/v1/{path}")

    assert (answer.status_code, answer.json()["code"]) == (status, code)
