"""Boxes take taxa from their neighbours, and say so."""

from datetime import datetime, timedelta

from okapia.domain.taxonomy import HUMAN, Taxon
from okapia.domain.types import (
    Analysis,
    BBox,
    CaptureMetadata,
    Category,
    Detection,
    Failure,
    ImageInfo,
    ImageResult,
    Prediction,
    Smooth,
)
from okapia.models.ranges import builtin_ranges
from okapia.models.taxa import builtin_taxonomy
from okapia.pipeline.cameras import Cameras, DeepestFolder
from okapia.pipeline.geofence import OPEN
from okapia.pipeline.geofence_files import geofence_of
from okapia.pipeline.neighbours import smooth_picture, smooth_sequences

NOON = datetime(2026, 6, 1, 12)  # noqa: DTZ001 - cameras write no time zone


def taxon(name: str) -> Taxon:
    return next(one for one in builtin_taxonomy() if one.common_name == name)


FOX, CANINE, BEAR = taxon("red fox"), taxon("canine family"), taxon("brown bear")


def box(what: Taxon, score: float = 0.9, *, category: Category = Category.ANIMAL) -> Detection:
    prediction = Prediction(what, score, "classifier", "4a")
    return Detection(BBox(0.1, 0.1, 0.2, 0.2), category, 0.9, "animal", (), prediction)


def names(detections: tuple[Detection, ...]) -> list[str]:
    return [d.prediction.taxon.common_name for d in detections if d.prediction]


def picture(name: str, *boxes: Detection, after_s: float | None = 0) -> ImageResult:
    taken = None if after_s is None else NOON + timedelta(seconds=after_s)
    info = ImageInfo(100, 100, "JPEG", 1, capture=CaptureMetadata(captured_at=taken))
    return ImageResult(name, Analysis(info, boxes))


def said(results: list[ImageResult]) -> list[list[str]]:
    return [names(r.outcome.detections) for r in results if isinstance(r.outcome, Analysis)]


CAMERAS = Cameras(DeepestFolder("survey"), None)


def test_off_changes_nothing() -> None:
    boxes = (box(FOX), box(CANINE))

    assert smooth_picture(boxes, Smooth.OFF, OPEN) == boxes


def test_a_broad_answer_takes_the_precise_one_beside_it_and_keeps_its_original() -> None:
    fox, canine = smooth_picture((box(FOX), box(CANINE, 0.7)), Smooth.HERD, OPEN)

    assert names((fox, canine)) == ["red fox", "red fox"]
    assert fox.prediction is not None
    assert fox.prediction.smoothing is None
    assert canine.prediction is not None
    assert canine.prediction.score == 0.7
    assert canine.prediction.smoothing is not None
    assert canine.prediction.smoothing.original == CANINE


def test_a_herd_takes_no_taxon_that_does_not_occur_there() -> None:
    fence = geofence_of(builtin_ranges().as_rules()).at("KEN")

    assert names(smooth_picture((box(FOX), box(CANINE)), Smooth.HERD, fence)) == ["red fox", "canine family"]


def test_a_single_other_species_among_many_becomes_theirs() -> None:
    boxes = (*[box(FOX)] * 4, box(BEAR))

    assert names(smooth_picture(boxes, Smooth.IMAGE, OPEN)) == ["red fox"] * 5


def test_people_stay_people() -> None:
    boxes = (*[box(FOX)] * 4, box(HUMAN))

    assert names(smooth_picture(boxes, Smooth.IMAGE, OPEN))[-1] == "human"


def test_boxes_without_an_answer_are_left_alone() -> None:
    silent = Detection(BBox(0, 0, 1, 1), Category.OTHER, 0.9, "bench")

    assert smooth_picture((silent, box(FOX)), Smooth.IMAGE, OPEN)[0] is silent


def test_pictures_of_one_camera_in_a_row_agree() -> None:
    results = [
        picture("north/1.jpg", box(FOX), box(FOX), after_s=0),
        picture("north/2.jpg", box(FOX), box(FOX), after_s=30),
        picture("north/3.jpg", box(BEAR), after_s=60),
    ]

    smoothed = smooth_sequences(results, CAMERAS)

    assert said(smoothed) == [["red fox"] * 2, ["red fox"] * 2, ["red fox"]]
    last = smoothed[2].outcome
    assert isinstance(last, Analysis)
    assert last.detections[0].prediction is not None
    smoothing = last.detections[0].prediction.smoothing
    assert smoothing is not None
    assert (smoothing.original, smoothing.source) == (BEAR, "north/2.jpg")


def test_another_camera_a_long_pause_and_an_unknown_time_are_other_sequences() -> None:
    foxes = [picture(f"north/{n}.jpg", box(FOX), box(FOX), after_s=n) for n in range(2)]
    others = [
        picture("south/1.jpg", box(BEAR), after_s=2),
        picture("north/9.jpg", box(BEAR), after_s=500),
        picture("north/x.jpg", box(BEAR), after_s=None),
    ]

    assert said(smooth_sequences([*foxes, *others], CAMERAS))[2:] == [["brown bear"]] * 3


def test_a_picture_that_failed_stays_in_its_place() -> None:
    results = [picture("a.jpg", box(FOX)), ImageResult("b.jpg", Failure("empty_image", "nothing"))]

    assert smooth_sequences(results, CAMERAS) == results


def test_what_was_smoothed_before_keeps_its_first_original() -> None:
    first = smooth_picture((box(FOX, 0.6), box(CANINE, 0.95)), Smooth.IMAGE, OPEN)
    results = [picture("a.jpg", *first), picture("b.jpg", *[box(BEAR)] * 5, after_s=10)]

    (smoothed, *_) = smooth_sequences(results, CAMERAS)

    assert isinstance(smoothed.outcome, Analysis)
    originals = [
        d.prediction.smoothing.original
        for d in smoothed.outcome.detections
        if d.prediction and d.prediction.smoothing
    ]
    assert CANINE in originals
