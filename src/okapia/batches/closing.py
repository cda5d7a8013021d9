"""The money of a batch: held when its pictures are known, settled when it ends, however it ends."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection

from okapia.accounts.ledger import Hold, Ledger
from okapia.batches.batch import Batch, Lease, State
from okapia.batches.ledger import BatchLedger
from okapia.batches.store import BatchStore

BATCHES_INSTANCE = "batches"
"""In whose name batches' credits are held: no process's, for they stay held when one dies."""


Tell = Callable[[Connection, Batch], None]
"""Called with a batch as it ended, in the transaction that ends it."""


class BatchClosing:
    """Ends batches, and settles what they cost with that: a credit for each picture that has an answer."""

    def __init__(self, *, store: BatchStore, ledger: BatchLedger, credit: Ledger | None, tell: Tell) -> None:
        """Book with a credit ledger of the instance `BATCHES_INSTANCE`; None where batches cost nothing."""
        self._tell = tell
        self._store = store
        self._ledger = ledger
        self._credit = credit

    def commit_listing(self, connection: Connection, lease: Lease, *, key_id: str | None) -> Batch:
        """End the listing, and hold a credit for each picture that was found.

        Raises:
            LeaseLost: the listing is somebody else's now.
            CreditsSpent: the account has fewer.
        """
        batch = self._ledger.commit_listing(connection, lease)
        if batch.images and self._credit is not None:
            reference = _reference(batch)
            self._credit.hold(
                connection, batch.user_id, images=batch.images, reference=reference, key_id=key_id
            )
        return batch

    def commit_merge(
        self, connection: Connection, lease: Lease, outputs: Sequence[Mapping[str, object]]
    ) -> Batch:
        """End a batch whose outputs are made; raises what `BatchLedger.commit_merge` does."""
        return self._settled(connection, self._ledger.commit_merge(connection, lease, outputs))

    def end(self, connection: Connection, batch_id: str, to: State, *, message: str = "") -> Batch | None:
        """Cancel or fail a batch; what is under way counts no more. None when it has ended already."""
        ended = self._store.end(connection, batch_id, to, message=message)
        return self._settled(connection, ended) if ended is not None else None

    def _settled(self, connection: Connection, batch: Batch) -> Batch:
        if batch.images and self._credit is not None:
            hold = Hold(batch.user_id, _reference(batch), images=batch.images, is_paid=False)
            answered = self._ledger.progress(connection, batch.id).counts.answered
            self._credit.close(connection, hold, done=answered)
        self._tell(connection, batch)
        return batch


def _reference(batch: Batch) -> str:
    """What its credits are booked under."""
    return f"batch:{batch.id}"
