"""A batch on a real database, and workers that do as the test says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from okapia.batches.batch import Batch, Counts, Kind, Lease, ShardFile, State
from okapia.batches.items import Item
from okapia.batches.ledger import BatchLedger
from okapia.batches.store import BatchStore
from okapia.database.engine import Database
from okapia.domain.callers import LOCAL_USER_ID
from tests.unit.jobs.drafts import NOON, Watch


def new_batch(
    *, user_id: str = LOCAL_USER_ID, priority: int = 0, sealed_secret: bytes | None = None
) -> Batch:
    """A batch whose pictures are still to be listed."""
    return Batch(
        id=uuid4().hex,
        user_id=user_id,
        state=State.LISTING,
        created_at=NOON,
        request={"source": "folder"},
        priority=priority,
        sealed_secret=sealed_secret,
    )


def foxes(number: int) -> list[Item]:
    return [Item(f"cam/fox {place}.jpg") for place in range(number)]


@dataclass(slots=True)
class Floor:
    """Everything about batches on one database, as one process sees it; `beside` gives another process."""

    database: Database
    watch: Watch = field(default_factory=Watch)
    instance_id: str = "run_here"
    store: BatchStore = field(init=False)
    ledger: BatchLedger = field(init=False)

    def __post_init__(self) -> None:
        self.store = BatchStore(clock=self.watch)
        self.ledger = BatchLedger(instance_id=self.instance_id, clock=self.watch)

    def beside(self, instance_id: str) -> "Floor":
        return Floor(self.database, self.watch, instance_id)

    def submit(self, batch: Batch | None = None) -> Batch:
        batch = batch or new_batch()
        with self.database.write() as connection:
            self.store.add(connection, batch)
        return batch

    def listed(self, shards: Sequence[int], batch: Batch | None = None) -> Batch:
        """A batch of which so many pictures a shard have been listed."""
        batch = self.submit(batch)
        lease = self.claimed(Kind.LIST)
        with self.database.write() as connection:
            self.ledger.add_shards(connection, lease, [foxes(number) for number in shards], first=0)
            return self.ledger.commit_listing(connection, lease)

    def claim(self) -> Lease | None:
        with self.database.write() as connection:
            return self.ledger.claim(connection)

    def claimed(self, kind: Kind) -> Lease:
        lease = self.claim()
        assert lease is not None
        assert lease.kind is kind
        return lease

    def commit(self, lease: Lease, counts: Counts | None = None) -> Batch:
        file = ShardFile(f"{lease.file_stem}.parquet", "0" * 64, 100)
        with self.database.write() as connection:
            return self.ledger.commit_shard(connection, lease, file, counts or Counts(done=lease.images))

    def merge(self) -> Batch:
        lease = self.claimed(Kind.MERGE)
        with self.database.write() as connection:
            return self.ledger.commit_merge(connection, lease, [])

    def now(self, batch: Batch) -> Batch:
        with self.database.read() as connection:
            found = self.store.get(connection, batch.user_id, batch.id)
        assert found is not None
        return found
