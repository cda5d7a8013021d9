"""SpeciesNet's predictions JSON of both ages, as written."""

from pathlib import Path

import orjson
import pytest

from okapia.domain.taxonomy import BLANK, Taxon
from okapia.domain.types import (
    Analysis,
    BBox,
    Category,
    Classification,
    Detection,
    Failure,
    ImageInfo,
    ImageResult,
    Prediction,
)
from okapia.formats.base import Json
from okapia.formats.speciesnet import Entry, Instance, SpeciesNetWriter, Step, Version, as_json, document

FOX = Taxon("fox-id", "mammalia", "carnivora", "canidae", "vulpes", "vulpes", "red fox")
DOG = Taxon("dog-id", "mammalia", "carnivora", "canidae", "canis", "familiaris", "domestic dog")
CANID = Taxon("canid-id", "mammalia", "carnivora", "canidae", "", "", "canine family")

KENYA = Instance("a.jpg", "KEN", latitude=-1.23456789, longitude=36.8)
CLASSES = (Classification(FOX, 0.61234567), Classification(DOG, 0.25))
ANSWER = Prediction(CANID, 0.86234567, "classifier+rollup_to_family", "5a")


def box(
    confidence: float,
    *,
    category: Category = Category.ANIMAL,
    seen: tuple[Classification, ...] = (),
    answer: Prediction | None = None,
) -> Detection:
    bbox = BBox(0.123456789, 0.2, 0.3, 0.4)
    return Detection(bbox, category, confidence, category.value, seen, answer)


def picture(
    *detections: Detection,
    seen: tuple[Classification, ...] = (),
    answer: Prediction | None = None,
    name: str = "a.jpg",
) -> ImageResult:
    return ImageResult(name, Analysis(ImageInfo(1920, 1080, "JPEG", 1000), detections, answer, seen))


def entry(result: ImageResult, instance: Instance = KENYA) -> Entry:
    return Entry.of(result, instance, model_version="lite")


def detections(fields: dict[str, Json]) -> list[dict[str, Json]]:
    boxes = fields["detections"]
    assert isinstance(boxes, list)
    return boxes


def test_the_old_format_answers_once_a_picture() -> None:
    one = entry(picture(box(0.912345678), seen=CLASSES, answer=ANSWER))

    assert as_json(one, Version.OLD) == {
        "filepath": "a.jpg",
        "country": "KEN",
        "latitude": -1.23456789,
        "longitude": 36.8,
        "classifications": {"classes": [FOX.label, DOG.label], "scores": [0.61234567, 0.25]},
        "detections": [
            {
                "category": "1",
                "label": "animal",
                "conf": 0.912345678,
                "bbox": [0.123456789, 0.2, 0.3, 0.4],
            }
        ],
        "prediction": CANID.label,
        "prediction_score": 0.86234567,
        "prediction_source": "classifier+rollup_to_family",
        "model_version": "lite",
    }


def test_the_new_format_answers_once_a_box() -> None:
    one = entry(picture(box(0.9, seen=CLASSES, answer=ANSWER), box(0.05)))

    assert as_json(one, Version.NEW) == {
        "filepath": "a.jpg",
        "country": "KEN",
        "latitude": -1.23456789,
        "longitude": 36.8,
        "detections": [
            {
                "category": "1",
                "label": "animal",
                "conf": 0.9,
                "bbox": [0.123456789, 0.2, 0.3, 0.4],
                "raw_classifications": {"classes": [FOX.label, DOG.label], "scores": [0.61234567, 0.25]},
                "processed_classification": {
                    "class": CANID.label,
                    "score": 0.86234567,
                    "source": "classifier+rollup_to_family",
                },
            },
            {"category": "1", "label": "animal", "conf": 0.05, "bbox": [0.123456789, 0.2, 0.3, 0.4]},
        ],
        "model_version": "lite",
    }


def test_only_the_new_format_has_info() -> None:
    assert document([], Version.OLD) == {"predictions": []}
    assert document([], Version.NEW) == {"info": {"format_version": "20261015"}, "predictions": []}


@pytest.mark.parametrize("version", list(Version))
def test_a_failed_picture_has_its_failures_its_place_and_nothing_else(version: Version) -> None:
    one = entry(ImageResult("a.jpg", Failure("undecodable_image", "broken")))

    assert as_json(one, version) == {
        "filepath": "a.jpg",
        "failures": ["CLASSIFIER", "DETECTOR"],
        "country": "KEN",
        "latitude": -1.23456789,
        "longitude": 36.8,
        "model_version": "lite",
    }


def test_what_did_not_fail_is_written_beside_what_did() -> None:
    one = Entry(KENYA, "lite", (Step.CLASSIFIER,), detections=(box(0.9),))

    fields = as_json(one, Version.OLD)

    assert fields["failures"] == ["CLASSIFIER"]
    assert len(detections(fields)) == 1
    assert "prediction" not in fields


@pytest.mark.parametrize("version", list(Version))
def test_boxes_are_those_above_0_01_most_confident_first(version: Version) -> None:
    one = entry(picture(box(0.01), box(0.3), box(0.0101), box(0.7)))

    assert [found["conf"] for found in detections(as_json(one, version))] == [0.7, 0.3, 0.0101]


