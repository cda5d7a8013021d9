"""Instances, detections, classifications and predictions JSON, as read."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import ANIMAL, BLANK, UNKNOWN, Taxon
from okapia.domain.types import BBox, Category, Classification, Detection, Prediction
from okapia.formats.speciesnet import Entry, Instance, Step, Version, document
from okapia.formats.speciesnet_files import (
    instances_of,
    one_each,
    predictions_of,
    read_instances,
    read_predictions,
)

FOX = Taxon("fox-id", "mammalia", "carnivora", "canidae", "vulpes", "vulpes", "red fox")


def test_the_real_instances_are_read(shared_data: Path) -> None:
    instances = read_instances(shared_data / "speciesnet" / "instances.json")

    assert len(instances) == 16
    assert instances[0] == Instance("test_data/african_elephants.jpg", "KEN")
    bear = Instance("test_data/american_black_bear.jpg", "USA", latitude=41.46, longitude=-73.84)
    assert instances[5] == bear


def test_coordinates_without_a_country_are_no_error(shared_data: Path) -> None:
    instances = read_instances(shared_data / "speciesnet" / "instances.json")

    dog = next(i for i in instances if "domestic_dog" in i.filepath)

    assert (dog.country, dog.latitude) == (None, 41.46)


def test_duplicate_file_paths_are_one_picture_at_its_last_place() -> None:
    asked = [Instance("a.jpg", "KEN"), Instance("b.jpg"), Instance("a.jpg", "TZA")]

    assert one_each(asked) == (Instance("a.jpg", "TZA"), Instance("b.jpg"))


def test_asked_for_fields_are_kept() -> None:
    (instance,) = instances_of(
        {"instances": [{"filepath": "a.jpg", "camera": 7, "other": 8}]}, extra_fields=["camera", "site"]
    )

    assert instance.extra == {"camera": 7}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "expected an object with the list 'instances', got a list"),
        ({}, "expected an object with the list 'instances', got none"),
        ({"instances": {}}, "the list 'instances'"),
        ({"instances": []}, "at least one"),
        ({"instances": ["a.jpg"]}, r"instances\[0\]: expected an object, got 'a.jpg'"),
        ({"instances": [{"country": "KEN"}]}, r"instances\[0\]: filepath: Field required"),
        ({"instances": [{"filepath": ""}]}, r"instances\[0\] \(\): filepath"),
        ({"instances": [{"filepath": 7}]}, r"instances\[0\]: filepath: .* got 7"),
        (
            {"instances": [{"filepath": "a.jpg"}, {"filepath": "b.jpg", "country": 5}]},
            r"instances\[1\] \(b.jpg\): country: .* got 5",
        ),
        (
            {"instances": [{"filepath": "a.jpg", "admin1_region": "CA"}]},
            r"\(a.jpg\): expected a country with the admin1_region",
        ),
        (
            {"instances": [{"filepath": "a.jpg", "latitude": 91, "longitude": 0}]},
            r"\(a.jpg\): latitude: .* 90, got 91",
        ),
        (
            {"instances": [{"filepath": "a.jpg", "longitude": 36.8}]},
            r"\(a.jpg\): expected latitude and longitude together",
        ),
        ({"instances": [{"filepath": "a.jpg", "latitude": "1", "longitude": 2}]}, "latitude: .* got '1'"),
        ({"instances": [{"filepath": "a.jpg", "latitude": True, "longitude": 2}]}, "latitude: .* got True"),
    ],
)
def test_a_malformed_instance_is_named(document: object, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        instances_of(document)


OLD = {
    "filepath": "a.jpg",
    "country": "KEN",
    "classifications": {
        "classes": [FOX.label, BLANK.label],
        "scores": [0.7, 0.2],
        "target_classes": ["x"],
        "target_logits": [3.5],
    },
    "detections": [{"category": "2", "label": "human", "conf": 0.25, "bbox": [0.1, 0.2, 0.3, 0.4]}],
    "prediction": UNKNOWN.label,
    "prediction_score": 0.7,
    "prediction_source": "classifier",
    "model_version": "4.0.1a",
}


def test_the_old_format_is_read() -> None:
    read = predictions_of({"predictions": [OLD]})

    assert read.version is Version.OLD
    assert read.entries == (
        Entry(
            Instance("a.jpg", "KEN"),
            "4.0.1a",
            (),
            (Detection(BBox(0.1, 0.2, 0.3, 0.4), Category.PERSON, 0.25, "human"),),
            (Classification(FOX, 0.7), Classification(BLANK, 0.2)),
            Prediction(UNKNOWN, 0.7, "classifier"),
        ),
    )


def test_the_new_format_is_read() -> None:
    box = {
        "category": "1",
        "label": "animal",
        "conf": 0.9,
        "bbox": [0.1, 0.2, 0.3, 0.4],
        "raw_classifications": {"classes": [FOX.label], "scores": [0.9]},
        "processed_classification": {"class": ANIMAL.label, "score": 0.9, "source": "detector"},
    }

    read = predictions_of(
        {
            "info": {"format_version": "20261015"},
            "predictions": [{"filepath": "a.jpg", "detections": [box], "model_version": "4.0.3a"}],
        }
    )

    assert read.version is Version.NEW
    (found,) = read.by_filepath()["a.jpg"].detections or ()
    assert found.classifications == (Classification(FOX, 0.9),)
    assert found.prediction == Prediction(ANIMAL, 0.9, "detector")


def test_the_pseudo_box_of_a_whole_picture_is_the_pictures_own_answer() -> None:
    whole = {
        "category": "0",
        "label": "whole_image_classification",
        "conf": 1.0,
        "bbox": [0, 0, 1, 1],
        "raw_classifications": {"classes": [BLANK.label], "scores": [0.98]},
        "processed_classification": {"class": BLANK.label, "score": 0.98, "source": "classifier"},
    }

    (entry,) = predictions_of(
        {
            "info": {"format_version": "20261015"},
            "predictions": [{"filepath": "a.jpg", "detections": [whole]}],
        }
    ).entries

    assert entry.detections == ()
    assert entry.classifications == (Classification(BLANK, 0.98),)
    assert entry.prediction == Prediction(BLANK, 0.98, "classifier")


def test_a_detections_file_and_a_classifications_file_are_read_from_disk(tmp_path: Path) -> None:
    detections = tmp_path / "detections.json"
    detections.write_bytes(
        orjson.dumps(
            {
                "predictions": [
                    {"filepath": "a.jpg", "detections": []},
                    {"filepath": "b.jpg", "failures": ["DETECTOR"]},
                ]
            }
        )
    )
    classifications = tmp_path / "classifications.json"
    classifications.write_bytes(
        orjson.dumps({"predictions": [{"filepath": "a.jpg", "classifications": OLD["classifications"]}]})
    )

    found = read_predictions(detections).by_filepath()
    seen = read_predictions(classifications).by_filepath()

    assert found["a.jpg"].detections == ()
    assert (found["b.jpg"].detections, found["b.jpg"].failures) == (None, (Step.DETECTOR,))
    assert seen["a.jpg"].detections is None
    assert len(seen["a.jpg"].classifications or ()) == 2


def changed(**fields: object) -> dict[str, object]:
    return {"predictions": [{**OLD, **fields}]}


def classes(labels: list[object], scores: list[object]) -> dict[str, object]:
    return changed(classifications={"classes": labels, "scores": scores})


def one_box(**fields: object) -> dict[str, object]:
    box = {"category": "1", "label": "animal", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4]}
    return changed(detections=[{**box, **fields}])


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"info": {"format_version": "1.6"}, "predictions": []}, "expected 20261015, or no info, got '1.6'"),
        ({"images": []}, "the list 'predictions', got none"),
        (one_box(conf=7), r"predictions\[0\] \(a.jpg\): detections\[0\].conf: .* got 7"),
        (one_box(conf=float("nan")), r"detections\[0\].conf: .* got nan"),
        (one_box(category="4"), r"detections\[0\].category: .* got '4'"),
        (one_box(bbox=[10, 20, 300, 400]), r"detections\[0\].bbox\[0\]: expected .* fractions .* got 10"),
        (one_box(bbox=[0.1, 0.2, 0.3]), r"detections\[0\].bbox"),
        (classes([FOX.label], []), "classifications: expected a score for each class, got 1 classes and 0"),
        (classes([FOX.label], [float("nan")]), r"classifications.scores\[0\]: .* got nan"),
        (classes([FOX.label], [1.5]), r"classifications.scores\[0\]: .* got 1.5"),
        (classes(["red fox"], [0.5]), r"predictions\[0\] \(a.jpg\): expected the 7 parts .* 'red fox'"),
        (changed(prediction="red fox"), r"predictions\[0\] \(a.jpg\): expected the 7 parts"),
        (changed(failures=["WEATHER"]), r"failures\[0\]: .* got 'WEATHER'"),
    ],
)
def test_a_malformed_prediction_is_named(document: object, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        predictions_of(document)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "p.json: expected JSON"),
        (b"", "p.json: expected JSON"),
        (("[" * 100_000).encode(), "p.json: expected JSON"),
        (
            b'{"predictions": [{"filepath": "a.jpg", "prediction_score": NaN}]}',
            r"p.json: predictions\[0\] \(a.jpg\): prediction_score: .* got nan",
        ),
    ],
    ids=["cut", "empty", "deep", "NaN"],
)
def test_a_file_that_is_no_json_or_holds_nan_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(content)

    with pytest.raises(InvalidRequest, match=said):
        read_predictions(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"gone.json: cannot be read"):
        read_instances(tmp_path / "gone.json")


units = st.floats(0, 1)
seen = st.lists(st.builds(Classification, st.sampled_from([FOX, BLANK, ANIMAL]), units), max_size=5).map(
    tuple
)
answers = st.builds(Prediction, st.sampled_from([FOX, UNKNOWN]), units, st.just("classifier"))
boxes = st.builds(
    Detection,
    st.builds(BBox, units, units, units, units),
    st.just(Category.ANIMAL),
    st.floats(0.011, 1),
    st.just("animal"),
)
entries = st.builds(
    Entry,
    st.builds(Instance, st.text(min_size=1, max_size=9).filter(str.isprintable), st.just("KEN")),
    st.just("lite"),
    st.just(()),
    st.lists(boxes, max_size=3).map(lambda found: tuple(sorted(found, key=lambda d: -d.confidence))),
    seen,
    answers,
)


@given(entries)
def test_what_is_written_is_read_again(entry: Entry) -> None:
    written = orjson.loads(orjson.dumps(document([entry], Version.OLD)))

    assert predictions_of(written).entries == (entry,)
