"""Pictures of a results file, inferred again and compared with what it says."""

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from okapia.cli.reproduce_compare import ACROSS_ENGINES, AS_WRITTEN, Comparison, Seen, seen_in
from okapia.domain.clips import MAX_CLIP_BYTES
from okapia.domain.errors import InvalidRequest, NothingToDo, UnreadableFile
from okapia.domain.models import ModelReport
from okapia.domain.types import Smooth
from okapia.formats.base import RunInfo, Writing, format_named
from okapia.formats.written import WrittenImage, WrittenResults
from okapia.service import NamedImage, Service
from okapia.service.manifest import Manifest
from okapia.settings import Settings
from okapia.storage.folder import read_image

Written = tuple[WrittenImage, list[Seen]]


class State(StrEnum):
    """What became of a picture that was looked at again."""

    SAME = "same"
    DIFFERENT = "different"
    CHANGED = "changed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Look:
    """One picture.

    Attributes:
        notes: everything that differs.
    """

    file: str
    state: State
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that was otherwise when the file was made."""

    what: str
    then: object
    now: object

    def __str__(self) -> str:
        """Name it for people."""
        return f"{self.what}: {self.then} then, {self.now} now"


def settings_of(manifest: Manifest, settings: Settings) -> Settings:
    """Give settings that decode pictures and run networks as a results file says."""
    # Only square canvases can be set; others are the cards' own.
    canvases = {run.model_id: run.canvas[0] for run in manifest.models if len(set(run.canvas)) == 1}
    then = {"scaling": manifest.scaling, "truncated": manifest.truncated, "max_pixels": manifest.max_pixels}
    return settings.model_copy(update={**then, "canvases": settings.canvases | canvases})


def draw_sample(written: WrittenResults, *, size: int, seed: int) -> list[WrittenImage]:
    """Give `size` images of a file, or all, in its order; the same ones for the same seed.

    Raises:
        NothingToDo: there are none.
        InvalidRequest: one is not as the format wants it.
    """
    if len(written) == 0:
        raise NothingToDo("no pictures in the results file")
    places = random.Random(seed).sample(range(len(written)), min(size, len(written)))  # noqa: S311 - no secret
    return [written.image(place) for place in sorted(places)]


class Reproduction:
    """Looks at the pictures of a results file again, with its models and options.

    Attributes:
        differences: what is otherwise than when the file was made.
        is_alike: whether the numbers ought to come out as written.
    """

    def __init__(
        self, written: WrittenResults, manifest: Manifest, *, service: Service, root: Path, max_bytes: int
    ) -> None:
        """Load the models, and have them answer once.

        Args:
            root: folder that the file's names are relative to.
            max_bytes: of a picture.

        Raises:
            ModelError: a model is not on this machine, or does not answer.
        """
        self._written = written
        self._then = manifest
        self._service = service
        self._root = root
        self._max_bytes = max(max_bytes, MAX_CLIP_BYTES) if manifest.frames else max_bytes
        service.check_ready(manifest.choice)
        now = Manifest.of(
            service, manifest.choice, manifest.options, keep_above=manifest.keep_above, top_k=manifest.top_k
        )
        self.differences = _differences(manifest, now)
        # On a GPU the last digits depend on which pictures share a batch.
        self.is_alike = not self.differences and all(report.device == "cpu" for report in now.models)
        self.tolerance = AS_WRITTEN if self.is_alike else ACROSS_ENGINES

    def looks(self, images: Sequence[WrittenImage], *, advance: Callable[[], None]) -> list[Look]:
        """Look at images again; gives them in their order.

        Args:
            advance: called with each picture that was inferred.

        Raises:
            InvalidRequest: none of them is in the folder.
        """
        gone = {image.file: state for image in images if (state := self._gone(image)) is not None}
        answered = [image.file for image in images if image.failure is None]
        if answered and all(gone.get(name) is State.MISSING for name in answered):
            raise InvalidRequest(
                f"expected pictures like {answered[0]} in the folder, all {len(answered)} that were looked "
                "for are missing; name their folder with --folder",
                param="folder",
            )
        again = self._again([image for image in images if image.file not in gone], advance)
        return [
            Look(image.file, gone[image.file]) if image.file in gone else self._compared(image, *next(again))
            for image in images
        ]

    def _gone(self, image: WrittenImage) -> State | None:
        """Say why an image cannot be looked at again as it was; None when it can."""
        path = self._root / image.file
        if image.failure is None and not path.exists():
            return State.MISSING
        if image.sha256 is None:
            return None
        try:
            data = read_image(path, max_bytes=self._max_bytes)
        except UnreadableFile:  # an answer as well, which the comparison names
            return None
        return None if hashlib.sha256(data).hexdigest() == image.sha256 else State.CHANGED

    def _again(self, images: Sequence[WrittenImage], advance: Callable[[], None]) -> Iterator[Written]:
        """Infer images and have them written, for what is compared is what a file says."""
        then = self._then
        pictures = (NamedImage(image.file, partial(self._read, image.file)) for image in images)
        with TemporaryDirectory(prefix="okapia-") as folder:
            path = Path(folder) / "again.json"
            writing = Writing(then.keep_above, "+".join(then.choice.model_ids), then.top_k)
            with format_named("megadetector").writer(path, writing) as writer:
                for result in self._service.analyze_many(pictures, then.options, choice=then.choice):
                    writer.add(result)
                    advance()
                writer.finish(RunInfo(then.detector, datetime.now().astimezone(), then.threshold))
            return iter(_written(path))

    def _read(self, name: str) -> bytes:
        return read_image(self._root / name, max_bytes=self._max_bytes)

    def _compared(self, then: WrittenImage, now: WrittenImage, seen: list[Seen]) -> Look:
        if then.failure is not None or now.failure is not None:
            return _compared_failures(then, now)
        if (then.width, then.height) != (now.width, now.height):
            sizes = f"{then.width} x {then.height} pixels then, {now.width} x {now.height} now"
            return Look(then.file, State.CHANGED, (sizes,))
        comparison = Comparison(
            self.tolerance,
            keep_above=self._then.keep_above,
            threshold=self._then.threshold,
            # Whole sequences lend taxa to each other, and a sample has none.
            has_taxa=self._then.smooth is not Smooth.SEQUENCE,
        )
        notes = comparison.differences(seen_in(then, self._written), seen)
        return Look(then.file, State.DIFFERENT if notes else State.SAME, tuple(notes))


def _written(path: Path) -> list[Written]:
    results = WrittenResults(path)
    return [(image, seen_in(image, results)) for image in map(results.image, range(len(results)))]


def _compared_failures(then: WrittenImage, now: WrittenImage) -> Look:
    if then.failure is not None and now.failure is not None:
        return Look(then.file, State.SAME)
    note = f"answered then, now {now.failure}" if now.failure else f"{then.failure} then, answered now"
    return Look(then.file, State.DIFFERENT, (note,))


def _differences(then: Manifest, now: Manifest) -> list[Difference]:
    """Name what is otherwise; the fingerprint only where nothing else tells it."""
    named = [field.name for field in fields(Manifest) if field.name not in {"models", "fingerprint"}]
    pairs = [(name, getattr(then, name), getattr(now, name)) for name in named]
    runs_now = {report.model_id: report for report in now.models}
    for report in then.models:
        pairs += _pairs(report, runs_now.get(report.model_id, report))
    found = [Difference(*pair) for pair in pairs if pair[1] != pair[2]]
    if not found and then.fingerprint != now.fingerprint:
        return [Difference("files of ranges", then.fingerprint[:12], now.fingerprint[:12])]
    return found


def _pairs(then: ModelReport, now: ModelReport) -> list[tuple[str, object, object]]:
    return [
        (f"{then.model_id} {field.name}", getattr(then, field.name), getattr(now, field.name))
        for field in fields(ModelReport)
    ]
