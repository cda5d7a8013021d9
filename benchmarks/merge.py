"""What putting the results of a batch together costs: CPU time a picture, and the most memory it takes.

    python benchmarks/merge.py [--images 20000]

Shards of synthetic results (two thirds of a box a picture, five classes a box, 700 pictures a camera) lie in
a folder of blobs; each arm makes the files of the whole batch from them, in a process of its own. "shards" is
what writing them costs the workers that analysed the pictures, "verify" what counting them again costs. Goal:
under 300 MB for two million pictures.
"""

import argparse
import hashlib
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import psutil
from harness import write

from okapia.batches.batch import SHARD_IMAGES, Batch, Counts, ShardFile, State
from okapia.batches.items import Item, pack
from okapia.batches.results import BatchResults
from okapia.domain.models import ModelChoice
from okapia.domain.taxonomy import Taxon
from okapia.domain.types import (
    Analysis,
    BBox,
    CaptureMetadata,
    Category,
    Classification,
    Detection,
    ImageInfo,
    ImageResult,
    Prediction,
)
from okapia.formats.base import RunInfo
from okapia.formats.shard_file import ShardRow, encode
from okapia.models.tuning import machine_name
from okapia.service.batch_outputs import OutputMaker
from okapia.service.batch_request import BatchRequest, Outputs, PlaceOfPictures, Split
from okapia.storage.folder_blobs import FolderBlobs

T = TypeVar("T")

BEGAN = datetime(2026, 6, 1, tzinfo=UTC)
INFO = RunInfo("megadetector-lite", BEGAN, 0.2, "efficientnet-lite0", BEGAN, manifest={"country": "KEN"})
EVERY = ("csv", "jsonl", "megadetector", "parquet")
ARMS: Mapping[str, Outputs] = {
    **{name: Outputs(formats=(name,)) for name in EVERY},
    "all four": Outputs(formats=EVERY),
    "megadetector, by camera": Outputs(formats=("megadetector",), split=Split.CAMERA),
}
TAXA = [
    Taxon(f"4c5b4d5e-8f60-4c5b-8f60-{n:012x}", "mammalia", "carnivora", "felidae", "felis", f"f{n}", "cat")
    for n in range(200)
]


@dataclass(frozen=True, slots=True)
class Done:
    """A batch whose shards lie in a folder.

    Attributes:
        listed: the pictures of each shard, packed.
    """

    folder: Path
    files: list[ShardFile]
    counts: list[Counts]
    listed: list[bytes]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a piece of work took.

    Attributes:
        before: bytes in memory when it began.
        peak: bytes in memory at the most.
        output: bytes of the files that were made.
    """

    cpu_s: float
    wall_s: float
    before: int
    peak: int
    output: int


def box(chance: random.Random) -> Detection:
    place = BBox(chance.random() / 2, chance.random() / 2, chance.random() / 2, chance.random() / 2)
    seen = tuple(Classification(chance.choice(TAXA), chance.random()) for _ in range(5))
    answer = Prediction(seen[0].taxon, seen[0].score, "classifier", "3a")
    return Detection(place, Category.ANIMAL, chance.random(), "animal", seen, answer)


def pictures(images: int) -> Iterator[ImageResult]:
    """Make up the answers to a survey."""
    chance = random.Random(0)  # noqa: S311 - no secret
    for number in range(images):
        name = f"plot {number // 70_000}/cam {number // 700}/DCIM/100RECNX/RCNX{number % 10_000:04d}.JPG"
        taken = (BEGAN + timedelta(seconds=number)).replace(tzinfo=None)
        camera = CaptureMetadata(captured_at=taken, camera_make="RECONYX", camera_serial=f"H{number // 700}")
        boxes = tuple(box(chance) for _ in range(chance.choice((0, 0, 0, 1, 1, 2))))
        outcome = Analysis(ImageInfo(2048, 1536, "JPEG", 900_000, capture=camera), boxes)
        yield ImageResult(name, outcome, 0.05, sha256=hashlib.sha256(name.encode()).hexdigest())


def write_shards(folder: Path, images: int) -> tuple[Done, Cost]:
    """Write the shards; the cost is without making the answers up."""
    blobs, rest = FolderBlobs(folder), pictures(images)
    done, costs = Done(folder, [], [], []), []
    while results := list(islice(rest, SHARD_IMAGES)):
        costs.append(measured(partial(write_shard, blobs, results, done)))
        done.counts.append(Counts(done=len(results)))
        done.listed.append(pack([Item(result.name) for result in results]))
    total = Cost(
        cpu_s=sum(cost.cpu_s for cost in costs),
        wall_s=sum(cost.wall_s for cost in costs),
        before=costs[0].before,
        peak=costs[-1].peak,
        output=sum(cost.output for cost in costs),
    )
    return done, total


def write_shard(blobs: FolderBlobs, results: list[ImageResult], done: Done) -> int:
    data = encode([ShardRow(result, "done") for result in results])
    name = f"batches/b/{len(done.files):07d}-1.parquet"
    blobs.put(name, [data], max_bytes=len(data))
    done.files.append(ShardFile(name, hashlib.sha256(data).hexdigest(), len(data)))
    return len(data)


def merge(done: Done, outputs: Outputs) -> Cost:
    choice = ModelChoice("megadetector-lite", "efficientnet-lite0")
    request = BatchRequest(place=PlaceOfPictures(address="/survey"), choice=choice, outputs=outputs)
    batch = Batch("b", "local", State.MERGING, BEGAN)
    maker = OutputMaker(BatchResults(FolderBlobs(done.folder)), home_tmp=done.folder.parent)

    def work() -> int:
        made = maker.make(batch, request, done.files, INFO, put_outside=None)
        assert made[-1].images == sum(counts.total for counts in done.counts)
        return sum(file.n_bytes for file in made)

    return measured(work)


def verify(done: Done) -> Cost:
    results = BatchResults(FolderBlobs(done.folder))

    def work() -> int:
        recount = results.recount(zip(done.files, done.counts, strict=True), listed=done.listed)
        assert recount.problems == ()
        return 0

    return measured(work)


def measured(work: Callable[[], int]) -> Cost:
    before, wall, cpu = psutil.Process().memory_info().rss, time.perf_counter(), time.process_time()
    output = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
    return Cost(time.process_time() - cpu, time.perf_counter() - wall, before, peak, output)


def apart(work: Callable[[], T]) -> T:
    """Do work in a new process, whose memory is its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(work).result()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        done, written = apart(partial(write_shards, Path(folder, "blobs"), options.images))
        rows = {"shards": written, "verify": apart(partial(verify, done))}
        for name, outputs in ARMS.items():
            rows[name] = apart(partial(merge, done, outputs))
            shutil.rmtree(done.folder / "batches/b/outputs")
    print(f"\nmerge: {options.images:,} pictures in {len(done.files):,} shards on {machine_name()}")
    heads = ("CPU s", "wall s", "CPU us/image", "MB before", "peak", "MB out")
    print(f"{'':24}" + "".join(f"  {head:>12}" for head in heads))
    for name, cost in rows.items():
        per_image = cost.cpu_s * 1e6 / options.images
        megabytes = (cost.before / 1e6, cost.peak / 1e6, cost.output / 1e6)
        print(
            f"{name:24}" + "".join(f"  {n:12.1f}" for n in (cost.cpu_s, cost.wall_s, per_image, *megabytes))
        )
    write("merge", {"images": options.images, "rows": {name: asdict(cost) for name, cost in rows.items()}})


if __name__ == "__main__":
    main()
