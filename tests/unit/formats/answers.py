"""Answers for formats to write, and how they are written."""

from datetime import datetime
from pathlib import Path

from okapia.domain.taxonomy import Taxon
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
from okapia.formats.base import Format, RunInfo, Writing

FOX = Taxon("fox-id", "mammalia", "carnivora", "canidae", "vulpes", "vulpes", "red fox")
DOG = Taxon("dog-id", "mammalia", "carnivora", "canidae", "canis", "familiaris", "domestic dog")
SEEN = (Classification(FOX, 1 / 3), Classification(DOG, 0.25))
CAPTURE = CaptureMetadata(captured_at=datetime(2026, 6, 1, 5, 30, 12), camera_serial="H500")  # noqa: DTZ001 - cameras record no zone

FOX_BOX = Detection(
    BBox(0.1, 0.2, 0.3, 0.4), Category.ANIMAL, 2 / 3, "animal", SEEN, Prediction(FOX, 1 / 3, "classifier")
)
MAN_BOX = Detection(BBox(0.5, 0.5, 0.25, 0.5), Category.PERSON, 0.5, "person")
FAINT_BOX = Detection(BBox(0.0, 0.0, 0.1, 0.1), Category.ANIMAL, 0.01, "animal")

TWO_BOXES = ImageResult(
    "cam 1/a.jpg",
    Analysis(ImageInfo(2048, 1536, "JPEG", 9000, capture=CAPTURE), (FOX_BOX, MAN_BOX, FAINT_BOX)),
    meta="site 7",
    sha256="0f" * 32,
)
BLANK = ImageResult("cam 1/b.jpg", Analysis(ImageInfo(640, 480, "JPEG", 900, decoded_fraction=0.5), ()))
GONE = ImageResult("cam 1/\udcff.jpg", Failure("missing", "not there"))

INFO = RunInfo("megadetector-lite", datetime(2026, 6, 1), 0.2, manifest={"country": "KEN", "odd": "\udcff"})  # noqa: DTZ001 - local time, as the format wants it


def write(result_format: Format, target: Path, *results: ImageResult, top_k: int | None = None) -> Path:
    """Write the results that are found above 0.05."""
    with result_format.writer(target, Writing(0.05, "megadetector-lite", top_k)) as writer:
        for result in results:
            writer.add(result)
        writer.finish(INFO)
    return target
