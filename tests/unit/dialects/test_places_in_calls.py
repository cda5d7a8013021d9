"""A call that says where the picture was taken: ranges, candidates, and what is wrong with a place."""

import pytest
from starlette.testclient import TestClient

from tests.unit.dialects.test_animaldetect import jpeg


def detect(client: TestClient, **fields: str) -> dict[str, object]:
    answer = client.post("/v1/detect", files={"image": jpeg()}, data=fields)
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


def first(body: dict[str, object]) -> dict[str, object]:
    annotations = body["annotations"]
    assert isinstance(annotations, list)
    found: dict[str, object] = annotations[0]
    return found


def info(body: dict[str, object]) -> dict[str, object]:
    found = body["info"]
    assert isinstance(found, dict)
    return found


def test_a_species_that_occurs_there_is_named(client: TestClient) -> None:
    body = detect(client, country="Denmark")

    assert first(body)["label"] == "red fox"
    assert "geofence" not in first(body)
    assert info(body)["country_processed"] == "DNK"


def test_a_species_that_does_not_occur_there_becomes_a_higher_taxon_and_says_why(client: TestClient) -> None:
    body = detect(client, country="KE")

    assert first(body)["label"] == "canine family"
    assert first(body)["source"] == "classifier+geofence+rollup_to_family"
    assert first(body)["geofence"] == [
        {
            "rule": "allow",
            "country": "KEN",
            "original_label": "red fox",
            "original_taxonomy_id": first(detect(client))["taxonomy"]["id"],  # type: ignore[index]
            "rolled_up_to": "family",
        }
    ]


def test_without_a_country_nothing_is_said_of_ranges(client: TestClient) -> None:
    body = detect(client)

    assert first(body)["label"] == "red fox"
    assert "country_processed" not in info(body)
    assert "warnings" not in info(body)


def test_coordinates_without_a_country_are_not_used_and_that_is_said(client: TestClient) -> None:
    body = detect(client, latitude="56.1", longitude="10.2")

    warnings = info(body)["warnings"]
    assert isinstance(warnings, list)
    assert [warning["code"] for warning in warnings] == ["coordinates_without_country"]


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"country": "Danmarkk"}, "unknown_country", "Denmark"),
        ({"state": "CA"}, "invalid_request", "state"),
        ({"country": "DNK", "state": "CA"}, "invalid_request", "state"),
        ({"latitude": "56.1"}, "coordinates_incomplete", "longitude"),
        ({"longitude": "10.2"}, "coordinates_incomplete", "latitude"),
        ({"country": "DNK", "latitude": "91", "longitude": "0"}, "invalid_request", "latitude"),
        ({"country": "auto"}, "invalid_request", "latitude and longitude"),
        ({"top_candidate": "0"}, "invalid_request", "top_candidate"),
    ],
)
def test_a_place_that_is_none_is_a_clear_error(
    client: TestClient, fields: dict[str, str], code: str, said: str
) -> None:
    answer = client.post("/v1/detect", files={"image": jpeg()}, data=fields)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert said in answer.json()["detail"]
