"""One picture through the pipeline: how often it is decoded, and what becomes of trouble."""

import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from okapia.domain.errors import ModelError
from okapia.domain.models import ModelReport
from okapia.domain.types import (
    Analysis,
    AnalysisOptions,
    BBox,
    Category,
    Classification,
    Crops,
    Detection,
    Failure,
    Size,
    Where,
)
from okapia.models.taxa import builtin_taxonomy
from okapia.pipeline.naming import RangeFiles
from okapia.pipeline.run import Pipeline
from okapia.vision.decode import DecodePolicy
from okapia.vision.geometry import fit, square_crop_box
from okapia.vision.resample import Pixels

TAXONOMY = builtin_taxonomy()
RED_FOX = next(taxon for taxon in TAXONOMY if taxon.common_name == "red fox")
OPTIONS = AnalysisOptions(threshold=0.2)


class Seeing:
    """Answers fixed boxes and remembers the pictures it was shown."""

    reports = (ModelReport("seeing", "detector", (64, 64), "test", "cpu", "f32", "0" * 64),)

    def __init__(self, *boxes: Detection) -> None:
        self.boxes = boxes
        self.shown: list[tuple[int, ...]] = []

    def wanted(self, picture: Size) -> Size:
        return fit(picture, (64, 64))

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        self.shown.append(pixels.shape)
        return self.boxes


class Naming:
    """Calls every crop a fox and remembers the crops."""

    taxonomy = TAXONOMY
    crop_side = 224
    reports = (ModelReport("naming", "classifier", (224, 224), "test", "cpu", "f32", "1" * 64),)

    def __init__(self) -> None:
        self.crops: list[tuple[int, ...]] = []

    def region(self, bbox: BBox, picture: Size) -> BBox:
        return square_crop_box(bbox, picture)

    def classify(self, crops: Sequence[Pixels]) -> list[tuple[Classification, ...]]:
        self.crops += [crop.shape for crop in crops]
        return [(Classification(RED_FOX, 0.9),) for _ in crops]


class Broken(Seeing):
    """A network that answers nonsense."""

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        raise ModelError(f"broken answered with numbers that are not finite, to {pixels.shape}")


def picture(width: int = 1600, height: int = 1200) -> bytes:
    out = io.BytesIO()
    ramp = np.linspace(0, 255, width * height * 3).reshape(height, width, 3).astype(np.uint8)
    Image.fromarray(ramp).save(out, "JPEG")
    return out.getvalue()


def box(category: Category, confidence: float, bbox: BBox) -> Detection:
    return Detection(bbox, category, confidence, category.value)


def pipeline(detector: Seeing, naming: Naming | None) -> Pipeline:
    return Pipeline(detector, naming, RangeFiles().naming(TAXONOMY, geofence=""), DecodePolicy())


def analysed(outcome: Analysis | Failure) -> Analysis:
    assert isinstance(outcome, Analysis), outcome
    return outcome


SMALL_ANIMAL = box(Category.ANIMAL, 0.9, BBox(0.1, 0.1, 0.2, 0.2))
WEAK_ANIMAL = box(Category.ANIMAL, 0.1, BBox(0.5, 0.5, 0.2, 0.2))
PERSON = box(Category.PERSON, 0.8, BBox(0.4, 0.4, 0.3, 0.3))


def test_the_detector_sees_a_picture_decoded_small() -> None:
    detector = Seeing()

    pipeline(detector, Naming()).run("a", picture(), OPTIONS)

    assert detector.shown == [(150, 200, 3)]


def test_an_animal_is_cut_out_of_a_larger_decode() -> None:
    naming = Naming()

    result = pipeline(Seeing(SMALL_ANIMAL), naming).run("a", picture(), OPTIONS)

    (crop,) = naming.crops
    assert min(crop[:2]) >= 224
    (animal,) = analysed(result.outcome).detections
    assert animal.prediction is not None
    assert animal.prediction.taxon == RED_FOX


