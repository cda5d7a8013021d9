"""The strict check of MegaDetector results: one fault at a time, then several."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from okapia.formats.megadetector_rules import validate

Document = dict[str, Any]  # tests break documents in ways that no type allows
Fault = Callable[[Document], object]


def valid() -> Document:
    return {
        "info": {
            "format_version": "1.6",
            "detector": "md",
            "detection_completion_time": "2026-11-21 06:30:00",
        },
        "detection_categories": {"1": "animal"},
        "classification_categories": {"7": "red fox"},
        "classification_category_descriptions": {"7": "fox"},
        "images": [
            {
                "file": "a.jpg",
                "width": 10,
                "height": 10,
                "datetime": "2024:02:29 23:59:07",
                "detections": [
                    {"category": "1", "conf": 0.9, "bbox": [0, 0.5, 1, 0.5], "classifications": [["7", 1]]},
                    {"category": "1", "conf": -0.4, "bbox": [0.0, 0.0, 0.1, 0.1]},
                ],
            },
            {"file": "b.jpg", "failure": "unreadable", "detections": None},
            {"file": "c.jpg", "failure": None, "detections": []},
        ],
    }


def check(tmp_path: Path, document: object) -> list[str]:
    path = tmp_path / "results.json"
    path.write_bytes(orjson.dumps(document))
    return validate(path)


def image(document: Document) -> Document:
    first: Document = document["images"][0]
    return first


def detection(document: Document) -> Document:
    first: Document = image(document)["detections"][0]
    return first


FAULTS: dict[str, tuple[str, Fault]] = {
    "unknown field": ("extra", lambda d: d.update(extra=1)),
    "no info": ("info", lambda d: d.pop("info")),
    "no version": ("info.format_version", lambda d: d["info"].pop("format_version")),
    "version is a word": ("info.format_version", lambda d: d["info"].update(format_version="new")),
    "version is a number": ("info.format_version", lambda d: d["info"].update(format_version=1.6)),
    "version too old": ("info.format_version", lambda d: d["info"].update(format_version="1.2")),
    "detector is a number": ("info.detector", lambda d: d["info"].update(detector=5)),
    "time with a T": (
        "info.detection_completion_time",
        lambda d: d["info"].update(detection_completion_time="2026-11-21T06:30:00"),
    ),
    "metadata is a list": ("info.detector_metadata", lambda d: d["info"].update(detector_metadata=[])),
    "no categories": ("detection_categories", lambda d: d.update(detection_categories=None)),
    "negative id": ("detection_categories", lambda d: d["detection_categories"].update({"-1": "x"})),
    "id is a word": ("detection_categories", lambda d: d["detection_categories"].update({"one": "x"})),
    "blank name": ("detection_categories.2", lambda d: d["detection_categories"].update({"2": " "})),
    "class is a number": (
        "classification_categories.7",
        lambda d: d["classification_categories"].update({"7": 7}),
    ),
    "other ids described": (
        "classification_category_descriptions",
        lambda d: d["classification_category_descriptions"].update({"8": "dog"}),
    ),
    "description is a number": (
        "classification_category_descriptions.7",
        lambda d: d["classification_category_descriptions"].update({"7": 1}),
    ),
    "images is an object": ("images", lambda d: d.update(images={})),
    "image is a string": ("images[2]", lambda d: d["images"].__setitem__(2, "c.jpg")),
    "no file": ("images[0].file", lambda d: image(d).pop("file")),
    "empty file": ("images[0].file", lambda d: image(d).update(file="")),
    "backslash": ("images[0].file", lambda d: image(d).update(file="site\\a.jpg")),
    "same file twice": ("images[1].file", lambda d: d["images"][1].update(file="a.jpg")),
    "camera time with dashes": (
        "images[0].datetime",
        lambda d: image(d).update(datetime="2024-02-29 23:59:07"),
    ),
    "width 0": ("images[0].width", lambda d: image(d).update(width=0)),
    "failure is a number": ("images[1].failure", lambda d: d["images"][1].update(failure=3)),
    "failure with boxes": ("images[1].detections", lambda d: d["images"][1].update(detections=[])),
    "no failure and no boxes": ("images[2].detections", lambda d: d["images"][2].update(detections=None)),
    "detection is a list": (
        "images[0].detections[0]",
        lambda d: image(d)["detections"].__setitem__(0, []),
    ),
    "unknown category": ("images[0].detections[0].category", lambda d: detection(d).update(category="2")),
    "category is a number": ("images[0].detections[0].category", lambda d: detection(d).update(category=1)),
    "conf is whole": ("images[0].detections[0].conf", lambda d: detection(d).update(conf=1)),
    "conf above 1": ("images[0].detections[0].conf", lambda d: detection(d).update(conf=1.5)),
    "conf is missing": ("images[0].detections[0].conf", lambda d: detection(d).pop("conf")),
    "weakest first": ("images[0].detections", lambda d: detection(d).update(conf=0.1)),
    "three numbers": ("images[0].detections[0].bbox", lambda d: detection(d).update(bbox=[0, 0, 1])),
    "a word in the box": ("images[0].detections[0].bbox", lambda d: detection(d).update(bbox=[0, 0, 1, "1"])),
    "box left of the picture": (
        "images[0].detections[0].bbox",
        lambda d: detection(d).update(bbox=[-0.1, 0, 1, 1]),
    ),
    "box without height": ("images[0].detections[0].bbox", lambda d: detection(d).update(bbox=[0, 0, 1, 0])),
    "box beyond the picture": (
        "images[0].detections[0].bbox",
        lambda d: detection(d).update(bbox=[0.5, 0, 0.6, 1]),
    ),
    "classifications is an object": (
        "images[0].detections[0].classifications",
        lambda d: detection(d).update(classifications={}),
    ),
    "a class alone": (
        "images[0].detections[0].classifications[0]",
        lambda d: detection(d).update(classifications=[["7"]]),
    ),
    "unknown class": (
        "images[0].detections[0].classifications[0]",
        lambda d: detection(d).update(classifications=[["9", 0.5]]),
    ),
    "score above 1": (
        "images[0].detections[0].classifications[0]",
        lambda d: detection(d).update(classifications=[["7", 2]]),
    ),
    "best class last": (
        "images[0].detections[0].classifications",
        lambda d: detection(d).update(classifications=[["7", 0.1], ["7", 0.5]]),
    ),
}


@pytest.mark.parametrize(("where", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_each_fault_is_named_with_its_place(tmp_path: Path, where: str, fault: Fault) -> None:
    document = valid()
    fault(document)

    problems = check(tmp_path, document)

    assert [problem for problem in problems if problem.startswith(f"{where}:")]


def test_a_valid_document_has_no_fault(tmp_path: Path) -> None:
    assert check(tmp_path, valid()) == []


def test_all_faults_are_named_not_the_first(tmp_path: Path) -> None:
    document = valid()
    detection(document)["bbox"] = [2, 2, 0, 0]
    detection(document)["conf"] = "high"
    document["images"][1]["failure"] = ""

    assert len(check(tmp_path, document)) >= 4


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"info": NaN}', b'"\xff"'], ids=["empty", "cut", "NaN", "bytes"]
)
def test_what_is_not_json_is_said_to_be_so(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(text)

    (problem,) = validate(path)

    assert problem.startswith("not JSON")


def test_a_list_is_not_this_format(tmp_path: Path) -> None:
    assert check(tmp_path, []) == ["expected an object, got a list"]
