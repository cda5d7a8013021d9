"""Batches from the folder to their outputs, with everything that can get in between."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from okapia.accounts.ledger import Ledger
from okapia.batches.batch import Batch, Counts, Kind, ShardFile, State
from okapia.batches.closing import BATCHES_INSTANCE, BatchClosing
from okapia.batches.folder_source import FolderSource
from okapia.batches.items import unpack
from okapia.batches.results import BatchResults
from okapia.batches.selection import Selection
from okapia.batches.shard import Picture, work_off
from okapia.batches.source import CredentialsNeeded, Source
from okapia.batches.worker import MOST_ATTEMPTS, BatchWorker, Trade
from okapia.database.engine import Database
from okapia.domain.callers import Plan
from okapia.domain.types import ImageResult
from okapia.storage.folder_blobs import FolderBlobs
from tests.ledger_books import assert_balanced
from tests.unit.batches.floor import Floor, new_batch
from tests.unit.batches.test_shard import Broken, lengths
from tests.unit.jobs.drafts import ADA, add_people

PLANS = {
    "unlimited": Plan("unlimited"),
    "ten": Plan("ten", included=10),
    "thousand": Plan("thousand", included=1000),
}
HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Workshop:
    """Workers on a folder of pictures.

    Attributes:
        outputs: names of the pictures of each finished batch, in the order of the listing.
        told: batches as they ended.
    """

    floor: Floor
    root: Path
    blobs: FolderBlobs
    source: Source
    selection: Selection = field(default_factory=Selection)
    analyse: Callable[[Iterator[Picture]], Iterator[ImageResult]] = lengths
    outputs: dict[str, list[str]] = field(default_factory=dict)
    told: list[Batch] = field(default_factory=list)

    def worker(self) -> BatchWorker:
        floor = self.floor
        trade = Trade(
            open_source=lambda _: self.source,
            selection=lambda _: self.selection,
            work_off=lambda _, items: work_off(unpack(items), self.source, self.analyse),
            finish=self._finish,
        )
        return BatchWorker(
            floor.database,
            ledger=floor.ledger,
            store=floor.store,
            closing=self.closing(),
            blobs=self.blobs,
            trade=trade,
        )

    def run(self) -> None:
        """Work until nothing is free."""
        worker = self.worker()
        while worker.run_next():
            pass

    def counts(self, batch: Batch) -> Counts:
        with self.floor.database.read() as connection:
            return self.floor.ledger.progress(connection, batch.id).counts

    def credits_left(self, user_id: str) -> int:
        credit = Ledger(plans=PLANS, instance_id="a test", clock=self.floor.watch)
        with self.floor.database.read() as connection:
            return credit.balance(connection, user_id).account.available

    def closing(self) -> BatchClosing:
        floor = self.floor
        credit = Ledger(plans=PLANS, instance_id=BATCHES_INSTANCE, clock=floor.watch)
        return BatchClosing(store=floor.store, ledger=floor.ledger, credit=credit, tell=self._tell)

    def _tell(self, _: Connection, batch: Batch) -> None:
        self.told.append(batch)

    def _finish(
        self, batch: Batch, files: list[ShardFile], _: Callable[[], None]
    ) -> list[Mapping[str, object]]:
        self.outputs[batch.id] = [row.result.name for row in BatchResults(self.blobs).rows(files)]
        return [{"name": "all.json"}]


@pytest.fixture
def workshop(floor: Floor, tmp_path: Path) -> Iterator[Workshop]:
    """Six hundred pictures: three shards."""
    root = tmp_path / "survey"
    root.mkdir()
    for number in range(600):
        (root / f"{number:04d}.jpg").write_bytes(b"x")
    yield Workshop(floor, root, FolderBlobs(tmp_path / "blobs"), FolderSource(root, max_bytes=100))
    assert_balanced(floor.database)


def person(database: Database, *, plan: str) -> str:
    add_people(database)
    with database.write() as connection:
        Ledger(plans=PLANS, instance_id="a test").open_account(connection, ADA, plan=plan)
    return ADA


def test_every_picture_of_a_folder_is_in_the_outputs_once_and_in_order(workshop: Workshop) -> None:
    batch = workshop.floor.submit()

    workshop.run()

    ended = workshop.floor.now(batch)
    assert (ended.state, ended.images) == (State.COMPLETED, 600)
    assert [*ended.outputs] == [{"name": "all.json"}]
    assert workshop.told == [ended]
    assert workshop.outputs[batch.id] == [f"{number:04d}.jpg" for number in range(600)]
    assert workshop.counts(batch) == Counts(done=600)


def test_workers_side_by_side_do_the_same_as_one(workshop: Workshop) -> None:
    batches = [workshop.floor.submit() for _ in range(3)]

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(workshop.run) for _ in range(4)]:
            done.result()
    workshop.run()

    assert [workshop.floor.now(batch).state for batch in batches] == [State.COMPLETED] * 3
    assert all(names == [f"{n:04d}.jpg" for n in range(600)] for names in workshop.outputs.values())


def test_a_batch_without_pictures_completes(workshop: Workshop) -> None:
    workshop.selection = Selection(prefix="nothing")
    batch = workshop.floor.submit()

    workshop.run()

    assert workshop.floor.now(batch).state is State.COMPLETED
    assert workshop.outputs[batch.id] == []


def test_a_sample_that_is_too_large_fails_the_batch_and_says_why(workshop: Workshop) -> None:
    workshop.selection = Selection(sample_n=601)
    batch = workshop.floor.submit()

    workshop.run()

    ended = workshop.floor.now(batch)
    assert ended.state is State.FAILED
    assert "found 600" in ended.message


def test_a_folder_that_vanishes_and_comes_back_loses_nothing(workshop: Workshop) -> None:
    batch = workshop.floor.submit()
    worker = workshop.worker()
    worker.run_next()
    worker.run_next()

    away = workshop.root.rename(workshop.root.with_name("unmounted"))
    workshop.run()
    assert workshop.floor.now(batch).state is State.RUNNING
    assert workshop.counts(batch) == Counts(done=256)

    away.rename(workshop.root)
    workshop.floor.watch.pass_by(HOUR)
    workshop.run()

    assert workshop.floor.now(batch).state is State.COMPLETED
    assert workshop.counts(batch) == Counts(done=600)


def test_refused_credentials_halt_the_batch_until_there_are_others(workshop: Workshop) -> None:
    good = workshop.source
    workshop.source = Broken(CredentialsNeeded("the SAS has expired"))
    batch = workshop.floor.submit()
    workshop.run()
    halted = workshop.floor.now(batch)
    assert (halted.state, halted.message) == (
        State.NEEDS_CREDENTIALS,
        "the SAS has expired",
    )

    workshop.source = good
    with workshop.floor.database.write() as connection:
        workshop.floor.store.resume(connection, batch.id, sealed_secret=b"new")
    workshop.run()

    assert workshop.floor.now(batch).state is State.COMPLETED


def test_pictures_with_an_answer_are_paid_once_and_the_others_not(workshop: Workshop) -> None:
    user_id = person(workshop.floor.database, plan="thousand")
    (workshop.root / "0001.jpg").write_bytes(b"x" * 200)  # larger than what is read
    batch = workshop.floor.submit(new_batch(user_id=user_id))

    workshop.run()

    assert workshop.counts(batch) == Counts(done=599, failed=1)
    assert workshop.credits_left(user_id) == 401


def test_a_batch_that_is_more_than_the_account_has_pauses_before_anything_is_done(workshop: Workshop) -> None:
    user_id = person(workshop.floor.database, plan="ten")
    batch = workshop.floor.submit(new_batch(user_id=user_id))

    workshop.run()

    halted = workshop.floor.now(batch)
    assert halted.state is State.PAUSED
    assert halted.images is None
    assert "600" in halted.message
    assert workshop.counts(batch) == Counts()


def test_a_canceled_batch_costs_what_was_done(workshop: Workshop) -> None:
    user_id = person(workshop.floor.database, plan="thousand")
    batch = workshop.floor.submit(new_batch(user_id=user_id))
    worker = workshop.worker()
    worker.run_next()
    worker.run_next()

    with workshop.floor.database.write() as connection:
        workshop.closing().end(connection, batch.id, State.CANCELED)
    workshop.run()

    assert workshop.floor.now(batch).state is State.CANCELED
    assert workshop.counts(batch) == Counts(done=256)
    assert workshop.credits_left(user_id) == 744


def test_what_a_worker_did_that_lost_its_lease_leaves_no_file(workshop: Workshop) -> None:
    batch = workshop.floor.submit()
    workshop.worker().run_next()

    def late(pictures: Iterator[Picture]) -> Iterator[ImageResult]:
        yield from lengths(pictures)
        workshop.floor.watch.pass_by(HOUR)
        workshop.analyse = lengths
        workshop.run()

    workshop.analyse = late
    workshop.run()

    assert workshop.floor.now(batch).state is State.COMPLETED
    with workshop.floor.database.read() as connection:
        files = {file.name for file, _ in workshop.floor.ledger.files(connection, batch.id)}
    assert {*workshop.blobs.keys("batches")} == files


def test_a_task_that_ends_its_workers_halts_the_batch_until_somebody_resumes_it(workshop: Workshop) -> None:
    workshop.selection = Selection(first_n=10)
    batch = workshop.floor.submit()
    workshop.worker().run_next()
    for _ in range(MOST_ATTEMPTS):
        workshop.floor.claimed(Kind.SHARD)
        workshop.floor.watch.pass_by(HOUR)

    workshop.worker().run_next()
    halted = workshop.floor.now(batch)
    with workshop.floor.database.write() as connection:
        workshop.floor.store.resume(connection, batch.id)
    workshop.run()

    assert halted.state is State.PAUSED
    assert "10 attempts" in halted.message
    assert workshop.floor.now(batch).state is State.COMPLETED


def test_a_batch_of_one_worker_alone_is_left_to_it(workshop: Workshop) -> None:
    batch = workshop.floor.submit(replace(new_batch(), worked_by="run"))

    workshop.run()

    assert workshop.floor.now(batch).state is State.LISTING
    assert workshop.counts(batch) == Counts()


def test_a_fault_of_a_worker_gives_its_task_back(workshop: Workshop) -> None:
    workshop.selection = Selection(first_n=10)
    batch = workshop.floor.submit()
    worker = workshop.worker()
    worker.run_next()

    def crash(_: Iterator[Picture]) -> Iterator[ImageResult]:
        raise RuntimeError("a fault")

    workshop.analyse = crash
    with pytest.raises(RuntimeError, match="a fault"):
        worker.run_next()
    workshop.analyse = lengths
    workshop.floor.watch.pass_by(timedelta(seconds=11))
    workshop.run()

    assert workshop.floor.now(batch).state is State.COMPLETED


def test_results_that_were_damaged_on_the_disk_halt_the_batch(workshop: Workshop) -> None:
    batch = workshop.floor.submit()
    worker = workshop.worker()
    while workshop.floor.now(batch).state is not State.MERGING:
        worker.run_next()
    (name, *_) = sorted(workshop.blobs.keys("batches"))
    workshop.blobs.put(name, [b"something else"], max_bytes=100)

    workshop.run()

    halted = workshop.floor.now(batch)
    assert halted.state is State.PAUSED
    assert name in halted.message
    assert batch.id not in workshop.outputs
