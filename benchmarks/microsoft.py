"""Whether Microsoft's call with eight pictures keeps the pipeline's throughput.

The real server against the same pipeline in process, without a classifier, in turns within each round: one
caller after the other, two and four at once; pictures per second, and CPU ms of the process per picture.

    python benchmarks/microsoft.py [--rounds 5] [--calls 12] [--pictures DIR]
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import httpx
import psutil
from corpus import make_corpus
from harness import write
from load import fire, pictures
from server import CANVASES, ask, process

from okapia.app import build_service
from okapia.cli.logs import configure_logs
from okapia.domain.types import AnalysisOptions
from okapia.service import NamedImage
from okapia.settings import load_settings

IMAGES = 8
CALLERS = (1, 2, 4)
GOAL = 0.95
PATH = "/v1/camera-trap/sync/detect?confidence=0.2"


def measure_in_process(folder: Path, *, calls: int) -> None:
    """Answer each line on standard input with pictures per second and CPU ms per picture."""
    service = build_service(load_settings(canvases=CANVASES))
    choice = replace(service.models.choice(), classifier=None)
    service.check_ready(choice)
    images = [NamedImage("a.jpg", partial(bytes, data)) for data in pictures(folder)] * calls
    print("ready", flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in service.analyze_many(images, AnalysisOptions(classify=False), choice=choice):
            pass
        seconds, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
        figures = {"per_second": len(images) / seconds, "cpu_ms": cpu_s * 1000 / len(images)}
        print(json.dumps(figures), flush=True)
    service.close()


def call_body(folder: Path) -> tuple[bytes, str]:
    """Write one call's form; gives the body and its content type."""
    files = [(f"{n}.jpg", (f"{n}.jpg", data, "image/jpeg")) for n, data in enumerate(pictures(folder))]
    form = httpx.Request("POST", "http://okapia", files=files)
    return form.read(), form.headers["content-type"]


def measure_server(
    pid: int, port: int, body: tuple[bytes, str], *, calls: int, callers: int
) -> dict[str, float]:
    """Give pictures per second and CPU ms per picture of the server, for so many callers at once."""
    watched = psutil.Process(pid)
    before = watched.cpu_times()
    burst = fire(port, PATH, [body], requests=calls, concurrency=callers)
    after = watched.cpu_times()
    cpu_s = after.user + after.system - before.user - before.system
    return {"per_second": burst.per_second * IMAGES, "cpu_ms": cpu_s * 1000 / (calls * IMAGES)}


def measure(folder: Path, *, rounds: int, calls: int) -> list[dict[str, dict[str, float]]]:
    """Give each round's figures by arm; the arms take turns at who is first."""
    body = call_body(folder)
    taken = []
    with (
        process(["-m", "okapia", "serve", "--port", "0"], OKAPIA_CANVASES=json.dumps(CANVASES)) as (
            server,
            line,
        ),
        process([__file__, "--in-process", str(folder), "--calls", str(calls)], stdin=subprocess.PIPE) as (
            worker,
            _,
        ),
    ):
        port = int(line.partition("127.0.0.1:")[2].split()[0])
        arms = {
            f"{callers} at once": partial(
                measure_server, server.pid, port, body, calls=calls, callers=callers
            )
            for callers in CALLERS
        }
        arms["in process"] = partial(ask, worker)
        for number in range(rounds + 1):
            order = list(arms)[number % len(arms) :] + list(arms)[: number % len(arms)]
            taken.append({arm: arms[arm]() for arm in order})
    return taken[1:]  # the first round warms up


def rows(taken: list[dict[str, dict[str, float]]]) -> list[dict[str, float | str]]:
    """Give each arm's medians over the rounds; `ratio` is to the throughput in process, of each round."""
    return [
        {
            "arm": arm,
            "per_second": median(figures[arm]["per_second"] for figures in taken),
            "cpu_ms": median(figures[arm]["cpu_ms"] for figures in taken),
            "ratio": median(
                figures[arm]["per_second"] / figures["in process"]["per_second"] for figures in taken
            ),
        }
        for arm in ("in process", *(f"{callers} at once" for callers in CALLERS))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=12, help="calls of eight pictures in each burst")
    parser.add_argument("--pictures", type=Path, help="real pictures to make the 12 MP files from")
    parser.add_argument("--in-process", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    configure_logs("warning")
    if options.in_process:
        measure_in_process(options.in_process, calls=options.calls)
        return
    with make_corpus(IMAGES, pictures=options.pictures) as files:
        table = rows(measure(files[0].parent, rounds=options.rounds, calls=options.calls))
    for row in table:
        print(
            f"{row['arm']:12} {row['per_second']:7.2f} pictures/s {row['cpu_ms']:7.1f} CPU ms a picture"
            f"  {row['ratio']:6.3f} of in process (goal {GOAL})"
        )
    write("microsoft", {"rows": table})


if __name__ == "__main__":
    main()
