"""What the machinery of batches costs a picture: goal 0.1 ms of CPU, and memory that stays where it is.

A batch of pictures that are neither read nor looked at: each is answered at once with one box. What is left
is the listing, the ledger, the files of shards and the result file. On SQLite and a folder of blobs.

    python benchmarks/batches.py [--images 100000]
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psutil
from harness import write

from okapia.accounts.ledger import Ledger
from okapia.accounts.plans import PLANS
from okapia.batches.batch import Batch, ShardFile, State
from okapia.batches.closing import BATCHES_INSTANCE, BatchClosing
from okapia.batches.items import Item, unpack
from okapia.batches.ledger import BatchLedger
from okapia.batches.results import BatchResults
from okapia.batches.selection import Selection
from okapia.batches.shard import Picture, ShardResult, work_off
from okapia.batches.store import BatchStore
from okapia.batches.worker import BatchWorker, Trade
from okapia.database.opening import open_database
from okapia.domain.callers import LOCAL_USER_ID
from okapia.domain.clock import utc_now
from okapia.domain.models import ModelChoice
from okapia.domain.types import Analysis, BBox, Category, Detection, ImageInfo, ImageResult
from okapia.formats.base import RunInfo
from okapia.models.tuning import machine_name
from okapia.service.batch_outputs import OutputMaker
from okapia.service.batch_request import BatchRequest, PlaceOfPictures
from okapia.storage.folder_blobs import FolderBlobs

GOAL_MS = 0.1
FLAT_AFTER = 100_000
MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Generated:
    """A source of so many pictures, of which there is nothing but the names."""

    images: int

    def items(self) -> Iterator[Item]:
        for number in range(self.images):
            name = f"camera {number % 97:03d}/2026-06/IMG_{number:08d}.JPG"
            yield Item(name, n_bytes=2_400_000, version=str(number))

    def read(self, item: Item) -> bytes:
        raise NotImplementedError


@dataclass(slots=True)
class Meter:
    """Counts CPU seconds by kind of task, and memory as shards are done."""

    images: int
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    memory: list[tuple[int, int]] = field(default_factory=list)
    done: int = 0

    def took(self, state: State, seconds: float) -> None:
        self.seconds[state.value] += seconds

    def saw(self, images: int) -> None:
        self.done += images
        self.memory.append((self.done, psutil.Process().memory_info().rss))

    def growth(self) -> float | None:
        """Give memory at the end against that after `FLAT_AFTER` pictures; None for fewer."""
        early = next((memory for done, memory in self.memory if done >= FLAT_AFTER), None)
        return None if early is None or self.done < 2 * FLAT_AFTER else self.memory[-1][1] / early


def answer(pictures: Iterator[Picture]) -> Iterator[ImageResult]:
    """Find one animal in every picture, without looking."""
    info = ImageInfo(4000, 3000, "JPEG", 2_400_000)
    for number, picture in enumerate(pictures):
        box = BBox(0.1, 0.2, 0.3 + number / 1000, 0.4)
        found = Detection(box, Category.ANIMAL, 0.5 + number / 1000, "animal")
        yield ImageResult(picture.name, Analysis(info, (found,)), seconds=0.1)


def make_trade(blobs: FolderBlobs, meter: Meter) -> Trade:
    source = Generated(meter.images)

    def analyse(_: Batch, items: bytes) -> ShardResult:
        pictures = unpack(items)
        meter.saw(len(pictures))
        return work_off(pictures, source, answer)

    def finish(batch: Batch, files: list[ShardFile], _: object) -> list[dict[str, object]]:
        request = BatchRequest.of(batch)
        info = RunInfo("none", utc_now(), 0.2)
        made = OutputMaker(BatchResults(blobs)).make(batch, request, files, info, put_outside=None)
        return [{"name": file.name, "n_bytes": file.n_bytes} for file in made]

    return Trade(
        open_source=lambda _: source, selection=lambda _: Selection(), work_off=analyse, finish=finish
    )


def run(folder: Path, meter: Meter) -> None:
    """Take a batch from its listing to its files."""
    blobs = FolderBlobs(folder / "blobs")
    with closing(open_database(folder, "")) as database:
        store, ledger = BatchStore(), BatchLedger(instance_id="a benchmark")
        credit = Ledger(plans=PLANS, instance_id=BATCHES_INSTANCE)
        request = BatchRequest(place=PlaceOfPictures(address="/survey"), choice=ModelChoice("none", None))
        batch = Batch(uuid4().hex, LOCAL_USER_ID, State.LISTING, utc_now(), request.as_row())
        with database.write() as connection:
            store.add(connection, batch)
        worker = BatchWorker(
            database,
            ledger=ledger,
            store=store,
            closing=BatchClosing(store=store, ledger=ledger, credit=credit, tell=lambda *_: None),
            blobs=blobs,
            trade=make_trade(blobs, meter),
        )
        state = State.LISTING
        while not state.is_final:
            began = time.process_time()
            worker.run_next()
            meter.took(state, time.process_time() - began)
            with database.read() as connection:
                found = store.find(connection, batch.id)
            assert found is not None
            state = found.state


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000)
    options = parser.parse_args()
    meter = Meter(options.images)
    with TemporaryDirectory() as folder:
        run(Path(folder), meter)
    print(f"batches: {options.images:,} pictures on {machine_name()}")
    for step, seconds in meter.seconds.items():
        print(f"{step:8} {seconds * 1000 / options.images:7.4f} CPU ms a picture")
    total = sum(meter.seconds.values()) * 1000 / options.images
    peak = max(memory for _, memory in meter.memory) / MB
    print(f"together {total:7.4f} CPU ms a picture (goal {GOAL_MS}); {peak:.0f} MB of memory at most")
    if (growth := meter.growth()) is not None:
        print(f"memory at the end {growth:.3f} of that after {FLAT_AFTER:,} pictures (goal 1.1)")
    write("batches", {"images": options.images, "seconds": meter.seconds, "memory": meter.memory[::100]})


if __name__ == "__main__":
    main()
