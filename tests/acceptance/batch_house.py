"""A home with batches, and `okapia worker` processes that work on them; nobody works in the test itself."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import simplejpeg
from sqlalchemy import select

from okapia.app import kit_rules
from okapia.batches.batch import Counts, State
from okapia.cli.batch_desk import open_batches
from okapia.database.engine import Database
from okapia.database.tables import batch_tasks
from okapia.domain.callers import Caller
from okapia.domain.models import ModelChoice
from okapia.domain.types import ImageResult
from okapia.models.card import builtin_cards
from okapia.models.weights.store import ModelStore
from okapia.service.batch_request import BatchRequest, PlaceOfPictures
from okapia.service.batches import NewBatch, Overview
from okapia.service.desk import Desk
from okapia.service.kits import Kits
from okapia.settings import Settings, load_settings
from okapia.storage.folder_blobs import FolderBlobs
from tests.unit.models.test_registry import silent_yolox

ALONE = ModelChoice("megadetector-lite", None)
PATIENCE_S = 60.0

_NONE: Mapping[str, str] = {}

_PLAIN = """
import sys
from okapia.cli.main import main
sys.argv[:1] = ["okapia", "worker"]
main()
"""

SHORT_LEASES = f"""
from datetime import timedelta
from okapia.batches.ledger import BatchLedger
BatchLedger.__init__.__kwdefaults__["lease"] = timedelta(seconds=2)
{_PLAIN}
"""
"""A worker whose leases are over after two seconds."""

FREEZING = f"""
import os, signal
from okapia.service.batch_work import BatchWork
work_off = BatchWork.work_off
def work_off_and_freeze(*arguments):
    result = work_off(*arguments)
    os.kill(os.getpid(), signal.SIGSTOP)
    return result
BatchWork.work_off = work_off_and_freeze
{SHORT_LEASES}
"""
"""The same, that freezes after its first shard: at a place where it holds no lock of SQLite."""


@dataclass(frozen=True, slots=True)
class House:
    """A home, its database, and the desk at which the test asks for batches."""

    settings: Settings
    desk: Desk
    caller: Caller

    def submit(self, pictures: Path, *, choice: ModelChoice = ALONE, shard_images: int = 4) -> str:
        """Ask for a batch, and list its pictures in small shards; gives its id."""
        place = PlaceOfPictures(address=str(pictures))
        new = NewBatch(request=BatchRequest(place=place, choice=choice, uses_cache=False))
        batch = self.desk.batches.create(self.caller, new)
        lister = self.desk.batch_desk.worker()
        lister._shard_images = shard_images
        assert lister.run_next()
        return batch.id

    def share_models(self, batch_id: str, *, choice: ModelChoice = ALONE) -> Kits:
        """Put the kit of a batch and its files where workers of other homes look."""
        rules = replace(kit_rules(self.settings), shares_files=True)
        kits = Kits(FolderBlobs(self.settings.home / "blobs"), rules)
        kits.put(batch_id, choice)
        return kits

    def now(self, batch_id: str) -> Overview:
        return self.desk.batches.get(self.caller, batch_id)

    def wait(self, batch_id: str, until: Callable[[Overview], bool]) -> Overview:
        """Look until a batch is as wanted, or for too long."""
        deadline = time.monotonic() + PATIENCE_S
        while not until(self.now(batch_id)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.now(batch_id)

    def ended(self, batch_id: str) -> Overview:
        return self.wait(batch_id, lambda overview: overview.batch.state.is_final)

    def answers(self, batch_id: str) -> list[ImageResult]:
        """Give the answers in the order of the listing, without the time that each took."""
        rows = self.desk.batches.rows(self.caller, batch_id)
        return [replace(row.result, seconds=0.0) for row in rows]

    def holders(self) -> set[str]:
        """Give the processes that have a task now."""
        with self.desk.database.read() as connection:
            found = connection.execute(select(batch_tasks.c.instance_id).distinct()).scalars()
            return {instance_id for instance_id in found if instance_id}

    @contextmanager
    def worker(
        self,
        *options: str,
        home: Path | None = None,
        program: str = _PLAIN,
        begin_with: Sequence[str] = (),
        settings: Mapping[str, str] = _NONE,
    ) -> Iterator["subprocess.Popen[str]"]:
        """Start a worker; its log is in a file `worker-….log` of its home.

        Args:
            home: its own, when it is not that of the house.
            begin_with: what the command line begins with.
            settings: what its environment has besides.
        """
        home = home or self.settings.home
        theirs = {
            "OKAPIA_HOME": str(home),
            "OKAPIA_DATABASE": self.settings.database,
            "OKAPIA_SOURCE_ROOTS": json.dumps([str(root) for root in self.settings.source_roots]),
            "OKAPIA_DEVICE": "cpu",
            "OKAPIA_BATCH_WORKERS": "1",
            "OKAPIA_LOG_LEVEL": "info",
        }
        log = (home / f"worker-{uuid4().hex}.log").open("w", encoding="utf-8")
        process = subprocess.Popen(
            [*begin_with, sys.executable, "-c", program, *options],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | theirs | dict(settings),
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(timeout=60)
            log.close()
            if process.stdout is not None:
                process.stdout.close()

    def logged(self, event: str) -> bool:
        """Say whether a worker of this home has logged an event."""
        logs = self.settings.home.glob("worker-*.log")
        return any(f'"event": "{event}"' in log.read_text(encoding="utf-8") for log in logs)


@contextmanager
def open_house(database: Database, folder: Path, pictures: Path) -> Iterator[House]:
    """Make a home on a database, with a network that answers at once and finds nothing."""
    home = folder / "home"
    ModelStore(home / "models").put(builtin_cards()["megadetector-lite"], silent_yolox())
    address = database.engine.url
    if address.get_backend_name() == "postgresql":
        address = address.set(drivername="postgresql")
    settings = load_settings(
        home=home,
        database=address.render_as_string(hide_password=False),
        source_roots=[pictures],
        device="cpu",
    )
    with open_batches(settings) as (desk, caller):
        yield House(settings, desk, caller)


def grey_pictures(folder: Path, number: int) -> Path:
    """Fill a folder with small pictures, each grey in its own way."""
    folder.mkdir()
    for place in range(number):
        pixels = np.full((48, 64, 3), place % 256, dtype=np.uint8)
        (folder / f"{place:04d}.jpg").write_bytes(simplejpeg.encode_jpeg(pixels))
    return folder


def assert_exact(house: House, batch_id: str, *, pictures: int) -> None:
    """Every picture has one answer, in the order of the listing, and the books say so."""
    overview = house.ended(batch_id)
    assert overview.batch.state is State.COMPLETED
    assert overview.progress.counts == Counts(done=pictures)
    assert [answer.name for answer in house.answers(batch_id)] == [f"{n:04d}.jpg" for n in range(pictures)]
    assert house.desk.batches.verify(house.caller, batch_id).problems == ()
