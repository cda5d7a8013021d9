"""MegaDetector results, as written."""

import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okapia.domain.errors import OutputNotWritable, UnreadableFile
from okapia.domain.taxonomy import ANIMAL, Taxon
from okapia.domain.types import (
    Analysis,
    BBox,
    CaptureMetadata,
    Category,
    Classification,
    Detection,
    Failure,
    ImageInfo,
    ImageResult,
    Prediction,
)
from okapia.formats.base import RunInfo
from okapia.formats.megadetector import MegaDetectorWriter, as_utf8, cut
from okapia.formats.megadetector_rules import validate

FOX = Taxon("fox-id", "mammalia", "carnivora", "canidae", "vulpes", "vulpes", "red fox")
DOG = Taxon("dog-id", "mammalia", "carnivora", "canidae", "canis", "familiaris", "domestic dog")
CANID = Taxon("canid-id", "mammalia", "carnivora", "canidae", "", "", "canine family")

INFO = RunInfo(
    detector="megadetector-lite+nanodet-coco",
    detection_completed_at=datetime(2026, 11, 21, 6, 30),  # noqa: DTZ001 - the format has local times
    typical_detection_threshold=0.2,
)
CAMERA_TIME = datetime(2024, 2, 29, 23, 59, 7)  # noqa: DTZ001 - cameras record no time zone


def box(confidence: float, *, category: Category = Category.ANIMAL) -> Detection:
    return Detection(BBox(0.1, 0.2, 0.3, 0.4), category, confidence, category.value)


def picture(name: str, *detections: Detection, image: ImageInfo | None = None) -> ImageResult:
    return ImageResult(name, Analysis(image or ImageInfo(1920, 1080, "JPEG", 1000), detections))


def write(target: Path, *results: ImageResult, info: RunInfo = INFO, keep_above: float = 0.05) -> None:
    with MegaDetectorWriter(target, keep_above=keep_above) as writer:
        for result in results:
            writer.add(result)
        writer.finish(info)


def written(target: Path, *results: ImageResult, info: RunInfo = INFO) -> dict[str, object]:
    write(target, *results, info=info)
    document: dict[str, object] = orjson.loads(target.read_bytes())
    return document


def test_what_the_request_said_of_a_picture_comes_back_with_it(tmp_path: Path) -> None:
    target = tmp_path / "results.json"
    said = replace(picture("a.jpg"), meta="subject 7")
    gone = ImageResult("b.jpg", Failure("missing", "not there"), meta="")

    document = written(target, said, gone, picture("c.jpg"))

    assert validate(target) == []
    assert isinstance(document["images"], list)
    assert [image.get("meta") for image in document["images"]] == ["subject 7", "", None]


def test_a_blank_picture_a_fox_and_a_failure_make_a_valid_file(tmp_path: Path) -> None:
    target = tmp_path / "results.json"
    fox = Detection(
        BBox(0.1, 0.2, 0.3, 0.4),
        Category.ANIMAL,
        0.87654,
        "animal",
        (Classification(FOX, 0.6), Classification(DOG, 0.25)),
        Prediction(CANID, 0.85, "classifier+rollup_to_family"),
    )
    failure = ImageResult("cut.jpg", Failure("truncated_image", "the file is cut off"))

    document = written(target, picture("blank.jpg"), picture("site/fox.jpg", fox), failure)

    assert validate(target) == []
    assert document["images"] == [
        {"file": "blank.jpg", "width": 1920, "height": 1080, "detections": []},
        {
            "file": "site/fox.jpg",
            "width": 1920,
            "height": 1080,
            "detections": [
                {
                    "category": "1",
                    "conf": 0.8765,
                    "bbox": [0.1, 0.2, 0.3, 0.4],
                    "classifications": [["1", 0.85], ["2", 0.6], ["3", 0.25]],
                }
            ],
        },
        {"file": "cut.jpg", "failure": "truncated_image: the file is cut off", "detections": None},
    ]
    assert document["classification_categories"] == {
        "1": "canine family",
        "2": "red fox",
        "3": "domestic dog",
    }
    assert document["classification_category_descriptions"] == {
        "1": "canid-id;mammalia;carnivora;canidae;;;canine family",
        "2": "fox-id;mammalia;carnivora;canidae;vulpes;vulpes;red fox",
        "3": "dog-id;mammalia;carnivora;canidae;canis;familiaris;domestic dog",
    }


def test_info_comes_first_and_says_what_made_the_file(tmp_path: Path) -> None:
    info = RunInfo(
        detector="megadetector-lite",
        detection_completed_at=INFO.detection_completed_at,
        typical_detection_threshold=0.2,
        classifier="efficientnet-lite0",
        classification_completed_at=INFO.detection_completed_at,
        summary_report="1 picture",
        manifest={"okapia": "0.1.0", "folder": "caf\udce9", "sizes": [512, 640]},
    )

    document = written(tmp_path / "results.json", info=info)

    assert next(iter(document)) == "info"
    assert document["info"] == {
        "format_version": "1.6",
        "detector": "megadetector-lite",
        "detection_completion_time": "2026-11-21 06:30:00",
        "detector_metadata": {"typical_detection_threshold": 0.2},
        "classifier": "efficientnet-lite0",
        "classification_completion_time": "2026-11-21 06:30:00",
        "summary_report": "1 picture",
        "custom_metadata": {"okapia": "0.1.0", "folder": "caf%E9", "sizes": [512, 640]},
    }
    assert document["classification_categories"] == {}
    assert validate(tmp_path / "results.json") == []


