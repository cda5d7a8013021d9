"""Models come, go and change while pictures are on their way, and no picture notices."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from okapia.domain.errors import ServerBusy, UnknownModel
from okapia.domain.models import ModelChoice
from okapia.domain.types import Analysis, AnalysisOptions, ImageResult
from okapia.service import URBAN, WILD, NamedImage, Service
from tests.unit.dialects.bright import bright_service
from tests.unit.dialects.test_animaldetect import jpeg

OPTIONS = AnalysisOptions()
STOAT, SLOW, GUARD = (ModelChoice(name, None) for name in ("stoat", "slow", "guard"))
DELAY_S = 1.0


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = bright_service(tmp_path, delay_s=DELAY_S)
    yield service
    service.close()


def labels(result: ImageResult) -> list[str]:
    assert isinstance(result.outcome, Analysis)
    return [d.label for d in result.outcome.detections]


def test_a_model_that_is_being_loaded_delays_no_picture_of_another(service: Service) -> None:
    service.models.load("stoat")
    picture = jpeg()
    slow = [service.analyze(NamedImage("slow", lambda: picture), OPTIONS, choice=SLOW) for _ in range(4)]

    started = time.monotonic()
    fast = [service.analyze(NamedImage("fast", lambda: picture), OPTIONS, choice=STOAT) for _ in range(8)]
    found = [labels(answer.result(timeout=5)) for answer in fast]
    waited = time.monotonic() - started

    assert found == [["animal"]] * 8
    assert waited < DELAY_S
    assert not any(answer.done() for answer in slow)
    assert [labels(answer.result(timeout=5)) for answer in slow] == [["animal"]] * 4


def test_too_many_pictures_that_wait_for_a_model_are_refused(service: Service) -> None:
    waiting = [service.analyze(NamedImage("a", jpeg), OPTIONS, choice=SLOW) for _ in range(8)]

    with pytest.raises(ServerBusy):
        service.analyze(NamedImage("a", jpeg), OPTIONS, choice=SLOW)

    assert all(labels(answer.result(timeout=5)) for answer in waiting)
    assert labels(service.analyze(NamedImage("a", jpeg), OPTIONS, choice=SLOW).result(timeout=5))


def test_a_model_that_cannot_be_had_fails_the_picture_and_nothing_else(service: Service) -> None:
    missing = service.analyze(NamedImage("a", jpeg), OPTIONS, choice=ModelChoice("weasel", None))
    present = service.analyze(NamedImage("b", jpeg), OPTIONS, choice=GUARD)

    with pytest.raises(UnknownModel):
        missing.result(timeout=5)
    assert labels(present.result(timeout=5)) == ["person"]


def test_no_picture_is_dropped_while_profiles_change_and_models_leave(service: Service) -> None:
    picture = jpeg()

    def ask(_: int) -> list[str]:
        return labels(service.analyze(NamedImage("a", lambda: picture), OPTIONS).result(timeout=10))

    with ThreadPoolExecutor(4) as callers:
        answers = callers.map(ask, range(200))
        for change in range(20):
            service.models.use(WILD, (GUARD, STOAT)[change % 2])
            service.models.unload(("stoat", "guard")[change % 2])
        found = list(answers)

    assert len(found) == 200
    assert {tuple(answer) for answer in found} <= {("animal",), ("person",)}


def test_a_cancelled_picture_does_not_hold_the_loader(service: Service) -> None:
    first = service.analyze(NamedImage("a", jpeg), OPTIONS, choice=SLOW)
    second = service.analyze(NamedImage("b", jpeg), OPTIONS, choice=GUARD)

    assert second.cancel()
    assert labels(first.result(timeout=5)) == ["animal"]
    assert service.models.choice(URBAN).detector == "guard"
