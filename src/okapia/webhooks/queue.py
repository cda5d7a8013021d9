"""The deliveries of everybody as couriers see them: claimed, settled, taken up again."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    ScalarSelect,
    Select,
    and_,
    exists,
    func,
    insert,
    select,
    update,
)

from okapia.database.tables import instances, webhook_attempts, webhook_deliveries, webhook_endpoints
from okapia.domain.clock import Clock, utc_now
from okapia.webhooks.deliveries import Attempt, DeliveryState
from okapia.webhooks.endpoints import disable

RETRY_AFTER = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""Pauses after each attempt but the last, as the specification has them: 5 s, 5 min, 30 min, 2 h to 24 h."""

JITTER = 0.1
"""Pauses are up to this part longer, so that receivers that come back are not met by all at once."""

GIVES_UP_AFTER = timedelta(days=5)
"""An endpoint to which nothing could be delivered for so long is disabled."""

_GONE = 410
_MOST_TEXT = 255


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is this process's to send.

    Attributes:
        attempts: those made before.
        sealed_secrets: of those that are valid now, the newest first.
    """

    id: str
    endpoint_id: str
    event_id: str
    attempts: int
    url: str = field(repr=False)
    body: bytes = field(repr=False)
    sealed_secrets: tuple[bytes, ...] = field(repr=False)


class DeliveryQueue:
    """Deliveries that are due; several processes share it, and at most one sends to an endpoint at a time."""

    def __init__(self, *, instance_id: str, clock: Clock = utc_now) -> None:
        """Claim deliveries as the process `instance_id` (`okapia.database.instances`)."""
        self._instance_id = instance_id
        self._clock = clock

    def is_due(self, connection: Connection) -> bool:
        """Tell whether it is worth claiming; needs no lock."""
        return connection.execute(_turn(self._clock())).first() is not None

    def claim(self, connection: Connection) -> Claimed | None:
        """Take the delivery whose turn it is; None when there is none, or another process is faster.

        Endpoints that fail come after those that do not: a receiver that never answers costs each of its
        deliveries the whole time limit.
        """
        now = self._clock()
        turn = _turn(now).with_for_update(skip_locked=True, key_share=True)
        endpoint = connection.execute(turn).mappings().one_or_none()
        return None if endpoint is None else self._take(connection, endpoint, now)

    def settle(self, connection: Connection, claimed: Claimed, attempt: Attempt, *, jitter: float) -> None:
        """Note an attempt and what follows from it; nothing when the delivery is this process's no more.

        Args:
            jitter: 0..1, makes the pause before the next attempt longer.
        """
        endpoints, now = webhook_endpoints, self._clock()
        locked = select(endpoints).where(endpoints.c.id == claimed.endpoint_id)
        endpoint = connection.execute(locked.with_for_update(key_share=True)).mappings().one_or_none()
        if endpoint is None:
            return
        may_retry = endpoint["disabled_at"] is None and attempt.status != _GONE
        values = _outcome(claimed, attempt, now, pause=_pause(claimed, jitter) if may_retry else None)
        ended = update(webhook_deliveries).where(self._is_mine(claimed)).values(values)
        if not connection.execute(ended).rowcount:
            return
        _log_attempt(connection, claimed, attempt)
        _judge(connection, endpoint, attempt, now)

    def release(self, connection: Connection) -> int:
        """Queue what processes were sending that are known no more; gives how many deliveries."""
        table = webhook_deliveries
        known = exists().where(instances.c.id == table.c.instance_id)
        lost = and_(table.c.state == DeliveryState.SENDING.value, ~known)
        again = {"state": DeliveryState.PENDING.value, "instance_id": None}
        return connection.execute(update(table).where(lost).values(again)).rowcount

    def _take(self, connection: Connection, endpoint: RowMapping, now: datetime) -> Claimed | None:
        """Claim the oldest due delivery to a locked endpoint.

        None where something is under way there: between the look and the lock others may have claimed.
        """
        table, endpoint_id = webhook_deliveries, endpoint["id"]
        oldest = select(table.c.id).where(_is_due(endpoint_id, now)).order_by(table.c.next_at).limit(1)
        mine = and_(table.c.id == oldest.scalar_subquery(), _under_way(endpoint_id) == 0)
        taken = {"state": DeliveryState.SENDING.value, "instance_id": self._instance_id}
        claimed = update(table).where(mine).values(taken).returning(table)
        delivery = connection.execute(claimed).mappings().one_or_none()
        return None if delivery is None else _claimed(delivery, endpoint, now)

    def _is_mine(self, claimed: Claimed) -> ColumnElement[bool]:
        """Say that a delivery is still claimed as it was: a process that was taken for dead may come back."""
        table = webhook_deliveries
        return and_(
            table.c.id == claimed.id,
            table.c.state == DeliveryState.SENDING.value,
            table.c.instance_id == self._instance_id,
            table.c.attempts == claimed.attempts,
        )


def _is_due(endpoint_id: str, now: datetime) -> ColumnElement[bool]:
    table = webhook_deliveries
    is_pending = table.c.state == DeliveryState.PENDING.value
    return and_(table.c.endpoint_id == endpoint_id, is_pending, table.c.next_at <= now)


def _under_way(endpoint_id: ColumnElement[str] | str) -> "ScalarSelect[int]":
    """Count what is being sent to an endpoint.

    Not NOT EXISTS, which PostgreSQL turned into a join of all with all where it had no statistics yet:
    27 s for one claim among 20,000 deliveries (2026-11-21).
    """
    other = webhook_deliveries.alias()
    is_sending = other.c.state == DeliveryState.SENDING.value
    return select(func.count()).where(other.c.endpoint_id == endpoint_id, is_sending).scalar_subquery()


def _turn(now: datetime) -> "Select[tuple[object, ...]]":
    """Choose the endpoint that is to be sent to next: two looks into an index for each."""
    endpoints, waiting = webhook_endpoints, webhook_deliveries.alias()
    is_pending = waiting.c.state == DeliveryState.PENDING.value
    first = select(func.min(waiting.c.next_at)).where(waiting.c.endpoint_id == endpoints.c.id, is_pending)
    first_at = first.scalar_subquery()
    return (
        select(endpoints)
        .where(endpoints.c.disabled_at.is_(None), first_at <= now, _under_way(endpoints.c.id) == 0)
        .order_by(endpoints.c.failing_since.is_not(None), first_at)
        .limit(1)
    )


def _claimed(delivery: RowMapping, endpoint: RowMapping, now: datetime) -> Claimed:
    old_ends_at = endpoint["old_secret_ends_at"]
    has_old = old_ends_at is not None and now < old_ends_at
    return Claimed(
        id=delivery["id"],
        endpoint_id=endpoint["id"],
        event_id=delivery["event_id"],
        attempts=delivery["attempts"],
        url=endpoint["url"],
        body=delivery["body"],
        sealed_secrets=(endpoint["sealed_secret"], *((endpoint["sealed_old_secret"],) if has_old else ())),
    )


def _pause(claimed: Claimed, jitter: float) -> timedelta | None:
    """Give how long to wait after the attempt now made; None after the last."""
    if claimed.attempts >= len(RETRY_AFTER):
        return None
    return RETRY_AFTER[claimed.attempts] * (1 + JITTER * jitter)


def _outcome(
    claimed: Claimed, attempt: Attempt, now: datetime, *, pause: timedelta | None
) -> dict[str, object]:
    """Give a delivery's columns after an attempt; without a pause a failed one was the last."""
    tried = {"attempts": claimed.attempts + 1, "instance_id": None}
    if attempt.is_ok:
        return tried | {"state": DeliveryState.DELIVERED.value, "next_at": None, "finished_at": now}
    if pause is None:
        return tried | {"state": DeliveryState.FAILED.value, "next_at": None, "finished_at": now}
    return tried | {"state": DeliveryState.PENDING.value, "next_at": now + pause}


def _log_attempt(connection: Connection, claimed: Claimed, attempt: Attempt) -> None:
    row = {
        "delivery_id": claimed.id,
        "at": attempt.at,
        "status": attempt.status,
        "error": attempt.error[:_MOST_TEXT] if attempt.error else None,
        "milliseconds": attempt.milliseconds,
    }
    connection.execute(insert(webhook_attempts).values(row))


def _judge(connection: Connection, endpoint: RowMapping, attempt: Attempt, now: datetime) -> None:
    """Note since when an endpoint fails, and disable one that is gone or fails for too long."""
    since = None if attempt.is_ok else endpoint["failing_since"] or now
    if since != endpoint["failing_since"]:
        mine = update(webhook_endpoints).where(webhook_endpoints.c.id == endpoint["id"])
        connection.execute(mine.values(failing_since=since))
    if attempt.status == _GONE:
        disable(connection, endpoint["id"], reason="the receiver answered 410 Gone", now=now)
    elif since is not None and now - since >= GIVES_UP_AFTER:
        reason = f"nothing could be delivered for {GIVES_UP_AFTER.days} days"
        disable(connection, endpoint["id"], reason=reason, now=now)
