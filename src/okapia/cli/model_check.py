"""`okapia models check` and `okapia models verify --report`: what a model says of a few pictures."""

import platform
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import orjson
import typer

from okapia import __version__
from okapia.app import build_service
from okapia.cli.card_file import SUFFIX, installed_for_now
from okapia.cli.logs import configure_logs
from okapia.cli.progress import ArchiveProgress
from okapia.domain.errors import InvalidRequest, NothingToDo, OutputNotWritable
from okapia.domain.models import ModelChoice, ModelReport
from okapia.domain.types import Analysis, AnalysisOptions, Detection, Failure, ImageResult, People
from okapia.models.card import ModelCard
from okapia.models.catalog import Catalog
from okapia.models.weights.clients import Pip
from okapia.models.weights.samples import ARCHIVE_BYTES, take_samples
from okapia.models.weights.store import ModelStore
from okapia.service import NamedImage, Service
from okapia.settings import Settings, load_settings
from okapia.storage.folder import FoundImage, read_image, scan

MOST_PICTURES = 8
COPIES = "okapia-check"
"""Folder for the drawn copies, inside the folder of pictures unless another is named."""

REPORT_FORMAT = "okapia-model-report-1"
_REPORTED_FROM = 0.05
_REPORTED_OF_CARD = {"id", "version", "task", "family", "canvas", "preprocessing", "activation", "view"}
"""Title, notes and source may hold paths and people's names."""

_TAXA_SHOWN = 3
_DIGITS = 5


@dataclass(frozen=True, slots=True)
class TaxonFacts:
    """One taxon that the classifier sees; `score` 0..1."""

    name: str
    score: float


