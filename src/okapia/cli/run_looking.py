"""Looking at a run's pictures with the service of this process, in bulk or before everything else."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from okapia.batches.batch import Batch
from okapia.batches.items import unpack
from okapia.batches.shard import Picture, ShardResult, work_off
from okapia.batches.source import Source
from okapia.cli.run_halt import Halt, Halted
from okapia.cli.run_plan import Plan
from okapia.domain.callers import LOCAL_USER_ID
from okapia.domain.errors import DeadlineExceeded, OutputNotWritable, ServerBusy, ShuttingDown
from okapia.domain.types import Analysis, AnalysisOptions, Failure, ImageResult
from okapia.formats.megadetector import as_utf8
from okapia.service import NamedImage, Service

_RETRY_S = 1.0


class Looking:
    """Works off shards of a run; from any number of threads."""

    def __init__(
        self,
        service: Service,
        plan: Plan,
        *,
        options: AnalysisOptions,
        source: Source,
        halt: Halt,
        advance: Callable[[], None],
    ) -> None:
        """Read from `source`, go by `options`, and call `advance` with each picture that is done."""
        self._service = service
        self._plan = plan
        self._options = options
        self._source = source
        self._halt = halt
        self._advance = advance
        self._also = partial(self._draw, plan.render) if plan.render is not None else None

    def in_bulk(self, batch: Batch, packed: bytes) -> ShardResult:
        """Analyse the pictures of a shard when nobody waits for others.

        Raises:
            Halted: the run stops, perhaps because of what was met here.
        """
        del batch
        with self._halt.on_trouble():
            return work_off(unpack(packed), self._source, self._many)

    def at_once(self, batch: Batch, packed: bytes) -> ShardResult:
        """Analyse the pictures of a shard before all bulk work, one by one; raises as `in_bulk`."""
        del batch
        with self._halt.on_trouble():
            return work_off(unpack(packed), self._source, self._one_by_one)

    def _many(self, pictures: Iterator[Picture]) -> Iterator[ImageResult]:
        service, plan = self._service, self._plan
        images = (NamedImage(picture.name, partial(self._read, picture)) for picture in pictures)
        remembered = service.remembered.of(LOCAL_USER_ID) if plan.uses_cache else None
        for result in service.analyze_many(
            images, self._options, choice=plan.choice, also=self._also, remembered=remembered
        ):
            self._check_going()
            self._advance()
            yield result

    def _one_by_one(self, pictures: Iterator[Picture]) -> Iterator[ImageResult]:
        for picture in pictures:
            image = NamedImage(picture.name, picture.read).read_now()
            result = self._answer(image)
            if self._also is not None and isinstance(result.outcome, Analysis):
                self._also(result, image.read())
            yield result

    def _answer(self, image: NamedImage) -> ImageResult:
        """Give a picture's answer, however long the machine has no time or room for it."""
        while True:
            self._check_going()
            try:
                result = self._service.analyze(image, self._options, choice=self._plan.choice).result()
            except (DeadlineExceeded, ServerBusy):
                continue
            if not (isinstance(result.outcome, Failure) and result.outcome.code == ServerBusy.code):
                return result
            self._halt.wait(_RETRY_S)

    def _read(self, picture: Picture) -> bytes:
        if self._halt.is_set:  # what is queued already ends without being looked at
            raise ShuttingDown
        return picture.read()

    def _check_going(self) -> None:
        if self._halt.is_set:
            raise Halted

    def _draw(self, folder: Path, result: ImageResult, data: bytes) -> None:
        """Write a copy with boxes of a picture in which something was found."""
        if not isinstance(result.outcome, Analysis):
            return
        found = result.outcome.above(self._plan.options.threshold).detections
        if not found:
            return
        is_jpeg = result.name.lower().endswith((".jpg", ".jpeg"))
        target = folder / (result.name if is_jpeg else f"{result.name}.jpg")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._service.draw(data, found, people=self._plan.people))
        except OSError as error:
            raise OutputNotWritable(f"cannot write {as_utf8(str(target))}: {error.strerror}") from error
