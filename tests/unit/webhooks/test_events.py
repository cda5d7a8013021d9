"""Payloads: what they say, and that they are short and whole whatever they are about."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.types import Category
from okapia.webhooks.events import MAX_BYTES, Event, EventType, detection_event, encode
from tests.unit.jobs.drafts import NOON
from tests.unit.webhooks.sightings import DUSK, animal, seen, taxon, thing


def test_a_payload_has_a_type_a_time_and_data() -> None:
    body = encode(Event(EventType.JOB_FAILED, {"id": "j1", "error": {"code": "x", "message": "y"}}), NOON)

    assert orjson.loads(body) == {
        "type": "job.failed",
        "timestamp": "2026-06-01T12:00:00+00:00",
        "data": {"id": "j1", "error": {"code": "x", "message": "y"}},
    }


def test_detections_are_told_as_the_answer_has_them() -> None:
    picture = seen(animal("red fox"), thing(Category.PERSON), camera="C1", captured_at=DUSK)

    event = detection_event(picture, picture.analysis.detections)

    box = [0.1, 0.2, 0.3, 0.4]
    fox, human = taxon("red fox").id, "990ae9dd-7a59-4344-afcb-1b7b21368000"
    assert event.type == "detection.created"
    assert event.data == {
        "answer_id": "a1",
        "endpoint": "/v1/detect",
        "filename": "fox.jpg",
        "camera": "C1",
        "captured_at": "2026-06-01T21:30:00",
        "detections_total": 2,
        "detections": [
            {"bbox": box, "category": "animal", "score": 0.8, "label": "red fox", "taxonomy_id": fox},
            {"bbox": box, "category": "human", "score": 0.9, "label": "human", "taxonomy_id": human},
        ],
    }


def test_a_box_that_was_not_classified_is_called_by_its_category() -> None:
    picture = seen(animal(), thing(Category.OTHER))

    told = orjson.loads(encode(detection_event(picture, picture.analysis.detections), NOON))["data"]

    assert [one["label"] for one in told["detections"]] == ["animal", "other"]
    assert told["detections"][1]["taxonomy_id"] is None
    assert (told["camera"], told["captured_at"]) == (None, None)


def test_a_taxon_without_a_common_name_is_called_by_its_latin_one() -> None:
    fox = animal("red fox")
    assert fox.prediction is not None
    nameless = replace(fox.prediction, taxon=replace(taxon("red fox"), common_name=""))
    picture = seen(replace(fox, prediction=nameless))

    told = orjson.loads(encode(detection_event(picture, picture.analysis.detections), NOON))["data"]

    assert told["detections"][0]["label"] == "vulpes vulpes"


@pytest.mark.parametrize("number", [1, 100, 300, 3000])
def test_detections_that_do_not_fit_are_counted(number: int) -> None:
    picture = seen(*[animal("red fox")] * number)

    body = encode(detection_event(picture, picture.analysis.detections), NOON)

    told = orjson.loads(body)["data"]
    assert len(body) <= MAX_BYTES
    assert told["detections_total"] == number
    assert len(told["detections"]) == number or len(body) > MAX_BYTES * 0.75


@given(
    st.text(st.characters(codec=None), max_size=2000),
    st.text(st.characters(codec=None), max_size=2000),
    st.integers(0, 200),
)
def test_a_payload_is_short_json_whatever_a_picture_is_called(
    filename: str, camera: str, number: int
) -> None:
    picture = replace(seen(*[thing(Category.ANIMAL)] * number, camera=camera), filename=filename)

    body = encode(detection_event(picture, picture.analysis.detections), NOON)

    assert len(body) <= MAX_BYTES
    assert orjson.loads(body)["data"]["detections_total"] == number


def test_long_texts_are_cut_wherever_they_stand() -> None:
    error = {"code": "internal_error", "message": "x" * 50_000}

    told = orjson.loads(encode(Event(EventType.JOB_FAILED, {"error": error}), NOON))

    assert told["data"]["error"]["message"] == "x" * 499 + "…"


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 20000 bytes"):
        encode(Event(EventType.BATCH_COMPLETED, {"pictures": list(range(10_000))}), NOON)
