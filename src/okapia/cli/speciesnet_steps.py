"""SpeciesNet's parts on pictures: everything, the detector alone, the classifier alone."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from okapia.app import build_registry, decode_policy
from okapia.domain.errors import BadImage
from okapia.domain.models import ModelChoice, ModelReport
from okapia.domain.types import (
    Analysis,
    AnalysisOptions,
    Classification,
    Crops,
    Detection,
    Failure,
    ImageResult,
    Size,
    Where,
)
from okapia.formats.speciesnet import TOP_OLD, Entry, Instance, Step, Version
from okapia.models.card import ModelCard
from okapia.models.catalog import Catalog
from okapia.models.runtime import Load, usable_cores
from okapia.models.tensors import wanted_size
from okapia.models.weights.store import ModelStore
from okapia.pipeline.geofence import Geofence
from okapia.pipeline.naming import Naming
from okapia.pipeline.run import Pipeline
from okapia.pipeline.scheduler import Scheduler
from okapia.service import NamedImage, Service
from okapia.settings import Settings
from okapia.storage.folder import read_image
from okapia.storage.remote import RemoteReader
from okapia.storage.sources import source_reader
from okapia.vision.resample import Pixels

_CROPS = {Version.OLD: Crops.TOP_BOX, Version.NEW: Crops.EVERY_BOX}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one picture.

    Attributes:
        problem: why something is missing from the entry, where something is.
    """

    entry: Entry
    problem: Failure | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the parts need to know.

    Attributes:
        top: classes that are kept of a picture or box; None for all.
        is_fenced: whether places count.
    """

    version: Version
    model_version: str
    top: int | None
    is_fenced: bool

    def where(self, instance: Instance) -> Where:
        return Where(instance.country, instance.admin1_region) if self.is_fenced else Where()

    def kept(self, seen: Sequence[Classification]) -> tuple[Classification, ...]:
        """Leave the classes that are written: a long run keeps its answers in memory."""
        return tuple(seen) if self.top is None else tuple(seen[: max(self.top, TOP_OLD)])


def source_of(settings: Settings) -> Callable[[str], bytes]:
    """Give what reads a file, or a URL where the settings let it; it raises `BadImage`."""
    most = settings.max_file_bytes
    remote = RemoteReader(max_bytes=most) if settings.fetch_urls else None
    return source_reader(lambda path: read_image(Path(path), max_bytes=most), remote)


def analysed(
    service: Service,
    choice: ModelChoice,
    instances: Sequence[Instance],
    asked: Asked,
    read: Callable[[str], bytes],
) -> Iterator[Answer]:
    """Detect, classify and decide; pictures of one place after the other."""
    by_place: dict[Where, list[Instance]] = {}
    for instance in instances:
        by_place.setdefault(asked.where(instance), []).append(instance)
    for where, members in by_place.items():
        options = AnalysisOptions(crops=_CROPS[asked.version], where=where)
        results = service.analyze_many(_images(members, read), options, choice=choice)
        for instance, result in zip(members, results, strict=True):
            yield _whole(result, instance, asked)


def detected(
    service: Service,
    choice: ModelChoice,
    instances: Sequence[Instance],
    asked: Asked,
    read: Callable[[str], bytes],
) -> Iterator[Answer]:
    """Find boxes, and no more."""
    options = AnalysisOptions(classify=False, crops=Crops.EVERY_BOX)
    results = service.analyze_many(_images(instances, read), options, choice=choice)
    for instance, result in zip(instances, results, strict=True):
        match result.outcome:
            case Analysis(detections=boxes):
                yield Answer(Entry(instance, asked.model_version, detections=boxes))
            case Failure() as failure:
                yield Answer(Entry(instance, asked.model_version, (Step.DETECTOR,)), failure)


def classified(
    settings: Settings,
    choice: ModelChoice,
    instances: Sequence[Instance],
    asked: Asked,
    boxes: Mapping[str, tuple[Detection, ...]],
) -> Iterator[Answer]:
    """Give scores, and no more; the detector of `choice` need not be installed.

    Args:
        boxes: by file path; the whole picture is looked at where there is none.
    """
    read = source_of(settings)
    load = Load()
    given = _Given(_cards(settings, choice))
    pipeline = _classifying(settings, choice.classifier or "", load, given)
    with closing(Scheduler(workers=usable_cores(), depth=1, load=load)) as scheduler:
        works = (
            partial(_classify, pipeline, i, replace(given, boxes=boxes.get(i.filepath, ())), asked, read)
            for i in instances
        )
        yield from scheduler.stream(works)


@dataclass(frozen=True, slots=True)
class _Given:
    """A detector that says what a file says.

    Attributes:
        cards: of the detector that said it: pictures are decoded as large as for that one, since a crop
            of a larger decode is not quite the same.
    """

    cards: tuple[ModelCard, ...]
    boxes: tuple[Detection, ...] = ()
    reports: tuple[ModelReport, ...] = ()

    def wanted(self, picture: Size) -> Size:
        sizes = [wanted_size(picture, card.preprocessing, card.canvas) for card in self.cards] or [picture]
        return max(width for width, _ in sizes), max(height for _, height in sizes)

    def detect(self, pixels: Pixels) -> tuple[Detection, ...]:
        del pixels
        return self.boxes


def _cards(settings: Settings, choice: ModelChoice) -> tuple[ModelCard, ...]:
    known = Catalog(ModelStore(settings.models_dir)).cards()
    return tuple(known[model_id] for model_id in choice.detector.split("+") if model_id in known)


def _classifying(settings: Settings, classifier: str, load: Load, given: _Given) -> Pipeline:
    model = build_registry(settings, load).classifier(classifier)
    return Pipeline(given, model, Naming(model.taxonomy, Geofence({})), decode_policy(settings))


def _classify(
    pipeline: Pipeline,
    instance: Instance,
    given: _Given,
    asked: Asked,
    read: Callable[[str], bytes],
) -> Answer:
    # Without boxes the new format looks at the whole picture too, as for classifiers of whole pictures.
    crops = _CROPS[asked.version] if given.boxes else Crops.TOP_BOX
    looking = replace(pipeline, detector=given)
    name = instance.filepath
    try:
        result = looking.run(name, read(name), AnalysisOptions(crops=crops))
    except BadImage as error:
        result = ImageResult(name, Failure.of(error))
    match result.outcome:
        case Failure() as failure:
            return Answer(Entry(instance, asked.model_version, (Step.CLASSIFIER,)), failure)
        case Analysis() as analysis:
            return Answer(_scores_alone(analysis, instance, asked, is_whole=crops is Crops.TOP_BOX))


def _scores_alone(analysis: Analysis, instance: Instance, asked: Asked, *, is_whole: bool) -> Entry:
    if is_whole:
        return Entry(instance, asked.model_version, classifications=asked.kept(analysis.classifications))
    boxes = tuple(
        replace(box, classifications=asked.kept(box.classifications), prediction=None)
        for box in analysis.detections
    )
    return Entry(instance, asked.model_version, detections=boxes)


def _whole(result: ImageResult, instance: Instance, asked: Asked) -> Answer:
    entry = Entry.of(result, instance, model_version=asked.model_version)
    if isinstance(result.outcome, Failure):
        return Answer(entry, result.outcome)
    boxes = tuple(
        replace(box, classifications=asked.kept(box.classifications)) for box in entry.detections or ()
    )
    seen = None if entry.classifications is None else asked.kept(entry.classifications)
    return Answer(replace(entry, detections=boxes, classifications=seen))


def _images(instances: Iterable[Instance], read: Callable[[str], bytes]) -> Iterator[NamedImage]:
    return (NamedImage(i.filepath, partial(read, i.filepath)) for i in instances)
