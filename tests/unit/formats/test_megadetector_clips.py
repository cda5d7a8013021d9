"""What MegaDetector's format says of video files, as written and as checked."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from okapia.domain.clips import Clip
from okapia.domain.taxonomy import HUMAN
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
from okapia.formats.megadetector_rules import validate
from tests.unit.formats.test_megadetector import FOX, picture, write

CLIP = ImageInfo(1920, 1080, "MP4", 10_000, clip=Clip(29.97, (0, 30, 60), 2.5))


def seen(frame: int, confidence: float, *, category: Category = Category.ANIMAL) -> Detection:
    scores = (Classification(FOX, 0.7),) if category is Category.ANIMAL else ()
    answer = Prediction(FOX if scores else HUMAN, 0.7, "classifier")
    bbox = BBox(0.1, 0.2, 0.3, 0.4)
    return Detection(bbox, category, confidence, category.value, scores, answer, frame=frame)


def clip(*detections: Detection) -> ImageResult:
    return ImageResult("cam/a.mp4", Analysis(CLIP, detections))


def written(target: Path, *results: ImageResult) -> dict[str, Any]:  # JSON, looked into
    write(target, *results)
    document: dict[str, Any] = orjson.loads(target.read_bytes())
    return document


def test_a_clips_frames_are_written_and_valid(tmp_path: Path) -> None:
    target = tmp_path / "results.json"

    (image,) = written(target, clip(seen(30, 0.9), seen(60, 0.8), seen(0, 0.4)))["images"]

    assert (image["frame_rate"], image["frames_processed"]) == (29.97, [0, 30, 60])
    assert [(d["frame_number"], d["conf"]) for d in image["detections"]] == [(30, 0.9), (60, 0.8), (0, 0.4)]
    assert validate(target) == []


def test_a_clip_is_summed_up(tmp_path: Path) -> None:
    person = seen(60, 0.6, category=Category.PERSON)

    document = written(tmp_path / "results.json", clip(seen(30, 0.9), seen(30, 0.5), seen(60, 0.8), person))

    (image,) = document["images"]
    assert image["sightings"] == [
        {"category": "1", "frames": 2, "best_frame": 30, "best_conf": 0.9, "classification": "1"},
        {"category": "2", "frames": 1, "best_frame": 60, "best_conf": 0.6},
    ]
    assert document["classification_categories"] == {"1": "red fox"}


def test_a_failed_clip_has_the_fields_that_the_format_wants_of_it(tmp_path: Path) -> None:
    target = tmp_path / "results.json"
    failed = ImageResult(
        "cam/B.AVI", Failure("clip_too_long", "expected a clip of at most 600 s, got 3,600 s")
    )

    (image,) = written(target, failed)["images"]

    assert (image["frame_rate"], image["frames_processed"], image["detections"]) == (-1.0, [], None)
    assert image["failure"] == "clip_too_long: expected a clip of at most 600 s, got 3,600 s"
    assert validate(target) == []


def test_pictures_beside_clips_are_written_as_ever(tmp_path: Path) -> None:
    target = tmp_path / "results.json"
    failed = ImageResult("b.jpg", Failure("undecodable_image", "no JPEG"))

    _, *others = written(target, clip(seen(0, 0.9)), picture("a.jpg"), failed)["images"]

    fields = {"frame_rate", "frames_processed", "sightings"}
    assert [fields & image.keys() for image in others] == [set(), set()]
    assert validate(target) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"frame_rate": 0}, "images[0].frame_rate: expected a number above 0, got 0"),
        ({"frame_rate": -1}, "images[0].frame_rate: expected a number above 0, got -1"),
        ({"frame_rate": None}, "images[0].frame_rate: expected a number above 0, got None"),
        (
            {"frames_processed": None},
            "images[0].frames_processed: expected a list of frame numbers from 0, got None",
        ),
        (
            {"frames_processed": [0, -1]},
            "images[0].frames_processed: expected a list of frame numbers from 0, got [0, -1]",
        ),
        (
            {"frames_processed": [0, 1]},
            "images[0].detections[0].frame_number: expected one of frames_processed, got 30",
        ),
    ],
)
def test_faults_of_clips_are_named(tmp_path: Path, changes: dict[str, object], fault: str) -> None:
    target = tmp_path / "results.json"
    document = written(target, clip(seen(30, 0.9)))
    document["images"][0] |= changes

    target.write_bytes(orjson.dumps(document))

    assert validate(target) == [fault]


def test_a_video_file_without_frame_numbers_is_a_fault(tmp_path: Path) -> None:
    target = tmp_path / "results.json"
    document = written(target, clip(seen(30, 0.9)))
    del document["images"][0]["detections"][0]["frame_number"]

    target.write_bytes(orjson.dumps(document))

    assert validate(target) == [
        "images[0].detections[0].frame_number: expected one of frames_processed, got None"
    ]
