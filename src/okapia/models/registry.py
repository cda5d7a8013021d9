"""The models of this process: found by id, loaded when first asked for, dropped when idle."""

import importlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Generic, Protocol, TypeVar

import structlog

from okapia.domain.errors import ModelError, ModelNotInstalled, UnknownModel
from okapia.domain.types import ModelReport
from okapia.models.base import Classifier, Detector, Model, Session
from okapia.models.card import ModelCard
from okapia.models.runtime import Runtime
from okapia.models.weights.store import ModelStore

_log = structlog.get_logger(__name__)

M = TypeVar("M", bound=Model)


class DetectorFamily(Protocol):
    """What a family module of detectors exports as `build`."""

    def __call__(
        self, card: ModelCard, session: Session, *, canvas: int, report: ModelReport
    ) -> Detector: ...


class ClassifierFamily(Protocol):
    """What a family module of classifiers exports as `build`."""

    def __call__(
        self, card: ModelCard, session: Session, *, canvas: int, report: ModelReport
    ) -> Classifier: ...


@dataclass(slots=True)
class _Loaded(Generic[M]):
    model: M
    last_used: float


class _Shelf(Generic[M]):
    """Loaded models of one kind."""

    def __init__(
        self, load: Callable[[str], M], *, loading: threading.Lock, clock: Callable[[], float]
    ) -> None:
        self._load = load
        self._loading = loading
        self._clock = clock
        self._entries: dict[str, _Loaded[M]] = {}

    def get(self, model_id: str) -> M:
        entry = self._entries.get(model_id)
        if entry is None:
            with self._loading:
                # Another thread may have loaded it while this one waited.
                entry = self._entries.get(model_id) or _Loaded(self._load(model_id), self._clock())
                self._entries[model_id] = entry
        entry.last_used = self._clock()
        return entry.model

    def evict(self, deadline: float) -> list[str]:
        idle = [model_id for model_id, entry in list(self._entries.items()) if entry.last_used < deadline]
        for model_id in idle:
            self._entries.pop(model_id, None)
            _log.info("model_evicted", model=model_id)
        return idle


@dataclass(frozen=True, slots=True)
class _Opened:
    """A network ready for its family."""

    card: ModelCard
    session: Session
    canvas: int
    report: ModelReport


class Registry:
    """Gives models by id. Safe to use from several threads.

    One network is loaded at a time; models that are loaded already are given without waiting
    for it. A model that nobody asked for during `idle_s` seconds is dropped by `evict_idle`;
    callers that still hold it keep it until they are done.
    """

    def __init__(
        self,
        cards: Mapping[str, ModelCard],
        *,
        store: ModelStore,
        runtime: Runtime,
        canvases: Mapping[str, int],
        idle_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use `canvases` (model id to side in pixels) in place of the cards' defaults."""
        self._cards = cards
        self._store = store
        self._runtime = runtime
        self._canvases = canvases
        self._idle_s = idle_s
        self._clock = clock
        loading = threading.Lock()
        self._detectors = _Shelf(self._load_detector, loading=loading, clock=clock)
        self._classifiers = _Shelf(self._load_classifier, loading=loading, clock=clock)

    def detector(self, model_id: str) -> Detector:
        """Give the detector `model_id`, loading it if need be.

        Raises:
            UnknownModel: no card has this id.
            ModelNotInstalled: its weights are not on this machine.
            ModelError: it is a classifier, damaged, or the device is not to be had.
        """
        return self._detectors.get(model_id)

    def classifier(self, model_id: str) -> Classifier:
        """Give the classifier `model_id`, loading it if need be; raises as `detector` does."""
        return self._classifiers.get(model_id)

    def evict_idle(self) -> list[str]:
        """Drop the models that nobody asked for lately; gives their ids."""
        deadline = self._clock() - self._idle_s
        return self._detectors.evict(deadline) + self._classifiers.evict(deadline)

    def _load_detector(self, model_id: str) -> Detector:
        opened = self._open(model_id, task="detector")
        build: DetectorFamily = _family(opened.card).build
        return build(opened.card, opened.session, canvas=opened.canvas, report=opened.report)

    def _load_classifier(self, model_id: str) -> Classifier:
        opened = self._open(model_id, task="classifier")
        build: ClassifierFamily = _family(opened.card).build
        return build(opened.card, opened.session, canvas=opened.canvas, report=opened.report)

    def _open(self, model_id: str, *, task: str) -> _Opened:
        """Find a model's card and weights and load the network."""
        card = self._cards.get(model_id)
        if card is None:
            raise UnknownModel(model_id, known=list(self._cards))
        if card.task != task:
            raise ModelError(f"expected a {task}, {model_id} is a {card.task}")
        installed = self._store.find(model_id)
        if installed is None:
            raise ModelNotInstalled(model_id, command=f"okapia models pull {model_id}")
        canvas = self._canvas(card)
        session = self._runtime.open(installed.path, canvas)
        report = ModelReport(
            model_id, task, canvas, session.engine, session.device, session.precision, installed.sha256
        )
        _log.info("model_loaded", **asdict(report))
        return _Opened(card, session, canvas, report)

    def _canvas(self, card: ModelCard) -> int:
        canvas = self._canvases.get(card.id, card.canvas)
        if canvas not in card.canvases:
            allowed = ", ".join(map(str, card.canvases))
            raise ModelError(f"{card.id} runs at {allowed} pixels, not at {canvas}")
        return canvas


def _family(card: ModelCard) -> ModuleType:
    """Import the module of a card's family, only now that a model of it is asked for."""
    try:
        return importlib.import_module(f"okapia.models.{card.family}")
    except ModuleNotFoundError as error:
        raise ModelError(f"{card.id}: there is no model family {card.family!r}") from error
