"""The models of this process: found by id, loaded when first asked for, dropped when idle."""

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import orjson
import psutil
import structlog

from okapia.domain.errors import InvalidRequest, ModelError, ModelNotInstalled
from okapia.domain.models import LoadedModel, ModelFacts
from okapia.domain.types import GenderWord, Size
from okapia.models.base import Classifier, Detector, FaceReader, Model, Session
from okapia.models.card import ModelCard
from okapia.models.catalog import Catalog
from okapia.models.devices import Device
from okapia.models.families import build_classifier, build_detector, build_face_reader
from okapia.models.polite import politely
from okapia.models.runtime import Runtime
from okapia.models.taxa import class_taxa
from okapia.models.weights.store import Installed

_log = structlog.get_logger(__name__)

M_co = TypeVar("M_co", bound=Model, covariant=True)

_GREY = np.full((64, 64, 3), 128, dtype=np.uint8)


@dataclass(slots=True)
class _Entry(Generic[M_co]):
    """A model in memory.

    Attributes:
        memory_bytes: by how much the process grew while it was loaded.
        seconds: what loading took.
    """

    model: M_co
    last_used: float
    memory_bytes: int
    seconds: float


class _Shelf(Generic[M_co]):
    """Loaded models of one kind."""

    def __init__(
        self, load: Callable[[str], M_co], *, loading: threading.Lock, clock: Callable[[], float]
    ) -> None:
        self._load = load
        self._loading = loading
        self._clock = clock
        self._entries: dict[str, _Entry[M_co]] = {}

    def get(self, model_id: str) -> M_co:
        entry = self._entries.get(model_id)
        if entry is None:
            with self._loading:
                # Another thread may have loaded it while this one waited.
                entry = self._entries.get(model_id) or self._measured(model_id)
                self._entries[model_id] = entry
        entry.last_used = self._clock()
        return entry.model

    def holds(self, model_id: str) -> bool:
        return model_id in self._entries

    def drop(self, model_id: str) -> bool:
        """Forget a model; callers that still hold it keep it until they are done."""
        return self._entries.pop(model_id, None) is not None

    def idle_since(self, deadline: float) -> list[str]:
        return [model_id for model_id, entry in list(self._entries.items()) if entry.last_used < deadline]

    def loaded(self) -> list[LoadedModel]:
        return [
            LoadedModel(report, entry.memory_bytes, round(entry.seconds, 3))
            for entry in list(self._entries.values())
            for report in entry.model.reports
        ]

    def _measured(self, model_id: str) -> _Entry[M_co]:
        process = psutil.Process()
        before, started = process.memory_info().rss, time.monotonic()
        model = self._load(model_id)
        grown = max(process.memory_info().rss - before, 0)
        return _Entry(model, self._clock(), grown, time.monotonic() - started)


class _Opened(NamedTuple):
    """A network ready for its family."""

    card: ModelCard
    session: Session
    canvas: Size
    sha256: str
    built_from: str


