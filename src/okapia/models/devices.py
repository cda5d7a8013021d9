"""Where networks compute: how a device is written, and which devices this machine can offer.

Nothing here imports an engine. A device is decided once, at the start (`take_device`), and is never
replaced by another kind behind anybody's back.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Final, Literal, get_args

import structlog

from okapia.domain.errors import DeviceUnavailable, InvalidSettings

_log = structlog.get_logger(__name__)

Kind = Literal["auto", "cpu", "cuda", "directml", "tensorrt"]

DEVICE_PATTERN: Final = r"^(auto|cpu|(cuda|directml|tensorrt)(:\d+(,\d+)*)?)$"
"""What `parse_device` reads."""

PROVIDERS: Final[Mapping[Kind, str]] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
"""ONNX Runtime's name of what computes on each kind of device."""

_PACKAGES: Final[Mapping[Kind, str]] = {
    "cuda": "onnxruntime-gpu",
    "directml": "onnxruntime-directml",
    "tensorrt": "onnxruntime-gpu",
}
_LIBRARIES: Final[Mapping[str, str]] = {"onnxruntime-gpu": "[cuda,cudnn]"}
"""Extras that bring what a package is linked to."""
_ONNX_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml")
_AUTO: tuple[Kind, ...] = ("cuda", "directml")
"""What `auto` tries, in order; TensorRT builds engines for minutes, so it has to be asked for."""

_LISTING_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Device:
    """A kind of device and which ones of it.

    Attributes:
        indices: numbers of the GPUs, ascending, each once; empty on a CPU, and where `take_device` still
            has to count them.
    """

    kind: Kind = "cpu"
    indices: tuple[int, ...] = ()

    @property
    def is_gpu(self) -> bool:
        """It is a GPU for certain: not the CPU, and not `auto`."""
        return self.kind in _PACKAGES

    def each(self) -> tuple["Device", ...]:
        """Give its GPUs one by one; itself where nothing is numbered."""
        return tuple(Device(self.kind, (index,)) for index in self.indices) or (self,)

    def __str__(self) -> str:
        """Write it as `parse_device` reads it."""
        return f"{self.kind}:{','.join(map(str, self.indices))}" if self.indices else self.kind


CPU = Device()


def parse_device(text: str) -> Device:
    """Read `auto`, `cpu`, or a kind of GPU: all (`cuda`), one (`cuda:1`) or several (`cuda:0,1`).

    Raises:
        InvalidSettings: it is none of these.
    """
    if not re.fullmatch(DEVICE_PATTERN, text):
        raise InvalidSettings(
            f"device: expected auto, cpu, cuda, cuda:N, cuda:N,M, directml:N or tensorrt:N, got {text!r}"
        )
    name, _, numbers = text.partition(":")
    kind = next(kind for kind in get_args(Kind) if kind == name)
    return Device(kind, tuple(sorted({int(number) for number in numbers.split(",") if number})))


@dataclass(frozen=True, slots=True)
class Hardware:
    """The questions that `take_device` asks of this machine.

    Attributes:
        packages: version of each installed engine package, by name.
        providers: the execution providers that ONNX Runtime was built with.
        count_gpus: NVIDIA GPUs that this process may use; None when nobody can tell.
        trial: computes something on one device; raises `DeviceUnavailable` when that fails.
    """

    packages: Callable[[], Mapping[str, str]]
    providers: Callable[[], Sequence[str]]
    count_gpus: Callable[[], int | None]
    trial: Callable[[Device], None]


def take_device(asked: Device, *, hardware: Hardware) -> Device:
    """Give the device to run on, its GPUs numbered: what was asked, or what `auto` finds.

    Every GPU has computed something before it is given. `auto` takes those of the first kind of GPU of which
    one works, else the CPU, and logs what it took as `device_taken`.

    Raises:
        DeviceUnavailable: two ONNX Runtimes overwrite each other, or the device is not to be had; the
            message names the lines that mend it.
    """
    if (conflict := package_conflict(hardware.packages())) is not None:
        raise DeviceUnavailable(conflict)
    if asked.kind == "auto":
        return _take_best(hardware)
    if asked.kind == "cpu":
        return asked
    if PROVIDERS[asked.kind] not in (offered := hardware.providers()):
        raise DeviceUnavailable(
            f"device {asked} needs {PROVIDERS[asked.kind]}, this ONNX Runtime has {', '.join(offered)}; "
            f"run {_reinstall(_PACKAGES[asked.kind])}"
        )
    taken = _numbered(asked, hardware)
    for device in taken.each():
        hardware.trial(device)
    return taken


