"""Inference engines: the only file that knows ONNX Runtime and OpenVINO.

A `Runtime` opens networks for one device and says what it really runs on. On a CPU each
network is opened twice: *narrow* (one thread a call, one call a core: best throughput) and
*wide* (all cores on one call: best latency); `Load` says which one a call should take.
On a GPU concurrent calls are merged into batches (`BatchingSession`).
"""

import os
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from okapia.domain.errors import DeviceOutOfMemory, DeviceUnavailable, ModelError
from okapia.models.base import Session, Tensor
from okapia.models.batching import BatchingSession

if TYPE_CHECKING:
    import openvino

Engine = Literal["onnxruntime", "openvino"]
Precision = Literal["f32", "bf16"]

GPU_MAX_BATCH = 32
"""Rows that a GPU batch may grow to; halved when the device runs out of memory."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Which engine computes, in which precision, on which device (`cpu` or `cuda:<n>`)."""

    engine: Engine = "onnxruntime"
    precision: Precision = "f32"
    device: str = "cpu"


class Load:
    """Counts the pictures in flight, so that a lone one can have all cores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one picture while the block runs."""
        with self._lock:
            self._in_flight += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1

    @property
    def is_light(self) -> bool:
        """At most one picture is in flight."""
        return self._in_flight <= 1


class Runtime:
    """Opens networks on one device with one engine; the choice never changes behind its back."""

    def __init__(self, choice: EngineChoice, *, load: Load, cores: int) -> None:
        self.choice = choice
        self.cores = cores
        self._load = load

    def open(self, network: Path, canvas: int) -> Session:
        """Load a network for square inputs of `canvas` pixels.

        Raises:
            ModelError: the file is no network that this engine reads.
            DeviceUnavailable: the chosen device or precision is not to be had.
        """
        opener = _OPENERS[self.choice.engine]
        if self.choice.device != "cpu":
            single = opener(network, canvas=canvas, choice=self.choice, threads=1, streams=1)
            return BatchingSession(single, max_batch=GPU_MAX_BATCH)
        narrow = opener(network, canvas=canvas, choice=self.choice, threads=1, streams=self.cores)
        if self.cores == 1:
            return narrow
        wide = opener(network, canvas=canvas, choice=self.choice, threads=self.cores, streams=1)
        return _CpuSession(wide=wide, narrow=narrow, load=self._load)


