"""Analysing pictures for whoever asks: one that somebody waits for, or many in bulk."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import BoundedSemaphore

import structlog

from okapia.domain.errors import BadImage, OkapiaError, ServerBusy
from okapia.domain.models import ModelChoice, ModelReport
from okapia.domain.types import Analysis, AnalysisOptions, Detection, Failure, ImageResult, People
from okapia.pipeline.render import render
from okapia.pipeline.scheduler import Scheduler
from okapia.service.meters import Meters
from okapia.service.models import Models
from okapia.service.readiness import Readiness
from okapia.service.remembered import Answer, Remembered, RememberedOf
from okapia.service.species import Species
from okapia.service.texts import Texts
from okapia.vision.decode import DecodePolicy

_log = structlog.get_logger(__name__)

LOADING_RETRY_S = 5
""""Try again" after so many seconds while a model is being loaded and too many wait for it."""


@dataclass(frozen=True, slots=True)
class NamedImage:
    """A picture that has not been read yet.

    Attributes:
        read: gives the encoded file; may raise `BadImage`.
    """

    name: str
    read: Callable[[], bytes]

    def read_now(self) -> "NamedImage":
        """Read the picture in the caller's thread: a slow source must not hold a worker.

        What went wrong is kept, and stays this picture's alone.
        """
        try:
            data = self.read()
        except BadImage as error:
            return NamedImage(self.name, partial(_refuse, error))
        return NamedImage(self.name, lambda: data)


AlsoDo = Callable[[ImageResult, bytes], None]
"""Called with a result and the encoded file that it is about."""


class Service:
    """Analyses pictures for whoever asks; safe to use from several threads."""

    def __init__(
        self,
        *,
        models: Models,
        species: Species,
        scheduler: Scheduler,
        policy: DecodePolicy,
        deadline_s: float,
        remembered: Remembered | None = None,
    ) -> None:
        """Answer with the models of the profile `wild` unless a caller names others."""
        self.models = models
        self.species = species
        self.remembered = remembered or Remembered(None)
        self.meters = Meters()
        self.readiness = Readiness(self.check_ready)
        self._scheduler = scheduler
        self._policy = policy
        self._deadline_s = deadline_s
        self.texts = Texts(scheduler, policy=policy, deadline_s=deadline_s)
        # Loading takes seconds: it must not keep a worker from pictures whose models are there.
        self._loader = ThreadPoolExecutor(1, "okapia-loader")
        self._parked = BoundedSemaphore(scheduler.depth)
        self.meters.waiting.set_function(lambda: scheduler.waiting)

    def check_room(self) -> None:
        """Raise `ServerBusy` where a picture would be refused now, before anything is done for it."""
        self._scheduler.check_room()

    def analyze(
        self, image: NamedImage, options: AnalysisOptions, *, choice: ModelChoice | None = None
    ) -> Future[ImageResult]:
        """Analyse one picture that somebody waits for; never blocks.

        The future fails with `ModelNotInstalled` or another `ModelError` when the models cannot be
        had, and with `DeadlineExceeded` when the picture waited too long. A picture that memory has no
        room for beside those that are being worked on has the failure `server_busy`.

        Raises:
            ServerBusy, ShuttingDown: at once; try again later.
        """
        choice = choice or self.models.choice()
        if self.models.holds(choice):
            return self._submit(choice, image, options)
        if not self._parked.acquire(blocking=False):
            raise ServerBusy(waiting=self._scheduler.depth, retry_after_s=LOADING_RETRY_S)
        answer: Future[ImageResult] = Future()
        answer.add_done_callback(lambda _: self._parked.release())
        self._loader.submit(self._load_then_submit, choice, image, options, answer)
        return answer

    def analyze_many(
        self,
        images: Iterable[NamedImage],
        options: AnalysisOptions,
        *,
        choice: ModelChoice | None = None,
        also: AlsoDo | None = None,
        remembered: RememberedOf | None = None,
    ) -> Iterator[ImageResult]:
        """Analyse pictures in bulk, results in the order of `images`, a few in memory at a time.

        Args:
            also: what else to do with a picture whose analysis succeeded, in the same worker; not with clips.
            remembered: the account's answers of before, where they count; None infers every picture.

        Raises:
            ModelNotInstalled: a model of `choice` has to be pulled first; before anything is read.
        """
        choice = choice or self.models.choice()
        answer: Answer = partial(self.models.pipeline(choice).run, options=options)
        if remembered is not None:
            fingerprint = self.models.fingerprint(choice)
            answer = remembered.around(answer, fingerprint=fingerprint, options=options)
        return self._scheduler.stream(partial(self._run, answer, image, also) for image in images)

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
        pipeline = self.models.pipeline(choice or self.models.choice())
        self._scheduler.submit(pipeline.warm_up, deadline_s=self._deadline_s).result()
        return pipeline.reports

    def close(self) -> None:
        """Finish what is queued and take nothing new."""
        self._loader.shutdown()
        self._scheduler.close()
        self.remembered.close()

    def _submit(
        self, choice: ModelChoice, image: NamedImage, options: AnalysisOptions
    ) -> Future[ImageResult]:
        answer = partial(self.models.pipeline(choice).in_haste().run, options=options)
        return self._scheduler.submit(partial(self._run, answer, image), deadline_s=self._deadline_s)

    def _load_then_submit(
        self,
        choice: ModelChoice,
        image: NamedImage,
        options: AnalysisOptions,
        answer: Future[ImageResult],
    ) -> None:
        if not answer.set_running_or_notify_cancel():
            return
        try:
            work = self._submit(choice, image, options)
        except Exception as error:  # noqa: BLE001 - the loader's loop: the caller gets it
            answer.set_exception(error)
        else:
            work.add_done_callback(partial(_pass_on, answer))

    def _run(self, answer: Answer, image: NamedImage, also: AlsoDo | None = None) -> ImageResult:
        """Analyse one picture in a worker, and count it."""
        result = self._result(answer, image, also)
        match result.outcome:
            case Analysis():
                self.meters.images.labels("ok").inc()
            case Failure(code=code):
                self.meters.images.labels(code).inc()
        self.meters.seconds.observe(result.seconds)
        return result

    def _result(self, answer: Answer, image: NamedImage, also: AlsoDo | None) -> ImageResult:
        """Analyse one picture; whatever goes wrong is its result alone."""
        try:
            data = image.read()
            result = answer(image.name, data)
            if also is not None and isinstance(result.outcome, Analysis) and not result.outcome.image.clip:
                also(result, data)
        except OkapiaError as error:
            return ImageResult(image.name, Failure.of(error))
        except Exception:  # noqa: BLE001 - one picture never stops another, whatever it met
            _log.exception("image_crashed", image=image.name)
            return ImageResult(image.name, Failure("internal_error", "this picture met a fault in Okapia"))
        return result


def _refuse(error: BadImage) -> bytes:
    raise error


def _pass_on(answer: Future[ImageResult], work: Future[ImageResult]) -> None:
    """Give what came of `work` to whoever waits for `answer`."""
    if (error := work.exception()) is not None:
        answer.set_exception(error)
    else:
        answer.set_result(work.result())