def _take_best(hardware: Hardware) -> Device:
    """Give the GPUs that work, of the first kind that has any; else the CPU."""
    offered = hardware.providers()
    for kind in (kind for kind in _AUTO if PROVIDERS[kind] in offered):
        with suppress(DeviceUnavailable):
            candidates = _numbered(Device(kind), hardware).each()
            indices = [device.indices[0] for device in candidates if _works(device, hardware)]
            if indices:
                return _reported(Device(kind, tuple(indices)))
    return _reported(CPU)


def _works(device: Device, hardware: Hardware) -> bool:
    try:
        hardware.trial(device)
    except DeviceUnavailable as error:
        _log.warning("device_left_out", device=str(device), reason=str(error))
        return False
    return True


def _reported(device: Device) -> Device:
    _log.info("device_taken", device=str(device))
    return device


def _numbered(asked: Device, hardware: Hardware) -> Device:
    """Number the GPUs: those asked for, all NVIDIA ones for `cuda`, the first of other kinds."""
    if asked.indices or asked.kind != "cuda":
        return replace(asked, indices=asked.indices or (0,))
    count = hardware.count_gpus()
    if count == 0:
        raise DeviceUnavailable(
            "device cuda needs a GPU, none is visible to this process (see `nvidia-smi -L` and "
            "CUDA_VISIBLE_DEVICES)"
        )
    # Without a count the first is tried: the trial tells whether it is there.
    return replace(asked, indices=tuple(range(count or 1)))


# --- packages -------------------------------------------------------------------------


def installed_engines() -> dict[str, str]:
    """Give the version of each engine package that is installed here, by name."""
    versions = {}
    for name in (*_ONNX_RUNTIMES, "openvino"):
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def package_conflict(packages: Mapping[str, str]) -> str | None:
    """Say which ONNX Runtimes overwrite each other's files and what mends it; None when none do.

    They install into one folder and pip does not notice: the CPU one wins silently.

    Args:
        packages: as `installed_engines` gives them.
    """
    present = [name for name in _ONNX_RUNTIMES if name in packages]
    if len(present) < 2:
        return None
    return (
        f"{' and '.join(present)} are installed together and overwrite each other's files; "
        f"run {_reinstall(present[-1])}"
    )


def _reinstall(package: str) -> str:
    """Write the lines that leave `package` as the only ONNX Runtime, with its libraries."""
    wanted = f'"{package}{_LIBRARIES.get(package, "")}"'
    return f"`pip uninstall -y {' '.join(_ONNX_RUNTIMES)}` and then `pip install {wanted}`"


# --- NVIDIA GPUs ----------------------------------------------------------------------


def count_gpus() -> int | None:
    """Count the NVIDIA GPUs that this process may use; None where no driver tells."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        listing = subprocess.run(  # noqa: S603 - the driver's own program, without any input of ours
            [program, "-L"], capture_output=True, text=True, check=True, timeout=_LISTING_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return visible_gpus(listing.stdout, mask=os.environ.get("CUDA_VISIBLE_DEVICES"))


def visible_gpus(listing: str, *, mask: str | None) -> int:
    """Count the GPUs of `nvidia-smi -L` that CUDA shows to a process.

    Args:
        mask: the content of CUDA_VISIBLE_DEVICES; None when it is not set. CUDA numbers the GPUs that it
            names from 0, and ignores what follows the first that does not exist.
    """
    count = sum(line.startswith("GPU ") for line in listing.splitlines())
    if mask is None:
        return count
    named = 0
    for entry in (entry.strip() for entry in mask.split(",")):
        if not entry or (re.fullmatch(r"-?\d+", entry) and not 0 <= int(entry) < count):
            break
        named += 1
    return min(named, count)
