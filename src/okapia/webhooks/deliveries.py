"""What was sent where, as the owner of an endpoint sees it: the log of deliveries, and sending one again."""

from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, RowMapping, Select, delete, select, tuple_, update

from okapia.database.tables import webhook_attempts, webhook_deliveries, webhook_endpoints
from okapia.domain.clock import Clock, utc_now
from okapia.domain.errors import InvalidRequest, NotFound
from okapia.domain.refusals import WrongState

KEPT = timedelta(days=30)
"""How long deliveries and their attempts are kept."""


class DeliveryState(StrEnum):
    """Where a delivery stands: to be sent, under way, accepted, or given up."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        return self in {DeliveryState.DELIVERED, DeliveryState.FAILED}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint.

    Attributes:
        event_id: the payload's `webhook-id`, the same in every attempt and every replay.
        attempts: since the event, or since it was last replayed.
        next_at: when it is sent again; None unless it is pending.
    """

    id: str
    endpoint_id: str
    event_id: str
    event_type: str
    state: DeliveryState
    attempts: int
    next_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One time that a delivery was sent.

    Attributes:
        status: what the receiver answered; None when it did not, and `error` says why.
    """

    at: datetime
    status: int | None
    error: str | None
    milliseconds: int

    @property
    def is_ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """All that is known of a delivery: its payload, and its attempts, oldest first."""

    delivery: Delivery
    body: bytes = field(repr=False)
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Some deliveries, newest first; `next_cursor` is None on the last page."""

    deliveries: tuple[Delivery, ...]
    next_cursor: str | None


_SHOWN = [webhook_deliveries.c[one.name] for one in fields(Delivery)]


class Deliveries:
    """The log of endpoints; whose they are is known before it is asked."""

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._clock = clock

    def page(
        self, connection: Connection, endpoint_id: str, *, cursor: str | None = None, limit: int = 50
    ) -> DeliveryPage:
        """List the deliveries to an endpoint, newest first, after those of the page that gave `cursor`.

        Raises:
            InvalidRequest: the cursor is none of this list.
        """
        table = webhook_deliveries
        wanted = select(*_SHOWN).where(table.c.endpoint_id == endpoint_id)
        if cursor is not None:
            last = _cursor_row(connection, endpoint_id, cursor)
            wanted = wanted.where(tuple_(table.c.created_at, table.c.id) < (last["created_at"], last["id"]))
        newest = wanted.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit + 1)
        found = tuple(_delivery_of(row) for row in connection.execute(newest).mappings())
        return DeliveryPage(found[:limit], found[limit - 1].id if len(found) > limit else None)

    def record(self, connection: Connection, endpoint_id: str, delivery_id: str) -> DeliveryRecord:
        """Give a delivery to an endpoint with all that came of it; raises `NotFound`."""
        row = _one(connection, _sent(endpoint_id, delivery_id))
        tried = webhook_attempts
        rows = connection.execute(
            select(tried).where(tried.c.delivery_id == delivery_id).order_by(tried.c.number)
        )
        attempts = tuple(Attempt(row.at, row.status, row.error, row.milliseconds) for row in rows)
        return DeliveryRecord(_delivery_of(row), row["body"], attempts)

    def replay(self, connection: Connection, endpoint_id: str, delivery_id: str) -> Delivery:
        """Send an ended delivery again, as the same event, with the full number of attempts.

        Raises:
            NotFound: nothing of that id was sent there.
            WrongState: it has not ended yet, or the endpoint is disabled.
        """
        delivery = _delivery_of(_one(connection, _sent(endpoint_id, delivery_id).with_for_update()))
        if not delivery.state.is_final:
            raise WrongState(
                f"expected a delivery that was delivered or has failed, this one is {delivery.state}"
            )
        check_enabled(connection, endpoint_id)
        again = {"state": DeliveryState.PENDING.value, "attempts": 0, "next_at": self._clock()}
        connection.execute(
            update(webhook_deliveries)
            .where(webhook_deliveries.c.id == delivery_id)
            .values(**again, finished_at=None)
        )
        return _delivery_of(_one(connection, _sent(endpoint_id, delivery_id)))

    def sweep(self, connection: Connection, *, most: int = 500) -> int:
        """Forget up to `most` deliveries that are older than `KEPT`; gives how many."""
        table = webhook_deliveries
        old = (table.c.created_at < self._clock() - KEPT) & (table.c.state != DeliveryState.SENDING.value)
        ids = list(connection.execute(select(table.c.id).where(old).limit(most)).scalars())
        connection.execute(delete(webhook_attempts).where(webhook_attempts.c.delivery_id.in_(ids)))
        return connection.execute(delete(table).where(table.c.id.in_(ids))).rowcount


def check_enabled(connection: Connection, endpoint_id: str) -> None:
    """Make sure that events are sent to an endpoint, and that it stays until the transaction ends.

    Raises:
        NotFound, WrongState: there is none, or it is disabled.
    """
    table = webhook_endpoints
    wanted = select(table.c.disabled_at, table.c.disabled_reason).where(table.c.id == endpoint_id)
    row = connection.execute(wanted.with_for_update(read=True, key_share=True)).one_or_none()
    if row is None:
        raise NotFound("expected the id of a webhook, got another")
    if row.disabled_at is not None:
        raise WrongState(f"expected an enabled webhook, this one is disabled: {row.disabled_reason}")


def _cursor_row(connection: Connection, endpoint_id: str, cursor: str) -> RowMapping:
    """Give the last row of the page that gave a cursor."""
    try:
        return _one(connection, _sent(endpoint_id, cursor))
    except NotFound as error:
        raise InvalidRequest("cursor: expected the next_cursor of another page", param="cursor") from error


def _sent(endpoint_id: str, delivery_id: str) -> "Select[tuple[object, ...]]":
    table = webhook_deliveries
    return select(table).where(table.c.id == delivery_id, table.c.endpoint_id == endpoint_id)


def _one(connection: Connection, wanted: "Select[tuple[object, ...]]") -> RowMapping:
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None:
        raise NotFound("expected the id of a delivery to this webhook, got another")
    return row


def _delivery_of(row: RowMapping) -> Delivery:
    values = {column.name: row[column.name] for column in _SHOWN}
    return Delivery(**values | {"state": DeliveryState(values["state"])})
