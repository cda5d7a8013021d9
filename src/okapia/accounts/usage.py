"""What somebody has used and may still use."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, func, select

from okapia.accounts.account import Balance
from okapia.accounts.ledger import Ledger
from okapia.accounts.limits import RateLimits
from okapia.accounts.pools import Kind
from okapia.database.tables import credit_entries
from okapia.domain.callers import Bucket, Caller
from okapia.domain.clock import Clock, utc_now
from okapia.domain.refusals import RateState

# A hold that two pools paid for has two entries.
_CALLS = select(func.count(credit_entries.c.reference.distinct())).where(
    credit_entries.c.user_id == bindparam("of_user"),
    credit_entries.c.kind == Kind.HOLD.value,
    credit_entries.c.at >= bindparam("since"),
)


@dataclass(frozen=True, slots=True)
class Usage:
    """An account, its paid calls of this day and month (UTC), and how many more may be made this minute.

    Attributes:
        calls_today, calls_this_month: calls that credits were held for, whatever became of them.
        rate: in the bucket of inference; None without a limit.
    """

    balance: Balance
    calls_today: int
    calls_this_month: int
    rate: RateState | None


def usage_of(
    connection: Connection, caller: Caller, *, ledger: Ledger, rates: RateLimits, clock: Clock = utc_now
) -> Usage:
    """Say what a caller has used; changes and counts nothing. Raises `LimitsUnavailable`."""
    today = clock().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Usage(
        balance=ledger.balance(connection, caller.user_id),
        calls_today=_calls(connection, caller.user_id, since=today),
        calls_this_month=_calls(connection, caller.user_id, since=today.replace(day=1)),
        rate=rates.state(caller, Bucket.INFERENCE),
    )


def _calls(connection: Connection, user_id: str, *, since: datetime) -> int:
    return connection.execute(_CALLS, {"of_user": user_id, "since": since}).scalar_one()
