"""Networks on one device: decided at the start, reported as it is, never changed behind anybody's back.

A `Runtime` opens networks with the engines (`onnx_runtime`, `open_vino`). On a CPU each network is opened
twice: *narrow* (one thread a call, one call a core: best throughput) and *wide* (all cores on one call: best
latency); `Load` says which one a call should take. On GPUs concurrent calls are merged into batches
(`BatchingSession`), and several GPUs share the calls (`RotatingSession`).
"""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from okapia.domain.errors import DeviceLost, DeviceUnavailable
from okapia.models import onnx_runtime, open_vino
from okapia.models.base import Session, Tensor
from okapia.models.batching import BatchingSession
from okapia.models.devices import CPU, Device, Hardware, count_gpus, installed_engines, take_device
from okapia.models.engine import Engine, Opener, Plan, Precision
from okapia.models.polite import politely
from okapia.models.rotation import Fleet, Lane, RotatingSession
from okapia.models.rows import Shape

GPU_MAX_BATCH = 32
"""Rows that a GPU batch may grow to; halved when the device runs out of memory."""

HARDWARE: Final = Hardware(installed_engines, onnx_runtime.providers, count_gpus, onnx_runtime.trial)
"""This machine."""

OPENERS: Final[Mapping[Engine, Opener]] = {
    "onnxruntime": onnx_runtime.open_network,
    "openvino": open_vino.open_network,
}


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Which engine computes ONNX files, in which precision, on which device."""

    engine: Engine = "onnxruntime"
    precision: Precision = "f32"
    device: Device = CPU


BUSY_S = 2.0
"""A process counts as busy for so long after its last picture: callers who come one by one leave gaps."""


class Load:
    """Counts the pictures in flight, so that a lone one can have all cores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight = 0
        self._last_end = float("-inf")

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
                self._last_end = time.monotonic()

    @property
    def is_light(self) -> bool:
        """At most one picture is in flight."""
        return self._in_flight <= 1

    @property
    def is_none(self) -> bool:
        """No picture is in flight, nor was one lately."""
        return self._in_flight == 0 and time.monotonic() - self._last_end > BUSY_S


class Runtime:
    """Opens networks on one device with one engine.

    Attributes:
        choice: what is used: `auto` is resolved, and GPUs are numbered.
    """

    def __init__(
        self,
        choice: EngineChoice,
        *,
        load: Load,
        cores: int,
        cache: Path | None = None,
        hardware: Hardware = HARDWARE,
        openers: Mapping[Engine, Opener] = OPENERS,
    ) -> None:
        """Take the device; a GPU has to compute something now.

        Args:
            cache: folder for what a device compiles of networks; None for not keeping it.

        Raises:
            DeviceUnavailable: the device or the precision is not to be had, or two packages of ONNX Runtime
                overwrite each other.
        """
        device = take_device(_possible(choice), hardware=hardware)
        self.choice = replace(choice, device=device)
        self.cores = cores
        self._load = load
        self._cache = cache
        self._openers = openers
        self._fleet = Fleet(device)
        if choice.engine == "onnxruntime":
            onnx_runtime.check_precision(self._plan(device))

    def open(self, network: Path, row: Shape) -> Session:
        """Load a network for rows of the shape `row`: (1, 3, H, W) or (1, H, W, 3), None for an open side.

        OpenVINO's own networks (`.xml`) run in OpenVINO, whatever the engine of ONNX files. Where pictures
        are on their way, loading gives way to them.

        Raises:
            ModelError: the file is no network that the engine reads, or takes other rows.
            DeviceUnavailable: the chosen device or precision is not to be had for it.
            DeviceLost: no GPU is left.
        """
        if self._load.is_none:
            return self._open(network, row)
        return politely(partial(self._open, network, row))

    def _open(self, network: Path, row: Shape) -> Session:
        is_own = network.suffix == open_vino.IR_SUFFIX
        if is_own and self.choice.device.is_gpu:
            raise DeviceUnavailable(
                f"{network} is a network of OpenVINO, which runs on the cpu here, not on {self.choice.device}"
            )
        opener = self._openers["openvino" if is_own else self.choice.engine]
        if self.choice.device.is_gpu:
            return self._open_on_gpus(opener, network, row)
        narrow = opener(network, row, plan=replace(self._plan(CPU), streams=self.cores))
        if self.cores == 1:
            return narrow
        wide = opener(network, row, plan=replace(self._plan(CPU), threads=self.cores))
        return _CpuSession(wide=wide, narrow=narrow, load=self._load)

    def _open_on_gpus(self, opener: Opener, network: Path, row: Shape) -> Session:
        """Load a network on every GPU that is left."""
        lanes = []
        for device in self._fleet.left:
            try:
                inner = opener(network, row, plan=replace(self._plan(device), max_rows=GPU_MAX_BATCH))
            except DeviceLost as error:
                self._fleet.lose(device, str(error))
                continue
            lanes.append(Lane(device, BatchingSession(inner, max_batch=inner.rows or GPU_MAX_BATCH)))
        if not lanes:
            raise self._fleet.all_lost()
        return RotatingSession(lanes, fleet=self._fleet)

    def _plan(self, device: Device) -> Plan:
        return Plan(device, self.choice.precision, cache=self._cache)


def _possible(choice: EngineChoice) -> Device:
    """Give what is asked for; OpenVINO's only device in place of `auto`."""
    if choice.engine == "onnxruntime":
        return choice.device
    if choice.device.is_gpu:
        raise DeviceUnavailable(f"OpenVINO runs on the cpu here, not on {choice.device}")
    return CPU


def usable_cores() -> int:
    """Count the cores that this process may use: the affinity mask where the system has one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
