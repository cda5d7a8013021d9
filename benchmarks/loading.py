"""Whether loading a network of 200 MB delays the pictures of models that are loaded.

    python benchmarks/loading.py

One or four callers send a 12 MP picture again and again to the lite models; in the second half of every
round a network of 200 MB, made on the spot, is loaded meanwhile. The latencies of the pictures that were
on their way during that are compared with those of the quiet half before it.
"""

import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import onnx
from corpus import make_corpus
from harness import write
from onnx import helper, numpy_helper

from okapia.app import build_service
from okapia.domain.types import AnalysisOptions
from okapia.models.card import ModelCard, Preprocessing
from okapia.models.weights.store import ModelStore
from okapia.service import NamedImage, Service
from okapia.settings import load_settings

QUIET_S = 4.0
ROUNDS = 5
CALLERS = (1, 4)
CHANNELS, LAYERS = 512, 21
"""Of 512 x 512 x 3 x 3 float32: 9.4 MB each, 198 MB together."""


@dataclass(frozen=True, slots=True)
class Timed:
    """When a picture was sent, and the seconds until its answer."""

    sent: float
    seconds: float


def heavy_network() -> bytes:
    """A network of `LAYERS` wide convolutions that answers one row of zeros."""
    rng = np.random.default_rng(0)
    shapes = [(CHANNELS, 3, 3, 3), *[(CHANNELS, CHANNELS, 3, 3)] * LAYERS]
    weights = [rng.standard_normal(shape, dtype=np.float32) * 0.01 for shape in shapes]
    constants = [numpy_helper.from_array(weight, f"w{place}") for place, weight in enumerate(weights)]
    constants.append(numpy_helper.from_array(np.zeros((1, 6), dtype=np.float32), "zeros"))
    nodes, last = [], "images"
    for place in range(len(weights)):
        stride = 32 if place == 0 else 1  # heavy to load, not to run
        nodes.append(
            helper.make_node("Conv", [last, f"w{place}"], [f"x{place}"], strides=[stride] * 2, pads=[1] * 4)
        )
        last = f"x{place}"
    nodes.append(helper.make_node("ReduceMean", [last], ["mean"], axes=[0, 1, 2, 3], keepdims=0))
    nodes.append(helper.make_node("Mul", ["mean", "zeros"], ["output"]))
    shape = [helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, [1, 3, 640, 640])]
    answer = [helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, [1, 6])]
    graph = helper.make_graph(nodes, "heavy", shape, answer, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return bytes(model.SerializeToString())


def install_heavy(home: Path) -> None:
    card = ModelCard(
        id="heavy",
        title="heavy",
        version="1",
        task="detector",
        family="yolo_e2e",
        licence="none",
        canvas=(640, 640),
        labels=("animal",),
        preprocessing=Preprocessing(resize="letterbox"),
    )
    network = home / "heavy.onnx"
    network.write_bytes(heavy_network())
    ModelStore(home / "models").link(card, network, source="this benchmark")


class Callers:
    """Threads that send one picture after another until they are told to stop."""

    def __init__(self, service: Service, data: bytes, count: int) -> None:
        self.timed: list[Timed] = []
        self._stop = threading.Event()
        self._service = service
        self._data = data
        self._threads = [threading.Thread(target=self._call) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> list[Timed]:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self.timed

    def _call(self) -> None:
        while not self._stop.is_set():
            sent = time.perf_counter()
            self._service.analyze(NamedImage("a", lambda: self._data), AnalysisOptions()).result()
            self.timed.append(Timed(sent, time.perf_counter() - sent))


def round_of(service: Service, data: bytes, callers: int) -> tuple[float, float, float]:
    """Median latency while nothing is loaded, while the heavy network is, and the seconds that took."""
    calls = Callers(service, data, callers)
    time.sleep(QUIET_S)
    began = time.perf_counter()
    service.models.load("heavy")
    ended = time.perf_counter()
    timed = calls.stop()
    service.models.unload("heavy")
    quiet = [one.seconds for one in timed if one.sent + one.seconds < began]
    during = [one.seconds for one in timed if one.sent < ended and one.sent + one.seconds > began]
    return median(quiet), median(during), ended - began


def main() -> None:
    lite = load_settings().home
    with tempfile.TemporaryDirectory() as folder, make_corpus(1) as (file,):
        home = Path(folder)
        shutil.copytree(lite / "models", home / "models")
        install_heavy(home)
        service = build_service(load_settings(home=home, engine="onnxruntime", precision="f32"))
        service.check_ready()
        data = file.read_bytes()
        rows: dict[str, object] = {}
        for callers in CALLERS:
            rounds = [round_of(service, data, callers) for _ in range(ROUNDS)]
            ratio = median(during / quiet for quiet, during, _ in rounds)
            rows[f"{callers} callers"] = {"rounds": rounds, "ratio": ratio}
            worst = max(during / quiet for quiet, during, _ in rounds)
            loading = median(seconds for *_, seconds in rounds)
            latency = f"latency x {ratio:.2f} (worst round {worst:.2f})"
            print(f"{callers} callers: {latency}, loading {loading:.1f} s")
        service.close()
    write("loading", rows)


if __name__ == "__main__":
    main()
