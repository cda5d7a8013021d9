"""A worker of batches in a process of its own, which tests kill: `python -m … DATABASE FOLDER PAUSE_AT`.

It looks at no picture. Every picture that it "infers" is a line of the file `inferred` in FOLDER, so that a
test can count what was done twice. With a PAUSE_AT it stops for ever at that place, and says so by a file.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from threading import Thread

from okapia.accounts.ledger import Ledger
from okapia.batches.batch import Batch, ShardFile
from okapia.batches.closing import BATCHES_INSTANCE, BatchClosing
from okapia.batches.folder_source import FolderSource
from okapia.batches.items import unpack
from okapia.batches.ledger import BatchLedger
from okapia.batches.selection import Selection
from okapia.batches.shard import Picture, ShardResult, work_off
from okapia.batches.store import BatchStore
from okapia.batches.worker import BatchWorker, Trade
from okapia.database.engine import Database
from okapia.database.instances import Instance
from okapia.domain.callers import Plan
from okapia.domain.types import Analysis, ImageInfo, ImageResult
from okapia.storage.folder_blobs import FolderBlobs

PLANS = {"unlimited": Plan("unlimited"), "counted": Plan("counted", included=1_000_000)}
SHARD_IMAGES = 100
THREADS = 2


class PausingBlobs(FolderBlobs):
    """Blobs that are there, fsync and all, when the process stops: before anything is committed."""

    def __init__(self, root: Path, sign: Path) -> None:
        super().__init__(root)
        self._sign = sign

    def put(self, key: str, chunks: Iterable[bytes], *, max_bytes: int) -> int:
        n_bytes = super().put(key, chunks, max_bytes=max_bytes)
        self._sign.touch()
        time.sleep(3600)
        return n_bytes


class Site:
    """Where the pictures and the results are."""

    def __init__(self, folder: Path) -> None:
        self._source = FolderSource(folder / "pictures", max_bytes=100)
        self._inferred = os.open(folder / "inferred", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    @property
    def trade(self) -> Trade:
        return Trade(
            open_source=lambda _: self._source,
            selection=lambda _: Selection(),
            work_off=self._work_off,
            finish=_finish,
        )

    def _work_off(self, batch: Batch, items: bytes) -> ShardResult:
        del batch
        return work_off(unpack(items), self._source, self._infer)

    def _infer(self, pictures: Iterator[Picture]) -> Iterator[ImageResult]:
        for picture in pictures:
            info = ImageInfo(1, 1, "JPEG", len(picture.read()))
            os.write(self._inferred, f"{picture.name}\n".encode())
            yield ImageResult(picture.name, Analysis(info, ()))


def _finish(batch: Batch, files: list[ShardFile], check: Callable[[], None]) -> list[Mapping[str, object]]:
    del batch, check
    return [{"shards": len(files)}]


def make_worker(database: Database, instance: Instance, folder: Path, pause_at: str) -> BatchWorker:
    store, ledger = BatchStore(), BatchLedger(instance_id=instance.id)
    credit = Ledger(plans=PLANS, instance_id=BATCHES_INSTANCE)
    blobs = FolderBlobs(folder / "blobs")
    return BatchWorker(
        database,
        ledger=ledger,
        store=store,
        closing=BatchClosing(store=store, ledger=ledger, credit=credit, tell=lambda *_: None),
        blobs=PausingBlobs(folder / "blobs", folder / "paused") if pause_at == "put" else blobs,
        trade=Site(folder).trade,
        shard_images=SHARD_IMAGES,
    )


def work(worker: BatchWorker, is_over: Path) -> None:
    """Work until somebody says that it is over; what another thread may still do is waited for."""
    while not is_over.exists():
        if not worker.run_next():
            time.sleep(0.05)


def main() -> None:
    address, folder, pause_at = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    database = Database.open(address)
    instance = Instance(database)
    for dead in instance.dead():
        with database.write() as connection:
            BatchLedger(instance_id=instance.id).release(connection, dead)
        instance.bury(dead)
    worker = make_worker(database, instance, folder, pause_at)
    threads = [Thread(target=work, args=(worker, folder / "over")) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    instance.leave()


if __name__ == "__main__":
    main()
