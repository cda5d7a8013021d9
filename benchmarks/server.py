"""What HTTP costs, and how much of the pipeline's throughput the server keeps.

Part one: a 2.4 MB upload to the real application around a service that answers at once, raw
body and multipart apart, with and without a SHA-256 of the bytes; CPU ms of the server per
request. Part two: the real server against the same pipeline in process, in turns within each
round; at concurrency 8 and 32 throughput, at concurrency 1 latency.

    python benchmarks/server.py [--rounds 3] [--requests 640] [--pictures DIR]
"""

import argparse
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import psutil
import uvicorn
from corpus import make_corpus
from harness import write
from load import LoadResult, fire, multipart_body
from starlette.types import ASGIApp, Receive, Scope, Send

from okapia.app import build_app, build_service
from okapia.cli.logs import configure_logs
from okapia.domain.models import ModelChoice
from okapia.domain.types import Analysis, AnalysisOptions, BBox, Category, Detection, ImageInfo, ImageResult
from okapia.models.catalog import Catalog
from okapia.models.registry import Registry
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights.store import ModelStore
from okapia.pipeline.assemble import Assembler
from okapia.pipeline.naming import RangeFiles
from okapia.pipeline.scheduler import Scheduler
from okapia.service import FACES, OBJECTS, URBAN, WILD, Models, NamedImage, Service, Species
from okapia.settings import load_settings
from okapia.vision.decode import DecodePolicy

OPTIONS = AnalysisOptions(threshold=0.2)
UPLOAD_BYTES = 2_400_000
"""Of the null upload, which nobody decodes: the size of the anchors."""
CANVASES = {"megadetector-lite": 640}


# --- part one: what HTTP costs --------------------------------------------------------


class NullService(Service):
    """Answers at once with one box; everything above the service is the real thing."""

    def __init__(self) -> None:
        load = Load()
        runtime = Runtime(EngineChoice(), load=load, cores=1)
        registry = Registry(Catalog(ModelStore(Path())), runtime=runtime, canvases={}, idle_s=60)
        policy, choice = DecodePolicy(), ModelChoice("null", None)
        assembler = Assembler(registry, policy=policy, ranges=RangeFiles())
        profiles = dict.fromkeys((WILD, URBAN, OBJECTS, FACES), choice)
        models = Models(registry, assembler=assembler, profiles=profiles)
        super().__init__(
            models=models,
            species=Species(models, home=Path()),
            scheduler=Scheduler(workers=1, depth=64, load=load),
            policy=policy,
            deadline_s=60,
        )

    def analyze(self, image: NamedImage, options: AnalysisOptions, **_: object) -> Future[ImageResult]:
        del options
        data = image.read()
        if os.environ.get("OKAPIA_BENCH_SHA256"):
            hashlib.sha256(data).hexdigest()
        box = Detection(BBox(0.1, 0.2, 0.3, 0.4), Category.ANIMAL, 0.9, "animal")
        answer: Future[ImageResult] = Future()
        answer.set_result(ImageResult(image.name, Analysis(ImageInfo(4000, 3000, "JPEG", len(data)), (box,))))
        return answer


def serve(app: ASGIApp) -> None:
    """Run an application on a free port, which is printed. Called in a process of its own."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="auto")
    uvicorn.Server(config).run(sockets=[listener])


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body and answer: what no ASGI server can be cheaper than."""
    if scope["type"] != "http":
        return
    parts = []
    while (message := await receive()).get("more_body"):
        parts.append(message["body"])
    b"".join([*parts, message["body"]])
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


