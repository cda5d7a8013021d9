"""Results files read back."""

from datetime import datetime
from pathlib import Path

import pytest

from okapia.domain.errors import InvalidRequest, UnreadableFile
from okapia.domain.taxonomy import Taxon
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
from okapia.formats.base import RunInfo
from okapia.formats.megadetector import MegaDetectorWriter
from okapia.formats.written import WrittenBox, WrittenImage, WrittenResults

FOX = Taxon("fox-id", "mammalia", "carnivora", "canidae", "vulpes", "vulpes", "red fox")
MADE_AT = datetime(2026, 11, 21, 6, 30)  # noqa: DTZ001 - the format has local times


@pytest.fixture
def file(tmp_path: Path) -> Path:
    fox = Detection(
        BBox(0.1, 0.2, 0.3, 0.4),
        Category.ANIMAL,
        0.9,
        "animal",
        (Classification(FOX, 0.8),),
        Prediction(FOX, 0.8, "classifier"),
    )
    path = tmp_path / "results.json"
    with MegaDetectorWriter(path, keep_above=0.05) as writer:
        writer.add(ImageResult("a/füchse.jpg", Analysis(ImageInfo(1920, 1080, "JPEG", 1000), (fox,))))
        writer.add(ImageResult("b.jpg", Failure.of(UnreadableFile("gone"))))
        writer.finish(RunInfo("detector", MADE_AT, 0.2, manifest={"sizes": [512, 640]}))
    return path


def test_what_was_written_is_read(file: Path) -> None:
    results = WrittenResults(file)

    box = WrittenBox("1", 0.9, (0.1, 0.2, 0.3, 0.4), [("1", 0.8)])
    assert len(results) == 2
    assert results.image(0) == WrittenImage("a/füchse.jpg", [box], None, 1920, 1080)
    assert results.image(1) == WrittenImage("b.jpg", None, "unreadable_file: gone")
    assert (results.categories["1"], results.taxa["1"]) == ("animal", FOX.label)
    assert results.manifest == {"sizes": [512, 640]}


def test_a_hash_is_read_where_a_file_has_it(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(
        '{"images": [{"file": "a.jpg", "detections": [], "sha256": "00ff"}], "info": {}, '
        '"detection_categories": {"1": "animal"}}'
    )

    results = WrittenResults(file)

    assert (results.image(0).sha256, results.manifest) == ("00ff", None)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"images": []}', b"\xff\xd8\xff\xe0"])
def test_another_file_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other.json"
    file.write_bytes(content)

    with pytest.raises(InvalidRequest, match=r"expected MegaDetector's batch results, other\.json"):
        WrittenResults(file)


def test_a_bad_image_is_refused_when_it_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    file.write_text('{"images": [{"file": 1}], "info": {}, "detection_categories": {}}')

    with pytest.raises(InvalidRequest, match="file"):
        WrittenResults(file).image(0)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"cannot read none\.json: No such file"):
        WrittenResults(tmp_path / "none.json")
