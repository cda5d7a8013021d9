"""JSON into typed answers."""

import datetime as dt

import pytest

from okapia.client.answers import DetectAnswer, ScannedText
from okapia.client.errors import UnexpectedAnswer
from okapia.client.reading import read, read_rows

ANNOTATION: dict[str, object] = {"id": 0, "bbox": [0.41, 0.82, 0.2, 0.17], "score": 1, "label": "red fox"}
INFO: dict[str, object] = {"model_id": "mdv1000-speciesnet", "threshold_applied": 0.2}


def document(**more: object) -> dict[str, object]:
    return {"id": "a1", "annotations": [ANNOTATION], "info": INFO, **more}


def test_the_vendors_smallest_answer_is_enough() -> None:
    answer = read(DetectAnswer, document(expires_at="2026-03-12T09:44:20.954Z"))

    assert answer.annotations[0].bbox == (0.41, 0.82, 0.2, 0.17)
    assert answer.annotations[0].taxonomy is None
    assert answer.expires_at == dt.datetime(2026, 3, 12, 9, 44, 20, 954_000, dt.UTC)
    assert answer.metadata is None


def test_fields_of_newer_servers_are_kept_aside() -> None:
    answer = read(DetectAnswer, document(weather="rain"))

    assert answer.raw["weather"] == "rain"
    assert answer == read(DetectAnswer, document())


def test_null_is_as_good_as_nothing() -> None:
    answer = read(DetectAnswer, document(expires_at=None))

    assert answer.expires_at is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([], "answer: expected an object, got list"),
        ({"id": "a1", "info": INFO}, "answer: expected the field 'annotations', got none"),
        (document(annotations={}), "answer.annotations: expected a list, got dict"),
        (document(annotations=[ANNOTATION, 5]), r"answer.annotations\[1\]: expected an object, got int"),
        (document(annotations=[ANNOTATION | {"score": "high"}]), "score: expected float, got str"),
        (document(annotations=[ANNOTATION | {"score": True}]), "score: expected float, got bool"),
        (document(annotations=[ANNOTATION | {"id": True}]), "id: expected int, got bool"),
        (document(annotations=[ANNOTATION | {"bbox": [0, 0, 1]}]), "bbox: expected 4 values, got 3"),
        (document(expires_at="soon"), "answer.expires_at: Invalid isoformat string"),
        (document(metadata=[]), "answer.metadata: expected an object, got list"),
    ],
)
def test_what_the_contract_does_not_allow_is_named_with_its_place(wrong: object, message: str) -> None:
    with pytest.raises(UnexpectedAnswer, match=message):
        read(DetectAnswer, wrong)


def test_dates_and_times_are_typed() -> None:
    text = read(
        ScannedText,
        {
            "raw_text": "2024-05-17 21:17:00 12C",
            "date": "2024-05-17",
            "time": "21:17:00",
            "temperature": {"value": 12, "unit": "C"},
        },
    )

    assert (text.date, text.time) == (dt.date(2024, 5, 17), dt.time(21, 17))
    assert text.temperature is not None
    assert text.temperature.value == 12


@pytest.mark.parametrize("wrong", [None, [], {"rows": {}}, {"others": []}])
def test_a_list_that_is_missing_is_named(wrong: object) -> None:
    with pytest.raises(UnexpectedAnswer, match="rows"):
        read_rows(DetectAnswer, wrong, "rows")