class Registry:
    """Gives models by id. Safe to use from several threads.

    One network is loaded at a time; models that are loaded already are given without waiting
    for it. A model that nobody asked for during `idle_s` seconds is dropped by `evict_idle`.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        runtime: Runtime,
        canvases: Mapping[str, int],
        idle_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use `canvases` (model id to side in pixels) in place of the cards' defaults."""
        self._catalog = catalog
        self._runtime = runtime
        self._canvases = canvases
        self._idle_s = idle_s
        self._clock = clock
        loading = threading.Lock()
        self._detectors = _Shelf(self._load_detector, loading=loading, clock=clock)
        self._classifiers = _Shelf(self._load_classifier, loading=loading, clock=clock)
        self._face_readers = _Shelf(self._load_face_reader, loading=loading, clock=clock)
        self._shelves: tuple[_Shelf[Model], ...] = (self._detectors, self._classifiers, self._face_readers)

    @property
    def device(self) -> Device:
        """Where the models run."""
        return self._runtime.choice.device

    def detector(self, model_id: str) -> Detector:
        """Give the detector `model_id`, loading it if need be.

        Raises:
            UnknownModel: no card has this id.
            ModelNotInstalled: its weights are not on this machine.
            InvalidRequest: it is a model of another task.
            ModelError: it is damaged, or the device is not to be had.
        """
        return self._detectors.get(model_id)

    def classifier(self, model_id: str) -> Classifier:
        """Give the classifier `model_id`, loading it if need be; raises as `detector` does."""
        return self._classifiers.get(model_id)

    def face_reader(self, model_id: str) -> FaceReader:
        """Give the face reader `model_id`, loading it if need be; raises as `detector` does."""
        return self._face_readers.get(model_id)

    def card(self, model_id: str) -> ModelCard:
        """Give a model's card; raises what `Catalog.card` raises."""
        return self._catalog.card(model_id)

    def holds(self, model_id: str) -> bool:
        """Say whether a model is in memory."""
        return any(shelf.holds(model_id) for shelf in self._shelves)

    def load(self, model_id: str) -> None:
        """Bring a model into memory and run it once, giving way to pictures; raises as `detector` does."""
        match self._catalog.card(model_id).task:
            case "detector":
                politely(partial(self.detector(model_id).detect, _GREY))
            case "classifier":
                politely(partial(self.classifier(model_id).classify, [_GREY]))
            case "face_reader":
                politely(partial(self.face_reader(model_id).read, [_GREY]))

    def unload(self, model_id: str) -> bool:
        """Drop a model now; False when it was not in memory."""
        was_there = any(shelf.drop(model_id) for shelf in self._shelves)
        if was_there:
            _log.info("model_unloaded", model=model_id)
        return was_there

    def evict_idle(self) -> list[str]:
        """Drop the models that nobody asked for lately; gives their ids."""
        deadline = self._clock() - self._idle_s
        idle = [model_id for shelf in self._shelves for model_id in shelf.idle_since(deadline)]
        return [model_id for model_id in idle if self.unload(model_id)]

    def facts(self) -> list[ModelFacts]:
        """Say of every known model what it is, and of the loaded ones how they run."""
        loaded = {entry.report.model_id: entry for shelf in self._shelves for entry in shelf.loaded()}
        return [self._facts(card, loaded.get(card.id)) for card in self._catalog.cards().values()]

    def _facts(self, card: ModelCard, loaded: LoadedModel | None) -> ModelFacts:
        installed = self._catalog.store.find(card.id)
        return ModelFacts(
            id=card.id,
            title=card.title,
            task=card.task,
            version=card.version,
            licence=card.licence,
            area=card.area,
            classes=_class_names(card),
            sha256=installed.sha256 if installed else None,
            loaded=loaded,
        )

    def _load_detector(self, model_id: str) -> Detector:
        card, session, canvas, sha256, built_from = self._open(model_id, task="detector")
        return build_detector(card, session, canvas=canvas, sha256=sha256, built_from=built_from)

    def _load_classifier(self, model_id: str) -> Classifier:
        card, session, canvas, sha256, built_from = self._open(model_id, task="classifier")
        return build_classifier(card, session, canvas=canvas, sha256=sha256, built_from=built_from)

    def _load_face_reader(self, model_id: str) -> FaceReader:
        card, session, canvas, sha256, built_from = self._open(model_id, task="face_reader")
        return build_face_reader(card, session, canvas=canvas, sha256=sha256, built_from=built_from)

    def _open(self, model_id: str, *, task: str) -> _Opened:
        """Find a model's card and weights and load the network."""
        card = self._catalog.card(model_id)
        if card.task != task:
            actual = card.task.replace("_", " ")
            raise InvalidRequest(f"expected a {task}, {model_id} is a {actual}", param=task)
        installed = self._catalog.store.find(card.id)
        if installed is None:
            raise ModelNotInstalled(model_id, command=card.pull_command)
        canvas = self._canvas(card)
        session = self._runtime.open(installed.path, card.input_shape(canvas))
        _log.info("model_loaded", model=card.id, engine=session.engine, device=session.device)
        return _Opened(card, session, canvas, installed.sha256, _hash(card, installed))

    def _canvas(self, card: ModelCard) -> Size:
        side = self._canvases.get(card.id)
        canvas = card.canvas if side is None else (side, side)
        if not card.allows(canvas):
            allowed = ", ".join(f"{width} x {height}" for width, height in card.canvases or (card.canvas,))
            raise ModelError(f"{card.id} runs at {allowed} pixels, not at {canvas[0]} x {canvas[1]}")
        return canvas


def _hash(card: ModelCard, installed: Installed) -> str:
    files = sorted(installed.companions.items())
    return hashlib.sha256(orjson.dumps([installed.sha256, files, card.model_dump(mode="json")])).hexdigest()


def _class_names(card: ModelCard) -> tuple[str, ...]:
    """Name what the model can answer with."""
    if card.task == "face_reader":
        return tuple(GenderWord)
    if not isinstance(card.labels, str):
        return tuple(label for label in card.labels if label)
    return tuple(sorted({taxon.common_name for taxon in class_taxa(card.labels).by_class.values()}))
