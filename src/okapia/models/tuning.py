"""Which engine is fastest on this machine: measured once, stored, then fixed (decision 0018).

CPU flags are a bad guess: with the same bf16 instructions one processor runs bf16 at 1.9 times
the speed of f32 and another at 0.6 times.
"""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from okapia.domain.errors import DeviceUnavailable
from okapia.models.base import Session, Tensor
from okapia.models.devices import installed_engines
from okapia.models.engine import Engine, Precision
from okapia.models.runtime import EngineChoice, Load, Runtime, usable_cores
from okapia.models.weights.fingerprint import probe

CANDIDATES = (
    EngineChoice("onnxruntime", "f32"),
    EngineChoice("openvino", "f32"),
    EngineChoice("openvino", "bf16"),
)
WORTH_CHANGING = 0.9
"""Another engine than ONNX Runtime has to need at most this share of its time."""
ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Measurement:
    """Milliseconds that one core needs for one picture, the median of `ROUNDS`."""

    choice: EngineChoice
    milliseconds: float


class _Stored(BaseModel):
    """The content of `engine.json`; it counts only on the machine and versions it was made on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: str
    versions: dict[str, str]
    engine: Engine
    precision: Precision
    milliseconds: dict[str, float]


def measure(network: Path, row: tuple[int, ...]) -> list[Measurement]:
    """Time every engine that is to be had here on one network, in turns, one core each.

    Args:
        row: shape of one row of its input, the first axis being 1.
    """
    sessions: list[tuple[EngineChoice, Session]] = []
    for choice in CANDIDATES:
        try:
            sessions.append((choice, Runtime(choice, load=Load(), cores=1).open(network, row)))
        except DeviceUnavailable:
            continue
    batch = probe(row)
    times: dict[EngineChoice, list[float]] = {choice: [] for choice, _ in sessions}
    for _ in range(ROUNDS + 1):
        for choice, session in sessions:
            times[choice].append(_time_once(session, batch))
    # The first round warms caches and is left out.
    return [Measurement(choice, median(values[1:])) for choice, values in times.items()]


def choose(measurements: Sequence[Measurement]) -> EngineChoice:
    """Give the fastest; ONNX Runtime unless another is clearly faster.

    Args:
        measurements: not empty; ONNX Runtime's first.
    """
    reference = measurements[0]
    fastest = min(measurements, key=lambda m: m.milliseconds)
    is_worth_it = fastest.milliseconds <= WORTH_CHANGING * reference.milliseconds
    return fastest.choice if is_worth_it else reference.choice


def store_choice(home: Path, choice: EngineChoice, measurements: Sequence[Measurement]) -> Path:
    """Write the choice to `<home>/engine.json`; gives that path."""
    stored = _Stored(
        machine=machine_name(),
        versions=installed_engines(),
        engine=choice.engine,
        precision=choice.precision,
        milliseconds={
            f"{m.choice.engine} {m.choice.precision}": round(m.milliseconds, 1) for m in measurements
        },
    )
    path = home / "engine.json"
    path.write_bytes(orjson.dumps(stored.model_dump(), option=orjson.OPT_INDENT_2))
    return path


def load_choice(home: Path) -> EngineChoice | None:
    """Give the stored choice; None when there is none or it was made elsewhere."""
    try:
        stored = _Stored.model_validate_json((home / "engine.json").read_bytes())
    except (OSError, ValidationError):
        return None
    if (stored.machine, stored.versions) != (machine_name(), installed_engines()):
        return None
    return EngineChoice(stored.engine, stored.precision)


def machine_name() -> str:
    """Name the processor, as far as the system tells, with the number of cores."""
    cpuinfo = Path("/proc/cpuinfo")
    name = platform.processor() or platform.machine()
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {usable_cores()} cores"


def _time_once(session: Session, batch: Tensor) -> float:
    started = perf_counter()
    session.run(batch)
    return (perf_counter() - started) * 1000