def test_categories_have_numbers_and_the_fields_labels_and_others_are_left_out() -> None:
    one = entry(picture(*(box(0.5, category=category) for category in Category)))

    found = [(b["category"], b["label"]) for b in detections(as_json(one, Version.OLD))]

    assert found == [("1", "animal"), ("2", "human"), ("3", "vehicle")]


def test_five_classes_of_a_picture_are_reported() -> None:
    seen = tuple(Classification(DOG, 0.1) for _ in range(7))

    fields = as_json(entry(picture(seen=seen, answer=ANSWER)), Version.OLD)

    assert fields["classifications"] == {"classes": [DOG.label] * 5, "scores": [0.1] * 5}


@pytest.mark.parametrize(("top", "reported"), [(1, 1), (2, 2), (3, 3), (None, 7)])
def test_as_many_classes_of_a_box_are_reported_as_asked_for(top: int | None, reported: int) -> None:
    seen = tuple(Classification(DOG, 0.1) for _ in range(7))
    one = entry(picture(box(0.9, seen=seen, answer=ANSWER)))

    (found,) = detections(as_json(one, Version.NEW, top=top))

    assert found["raw_classifications"] == {"classes": [DOG.label] * reported, "scores": [0.1] * reported}


def test_new_to_old_the_most_confident_classified_box_answers_for_the_picture() -> None:
    fox = Prediction(FOX, 0.9, "classifier", "4a")
    weaker = box(0.4, seen=CLASSES[1:], answer=ANSWER)
    one = entry(picture(box(0.95), weaker, box(0.6, seen=CLASSES[:1], answer=fox)))

    fields = as_json(one, Version.OLD)

    assert (fields["prediction"], fields["prediction_source"]) == (FOX.label, "classifier")
    assert fields["classifications"] == {"classes": [FOX.label], "scores": [0.61234567]}


def test_a_picture_without_a_box_is_blank_in_the_old_format_and_has_no_answer_in_the_new() -> None:
    blank = Prediction(BLANK, 0.97, "classifier", "3a")

    old = as_json(entry(picture(seen=(Classification(BLANK, 0.97),), answer=blank)), Version.OLD)
    new = as_json(entry(picture()), Version.NEW)

    assert (old["prediction"], old["detections"]) == (BLANK.label, [])
    assert new["detections"] == []
    assert new.keys() & {"classifications", "prediction", "prediction_score", "prediction_source"} == set()


def test_a_classifier_of_whole_pictures_answers_in_a_pseudo_box() -> None:
    first, second = detections(as_json(entry(picture(box(0.8), seen=CLASSES, answer=ANSWER)), Version.NEW))

    assert (first["category"], first["label"]) == ("0", "whole_image_classification")
    assert (first["conf"], first["bbox"]) == (1.0, [0.0, 0.0, 1.0, 1.0])
    assert "processed_classification" in first
    assert "processed_classification" not in second


def test_further_fields_of_an_instance_come_back() -> None:
    asked = Instance("a.jpg", "KEN", extra={"camera": "C7"})

    assert as_json(entry(picture(), asked), Version.OLD)["camera"] == "C7"


def test_a_file_has_four_digits_but_coordinates_as_they_are(tmp_path: Path) -> None:
    target = tmp_path / "predictions.json"
    with SpeciesNetWriter(
        target, version=Version.OLD, model_version="lite", instances={"a.jpg": KENYA}
    ) as writer:
        writer.add(picture(box(0.912345678), seen=CLASSES, answer=ANSWER))
        writer.finish()

    (written,) = orjson.loads(target.read_bytes())["predictions"]

    assert written["latitude"] == -1.23456789
    assert written["classifications"]["scores"] == [0.6123, 0.25]
    assert (written["detections"][0]["conf"], written["detections"][0]["bbox"][0]) == (0.9123, 0.1235)
    assert written["prediction_score"] == 0.8623


@pytest.mark.parametrize("n_pictures", [0, 1, 3])
@pytest.mark.parametrize("version", list(Version))
def test_a_file_holds_what_a_server_answers(tmp_path: Path, version: Version, n_pictures: int) -> None:
    target = tmp_path / "predictions.json"
    results = [picture(box(0.5), name=f"{place}.jpg") for place in range(n_pictures)]
    with SpeciesNetWriter(target, version=version, model_version="lite") as writer:
        for result in results:
            writer.add(result)
        writer.finish()

    entries = [entry(result, Instance(result.name)) for result in results]

    written = orjson.loads(target.read_bytes())
    assert {**written, "predictions": None} == {**document([], version), "predictions": None}
    assert [p["filepath"] for p in written["predictions"]] == [e.instance.filepath for e in entries]


def test_a_name_that_is_no_utf8_is_written_with_its_bytes() -> None:
    one = entry(ImageResult("\udcff.jpg", Failure("unreadable_file", "gone")), Instance("\udcff.jpg"))

    assert as_json(one, Version.OLD)["filepath"] == "%FF.jpg"
