"""Networks on GPUs, with engines that fail as GPUs do: batches, several GPUs, full and lost ones."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from okapia.domain.errors import DeviceLost, DeviceOutOfMemory, DeviceUnavailable, ModelError
from okapia.models.base import Session
from okapia.models.devices import Device, Hardware, parse_device
from okapia.models.engine import Plan, inference_error
from okapia.models.rotation import RotatingSession
from okapia.models.rows import Port, RowSession, Shape, Values, sign
from okapia.models.runtime import EngineChoice, Load, Runtime
from tests.unit.models.odd_networks import ROW, picture

LOST = "CUDA failure 719: unspecified launch failure ; GPU=0"
OLD_DRIVER = (
    "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_execution_provider_info.cc:63 static "
    "onnxruntime::CUDAExecutionProviderInfo onnxruntime::CUDAExecutionProviderInfo::FromProviderOptions("
    "const onnxruntime::ProviderOptions&) [ONNXRuntimeError] : 1 : FAIL : provider_options_utils.h:187 Parse "
    'Failed to parse provider option "device_id": CUDA failure 35: CUDA driver version is insufficient for '
    "CUDA runtime version ; GPU=-1 ; hostname=vm ; file=/onnxruntime_src/onnxruntime/core/providers/cuda/"
    "cuda_execution_provider_info.cc ; line=70 ; expr=cudaGetDeviceCount(&num_devices); "
)
FULL = (
    "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Expand node. Name:'' Status "
    "Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:360 void* onnxruntime::BFCArena::"
    "AllocateRawInternal(size_t, bool, onnxruntime::Stream*) Failed to allocate memory for requested buffer "
    "of size 128"
)
NETWORK = Path("network.onnx")


class Gpus:
    """GPUs that double their input, and say in an engine's words what happens to them.

    Attributes:
        failures: what a GPU answers to every call, by its name.
        batches: rows of every call, by GPU.
        capacity: rows that fit into a GPU.
    """

    def __init__(self, count: int, *, batch: int | str = "N", capacity: int = 1000) -> None:
        self.names = [f"cuda:{number}" for number in range(count)]
        self.failures: dict[str, str] = {}
        self.batches: dict[str, list[int]] = {name: [] for name in self.names}
        self.opened: list[str] = []
        self.batch = batch
        self.capacity = capacity
        self.gate = threading.Event()
        self.gate.set()

    def runtime(self, device: str = "cuda") -> Runtime:
        hardware = Hardware(
            lambda: {"onnxruntime-gpu": "1"},
            lambda: ("CUDAExecutionProvider", "CPUExecutionProvider"),
            lambda: len(self.names),
            self.trial,
        )
        choice = EngineChoice(device=parse_device(device))
        return Runtime(choice, load=Load(), cores=1, hardware=hardware, openers={"onnxruntime": self.open})

    def trial(self, device: Device) -> None:
        if str(device) not in self.names:
            raise DeviceUnavailable(f"{device} does not work: invalid device ordinal")

    def open(self, network: Path, row: Shape, *, plan: Plan) -> RowSession:
        name = str(plan.device)
        self.opened.append(name)

        def call(rows: Values) -> Sequence[Values]:
            self.gate.wait(timeout=10)
            error = self.failures.get(name) or ("out of memory" if len(rows) > self.capacity else None)
            if error is not None:
                raise inference_error(RuntimeError(error), network=network, device=plan.device)
            self.batches[name].append(len(rows))
            return [np.asarray(rows, dtype=np.float32) * 2]

        port = Port("x", "f32", (self.batch, *row[1:]))
        signature = sign(network, [port], [port], row=row)
        return RowSession(signature, call, engine="test 1", device=name, precision="f32")


def wait_for(session: Session, *, rows: int) -> None:
    """Wait until so many rows are with the GPUs."""
    assert isinstance(session, RotatingSession)
    while sum(lane.rows for lane in session._lanes) < rows:
        threading.Event().wait(0.001)


def test_auto_is_resolved_when_the_runtime_is_made() -> None:
    runtime = Gpus(2).runtime("auto")

    assert str(runtime.choice.device) == "cuda:0,1"


def test_a_network_is_opened_on_every_gpu_and_says_so() -> None:
    gpus = Gpus(2)

    session = gpus.runtime().open(NETWORK, ROW)

    assert gpus.opened == ["cuda:0", "cuda:1"]
    assert (session.device, session.engine, session.precision) == ("cuda:0,1", "test 1", "f32")


def test_a_gpu_that_is_busy_gets_less() -> None:
    gpus = Gpus(2)
    session = gpus.runtime().open(NETWORK, ROW)
    gpus.gate.clear()

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(session.run, picture(5)), pool.submit(session.run, picture(5))]
        wait_for(session, rows=10)
        gpus.gate.set()
        answers = [future.result(timeout=10)["x"] for future in futures]

    assert gpus.batches == {"cuda:0": [5], "cuda:1": [5]}
    assert all(np.array_equal(answer, picture(5) * 2) for answer in answers)


def test_one_gpu_of_several_may_be_asked_for() -> None:
    gpus = Gpus(3)

    gpus.runtime("cuda:1").open(NETWORK, ROW).run(picture())

    assert gpus.batches == {"cuda:0": [], "cuda:1": [1], "cuda:2": []}


@pytest.mark.parametrize(("batch", "rows"), [("N", [3]), (1, [1, 1, 1]), (2, [2, 2])])
def test_a_batch_is_as_large_as_the_network_takes(batch: int | str, rows: list[int]) -> None:
    gpus = Gpus(1, batch=batch)
    session = gpus.runtime().open(NETWORK, ROW)

    answer = session.run(picture(3))["x"]

    assert gpus.batches["cuda:0"] == rows
    assert np.array_equal(answer, picture(3) * 2)


def test_a_full_gpu_halves_the_batch_and_says_so() -> None:
    gpus = Gpus(1, capacity=3)
    session = gpus.runtime().open(NETWORK, ROW)

    with capture_logs() as events:
        answer = session.run(picture(8))["x"]

    assert np.array_equal(answer, picture(8) * 2)
    assert [(event["event"], event["device"], event["max_batch"]) for event in events] == [
        ("batch_halved", "cuda:0", 4),
        ("batch_halved", "cuda:0", 2),
    ]


def test_a_row_that_does_not_fit_is_told_by_its_device() -> None:
    session = Gpus(1, capacity=0).runtime().open(NETWORK, ROW)

    with pytest.raises(DeviceOutOfMemory, match="cuda:0 is out of memory"):
        session.run(picture())


# --- lost -----------------------------------------------------------------------------


def test_a_lost_gpu_leaves_the_rotation_and_the_call_is_answered_by_another() -> None:
    gpus = Gpus(2)
    session = gpus.runtime().open(NETWORK, ROW)
    gpus.failures["cuda:0"] = LOST

    with capture_logs() as events:
        answers = [session.run(picture())["x"] for _ in range(4)]

    assert all(np.array_equal(answer, picture() * 2) for answer in answers)
    assert gpus.batches == {"cuda:0": [], "cuda:1": [1, 1, 1, 1]}
    assert [(event["event"], event["device"], event["left"]) for event in events] == [
        ("device_lost", "cuda:0", ["cuda:1"])
    ]


def test_when_no_gpu_is_left_every_call_says_so_and_the_cpu_is_not_taken() -> None:
    gpus = Gpus(2)
    session = gpus.runtime().open(NETWORK, ROW)
    gpus.failures = dict.fromkeys(gpus.names, LOST)

    with capture_logs() as events:
        for _ in range(3):
            with pytest.raises(DeviceLost, match=r"no GPU of cuda:0,1 is left.*719"):
                session.run(picture())

    assert [event["device"] for event in events] == ["cuda:0", "cuda:1"]
    assert gpus.opened == ["cuda:0", "cuda:1"]


def test_a_gpu_that_one_network_lost_is_lost_to_all() -> None:
    gpus = Gpus(2)
    runtime = gpus.runtime()
    first, second = runtime.open(NETWORK, ROW), runtime.open(NETWORK, ROW)
    gpus.failures["cuda:0"] = LOST
    first.run(picture())
    gpus.failures.clear()

    second.run(picture())
    third = runtime.open(NETWORK, ROW)

    assert gpus.batches["cuda:0"] == []
    assert third.device == "cuda:1"


def test_no_network_is_opened_when_no_gpu_is_left() -> None:
    gpus = Gpus(1)
    runtime = gpus.runtime()
    session = runtime.open(NETWORK, ROW)
    gpus.failures["cuda:0"] = LOST
    with pytest.raises(DeviceLost):
        session.run(picture())

    with pytest.raises(DeviceLost, match="restart the server"):
        runtime.open(NETWORK, ROW)


def test_callers_that_waited_for_a_lost_gpu_are_answered_by_another() -> None:
    gpus = Gpus(2)
    session = gpus.runtime().open(NETWORK, ROW)
    gpus.gate.clear()

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(session.run, picture()) for _ in range(8)]
        wait_for(session, rows=8)
        gpus.failures["cuda:1"] = LOST
        gpus.gate.set()
        answers = [future.result(timeout=10)["x"] for future in futures]

    assert all(np.array_equal(answer, picture() * 2) for answer in answers)
    assert sum(gpus.batches["cuda:0"]) == 8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CUDA failure 700: an illegal memory access was encountered ; GPU=0", DeviceLost),
        ("CUDA failure 100: no CUDA-capable device is detected", DeviceLost),
        ("CUDA error: device-side assert triggered", DeviceLost),
        ("CUDA failure 214: uncorrectable ECC error encountered", DeviceLost),
        ("DXGI_ERROR_DEVICE_REMOVED", DeviceLost),
        ("Non-zero status code: 887A0005 The GPU device instance has been suspended.", DeviceLost),
        ("CUDA failure 2: out of memory ; GPU=0", DeviceOutOfMemory),
        ("Failed to allocate memory for requested buffer of size 1234", DeviceOutOfMemory),
        ("CUBLAS_STATUS_ALLOC_FAILED", DeviceOutOfMemory),
        ("8007000E Not enough memory resources are available", DeviceOutOfMemory),
        ("CUDA failure 1: invalid argument", ModelError),
        ("Got invalid dimensions for input: x", ModelError),
    ],
)
def test_an_engines_words_tell_a_lost_device_from_a_full_one(text: str, expected: type[ModelError]) -> None:
    error = inference_error(RuntimeError(text), network=NETWORK, device=Device("cuda", (0,)))

    assert type(error) is expected
    assert text.rsplit(":", maxsplit=1)[-1].strip() in str(error)


def test_an_old_driver_is_said_without_the_place_in_the_engines_source() -> None:
    error = inference_error(RuntimeError(OLD_DRIVER), network=NETWORK, device=Device("cuda", (0,)))

    assert str(error).endswith(
        "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version"
    )
    assert "onnxruntime_src" not in str(error)


def test_a_full_gpu_is_said_without_the_place_in_the_engines_source() -> None:
    error = inference_error(RuntimeError(FULL), network=NETWORK, device=Device("cuda", (0,)))

    assert str(error).endswith("Status Message: Failed to allocate memory for requested buffer of size 128")
    assert "onnxruntime_src" not in str(error)


def test_a_cpu_is_never_lost() -> None:
    error = inference_error(RuntimeError("device lost"), network=NETWORK, device=Device())

    assert type(error) is ModelError
