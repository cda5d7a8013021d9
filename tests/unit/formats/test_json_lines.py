"""Results as JSON lines, one picture each."""

from dataclasses import replace
from pathlib import Path

import orjson

from okapia.domain.types import Analysis, Gender, ImageResult
from okapia.formats.json_lines import result_format
from tests.unit.formats.answers import BLANK, DOG, FOX, GONE, MAN_BOX, TWO_BOXES, write


def written(folder: Path, *results: ImageResult, top_k: int | None = None) -> list[dict[str, object]]:
    path = write(result_format, folder / "results.jsonl", *results, top_k=top_k)
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_a_picture_is_an_object_with_the_models_own_numbers(tmp_path: Path) -> None:
    (found,) = written(tmp_path, TWO_BOXES)

    assert found == {
        "file": "cam 1/a.jpg",
        "meta": "site 7",
        "sha256": "0f" * 32,
        "width": 2048,
        "height": 1536,
        "decoded_fraction": 1.0,
        "captured_at": "2026-06-01T05:30:12",
        "camera_serial": "H500",
        "detections": [
            {
                "category": "animal",
                "label": "animal",
                "confidence": 2 / 3,
                "bbox": [0.1, 0.2, 0.3, 0.4],
                "prediction": {
                    "taxon": FOX.label,
                    "scientific_name": "Vulpes vulpes",
                    "common_name": "red fox",
                    "score": 1 / 3,
                    "source": "classifier",
                },
                "classifications": [
                    {"taxon": FOX.label, "score": 1 / 3},
                    {"taxon": DOG.label, "score": 0.25},
                ],
            },
            {
                "category": "person",
                "label": "person",
                "confidence": 0.5,
                "bbox": [0.5, 0.5, 0.25, 0.5],
                "prediction": None,
                "classifications": [],
            },
        ],
    }


def test_a_blank_picture_has_no_detections_and_a_failure_has_a_reason(tmp_path: Path) -> None:
    blank, gone = written(tmp_path, BLANK, GONE)

    assert (blank["detections"], blank["decoded_fraction"]) == ([], 0.5)
    assert gone == {
        "file": "cam 1/%FF.jpg",
        "meta": None,
        "sha256": None,
        "failure": {"code": "missing", "message": "not there"},
    }


def test_only_so_many_classes_are_written_as_are_asked_for(tmp_path: Path) -> None:
    (found,) = written(tmp_path, TWO_BOXES, top_k=1)

    assert isinstance(found["detections"], list)
    assert found["detections"][0]["classifications"] == [{"taxon": FOX.label, "score": 1 / 3}]


def test_a_frame_and_a_guess_are_told_where_there_are_some(tmp_path: Path) -> None:
    assert isinstance(BLANK.outcome, Analysis)
    face = replace(MAN_BOX, frame=30, gender=Gender(0.9))
    clip = replace(BLANK, outcome=replace(BLANK.outcome, detections=(face,)))

    (found,) = written(tmp_path, clip)

    assert isinstance(found["detections"], list)
    assert found["detections"][0]["frame"] == 30
    assert found["detections"][0]["gender"] == {"word": "man", "man_probability": 0.9}
