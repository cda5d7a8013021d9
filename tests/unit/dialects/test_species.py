"""`/v1/ensemble` and `/v1/geofence`: the rules and the ranges without a picture."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from okapia.app import build_app
from okapia.dialects.species import RULES
from okapia.domain.taxonomy import ANIMAL, BLANK, HUMAN, UNKNOWN, VEHICLE, Taxon
from okapia.models.taxa import builtin_taxonomy
from okapia.settings import Settings
from tests.unit.dialects.foxes import RED_FOX, bare_service


def taxon(name: str) -> Taxon:
    return next(taxon for taxon in builtin_taxonomy() if taxon.common_name == name)


GREY_FOX, WOLF = taxon("grey fox"), taxon("grey wolf")
CANIDS = taxon("canine family")


def ask(client: TestClient, route: str, **question: object) -> dict[str, object]:
    answer = client.post(f"/v1/{route}", json=question)
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


def labels(*taxa: Taxon) -> list[str]:
    return [taxon.label for taxon in taxa]


def test_a_sure_species_that_occurs_there_is_the_answer(client: TestClient) -> None:
    body = ask(client, "ensemble", labels=labels(RED_FOX, WOLF), scores=[0.9, 0.05], country="Denmark")

    assert body == {
        "label": RED_FOX.label,
        "common_name": "red fox",
        "scientific_name": "Vulpes vulpes",
        "rank": "species",
        "score": 0.9,
        "source": "classifier",
        "decision": "4a",
        "geofence": [],
        "explanation": ["rule 4a: the best class is an animal, above 0.8"],
        "country_processed": "DNK",
        "admin1_processed": None,
        "warnings": [],
    }


def test_a_species_that_does_not_occur_there_rolls_up_and_every_step_is_explained(client: TestClient) -> None:
    body = ask(client, "ensemble", labels=labels(RED_FOX), scores=[0.9], country="KE")

    assert (body["label"], body["rank"]) == (CANIDS.label, "family")
    assert body["source"] == "classifier+geofence+rollup_to_family"
    assert body["geofence"] == [
        {
            "rule": "allow",
            "country": "KEN",
            "admin1": None,
            "original_label": RED_FOX.label,
            "rolled_up_to": "family",
        }
    ]
    assert body["explanation"] == [
        "rule 4a: the best class is an animal, above 0.8",
        "red fox is allowed in some places, and KEN is none of them: the answer is the family above it",
    ]


def test_scores_may_come_in_any_order(client: TestClient) -> None:
    body = ask(client, "ensemble", labels=labels(WOLF, RED_FOX), scores=[0.05, 0.9])

    assert body["label"] == RED_FOX.label


def test_uncertain_scores_roll_up_together(client: TestClient) -> None:
    body = ask(client, "ensemble", labels=labels(RED_FOX, WOLF), scores=[0.4, 0.35])

    assert (body["label"], body["decision"]) == (CANIDS.label, "5a")
    assert body["source"] == "classifier+rollup_to_family"


@pytest.mark.parametrize(
    ("category", "confidence", "decision", "answer"),
    [
        ("human", 0.8, "1a", HUMAN),
        ("vehicle", 0.8, "2b", VEHICLE),
        ("animal", 0.3, "4b", RED_FOX),
        (None, None, "5a", None),
    ],
)
def test_the_box_counts(
    client: TestClient, category: str | None, confidence: float | None, decision: str, answer: Taxon | None
) -> None:
    body = ask(
        client,
        "ensemble",
        labels=labels(RED_FOX),
        scores=[0.7],
        category=category,
        detection_score=confidence,
    )

    assert body["decision"] == decision
    assert answer is None or body["label"] == answer.label


def test_unknown_is_an_answer_too(client: TestClient) -> None:
    body = ask(client, "ensemble", labels=labels(RED_FOX), scores=[0.2])

    assert (body["label"], body["decision"]) == (UNKNOWN.label, "6")


def test_the_geofence_with_scores_says_what_the_best_class_becomes(client: TestClient) -> None:
    body = ask(client, "geofence", labels=labels(WOLF, RED_FOX), scores=[0.2, 0.7], country="KEN")

    assert isinstance(body["answer"], dict)
    assert body["answer"]["label"] == CANIDS.label
    assert body["answer"]["source"] == "classifier+geofence+rollup_to_family"
    assert body["answer"]["score"] == pytest.approx(0.9)


def test_the_geofence_judges_each_label_by_itself(client: TestClient) -> None:
    body = ask(client, "geofence", labels=labels(RED_FOX, CANIDS, BLANK, HUMAN, ANIMAL), country="KEN")

    verdicts = body["verdicts"]
    assert isinstance(verdicts, list)
    assert [v["allowed"] for v in verdicts] == [False, True, True, True, True]
    assert verdicts[0]["answer"]["label"] == CANIDS.label
    assert verdicts[0]["answer"]["geofence"][0]["original_label"] == RED_FOX.label
    assert [v["answer"]["label"] for v in verdicts[1:]] == [v["label"] for v in verdicts[1:]]


def test_without_a_country_everything_is_allowed(client: TestClient) -> None:
    body = ask(client, "geofence", labels=labels(RED_FOX, WOLF))

    verdicts = body["verdicts"]
    assert isinstance(verdicts, list)
    assert [v["allowed"] for v in verdicts] == [True, True]
    assert body["country_processed"] is None


def test_a_taxon_that_the_taxonomy_lacks_is_allowed_and_said_to_be_unknown(client: TestClient) -> None:
    label = "x;mammalia;pilosa;marsupilamidae;marsupilami;fantasii;marsupilami"

    body = ask(client, "geofence", labels=[label, RED_FOX.label], country="BEL")

    verdicts = body["verdicts"]
    assert isinstance(verdicts, list)
    assert [(v["known"], v["allowed"]) for v in verdicts] == [(False, True), (True, True)]


def test_what_of_the_place_was_not_used_is_said(client: TestClient) -> None:
    body = ask(client, "geofence", labels=labels(WOLF), latitude=56.1, longitude=10.2)

    warnings = body["warnings"]
    assert isinstance(warnings, list)
    assert [warning["code"] for warning in warnings] == ["coordinates_without_country"]


ONE = {"labels": [RED_FOX.label], "scores": [0.9]}


@pytest.mark.parametrize(
    ("route", "question", "param", "said"),
    [
        ("ensemble", {}, "labels", "Field required"),
        ("ensemble", {"labels": [RED_FOX.label]}, "scores", "Field required"),
        ("ensemble", {**ONE, "scores": [0.5, 0.5]}, None, "1 labels and 2 scores"),
        ("ensemble", {**ONE, "scores": [1.5]}, "scores", "scores[0]"),
        ("ensemble", {**ONE, "scores": ["x"]}, "scores", "got 'x'"),
        ("ensemble", {**ONE, "labels": ["red fox"]}, "label", "the 7 parts"),
        ("ensemble", {**ONE, "category": "animal"}, None, "detection_score together"),
        ("ensemble", {**ONE, "category": "cow", "detection_score": 0.5}, "category", "got 'cow'"),
        ("ensemble", {**ONE, "detector": 0.5}, "detector", "Extra inputs"),
        ("geofence", {"labels": []}, "labels", "at least 1"),
        ("geofence", {"labels": ["red fox"]}, "label", "the 7 parts"),
        ("geofence", {"labels": [RED_FOX.label], "country": "Kenyaa"}, "country", "Kenya"),
        ("geofence", {"labels": [RED_FOX.label], "state": "CA"}, "country", "state"),
        (
            "geofence",
            {"labels": [RED_FOX.label], "country": "KEN", "latitude": 91, "longitude": 0},
            "latitude",
            "91",
        ),
        ("geofence", {"labels": [RED_FOX.label], "country": "KEN", "longitude": 0}, "latitude", "longitude"),
        ("geofence", {"labels": [RED_FOX.label], "country": "auto"}, "country", "latitude and longitude"),
    ],
)
def test_a_wrong_question_is_a_problem_document_that_names_the_parameter(
    client: TestClient, route: str, question: dict[str, object], param: str | None, said: str
) -> None:
    answer = client.post(f"/v1/{route}", json=question)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["error"]["param"] == param
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("route", ["ensemble", "geofence"])
def test_nan_is_no_json(client: TestClient, route: str) -> None:
    body = b'{"labels": ["' + RED_FOX.label.encode() + b'"], "scores": [NaN], "latitude": NaN}'

    answer = client.post(f"/v1/{route}", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(home=tmp_path)
    app = build_app(settings, bare_service(tmp_path))
    with TestClient(app, base_url="http://localhost") as test_client:
        yield test_client


@pytest.mark.parametrize("route", ["ensemble", "geofence"])
def test_the_rules_need_no_weights(bare: TestClient, route: str) -> None:
    answer = bare.post(f"/v1/{route}", json=ONE if route == "ensemble" else {"labels": ONE["labels"]})

    assert answer.status_code == 200


def test_every_rule_has_its_sentence() -> None:
    assert list(RULES) == ["1a", "1b", "2a", "2b", "2c", "3a", "3b", "4a", "4b", "5a", "5b", "6"]
