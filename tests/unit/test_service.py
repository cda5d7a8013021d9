"""The waist: bulk work in order, one picture's trouble its own, everything counted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from okapia.domain.errors import UnreadableFile
from okapia.domain.types import Analysis, AnalysisOptions, Failure, ImageResult
from okapia.service import NamedImage, Service
from tests.unit.dialects.foxes import fox_service
from tests.unit.dialects.test_animaldetect import jpeg

OPTIONS = AnalysisOptions()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = fox_service(tmp_path)
    yield service
    service.close()


def unreadable() -> bytes:
    raise UnreadableFile("cannot read the file: Permission denied")


def crashing() -> bytes:
    raise RuntimeError("a fault in Okapia")


def outcome_code(result: ImageResult) -> str:
    return result.outcome.code if isinstance(result.outcome, Failure) else "ok"


def counted(service: Service, outcome: str) -> float | None:
    return service.meters.registry.get_sample_value("okapia_images_total", {"outcome": outcome})


def test_bulk_results_come_in_order_and_trouble_stays_with_its_picture(service: Service) -> None:
    reads = {"a.jpg": jpeg, "b.jpg": unreadable, "c.jpg": crashing, "d.jpg": bytes, "e.jpg": jpeg}

    results = list(service.analyze_many((NamedImage(n, read) for n, read in reads.items()), OPTIONS))

    assert [(r.name, outcome_code(r)) for r in results] == [
        ("a.jpg", "ok"),
        ("b.jpg", "unreadable_file"),
        ("c.jpg", "internal_error"),
        ("d.jpg", "empty_image"),
        ("e.jpg", "ok"),
    ]


def test_every_picture_is_counted_once_under_its_outcome(service: Service) -> None:
    images = [NamedImage("a", jpeg), NamedImage("b", bytes), NamedImage("c", jpeg)]

    list(service.analyze_many(images, OPTIONS))

    assert counted(service, "ok") == 2
    assert counted(service, "empty_image") == 1


def test_what_else_is_to_be_done_is_done_with_good_pictures_only(service: Service) -> None:
    done: list[tuple[str, int]] = []
    images = [NamedImage("a", jpeg), NamedImage("b", bytes)]

    list(service.analyze_many(images, OPTIONS, also=lambda r, data: done.append((r.name, len(data)))))

    assert done == [("a", len(jpeg()))]


def test_a_lone_picture_is_answered_too(service: Service) -> None:
    result = service.analyze(NamedImage("a", jpeg), OPTIONS).result(timeout=10)

    assert isinstance(result.outcome, Analysis)


def test_readiness_names_the_models(service: Service) -> None:
    assert [report.model_id for report in service.check_ready()] == ["one-fox", "fox-namer"]


def test_a_picture_that_is_read_ahead_keeps_its_trouble_to_itself(service: Service) -> None:
    read = [NamedImage("a", unreadable).read_now(), NamedImage("b", jpeg).read_now()]

    results = list(service.analyze_many(read, OPTIONS))

    assert [outcome_code(result) for result in results] == ["unreadable_file", "ok"]
