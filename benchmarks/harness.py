"""What every benchmark shares: a sample of an arm, ratios within rounds, a table and a JSON file."""

import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from okapia.models.devices import installed_engines
from okapia.models.tuning import machine_name

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Sample:
    """One arm in one round: wall and CPU milliseconds per unit (image, request)."""

    wall_ms: float
    cpu_ms: float


Round = dict[str, Sample]


def sample(work: Callable[[], object], *, units: int) -> Sample:
    """Time `work`, which handles `units` of something in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Sample((time.perf_counter() - wall) * 1000 / units, (time.process_time() - cpu) * 1000 / units)


def report(name: str, rounds: Sequence[Round], *, baseline: str, unit: str) -> None:
    """Print a table and write `results/<name>.json`.

    Args:
        rounds: every round holds every arm.
        baseline: the arm that the ratios are against.
    """
    rows = {arm: _row(arm, rounds, baseline) for arm in rounds[0]}
    width = max(len(arm) for arm in rows)
    print(f"\n{name}: {len(rounds)} rounds on {machine_name()}")
    print(f"speed and CPU: how many times better than {baseline!r}; ms per {unit}")
    print(f"{'arm':{width}}  {'per second':>10}  {'wall ms':>8}  {'CPU ms':>8}  {'speed':>6}  {'CPU':>6}")
    for arm, row in rows.items():
        print(
            f"{arm:{width}}  {row['per_second']:10.2f}  {row['wall_ms']:8.1f}  {row['cpu_ms']:8.1f}"
            f"  {row['speed']:5.2f}x  {row['cpu']:5.2f}x"
        )
    write(name, {"rows": rows, "rounds": [{arm: asdict(s) for arm, s in r.items()} for r in rounds]})


def write(name: str, document: dict[str, object]) -> None:
    """Write a benchmark's figures with the machine and the versions that they were taken on."""
    RESULTS.mkdir(exist_ok=True)
    about = {"machine": machine_name(), "python": platform.python_version(), "engines": installed_engines()}
    (RESULTS / f"{name}.json").write_text(json.dumps(about | document, indent=2), encoding="utf-8")


def _row(arm: str, rounds: Sequence[Round], baseline: str) -> dict[str, float]:
    """Medians of one arm; `speed` and `cpu` are how many times better than the baseline."""
    wall = median(r[arm].wall_ms for r in rounds)
    return {
        "per_second": 1000 / wall,
        "wall_ms": wall,
        "cpu_ms": median(r[arm].cpu_ms for r in rounds),
        "speed": median(r[baseline].wall_ms / r[arm].wall_ms for r in rounds),
        "cpu": median(r[baseline].cpu_ms / r[arm].cpu_ms for r in rounds),
    }