def usable_cores() -> int:
    """Count the cores that this process may use: the affinity mask where the system has one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def installed_engines() -> dict[str, str]:
    """Give the version of each engine package that is installed here, by name."""
    versions = {}
    for name in ("onnxruntime", "onnxruntime-gpu", "openvino"):
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


class _CpuSession:
    """One network opened for latency and for throughput."""

    def __init__(self, *, wide: Session, narrow: Session, load: Load) -> None:
        self._wide = wide
        self._narrow = narrow
        self._load = load
        self.input_shape = narrow.input_shape
        self.engine = narrow.engine
        self.device = narrow.device
        self.precision = narrow.precision

    def run(self, batch: Tensor) -> dict[str, Tensor]:
        session = self._wide if self._load.is_light else self._narrow
        return session.run(batch)


class _Opener(Protocol):
    """How an engine opens a network: `threads` for one call, `streams` calls side by side."""

    def __call__(
        self, network: Path, *, canvas: int, choice: EngineChoice, threads: int, streams: int
    ) -> Session: ...


# --- ONNX Runtime ---------------------------------------------------------------------

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class _OnnxRuntimeSession:
    """A network in ONNX Runtime; calls from several threads run side by side by themselves."""

    def __init__(
        self, network: Path, *, canvas: int, choice: EngineChoice, threads: int, streams: int
    ) -> None:
        import onnxruntime  # noqa: PLC0415 - engines load with the first model, not with the command

        del streams  # every caller brings its own thread
        if choice.precision != "f32":
            raise DeviceUnavailable(f"ONNX Runtime computes in f32 here, not in {choice.precision}")
        provider, options = _provider(choice.device, available=onnxruntime.get_available_providers())
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.inter_op_num_threads = 1
        settings.log_severity_level = 3
        # Spinning threads would steal the cores that decode the next picture.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        for axis in ("H", "W"):
            settings.add_free_dimension_override_by_name(axis, canvas)
        try:
            self._session = onnxruntime.InferenceSession(
                str(network), settings, providers=[(provider, options)]
            )
        except Exception as error:  # the engine's exceptions share no base of their own
            raise ModelError(f"ONNX Runtime cannot load {network}: {_first_line(error)}") from error
        if (used := self._session.get_providers()[0]) != provider:
            raise DeviceUnavailable(f"asked for {choice.device}, ONNX Runtime took {used}")
        entry = self._session.get_inputs()[0]
        self._input: str = entry.name
        self._outputs: list[str] = [output.name for output in self._session.get_outputs()]
        self.input_shape = tuple(side if isinstance(side, int) else None for side in entry.shape)
        self.engine = f"onnxruntime {onnxruntime.__version__}"
        self.device = choice.device
        self.precision = "f32"

    def run(self, batch: Tensor) -> dict[str, Tensor]:
        try:
            values = self._session.run(self._outputs, {self._input: batch})
        except Exception as error:  # the engine's exceptions share no base of their own
            raise _inference_error(error) from error
        return dict(zip(self._outputs, values, strict=True))


def _provider(device: str, *, available: list[str]) -> tuple[str, dict[str, str]]:
    """Name the execution provider of a device, and its options."""
    kind, _, index = device.partition(":")
    name = _PROVIDERS.get(kind)
    if name is None:
        raise DeviceUnavailable(f"unknown device {device!r}; expected cpu or cuda:<n>")
    if name not in available:
        raise DeviceUnavailable(
            f"device {device} needs {name}, this ONNX Runtime has {', '.join(available)}; "
            "install onnxruntime-gpu in place of onnxruntime"
        )
    return name, {"device_id": index or "0"} if kind == "cuda" else {}


# --- OpenVINO -------------------------------------------------------------------------

_OPENVINO_TYPES = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}


class _OpenVinoSession:
    """A network in OpenVINO; each stream has its own infer request."""

    def __init__(
        self, network: Path, *, canvas: int, choice: EngineChoice, threads: int, streams: int
    ) -> None:
        core = _openvino_core(choice)
        limits = {
            "INFERENCE_PRECISION_HINT": choice.precision,
            "INFERENCE_NUM_THREADS": max(threads, streams),
            "NUM_STREAMS": streams,
        }
        try:
            model = core.read_model(network)
            model.reshape(_fixed_shape(model, canvas))
            compiled = core.compile_model(model, "CPU", limits)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot load {network}: {_first_line(error)}") from error
        self._names: list[str] = [output.get_any_name() for output in compiled.outputs]
        self._idle: queue.SimpleQueue[openvino.InferRequest] = queue.SimpleQueue()
        for _ in range(streams):
            self._idle.put(compiled.create_infer_request())
        self.input_shape = tuple(int(side) for side in compiled.inputs[0].shape)
        self.engine = f"openvino {installed_engines()['openvino']}"
        self.device = "cpu"
        used = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        self.precision = _OPENVINO_TYPES.get(used, used)

    def run(self, batch: Tensor) -> dict[str, Tensor]:
        request = self._idle.get()
        try:
            rows = [self._run_row(request, batch[place : place + 1]) for place in range(len(batch))]
        except RuntimeError as error:
            raise _inference_error(error) from error
        finally:
            self._idle.put(request)
        return {name: np.concatenate([row[name] for row in rows]) for name in self._names}

    def _run_row(self, request: "openvino.InferRequest", row: Tensor) -> dict[str, Tensor]:
        """Run one row: on a CPU a batch gains nothing, and a fixed shape compiles better."""
        request.infer({0: row}, share_inputs=True)
        outputs = enumerate(self._names)
        return {name: np.array(request.get_output_tensor(place).data) for place, name in outputs}


def _openvino_core(choice: EngineChoice) -> "openvino.Core":
    try:
        import openvino  # noqa: PLC0415 - optional outside Linux x86-64
    except ImportError as error:
        raise DeviceUnavailable(
            "OpenVINO is not installed; install okapia[openvino] or set OKAPIA_ENGINE=onnxruntime"
        ) from error
    if choice.device != "cpu":
        raise DeviceUnavailable(f"OpenVINO runs on the cpu here, not on {choice.device}")
    core = openvino.Core()
    if choice.precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise DeviceUnavailable("this CPU has no bf16 instructions; set OKAPIA_PRECISION=f32")
    return core


def _fixed_shape(model: "openvino.Model", canvas: int) -> list[int]:
    """Shape of the input with one row and open sides set to the canvas."""
    shape = model.inputs[0].partial_shape
    sides = [canvas if side.is_dynamic else int(side.get_length()) for side in shape]
    return [1, *sides[1:]]


# --- both -----------------------------------------------------------------------------

_OPENERS: dict[Engine, _Opener] = {"onnxruntime": _OnnxRuntimeSession, "openvino": _OpenVinoSession}

_OUT_OF_MEMORY = ("out of memory", "failed to allocate memory", "bad_alloc")


def _inference_error(error: Exception) -> ModelError:
    """Translate an engine's failure during a run."""
    text = _first_line(error)
    if any(sign in text.lower() for sign in _OUT_OF_MEMORY):
        return DeviceOutOfMemory(text)
    return ModelError(f"inference failed: {text}")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