@contextmanager
def process(
    arguments: Sequence[str], stdin: int | None = None, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a Python process; gives it with the first line that it prints."""
    started = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    assert started.stdout is not None
    try:
        yield started, started.stdout.readline().strip()
    finally:
        started.terminate()
        started.wait(timeout=60)


def http_cost(picture: bytes, *, rounds: int) -> list[dict[str, float | str]]:
    """CPU ms of the server per upload, for each kind of body, with and without the hash."""
    raw, form = (picture, "image/jpeg"), multipart_body(picture)
    costs: dict[str, list[float]] = {}
    with (
        process([__file__, "--bare"]) as (bare_server, bare_port),
        process([__file__, "--null"]) as (plain, plain_port),
        process([__file__, "--null"], OKAPIA_BENCH_SHA256="1") as (hashing, hashing_port),
    ):
        arms = {
            "bare ASGI application, raw body": (bare_server.pid, bare_port, raw),
            "raw body": (plain.pid, plain_port, raw),
            "multipart": (plain.pid, plain_port, form),
            "raw body and SHA-256": (hashing.pid, hashing_port, raw),
            "multipart and SHA-256": (hashing.pid, hashing_port, form),
        }
        for _ in range(rounds + 1):
            for name, (pid, port, body) in arms.items():
                costs.setdefault(name, []).append(upload_cost(pid, int(port), body))
    # The first round warms up and is left out.
    return [{"arm": name, "cpu_ms": median(values[1:])} for name, values in costs.items()]


def upload_cost(pid: int, port: int, body: tuple[bytes, str]) -> float:
    """CPU ms that the server takes for one of 200 uploads, two at a time."""
    watched = psutil.Process(pid)
    before = watched.cpu_times()
    fire(port, "/v1/filter", [body], requests=200, concurrency=2)
    after = watched.cpu_times()
    return (after.user + after.system - before.user - before.system) * 1000 / 200


# --- part two: the server against its own pipeline ------------------------------------


def measure_in_process(folder: Path) -> None:
    """Answer each line on standard input with the throughput and the best latency of one picture."""
    service = build_service(load_settings(canvases=CANVASES))
    service.check_ready()
    data = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]
    images = [NamedImage(str(place), partial(bytes, picture)) for place, picture in enumerate(data)]
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        for _ in service.analyze_many(images * 2, OPTIONS):
            pass
        per_second = len(images) * 2 / (time.perf_counter() - started)
        latencies = []
        for image in images:
            started = time.perf_counter()
            service.analyze(image, OPTIONS).result()
            latencies.append(time.perf_counter() - started)
        print(json.dumps({"per_second": per_second, "latency": median(latencies)}), flush=True)
    service.close()


def ask(worker: "subprocess.Popen[str]") -> dict[str, float]:
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write("go\n")
    worker.stdin.flush()
    answer: dict[str, float] = json.loads(worker.stdout.readline())
    return answer


def efficiency(folder: Path, *, rounds: int, requests: int) -> list[dict[str, float | str]]:
    """Throughput and latency of the server, as ratios to the pipeline in process."""
    bodies = [multipart_body(path.read_bytes()) for path in sorted(folder.glob("*.jpg"))]
    canvases = json.dumps(CANVASES)
    taken: list[dict[str, float]] = []
    with (
        process(["-m", "okapia", "serve", "--port", "0"], OKAPIA_CANVASES=canvases) as (_, line),
        process([__file__, "--in-process", str(folder)], stdin=subprocess.PIPE) as (worker, _),
    ):
        port = int(line.partition("127.0.0.1:")[2].split()[0])
        fire(port, "/v1/detect", bodies, requests=8, concurrency=2)
        for _ in range(rounds):
            inside = ask(worker)
            taken.append(
                {
                    "in process per second": inside["per_second"],
                    "in process latency": inside["latency"],
                    **burst("c=1", fire(port, "/v1/detect", bodies, requests=len(bodies), concurrency=1)),
                    **burst("c=8", fire(port, "/v1/detect", bodies, requests=requests // 2, concurrency=8)),
                    **burst("c=32", fire(port, "/v1/detect", bodies, requests=requests, concurrency=32)),
                }
            )
    return summary_rows(taken)


def burst(name: str, result: LoadResult) -> dict[str, float]:
    """Flatten one burst into named figures."""
    return {
        f"{name} per second": result.per_second,
        f"{name} p50": result.percentile(50),
        f"{name} p99": result.percentile(99),
    }


def summary_rows(taken: list[dict[str, float]]) -> list[dict[str, float | str]]:
    """Turn rounds into the ratios that the design asks for, each the median over rounds."""

    def ratio(a: str, b: str) -> float:
        return median(t[a] / t[b] for t in taken)

    figures = {
        "in process, pictures per second": median(t["in process per second"] for t in taken),
        "in process, latency of one picture, ms": median(t["in process latency"] for t in taken) * 1000,
        "throughput at 8 / in process": ratio("c=8 per second", "in process per second"),
        "throughput at 32 / in process": ratio("c=32 per second", "in process per second"),
        "p99 / p50 at 32": ratio("c=32 p99", "c=32 p50"),
        "latency at 1 / in process": ratio("c=1 p50", "in process latency"),
    }
    return [{"figure": name, "value": value} for name, value in figures.items()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=640, help="requests of a burst at concurrency 32")
    parser.add_argument("--pictures", type=Path, help="real pictures to make the 12 MP files from")
    parser.add_argument("--null", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--in-process", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    configure_logs("warning")
    if options.null or options.bare:
        with TemporaryDirectory() as folder:  # the calls of a benchmark are in nobody's books
            settings = load_settings(database=f"sqlite:///{folder}/okapia.db")
            serve(bare if options.bare else build_app(settings, NullService()))
        return
    if options.in_process:
        measure_in_process(options.in_process)
        return
    with make_corpus(16, pictures=options.pictures) as files:
        cost = http_cost(files[0].read_bytes()[:UPLOAD_BYTES], rounds=options.rounds)
        ratios = efficiency(files[0].parent, rounds=options.rounds, requests=options.requests)
    for row in cost:
        print(f"{row['arm']:28} {row['cpu_ms']:6.2f} CPU ms a request")
    for row in ratios:
        print(f"{row['figure']:42} {row['value']:8.3f}")
    write("server", {"http_cost": cost, "efficiency": ratios})


if __name__ == "__main__":
    main()
