"""What the file of every inference engine is built on: how to open, and how failures are told.

An engine has one file (`onnx_runtime`, `open_vino`) with one function, an `Opener`.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from okapia.domain.errors import DeviceLost, DeviceOutOfMemory, ModelError
from okapia.models.devices import CPU, Device
from okapia.models.rows import RowSession, Shape

Engine = Literal["onnxruntime", "openvino"]
Precision = Literal["f32", "bf16", "f16"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a network is to be opened.

    Attributes:
        device: a single one: its kind, and the number of the GPU.
        precision: `f32` means the file's own precision in ONNX Runtime.
        threads: for one call.
        streams: calls side by side, in an engine that has to know it beforehand.
        max_rows: rows that a call may come to have.
        cache: folder for what a device compiles of a network; None for not keeping it.
    """

    device: Device = CPU
    precision: Precision = "f32"
    threads: int = 1
    streams: int = 1
    max_rows: int = 1
    cache: Path | None = None


class Opener(Protocol):
    """Opens a network in one engine."""

    def __call__(self, network: Path, row: Shape, *, plan: Plan) -> RowSession:
        """Open `network` for rows of the shape `row` (its first axis is 1; None is an open side).

        Raises:
            ModelError: the file is no network that this engine reads, or it takes other rows.
            DeviceUnavailable: the device or the precision is not to be had.
        """
        ...


def load_error(error: Exception, *, network: Path, engine: str, device: Device) -> ModelError:
    """Tell in one sentence why an engine did not load a network."""
    text = _fact(str(error), engine)
    return _device_error(str(error), device) or ModelError(f"{engine} cannot load {network}: {text}")


def inference_error(error: Exception, *, network: Path, device: Device) -> ModelError:
    """Translate an engine's failure during a run: memory, the device, or the network itself."""
    text = _fact(str(error), "the engine")
    return _device_error(str(error), device) or ModelError(f"inference with {network} failed: {text}")


# --- the device -----------------------------------------------------------------------

_OUT_OF_MEMORY: Final = re.compile(
    r"out of memory|failed to allocate memory|bad_alloc|_STATUS_ALLOC_FAILED"
    r"|E_OUTOFMEMORY|8007000E|not enough memory",
    re.IGNORECASE,
)
_LOST: Final = re.compile(
    # Codes of cudaError_t after which the process's context on the device stays broken: devices
    # unavailable, no device, bad device, ECC, illegal access, timeout, context destroyed, assert,
    # the exceptions of a kernel, unknown.
    r"CUDA (?:failure|error)[: ]+(?:46|100|101|214|700|702|709|710|71[4-9]|999)\b"
    r"|device-side assert|unspecified launch failure|illegal memory access|no CUDA-capable device"
    r"|uncorrectable ECC|\bECC error|GPU is lost|fallen off the bus"
    # DXGI_ERROR_DEVICE_REMOVED, _HUNG and _RESET, by name, number and sentence.
    r"|device (?:was |has been |is )?(?:lost|removed|reset|hung)|DXGI_ERROR_DEVICE_|887A000[567]"
    r"|device instance has been suspended",
    re.IGNORECASE,
)


def _device_error(text: str, device: Device) -> ModelError | None:
    """Tell a full or a lost device from other failures."""
    if _OUT_OF_MEMORY.search(text):
        return DeviceOutOfMemory(f"{device} is out of memory: {_said(text)}")
    if device.is_gpu and _LOST.search(text):
        return DeviceLost(f"{device} is lost: {_said(text)}")
    return None


# --- the network ----------------------------------------------------------------------

_FACTS: Final = (
    (r"No Op registered for (\S+) with domain_version of (\d+)", "it uses the operator {0} of opset {1}"),
    (r"Fatal error: (\S+?)\(-?\d+\) is not a registered function/op", "it uses the operator {0}"),
    (r"No conversion rule found for operations: (.+)", "it uses the operator {0}"),
    (r"Could not find an implementation for (\w+)\(\d+\)", "it uses the operator {0} with unusual types"),
    (r"Opset (\d+) is under development", "it needs opset {0}"),
    (r"Unsupported model IR version: (\d+)", "its format has the version {0}"),
)
"""What ONNX Runtime 1.31 and OpenVINO 2026.4 say of a network that is too new or too special."""

_FRAME: Final = re.compile(
    r"^(?:\[ONNXRuntimeError\] : \d+ : \w+ : )?(?:Load model from .*? failed:)?"
    r"|^(?:Exception from |Check ').*"
)
"""What engines put around the sentence: a code, and the places in their source."""

_PLACE: Final = re.compile(
    r"/onnxruntime_src/\S+:\d+ [^()]*\([^()]*\)(?: const)? (?:\[with [^\]]*\] )?| ; GPU=-?\d+ ; hostname=.*"
)
"""Where in its source, and on which host, ONNX Runtime for Linux failed: longer than what it has to say."""


def _fact(text: str, engine: str) -> str:
    """Say what is the matter, in our words where they are known."""
    for pattern, sentence in _FACTS:
        if (match := re.search(pattern, text)) is not None:
            return f"{sentence.format(*match.groups())}, which {engine} does not know"
    return _said(text)


def _said(text: str) -> str:
    """Give the engine's own words in one line, without their frame."""
    lines = (_FRAME.sub("", _PLACE.sub("", line)).strip() for line in text.splitlines())
    return "; ".join(line for line in lines if line)[:300] or "no reason given"