def test_a_run_without_pictures_is_a_valid_file(tmp_path: Path) -> None:
    document = written(tmp_path / "results.json")

    assert document["images"] == []
    assert document["detection_categories"] == {"1": "animal", "2": "person", "3": "vehicle"}
    assert "classification_categories" not in document
    assert validate(tmp_path / "results.json") == []


def test_boxes_come_by_falling_confidence_without_weak_and_foreign_ones(tmp_path: Path) -> None:
    target = tmp_path / "results.json"
    image = picture(
        "a.jpg",
        box(0.3),
        box(0.9, category=Category.VEHICLE),
        box(0.99, category=Category.OTHER),
        box(0.0499),
        box(0.05, category=Category.PERSON),
    )

    (entry,) = orjson.loads(orjson.dumps(written(target, image)["images"]))

    assert [(d["category"], d["conf"]) for d in entry["detections"]] == [("3", 0.9), ("1", 0.3), ("2", 0.05)]


def test_a_class_that_was_overruled_is_left_out_and_the_answer_stands_first(tmp_path: Path) -> None:
    target = tmp_path / "results.json"
    unsure = Detection(
        BBox(0, 0, 1, 1),
        Category.ANIMAL,
        0.4,
        "animal",
        (Classification(FOX, 0.5), Classification(ANIMAL, 0.3), Classification(DOG, 0.2)),
        Prediction(ANIMAL, 0.4, "detector"),
    )

    document = written(target, picture("a.jpg", unsure))

    assert document["classification_categories"] == {"1": "animal", "2": "domestic dog"}
    assert validate(target) == []


def test_camera_time_and_damage_are_written(tmp_path: Path) -> None:
    image = ImageInfo(640, 480, "JPEG", 99, 0.4321987, CaptureMetadata(captured_at=CAMERA_TIME))

    document = written(tmp_path / "results.json", picture("a.jpg", image=image))

    assert document["images"] == [
        {
            "file": "a.jpg",
            "width": 640,
            "height": 480,
            "datetime": "2024:02:29 23:59:07",
            "decoded_fraction": 0.4321,
            "detections": [],
        }
    ]
    assert validate(tmp_path / "results.json") == []


@given(st.floats(0, 1), st.integers(0, 10_000).map(lambda n: n / 10_000))
def test_cutting_never_moves_a_number_over_a_threshold(value: float, threshold: float) -> None:
    near = 0 < threshold - value < 1e-9  # closer than any network's float32

    assert near or (cut(value) >= threshold) == (value >= threshold)


@given(st.lists(st.tuples(*[st.floats(-0.5, 1.5)] * 4, st.floats(0, 1)), max_size=5), st.text())
@settings(max_examples=50, deadline=None)
def test_whatever_boxes_and_names_go_in_the_file_is_valid(
    tmp_path_factory: pytest.TempPathFactory, boxes: list[tuple[float, ...]], name: str
) -> None:
    target = tmp_path_factory.mktemp("md") / "results.json"
    detections = [Detection(BBox(*box[:4]), Category.ANIMAL, box[4], "animal") for box in boxes]

    write(target, picture(f"x{name}".replace("\\", "/"), *detections))

    assert validate(target) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("naïve #1 狐.jpg", "naïve #1 狐.jpg"),
        ("caf\udce9.jpg", "caf%E9.jpg"),
        ("\ud800.jpg", "%uD800.jpg"),
    ],
    ids=["plain unicode", "a byte that is not UTF-8", "half a UTF-16 pair"],
)
def test_names_become_valid_utf8(name: str, expected: str) -> None:
    assert as_utf8(name) == expected
    assert as_utf8(name).encode()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps folders of open files")
def test_finished_results_are_kept_when_the_target_cannot_be_replaced(tmp_path: Path) -> None:
    target = tmp_path / "results.json"

    with MegaDetectorWriter(target, keep_above=0.05) as writer:
        writer.add(picture("a.jpg"))
        target.mkdir()
        with pytest.raises(OutputNotWritable, match="finished file is"):
            writer.finish(INFO)

    (kept,) = tmp_path.glob(".okapia-*.part")
    assert validate(kept) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_is_an_error_of_ours(tmp_path: Path) -> None:
    with MegaDetectorWriter(tmp_path / "results.json", keep_above=0.05) as writer:
        writer._body._file.close()
        writer._body._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115 - the writer closes it
        with pytest.raises(OutputNotWritable, match="No space left"):
            writer.add(picture("a.jpg"))

    assert list(tmp_path.iterdir()) == []


def test_validating_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        validate(tmp_path / "missing.json")
