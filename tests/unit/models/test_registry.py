"""Models are found, loaded once, reported and dropped."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from okapia.domain.errors import InvalidRequest, ModelError, ModelNotInstalled, UnknownModel
from okapia.models.base import Session
from okapia.models.card import builtin_cards
from okapia.models.catalog import Catalog
from okapia.models.registry import Registry
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights.store import ModelStore
from tests import networks

CARDS = builtin_cards()
LITE = CARDS["megadetector-lite"]


class CountingRuntime(Runtime):
    """Counts what it opens."""

    def __init__(self) -> None:
        super().__init__(EngineChoice(), load=Load(), cores=1)
        self.opened: list[tuple[str, tuple[int | None, ...]]] = []
        self._lock = threading.Lock()

    def open(self, network: Path, shape: tuple[int | None, ...]) -> Session:
        with self._lock:
            self.opened.append((network.parent.name, shape))
        return super().open(network, shape)


class Clock:
    """Time that a test moves by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store in which `megadetector-lite` is a network of the right shapes that finds nothing."""
    store = ModelStore(tmp_path / "models")
    store.put(LITE, silent_yolox())
    return store


def silent_yolox() -> bytes:
    """A network (N, 3, H, W) to (N, 5376, 6) zeros."""
    zeros = helper.make_tensor("zeros", TensorProto.FLOAT, [1, 5376, 6], np.zeros(5376 * 6, dtype=np.float32))
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "nothing"], ["still"]),
        helper.make_node("Add", ["zeros", "still"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "silent",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, "H", "W"])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 5376, 6])],
        [zeros, helper.make_tensor("nothing", TensorProto.FLOAT, [], [0.0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return bytes(model.SerializeToString())


def registry(
    store: ModelStore, runtime: Runtime, *, clock: Clock, canvases: dict[str, int] | None = None
) -> Registry:
    return Registry(Catalog(store), runtime=runtime, canvases=canvases or {}, idle_s=60, clock=clock)


def test_a_model_is_loaded_once_however_many_ask(store: ModelStore) -> None:
    runtime = CountingRuntime()
    models = registry(store, runtime, clock=Clock())

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: models.detector("megadetector-lite"), range(16)))

    assert runtime.opened == [("megadetector-lite", (1, 3, 512, 512))]
    assert all(model is got[0] for model in got)


def test_a_loaded_model_answers_and_is_reported(store: ModelStore) -> None:
    models = registry(store, CountingRuntime(), clock=Clock())

    model = models.detector("megadetector-lite")

    assert model.detect(np.zeros((40, 60, 3), dtype=np.uint8)) == ()
    (report,) = model.reports
    assert (report.model_id, report.task, report.canvas, report.device, report.precision) == (
        "megadetector-lite",
        "detector",
        (512, 512),
        "cpu",
        "f32",
    )


def test_an_idle_model_is_dropped_and_loaded_again_when_asked(store: ModelStore) -> None:
    runtime, clock = CountingRuntime(), Clock()
    models = registry(store, runtime, clock=clock)
    models.detector("megadetector-lite")

    clock.now += 61
    dropped = models.evict_idle()
    models.detector("megadetector-lite")

    assert dropped == ["megadetector-lite"]
    assert len(runtime.opened) == 2


def test_a_model_in_use_is_not_dropped(store: ModelStore) -> None:
    clock = Clock()
    models = registry(store, CountingRuntime(), clock=clock)
    models.detector("megadetector-lite")

    clock.now += 59

    assert models.evict_idle() == []


def test_another_canvas_can_be_set(store: ModelStore) -> None:
    runtime = CountingRuntime()
    models = registry(store, runtime, clock=Clock(), canvases={"megadetector-lite": 640})

    assert models.detector("megadetector-lite").wanted((1600, 1600)) == (640, 640)


def test_a_canvas_that_the_card_does_not_allow_is_refused(store: ModelStore) -> None:
    models = registry(store, CountingRuntime(), clock=Clock(), canvases={"megadetector-lite": 500})

    with pytest.raises(ModelError, match="320 x 320, 416 x 416"):
        models.detector("megadetector-lite")


def test_an_unknown_model_is_refused_with_the_known_ones(store: ModelStore) -> None:
    with pytest.raises(UnknownModel, match="megadetector-lite"):
        registry(store, CountingRuntime(), clock=Clock()).detector("megadetector-heavy")


def test_a_missing_model_names_the_command_that_gets_it(store: ModelStore) -> None:
    with pytest.raises(ModelNotInstalled, match="okapia models pull nanodet-coco"):
        registry(store, CountingRuntime(), clock=Clock()).detector("nanodet-coco")


def test_a_face_reader_is_loaded_reported_and_dropped_as_the_others(store: ModelStore) -> None:
    store.put(CARDS["faceres"], networks.mean_green())
    models = registry(store, CountingRuntime(), clock=Clock())

    models.load("faceres")

    (facts,) = (facts for facts in models.facts() if facts.id == "faceres")
    assert facts.classes == ("man", "woman", "unknown")
    assert facts.loaded is not None
    assert facts.loaded.report.task == "face_reader"
    assert models.unload("faceres")
    assert not models.holds("faceres")


def test_a_missing_face_network_names_its_pack(store: ModelStore) -> None:
    with pytest.raises(ModelNotInstalled, match="okapia models pull faces`"):
        registry(store, CountingRuntime(), clock=Clock()).face_reader("faceres")


def test_a_classifier_is_no_detector(store: ModelStore) -> None:
    with pytest.raises(InvalidRequest, match="expected a detector"):
        registry(store, CountingRuntime(), clock=Clock()).detector("efficientnet-lite0")
