"""Clips among pictures in bulk work: in their places, each one's trouble its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from okapia.domain.clips import FrameRule
from okapia.domain.types import Analysis, AnalysisOptions, Failure, ImageResult
from okapia.service import NamedImage, Service
from tests.unit.dialects.foxes import fox_service
from tests.unit.dialects.test_animaldetect import jpeg
from tests.unit.vision.clips import clip, plain

WITH_CLIPS = AnalysisOptions(frames=FrameRule(0.5))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = fox_service(tmp_path)
    yield service
    service.close()


def images() -> list[NamedImage]:
    whole = clip(plain(25, (320, 240)))
    return [
        NamedImage("a.jpg", jpeg),
        NamedImage("b.mp4", lambda: whole),
        NamedImage("c.mp4", lambda: whole[:-100]),
        NamedImage("d.mp4", lambda: clip(plain(25, (320, 240)), suffix=".avi", codec="MJPG")),
        NamedImage("e.jpg", jpeg),
    ]


def kind(result: ImageResult) -> str:
    if isinstance(result.outcome, Failure):
        return result.outcome.code
    return result.outcome.image.format


def test_a_broken_clip_is_a_failure_of_its_own(service: Service) -> None:
    results = list(service.analyze_many(images(), WITH_CLIPS))

    assert [result.name for result in results] == ["a.jpg", "b.mp4", "c.mp4", "d.mp4", "e.jpg"]
    assert [kind(result) for result in results] == ["JPEG", "MP4", "undecodable_image", "AVI", "JPEG"]


def test_every_frame_that_is_looked_at_is_in_the_answer(service: Service) -> None:
    (result,) = service.analyze_many(images()[1:2], WITH_CLIPS)

    assert isinstance(result.outcome, Analysis)
    assert result.outcome.image.clip
    assert result.outcome.image.clip.frames == (0, 5, 10, 15, 20)
    assert {detection.frame for detection in result.outcome.detections} == {0, 5, 10, 15, 20}


def test_copies_are_drawn_of_pictures_only(service: Service) -> None:
    drawn: list[str] = []

    list(service.analyze_many(images(), WITH_CLIPS, also=lambda result, _: drawn.append(result.name)))

    assert sorted(drawn) == ["a.jpg", "e.jpg"]