def test_only_found_animals_are_classified() -> None:
    naming = Naming()

    result = pipeline(Seeing(SMALL_ANIMAL, PERSON, WEAK_ANIMAL), naming).run("a", picture(), OPTIONS)

    assert len(naming.crops) == 1
    detections = analysed(result.outcome).detections
    assert [d.confidence for d in detections] == [0.9, 0.8, 0.1]
    assert [d.prediction.taxon.common_name for d in detections if d.prediction] == ["red fox", "human"]


def test_without_classification_nothing_is_cut_out() -> None:
    naming = Naming()

    pipeline(Seeing(SMALL_ANIMAL), naming).run("a", picture(), AnalysisOptions(classify=False))

    assert naming.crops == []


@pytest.mark.parametrize(
    ("data", "code"), [(b"", "empty_image"), (b"text", "unsupported_format")], ids=["empty", "text"]
)
def test_a_bad_picture_is_a_failure_and_no_exception(data: bytes, code: str) -> None:
    result = pipeline(Seeing(), None).run("bad.jpg", data, OPTIONS)

    assert isinstance(result.outcome, Failure)
    assert (result.name, result.outcome.code) == ("bad.jpg", code)


def test_a_network_that_answers_nonsense_is_a_failure_and_no_blank_picture() -> None:
    result = pipeline(Broken(), None).run("a", picture(), OPTIONS)

    assert isinstance(result.outcome, Failure)
    assert result.outcome.code == "model_error"


def test_one_answer_a_picture_is_made_from_the_top_box_whatever_it_is() -> None:
    person = box(Category.PERSON, 0.6, BBox(0.1, 0.1, 0.2, 0.2))
    animal = box(Category.ANIMAL, 0.5, BBox(0.6, 0.6, 0.2, 0.2))
    naming = Naming()
    options = AnalysisOptions(crops=Crops.TOP_BOX)

    analysis = analysed(pipeline(Seeing(person, animal), naming).run("a", picture(), options).outcome)

    assert len(naming.crops) == 1
    assert analysis.prediction is not None
    assert (analysis.prediction.taxon, analysis.prediction.decision) == (RED_FOX, "4a")
    assert [d.prediction for d in analysis.detections] == [None, None]


def test_without_a_box_the_whole_picture_is_classified() -> None:
    naming = Naming()

    options = AnalysisOptions(crops=Crops.TOP_BOX)
    outcome = pipeline(Seeing(), naming).run("a", picture(200, 150), options).outcome

    assert naming.crops == [(150, 200, 3)]
    assert analysed(outcome).classifications[0].taxon == RED_FOX


def test_each_box_of_a_tenth_gets_an_answer_of_its_own() -> None:
    boxes = [box(Category.ANIMAL, confidence, BBox(0.1, 0.1, 0.2, 0.2)) for confidence in (0.8, 0.1, 0.09)]
    options = AnalysisOptions(crops=Crops.EVERY_BOX)

    analysis = analysed(pipeline(Seeing(*boxes), Naming()).run("a", picture(), options).outcome)

    assert [d.prediction is not None for d in analysis.detections] == [True, True, False]


def test_a_species_out_of_its_range_becomes_a_higher_taxon() -> None:
    seeing = Seeing(box(Category.ANIMAL, 0.8, BBox(0.1, 0.1, 0.2, 0.2)))
    ranged = RangeFiles().naming(TAXONOMY, geofence="builtin")
    fenced = Pipeline(seeing, Naming(), ranged, DecodePolicy())

    analysis = analysed(fenced.run("a", picture(), AnalysisOptions(where=Where("KEN"))).outcome)

    prediction = analysis.detections[0].prediction
    assert prediction is not None
    assert prediction.taxon.common_name == "canine family"
    assert [r.original for r in prediction.restrictions] == [RED_FOX]


def test_a_code_that_is_none_fails_the_picture_alone() -> None:
    seeing = Seeing(box(Category.ANIMAL, 0.8, BBox(0.1, 0.1, 0.2, 0.2)))
    options = AnalysisOptions(where=Where("KE"))

    outcome = pipeline(seeing, Naming()).run("a", picture(), options).outcome

    assert isinstance(outcome, Failure)
    assert outcome.code == "invalid_request"
