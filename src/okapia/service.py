"""The narrow waist: what a caller may ask, on which models, counted.

Doors (HTTP dialects, commands) call this and nothing below it. It knows no HTTP and no pixels.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from okapia.domain.errors import OkapiaError
from okapia.domain.types import (
    Analysis,
    AnalysisOptions,
    Detection,
    Failure,
    ImageResult,
    ModelChoice,
    ModelReport,
    People,
)
from okapia.models.registry import Registry
from okapia.pipeline.assemble import assemble
from okapia.pipeline.render import render
from okapia.pipeline.run import Pipeline
from okapia.pipeline.scheduler import Scheduler
from okapia.vision.decode import DecodePolicy

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NamedImage:
    """A picture that has not been read yet.

    Attributes:
        read: gives the encoded file; may raise `BadImage`.
    """

    name: str
    read: Callable[[], bytes]


AlsoDo = Callable[[ImageResult, bytes], None]
"""Called with a result and the encoded file that it is about."""


class Meters:
    """What is counted, in one registry that `/metrics` renders."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.images = Counter(
            "okapia_images",
            "Pictures analysed, by outcome (ok, or the failure's code)",
            ["outcome"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "okapia_image_seconds",
            "Seconds from bytes to answer of one picture, without queueing",
            registry=self.registry,
        )
        self.waiting = Gauge(
            "okapia_images_waiting", "Pictures in the interactive queue", registry=self.registry
        )


class Service:
    """Analyses pictures for whoever asks; safe to use from several threads."""

    def __init__(
        self,
        *,
        registry: Registry,
        scheduler: Scheduler,
        policy: DecodePolicy,
        choice: ModelChoice,
        deadline_s: float,
    ) -> None:
        """Answer with the models of `choice` unless a caller names others."""
        self.choice = choice
        self.meters = Meters()
        self._registry = registry
        self._scheduler = scheduler
        self._policy = policy
        self._deadline_s = deadline_s
        self.meters.waiting.set_function(lambda: scheduler.waiting)

    def analyze(
        self, image: NamedImage, options: AnalysisOptions, *, choice: ModelChoice | None = None
    ) -> Future[ImageResult]:
        """Analyse one picture that somebody waits for; never blocks.

        The future fails with `ModelNotInstalled` or another `ModelError` when the models cannot be
        had, and with `DeadlineExceeded` when the picture waited too long.

        Raises:
            ServerBusy, ShuttingDown: at once; try again later.
        """
        return self._scheduler.submit(
            lambda: self._run(self._pipeline(choice), image, options), deadline_s=self._deadline_s
        )

    def analyze_many(
        self,
        images: Iterable[NamedImage],
        options: AnalysisOptions,
        *,
        choice: ModelChoice | None = None,
        also: AlsoDo | None = None,
    ) -> Iterator[ImageResult]:
        """Analyse pictures in bulk, results in the order of `images`, a few in memory at a time.

        Args:
            also: what else to do with a picture whose analysis succeeded, in the same worker.

        Raises:
            ModelNotInstalled: a model of `choice` has to be pulled first; before anything is read.
        """
        pipeline = self._pipeline(choice)
        return self._scheduler.stream(partial(self._run, pipeline, image, options, also) for image in images)

    def annotate(self, data: bytes, detections: tuple[Detection, ...], *, people: People) -> Future[bytes]:
        """Draw detections on a copy of the picture for somebody who waits; gives a JPEG file.

        The future fails with `BadImage` or `DeadlineExceeded`.

        Raises:
            ServerBusy, ShuttingDown: at once; try again later.
        """
        work = partial(self.draw, data, detections, people=people)
        return self._scheduler.submit(work, deadline_s=self._deadline_s)

    def draw(self, data: bytes, detections: tuple[Detection, ...], *, people: People) -> bytes:
        """Do what `annotate` does, at once and in the caller's own thread."""
        return render(data, detections, people=people, policy=self._policy)

    def check_ready(self, choice: ModelChoice | None = None) -> tuple[ModelReport, ...]:
        """Run a tiny inference on the models of `choice`, or the default ones; gives how they run.

        Raises:
            ModelError: a model is unknown, not installed, damaged, or does not answer.
            ServerBusy, DeadlineExceeded: the queue is full.
        """
        pipeline = self._pipeline(choice)
        self._scheduler.submit(pipeline.warm_up, deadline_s=self._deadline_s).result()
        return pipeline.reports

    def evict_idle(self) -> None:
        """Drop models that nobody used lately; to be called now and then."""
        self._registry.evict_idle()

    def close(self) -> None:
        """Finish what is queued and take nothing new."""
        self._scheduler.close()

    def _pipeline(self, choice: ModelChoice | None) -> Pipeline:
        return assemble(self._registry, choice or self.choice, self._policy)

    def _run(
        self, pipeline: Pipeline, image: NamedImage, options: AnalysisOptions, also: AlsoDo | None = None
    ) -> ImageResult:
        """Analyse one picture in a worker, and count it."""
        result = self._result(pipeline, image, options, also)
        match result.outcome:
            case Analysis():
                self.meters.images.labels("ok").inc()
            case Failure(code=code):
                self.meters.images.labels(code).inc()
        self.meters.seconds.observe(result.seconds)
        return result

    def _result(
        self, pipeline: Pipeline, image: NamedImage, options: AnalysisOptions, also: AlsoDo | None
    ) -> ImageResult:
        """Analyse one picture; whatever goes wrong is its result alone."""
        try:
            data = image.read()
            result = pipeline.run(image.name, data, options)
            if also is not None and isinstance(result.outcome, Analysis):
                also(result, data)
        except OkapiaError as error:
            return ImageResult(image.name, Failure.of(error))
        except Exception:  # noqa: BLE001 - one picture never stops another, whatever it met
            _log.exception("image_crashed", image=image.name)
            return ImageResult(image.name, Failure("internal_error", "this picture met a fault in Okapia"))
        return result
