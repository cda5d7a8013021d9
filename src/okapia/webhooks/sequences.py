"""Of which sequences an endpoint was told: a burst of pictures of one visit is one event."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import Connection, delete, insert, select

from okapia.database.tables import webhook_sequences
from okapia.webhooks.events import Seen

GAP = timedelta(seconds=60)
"""Longest pause within a sequence, as everywhere in Okapia."""

KEPT = timedelta(days=30)
"""After this a picture of an old sequence is told of again."""

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a picture stands among those that its endpoint was told of, or was not for their sake.

    Attributes:
        key: its own.
        first, last: between which the keys of its sequence's other pictures lie. Keys are digits and small
            letters of one length, which every collation sorts alike.
    """

    key: str
    first: str
    last: str

    @classmethod
    def of(cls, seen: Seen) -> Self | None:
        """Give the place by the sequence's id, else by camera and time; None where neither is known."""
        if seen.sequence_id is not None:
            key = f"i{_digest(seen.camera or '', seen.sequence_id)}"
            return cls(key, key, key)
        if seen.camera is None or seen.captured_at is None:
            return None
        prefix, moment, gap = f"t{_digest(seen.camera)}", _microseconds(seen.captured_at), GAP // _MICROSECOND
        first, key, last = (f"{prefix}{max(m, 0):018}" for m in (moment - gap, moment, moment + gap))
        return cls(key, first, last)


def is_news(connection: Connection, endpoint_id: str, seen: Seen, *, now: datetime) -> bool:
    """Whether an endpoint has not been told of a picture's sequence yet; from now on it counts as told.

    A picture that is not told of prolongs its sequence too. The order in which pictures come does not
    matter. Two that come at once are told apart only under a lock on the endpoint's row.
    """
    place = _Place.of(seen)
    if place is None:
        return True
    table = webhook_sequences
    known = select(table.c.sequence).where(
        table.c.endpoint_id == endpoint_id, table.c.sequence.between(place.first, place.last)
    )
    found = set(connection.execute(known).scalars())
    if place.key not in found:
        row = {"endpoint_id": endpoint_id, "sequence": place.key, "seen_at": now}
        connection.execute(insert(table).values(row))
    return not found


def forget_sequences(connection: Connection, *, now: datetime) -> None:
    """Forget the sequences that nothing was seen of for `KEPT`."""
    connection.execute(delete(webhook_sequences).where(webhook_sequences.c.seen_at < now - KEPT))


def _digest(*names: str) -> str:
    return hashlib.sha256("\0".join(names).encode(errors="surrogatepass")).hexdigest()


def _microseconds(moment: datetime) -> int:
    """Count from the year 1, in UTC where the zone is known; at most 18 digits."""
    elapsed = moment.replace(tzinfo=None) - datetime.min  # noqa: DTZ901 - naive
    return (elapsed - (moment.utcoffset() or timedelta())) // _MICROSECOND
