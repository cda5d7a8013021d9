"""The models of this process: found by id, loaded when first asked for, dropped when idle."""

import importlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import structlog

from okapia.domain.errors import ModelError, ModelNotInstalled, UnknownModel
from okapia.domain.types import ModelReport
from okapia.models.base import Classifier, Detector, Session
from okapia.models.card import ModelCard
from okapia.models.runtime import Runtime
from okapia.models.store import ModelStore

_log = structlog.get_logger(__name__)

M = TypeVar("M", Detector, Classifier)
M_co = TypeVar("M_co", Detector, Classifier, covariant=True)


class Family(Protocol[M_co]):
    """What a family module exports as `build`: a card and a session become a model."""

    def __call__(self, card: ModelCard, session: Session, *, canvas: int, report: ModelReport) -> M_co: ...


@dataclass(slots=True)
class _Loaded(Generic[M]):
    model: M
    last_used: float


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
        self._detectors: dict[str, _Loaded[Detector]] = {}
        self._classifiers: dict[str, _Loaded[Classifier]] = {}
        self._loading = threading.Lock()

    def detector(self, model_id: str) -> Detector:
        """Give the detector `model_id`, loading it if need be.

        Raises:
            UnknownModel: no card has this id.
            ModelNotInstalled: its weights are not on this machine.
            ModelError: it is a classifier, damaged, or the device is not to be had.
        """
        return self._get(self._detectors, model_id, task="detector")

    def classifier(self, model_id: str) -> Classifier:
        """Give the classifier `model_id`, loading it if need be; raises as `detector` does."""
        return self._get(self._classifiers, model_id, task="classifier")

    def loaded(self) -> list[ModelReport]:
        """Say which networks are in memory and how they run."""
        models = [entry.model for entry in (*self._detectors.values(), *self._classifiers.values())]
        return [report for model in models for report in model.reports]

    def evict_idle(self) -> list[str]:
        """Drop the models that nobody asked for lately; gives their ids."""
        deadline = self._clock() - self._idle_s
        return self._evict(self._detectors, deadline) + self._evict(self._classifiers, deadline)

    def _get(self, shelf: dict[str, _Loaded[M]], model_id: str, *, task: str) -> M:
        entry = shelf.get(model_id)
        if entry is None:
            with self._loading:
                # Another thread may have loaded it while this one waited.
                entry = shelf.get(model_id) or _Loaded(self._load(model_id, task), self._clock())
                shelf[model_id] = entry
        entry.last_used = self._clock()
        return entry.model

    def _load(self, model_id: str, task: str) -> M:
        card = self._cards.get(model_id)
        if card is None:
            raise UnknownModel(model_id, known=list(self._cards))
        if card.task != task:
            raise ModelError(f"expected a {task}, {model_id} is a {card.task}")
        installed = self._store.find(model_id)
        if installed is None:
            raise ModelNotInstalled(model_id, command=f"okapia models pull {model_id}")
        started = self._clock()
        canvas = self._canvas(card)
        session = self._runtime.open(installed.path, canvas)
        report = ModelReport(
            model_id, card.task, session.engine, session.device, session.precision, installed.sha256
        )
        family: Family[M] = importlib.import_module(f"okapia.models.{card.family}").build
        _log.info(
            "model_loaded",
            model=model_id,
            canvas=canvas,
            engine=session.engine,
            device=session.device,
            precision=session.precision,
            seconds=round(self._clock() - started, 3),
        )
        return family(card, session, canvas=canvas, report=report)

    def _canvas(self, card: ModelCard) -> int:
        canvas = self._canvases.get(card.id, card.canvas)
        if canvas not in card.canvases:
            allowed = ", ".join(map(str, card.canvases))
            raise ModelError(f"{card.id} runs at {allowed} pixels, not at {canvas}")
        return canvas

    def _evict(self, shelf: dict[str, _Loaded[M]], deadline: float) -> list[str]:
        idle = [model_id for model_id, entry in list(shelf.items()) if entry.last_used < deadline]
        for model_id in idle:
            shelf.pop(model_id, None)
            _log.info("model_evicted", model=model_id)
        return idle