@dataclass(frozen=True, slots=True)
class BoxFacts:
    """One box: fractions of the upright picture, and what was said of it, best first."""

    category: str
    label: str
    confidence: float
    bbox: tuple[float, float, float, float]
    taxa: tuple[TaxonFacts, ...]


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What came of one picture.

    Attributes:
        seconds: from bytes to answer.
        strongest: confidence of the strongest box, 0..1, whether or not it counts; None without any.
        error: why there is no answer; "" when there is one.
    """

    file: str
    seconds: float
    boxes: tuple[BoxFacts, ...]
    strongest: float | None
    error: str


def check(model: str, *, on: Path, output: Path | None, as_json: bool) -> None:
    """Run a model on up to eight pictures of a folder, print what it says, and draw it.

    Args:
        model: id of an installed model, or a card (TOML) beside its network, which is not installed by this.

    Raises:
        InvalidRequest: `on` is no folder.
        NothingToDo: there is no picture in it.
        ModelError: the model is unknown, not installed, or does not answer.
    """
    settings = load_settings()
    configure_logs(settings.log_level)
    pictures = _pictures(on)
    copies = output or on / COPIES
    with _trial(settings, model, threshold=settings.threshold) as trial:
        facts = trial.run(pictures, copies=copies, max_bytes=settings.max_file_bytes)
    if as_json:
        runs = [asdict(run) for run in trial.reports]
        _print_json({"model": trial.card.id, "runs": runs, "pictures": facts, "copies": str(copies)})
        return
    for picture in facts:
        typer.echo(_line(picture, threshold=settings.threshold))
    for run in trial.reports:
        typer.echo(f"{run.model_id} ran in {run.engine} on {run.device} ({run.precision})")
    typer.echo(f"drawn copies: {copies}")


def report(model_id: str) -> None:
    """Print, as JSON, what a model says of the three sample pictures: something to send to whoever asks.

    It holds no path, no name of a person or a machine.

    Raises:
        ModelError: the model is unknown, not installed, or does not answer.
        PullFailed: the pictures are not there and cannot be fetched.
    """
    settings = load_settings()
    configure_logs(settings.log_level)
    pictures = [FoundImage(path, path.name) for path in _samples(settings)]
    with _trial(settings, model_id, threshold=_REPORTED_FROM) as trial:
        facts = trial.run(pictures, copies=None, max_bytes=settings.max_file_bytes)
    _print_json(
        {
            "format": REPORT_FORMAT,
            "okapia": __version__,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "card": trial.card.model_dump(mode="json", include=_REPORTED_OF_CARD),
            "runs": [asdict(run) for run in trial.reports],
            "pictures": facts,
        }
    )


@dataclass(frozen=True, slots=True)
class _Trial:
    """A model ready to be run on single pictures.

    Attributes:
        reports: the model's, and that of the detector that finds boxes for a classifier.
    """

    service: Service
    card: ModelCard
    choice: ModelChoice
    options: AnalysisOptions
    reports: tuple[ModelReport, ...]

    def run(
        self, pictures: Sequence[FoundImage], *, copies: Path | None, max_bytes: int
    ) -> list[PictureFacts]:
        """Analyse pictures one after the other; draws them when `copies` is a folder."""
        images = (
            NamedImage(found.name, partial(read_image, found.path, max_bytes=max_bytes)) for found in pictures
        )
        also = partial(self._draw, copies) if copies else None
        results = self.service.analyze_many(images, self.options, choice=self.choice, also=also)
        return [_facts(result, threshold=self.options.threshold) for result in results]

    def _draw(self, copies: Path, result: ImageResult, data: bytes) -> None:
        if not isinstance(result.outcome, Analysis):
            return
        found = result.outcome.above(self.options.threshold).detections
        flat = result.name.replace("/", "_")
        target = copies / (flat if flat.lower().endswith((".jpg", ".jpeg")) else f"{flat}.jpg")
        try:
            copies.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.service.draw(data, found, people=People.BLUR))
        except OSError as error:
            raise OutputNotWritable(f"cannot write {target}: {error.strerror}") from error


@contextmanager
def _trial(settings: Settings, model: str, *, threshold: float) -> Iterator[_Trial]:
    """Load a model as the server would; a classifier gets the default detector to find boxes for it."""
    with ExitStack() as opened:
        if model.endswith(SUFFIX):
            settings, model = opened.enter_context(installed_for_now(Path(model), settings))
        card = Catalog(ModelStore(settings.models_dir)).card(model)
        service = build_service(settings)
        opened.callback(service.close)
        choice = service.models.named(card.id)
        options = AnalysisOptions(threshold, classify=choice.classifier is not None)
        yield _Trial(service, card, choice, options, service.check_ready(choice))


def _pictures(folder: Path) -> list[FoundImage]:
    """Give the first pictures of a folder, without the copies of an earlier check."""
    if not folder.is_dir():
        raise InvalidRequest(f"expected a folder of pictures, {folder} is none", param="on")
    own = (
        found
        for found in scan([folder])
        if isinstance(found, FoundImage) and COPIES not in found.name.split("/")
    )
    pictures = list(islice(own, MOST_PICTURES))
    if not pictures:
        raise NothingToDo(f"no pictures in {folder}")
    return pictures


def _samples(settings: Settings) -> list[Path]:
    with ArchiveProgress() as progress:
        return take_samples(
            settings.home / "samples",
            client=Pip(),
            progress=lambda n_bytes: progress.show("samples", n_bytes, ARCHIVE_BYTES),
        )


# --- what is said of it ---------------------------------------------------------------


def _facts(result: ImageResult, *, threshold: float) -> PictureFacts:
    match result.outcome:
        case Failure(message=message):
            return PictureFacts(result.name, round(result.seconds, 3), (), None, message)
        case Analysis() as analysis:
            boxes = tuple(_box(detection) for detection in analysis.above(threshold).detections)
            strongest = round(analysis.detections[0].confidence, _DIGITS) if analysis.detections else None
            return PictureFacts(result.name, round(result.seconds, 3), boxes, strongest, "")


def _box(detection: Detection) -> BoxFacts:
    box = detection.bbox
    x_min, y_min, width, height = (
        round(side, _DIGITS) for side in (box.x_min, box.y_min, box.width, box.height)
    )
    return BoxFacts(
        category=detection.category.value,
        label=detection.label,
        confidence=round(detection.confidence, _DIGITS),
        bbox=(x_min, y_min, width, height),
        taxa=tuple(
            TaxonFacts(seen.taxon.common_name or seen.taxon.scientific_name, round(seen.score, _DIGITS))
            for seen in detection.classifications[:_TAXA_SHOWN]
        ),
    )


def _line(picture: PictureFacts, *, threshold: float) -> str:
    if picture.error:
        return f"{picture.file:<32} failed: {picture.error}"
    said = "; ".join(map(_sentence, picture.boxes)) or f"nothing from {threshold:.0%}"
    if not picture.boxes and picture.strongest is not None:
        said += f" (the strongest box has {picture.strongest:.0%})"
    return f"{picture.file:<32} {picture.seconds:6.2f} s  {said}"


def _sentence(box: BoxFacts) -> str:
    taxa = ", ".join(f"{taxon.name} {taxon.score:.0%}" for taxon in box.taxa)
    return f"{box.label} {box.confidence:.0%}" + (f" ({taxa})" if taxa else "")


def _print_json(value: object) -> None:
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
