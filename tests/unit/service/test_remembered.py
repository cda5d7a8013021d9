"""A picture is inferred once by the same models and options, for the account that sent it."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from okapia.domain.errors import ModelError
from okapia.domain.models import ModelChoice
from okapia.domain.types import Analysis, AnalysisOptions, Detection, Failure, ImageResult, Smooth, Where
from okapia.models.base import Detector
from okapia.models.catalog import Catalog
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights.store import ModelStore
from okapia.pipeline.assemble import Assembler
from okapia.pipeline.naming import RangeFiles
from okapia.pipeline.scheduler import Scheduler
from okapia.service import WILD, Models, NamedImage, Service, Species
from okapia.service.remembered import Remembered
from okapia.storage.answer_cache import AnswerCache
from okapia.vision.decode import DecodePolicy
from okapia.vision.resample import Pixels
from tests.unit.dialects.foxes import FoxRegistry, OneFox
from tests.unit.dialects.test_animaldetect import jpeg

OPTIONS = AnalysisOptions()


class WatchedFox(OneFox):
    """Counts how often it looks; may be told to wait for somebody, or to fail."""

    def __init__(self, *, version: str = "0") -> None:
        self.reports = (replace(OneFox.reports[0], sha256=version * 64),)
        self.looks = 0
        self.is_broken = False
        self.may_go = threading.Event()
        self.may_go.set()

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        self.looks += 1
        assert self.may_go.wait(timeout=30)
        if self.is_broken:
            raise ModelError("the network has a cold")
        return super().detect(pixels)


class WatchedRegistry(FoxRegistry):
    """Gives the detector of the test."""

    fox = WatchedFox()

    def detector(self, model_id: str) -> Detector:
        del model_id
        return self.fox


class House:
    """Services that come and go on one home."""

    def __init__(self, home: Path, opened: ExitStack) -> None:
        self.file = home / "answers.cache"
        self._home = home
        self._opened = opened

    def service(self, fox: WatchedFox, *, policy: DecodePolicy | None = None) -> Service:
        load, policy = Load(), policy or DecodePolicy()
        runtime = Runtime(EngineChoice(), load=load, cores=1)
        registry = WatchedRegistry(Catalog(ModelStore(self._home)), runtime=runtime, canvases={}, idle_s=60)
        registry.fox = fox
        assembler = Assembler(registry, policy=policy, ranges=RangeFiles())
        choice = ModelChoice("one-fox", "fox-namer")
        models = Models(registry, assembler=assembler, profiles={WILD: choice})
        service = Service(
            models=models,
            species=Species(models, home=self._home),
            scheduler=Scheduler(workers=2, depth=64, load=load),
            policy=policy,
            deadline_s=30,
            remembered=Remembered(AnswerCache(self.file, max_bytes=10_000_000)),
        )
        self._opened.callback(service.close)
        return service


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ExitStack() as opened:
        yield House(tmp_path, opened)


@pytest.fixture
def fox() -> WatchedFox:
    return WatchedFox()


@pytest.fixture
def service(house: House, fox: WatchedFox) -> Service:
    return house.service(fox)


def image(name: str, data: bytes) -> NamedImage:
    return NamedImage(name, lambda: data)


def answered(
    service: Service, pictures: Sequence[bytes], *, user: str = "ann", options: AnalysisOptions = OPTIONS
) -> list[ImageResult]:
    images = [image(f"{place}.jpg", data) for place, data in enumerate(pictures)]
    return list(service.analyze_many(images, options, remembered=service.remembered.of(user)))


def test_a_picture_is_inferred_once_and_answered_as_at_first_under_its_own_name(
    service: Service, fox: WatchedFox
) -> None:
    (first,) = answered(service, [jpeg()])
    _, again = answered(service, [jpeg(300), jpeg()])

    assert fox.looks == 2
    assert (first.name, again.name) == ("0.jpg", "1.jpg")
    assert again.outcome == first.outcome
    assert isinstance(again.outcome, Analysis)
    assert again.outcome.detections[0].prediction is not None


def test_the_time_of_an_answer_is_its_own(service: Service) -> None:
    (first,), (again,) = answered(service, [jpeg()]), answered(service, [jpeg()])

    assert again.seconds not in {0.0, first.seconds}


def test_the_next_process_knows_it_too(house: House, service: Service, fox: WatchedFox) -> None:
    (first,) = answered(service, [jpeg()])
    service.close()

    (again,) = answered(house.service(fox), [jpeg()])

    assert fox.looks == 1
    assert again.outcome == first.outcome


def test_pictures_that_are_alike_in_one_job_are_inferred_once(service: Service, fox: WatchedFox) -> None:
    results = answered(service, [jpeg()] * 20)

    assert fox.looks == 1
    assert [result.name for result in results] == [f"{place}.jpg" for place in range(20)]
    assert len({result.outcome for result in results}) == 1


def test_two_jobs_at_the_same_time_infer_it_once(service: Service, fox: WatchedFox) -> None:
    fox.may_go.clear()
    threading.Timer(0.2, fox.may_go.set).start()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: answered(service, [jpeg()]), range(2)))

    assert fox.looks == 1


def test_nobody_is_told_that_another_account_sent_it(service: Service, fox: WatchedFox) -> None:
    answered(service, [jpeg()], user="ann")
    answered(service, [jpeg()], user="bob")

    assert fox.looks == 2


@pytest.mark.parametrize(
    "options",
    [
        replace(OPTIONS, threshold=0.05),
        replace(OPTIONS, classify=False),
        replace(OPTIONS, where=Where("KEN")),
        replace(OPTIONS, smooth=Smooth.IMAGE),
    ],
)
def test_other_options_infer_anew(service: Service, fox: WatchedFox, options: AnalysisOptions) -> None:
    answered(service, [jpeg()])
    answered(service, [jpeg()], options=options)

    assert fox.looks == 2


def test_a_new_model_infers_anew(house: House, service: Service) -> None:
    answered(service, [jpeg()])
    newer = WatchedFox(version="1")

    answered(house.service(newer), [jpeg()])

    assert newer.looks == 1


def test_pictures_decoded_in_another_way_are_inferred_anew(house: House, service: Service) -> None:
    answered(service, [jpeg()])
    fox = WatchedFox()

    answered(house.service(fox, policy=DecodePolicy(max_pixels=1_000_000)), [jpeg()])

    assert fox.looks == 1


def test_what_failed_is_tried_again(service: Service, fox: WatchedFox) -> None:
    fox.is_broken = True
    (failed,) = answered(service, [jpeg()])
    fox.is_broken = False

    (again,) = answered(service, [jpeg()])

    assert isinstance(failed.outcome, Failure)
    assert isinstance(again.outcome, Analysis)


def test_what_else_is_done_with_a_picture_is_done_with_one_that_is_known(service: Service) -> None:
    done: list[tuple[str, int]] = []
    for _ in range(2):
        list(
            service.analyze_many(
                [image("a", jpeg())],
                OPTIONS,
                also=lambda result, data: done.append((result.name, len(data))),
                remembered=service.remembered.of("ann"),
            )
        )

    assert done == [("a", len(jpeg()))] * 2


def test_without_an_account_every_picture_is_inferred(service: Service, fox: WatchedFox) -> None:
    list(service.analyze_many([image("a", jpeg())] * 3, OPTIONS))

    assert fox.looks == 3


def test_an_answer_that_cannot_be_read_is_a_line_in_the_log_and_an_inference(
    house: House, service: Service, fox: WatchedFox
) -> None:
    (first,) = answered(service, [jpeg()])
    service.remembered.close()
    with sqlite3.connect(house.file) as connection:
        connection.execute("UPDATE answers SET value = ?", (b"nonsense",))
    connection.close()

    with capture_logs() as logs:
        (again,) = answered(service, [jpeg()])

    assert (fox.looks, again.outcome) == (2, first.outcome)
    assert [line["event"] for line in logs] == ["answer_damaged"]


def test_a_broken_file_is_a_line_in_the_log_and_an_inference(
    house: House, service: Service, fox: WatchedFox
) -> None:
    answered(service, [jpeg()])
    service.remembered.close()
    house.file.write_bytes(b"nonsense" * 10_000)

    with capture_logs() as logs:
        results = answered(service, [jpeg(), jpeg(300), jpeg()])

    assert [type(result.outcome) for result in results] == [Analysis] * 3
    assert fox.looks == 4
    assert [line["event"] for line in logs] == ["answer_cache_failed"]
