"""Workers that are killed again and again: no picture is lost, none is counted or charged twice."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from okapia.accounts.ledger import Ledger
from okapia.accounts.recount import check
from okapia.batches.batch import Batch, Counts, State
from okapia.batches.ledger import BatchLedger
from okapia.batches.results import BatchResults
from okapia.batches.store import BatchStore
from okapia.database.engine import Database
from okapia.domain.clock import utc_now
from okapia.storage.folder_blobs import FolderBlobs
from tests.acceptance.killable_worker import PLANS, SHARD_IMAGES, THREADS
from tests.unit.batches.floor import new_batch
from tests.unit.jobs.drafts import ADA, add_people

PICTURES = 20_000
KILLS = 50 if os.environ.get("OKAPIA_TEST_ALL") else 5
CREDITS = 1_000_000


@dataclass(frozen=True, slots=True)
class Survey:
    """A folder of pictures, a batch about it, and the processes that work on it."""

    database: Database
    folder: Path
    batch: Batch

    @contextmanager
    def worker(self, *, pause_at: str = "") -> Iterator["subprocess.Popen[bytes]"]:
        address = self.database.engine.url
        if address.get_backend_name() == "postgresql":
            address = address.set(drivername="postgresql")
        arguments = [address.render_as_string(hide_password=False), str(self.folder), pause_at]
        process = subprocess.Popen([sys.executable, "-m", "tests.acceptance.killable_worker", *arguments])
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def now(self) -> Batch:
        with self.database.read() as connection:
            found = BatchStore().find(connection, self.batch.id)
        assert found is not None
        return found

    def wait_for_end(self) -> None:
        until = time.monotonic() + 300
        while not self.now().state.is_final and time.monotonic() < until:
            time.sleep(0.05)

    def answered(self) -> Counter[str]:
        """Count the pictures' names in the files that were committed."""
        with self.database.read() as connection:
            files = BatchLedger(instance_id="a test").files(connection, self.batch.id)
        rows = BatchResults(FolderBlobs(self.folder / "blobs")).rows(file for file, _ in files)
        return Counter(row.result.name for row in rows)

    def counts(self) -> Counts:
        with self.database.read() as connection:
            return BatchLedger(instance_id="a test").progress(connection, self.batch.id).counts

    def inferred(self) -> int:
        """Count what was inferred, what was inferred twice too."""
        lines = self.folder / "inferred"
        return lines.read_bytes().count(b"\n") if lines.exists() else 0

    def credits_spent(self) -> int:
        credit = Ledger(plans=PLANS, instance_id="a test")
        with self.database.read() as connection:
            assert check(connection) == []
            return CREDITS - credit.balance(connection, ADA).account.available


def survey(database: Database, folder: Path, *, pictures: int) -> Survey:
    """Make tiny files, and somebody who wants them looked at."""
    (folder / "pictures").mkdir()
    for number in range(pictures):
        (folder / "pictures" / f"{number:06d}.jpg").write_bytes(b"x")
    add_people(database)
    batch = replace(new_batch(user_id=ADA), created_at=utc_now())
    with database.write() as connection:
        Ledger(plans=PLANS, instance_id="a test").open_account(connection, ADA, plan="counted")
        BatchStore().add(connection, batch)
    return Survey(database, folder, batch)


def assert_exact(survey: Survey, *, pictures: int) -> None:
    assert survey.now().state is State.COMPLETED
    assert survey.answered() == Counter(f"{number:06d}.jpg" for number in range(pictures))
    assert survey.counts() == Counts(done=pictures)
    assert survey.credits_spent() == pictures


def test_kills_at_any_moment_lose_and_double_nothing(database: Database, tmp_path: Path) -> None:
    job = survey(database, tmp_path, pictures=PICTURES)

    for _ in range(KILLS):
        done = job.inferred()
        with job.worker() as process:
            while job.inferred() == done:
                time.sleep(0.01)
            time.sleep(random.uniform(0, 2 / KILLS))  # noqa: S311 - any moment
            process.kill()
    unfinished = job.now().state
    with job.worker():
        job.wait_for_end()

    assert unfinished is State.RUNNING
    assert_exact(job, pictures=PICTURES)
    again = job.inferred() - PICTURES
    assert again <= KILLS * THREADS * SHARD_IMAGES


def test_a_kill_between_the_files_fsync_and_the_commit_loses_and_doubles_nothing(
    database: Database, tmp_path: Path
) -> None:
    job = survey(database, tmp_path, pictures=300)

    with job.worker(pause_at="put") as process:
        while not (tmp_path / "paused").exists():
            time.sleep(0.02)
        process.kill()
    written = [*FolderBlobs(tmp_path / "blobs").keys("batches")]
    counted = job.counts()
    with job.worker():
        job.wait_for_end()

    assert written
    assert counted == Counts()
    assert_exact(job, pictures=300)
