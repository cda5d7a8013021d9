"""Where credits come from, and the entries of the ledger that move them."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Pool(StrEnum):
    """A kind of credits; they are drawn in this order.

    `UNLIMITED` is what accounts on a plan without end draw from. It is never filled and holds nothing: its
    entries count images and move 0 credits.
    """

    INCLUDED = "included"
    TOP_UP = "top_up"
    GRACE = "grace"
    UNLIMITED = "unlimited"


class Kind(StrEnum):
    """What an entry is.

    `GRANT` puts credits in. `HOLD` takes those of a call before it begins; in the end `SETTLE` says for how
    many images they are kept (0 credits) and `REFUND` gives back the others. `EXPIRE` takes what was not
    spent in time.
    """

    GRANT = "grant"
    HOLD = "hold"
    SETTLE = "settle"
    REFUND = "refund"
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True)
class Pools:
    """Credits by pool, none below zero; one credit pays for one image."""

    included: int = 0
    top_up: int = 0
    grace: int = 0
    unlimited: int = 0

    @property
    def total(self) -> int:
        return self.included + self.top_up + self.grace + self.unlimited

    def __iter__(self) -> Iterator[tuple[Pool, int]]:
        """Give the pools that are not empty, in the order in which they are drawn."""
        amounts = zip(Pool, (self.included, self.top_up, self.grace, self.unlimited), strict=True)
        return ((pool, amount) for pool, amount in amounts if amount)

    def __add__(self, other: Self) -> "Pools":
        return Pools(
            self.included + other.included,
            self.top_up + other.top_up,
            self.grace + other.grace,
            self.unlimited + other.unlimited,
        )

    def __sub__(self, other: Self) -> "Pools":
        return Pools(
            self.included - other.included,
            self.top_up - other.top_up,
            self.grace - other.grace,
            self.unlimited - other.unlimited,
        )

    def first(self, amount: int) -> "Pools":
        """Give the part that is drawn first: `amount` in all, or everything where there is less."""
        included = min(amount, self.included)
        top_up = min(amount - included, self.top_up)
        grace = min(amount - included - top_up, self.grace)
        return Pools(included, top_up, grace, min(amount - included - top_up - grace, self.unlimited))


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger.

    Attributes:
        reference: what it is for; with kind and pool, there is one of them in an account.
        credits: what the pool has more after it.
        images: how many are held, settled or refunded; 0 for other kinds.
    """

    kind: Kind
    pool: Pool
    reference: str
    credits: int
    images: int = 0
    note: str = ""


def granted(pool: Pool, amount: int, *, reference: str, note: str = "") -> Entry:
    return Entry(Kind.GRANT, pool, reference, amount, note=note)


def held(amounts: Pools, *, reference: str) -> list[Entry]:
    return _moved(Kind.HOLD, amounts, reference, sign=-1)


def settled(amounts: Pools, *, reference: str) -> list[Entry]:
    return _moved(Kind.SETTLE, amounts, reference, sign=0)


def refunded(amounts: Pools, *, reference: str) -> list[Entry]:
    return _moved(Kind.REFUND, amounts, reference, sign=1)


def expired(amounts: Pools, *, reference: str) -> list[Entry]:
    return [Entry(Kind.EXPIRE, pool, reference, -amount) for pool, amount in amounts]


def _moved(kind: Kind, amounts: Pools, reference: str, *, sign: int) -> list[Entry]:
    return [
        Entry(kind, pool, reference, 0 if pool is Pool.UNLIMITED else sign * amount, images=amount)
        for pool, amount in amounts
    ]
