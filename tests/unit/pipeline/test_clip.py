"""A clip through the pipeline: one answer of all the frames that were looked at."""

import numpy as np
import pytest

from okapia.domain.clips import FrameRule, FrameUnit
from okapia.domain.errors import InvalidRequest
from okapia.domain.sightings import sightings
from okapia.domain.types import Analysis, AnalysisOptions, BBox, Category, Crops, Detection, Failure
from okapia.vision.resample import Pixels
from tests.unit.pipeline.test_run import (
    PERSON,
    RED_FOX,
    Broken,
    Naming,
    Seeing,
    analysed,
    box,
    picture,
    pipeline,
)
from tests.unit.vision.clips import avi, clip, jpeg, plain

EVERY_FIFTH = AnalysisOptions(frames=FrameRule(5, FrameUnit.FRAMES))


class Watching(Seeing):
    """Sees an animal in every frame that is not black, the surer the brighter, and two in the brightest."""

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        self.shown.append(pixels.shape)
        light = min(float(pixels.mean()) / 50, 1.0)
        if light < 0.1:
            return ()
        animals = [box(Category.ANIMAL, light, BBox(0.1, 0.1, 0.5, 0.5))]
        if light > 0.7:
            animals.append(box(Category.ANIMAL, light / 3, BBox(0.6, 0.6, 0.2, 0.2)))
        return tuple(animals)


def watched(data: bytes, options: AnalysisOptions = EVERY_FIFTH) -> Analysis:
    return analysed(pipeline(Watching(), Naming()).run("a.mp4", data, options).outcome)


def failure(data: bytes, options: AnalysisOptions = EVERY_FIFTH) -> Failure:
    outcome = pipeline(Seeing(), None).run("a.mp4", data, options).outcome
    assert isinstance(outcome, Failure)
    return outcome


def test_the_boxes_of_all_frames_that_were_looked_at_are_one_answer() -> None:
    found = watched(clip(plain(21)))

    assert [d.frame for d in found.detections] == [20, 15, 10, 20, 5]
    assert [d.confidence for d in found.detections] == pytest.approx([0.8, 0.6, 0.4, 0.27, 0.2], abs=0.1)
    assert found.image.clip
    assert found.image.clip.frames == (0, 5, 10, 15, 20)


def test_only_the_frames_that_the_rule_picks_cost_inference() -> None:
    detector = Watching()

    pipeline(detector, Naming()).run("a.mp4", clip(plain(21)), EVERY_FIFTH)

    assert detector.shown == [(48, 64, 3)] * 5


def test_animals_of_a_clip_are_classified_as_those_of_pictures_are() -> None:
    naming = Naming()

    result = pipeline(Watching(), naming).run("a.mp4", clip(plain(21)), EVERY_FIFTH)

    found = [d for d in analysed(result.outcome).detections if d.confidence >= 0.2]
    assert len(naming.crops) == len(found)
    assert {d.prediction.taxon for d in found if d.prediction} == {RED_FOX}


def test_a_frame_gets_the_answer_that_the_same_picture_gets() -> None:
    frame = jpeg(np.full((48, 64, 3), 40, dtype=np.uint8))

    from_clip = watched(avi([frame], (64, 48))).detections
    from_picture = watched(frame).detections

    assert [d.frame for d in from_picture] == [None, None]
    assert [d.bbox for d in from_clip] == [d.bbox for d in from_picture]
    assert [d.confidence for d in from_clip] == pytest.approx([d.confidence for d in from_picture], abs=0.02)


def test_the_summary_names_each_kind_once_with_its_best_frame() -> None:
    found = watched(clip(plain(21))).above(0.3)

    (foxes,) = sightings(found.detections)

    assert (foxes.category, foxes.taxon, foxes.frames) == (Category.ANIMAL, RED_FOX, 3)
    assert foxes.best == found.detections[0]
    assert foxes.best.frame == 20


def test_the_summary_puts_first_what_is_in_most_frames() -> None:
    walker = pipeline(Seeing(PERSON), None).run("a.mp4", clip(plain(21)), EVERY_FIFTH)
    one_fox = box(Category.ANIMAL, 0.9, BBox(0, 0, 1, 1))

    found = sightings([one_fox, *analysed(walker.outcome).detections])

    assert [(kind.category, kind.frames) for kind in found] == [(Category.PERSON, 5), (Category.ANIMAL, 1)]


def test_what_is_said_of_the_whole_is_what_the_best_frame_says() -> None:
    options = AnalysisOptions(crops=Crops.TOP_BOX, frames=FrameRule(5, FrameUnit.FRAMES))

    whole = watched(clip(plain(21)), options)

    assert whole.prediction
    assert whole.prediction.taxon == RED_FOX
    assert [c.taxon for c in whole.classifications] == [RED_FOX]


def test_a_clip_in_which_nothing_is_found_has_an_answer() -> None:
    empty = watched(clip(plain(2)))

    assert empty.detections == ()
    assert empty.image.clip
    assert sightings(empty.detections) == ()


def test_a_clip_is_refused_where_nobody_asked_for_clips() -> None:
    data = clip(plain(2))

    refused = failure(data, AnalysisOptions())

    assert refused == Failure(
        "unsupported_format",
        f"expected a picture, got a video file of {len(data):,} bytes; `okapia run --video` reads those",
    )


def test_pictures_are_pictures_where_clips_are_asked_for() -> None:
    assert watched(picture()).image.clip is None


@pytest.mark.parametrize(
    ("data", "rule", "code"),
    [
        (clip(plain(25))[:-100], FrameRule(), "undecodable_image"),
        (clip(plain(25)), FrameRule(0.1, most=3), "clip_too_long"),
    ],
)
def test_a_clip_that_is_broken_or_too_long_has_a_failure(data: bytes, rule: FrameRule, code: str) -> None:
    assert failure(data, AnalysisOptions(frames=rule)).code == code


def test_a_network_that_fails_in_the_middle_fails_the_clip() -> None:
    outcome = pipeline(Broken(), None).run("a.mp4", clip(plain(2)), EVERY_FIFTH).outcome

    assert isinstance(outcome, Failure)
    assert outcome.code == "model_error"


@pytest.mark.parametrize(
    ("every", "unit", "most", "param"),
    [
        (0, FrameUnit.SECONDS, 10, "every"),
        (-1, FrameUnit.SECONDS, 10, "every"),
        (float("nan"), FrameUnit.SECONDS, 10, "every"),
        (float("inf"), FrameUnit.SECONDS, 10, "every"),
        (1.5, FrameUnit.FRAMES, 10, "every"),
        (1, FrameUnit.FRAMES, 0, "most"),
    ],
)
def test_a_rule_that_picks_nothing_is_refused(every: float, unit: FrameUnit, most: int, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        FrameRule(every, unit, most)

    assert caught.value.param == param
