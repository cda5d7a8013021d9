"""The endpoints of accounts: where events go, which ones, and the secrets that they are signed with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, Select, bindparam, delete, func, insert, select, update

from okapia.database.tables import (
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_sequences,
)
from okapia.domain.clock import Clock, utc_now
from okapia.domain.errors import InvalidRequest, NotFound
from okapia.storage.secrets import Vault
from okapia.webhooks.deliveries import DeliveryState
from okapia.webhooks.events import EventType
from okapia.webhooks.filters import DetectionFilter
from okapia.webhooks.signatures import new_secret

MOST_ENDPOINTS = 50
"""Of one account: each event is written once for every one of them."""

OVERLAP = timedelta(hours=24)
"""For so long after a rotation payloads are signed with the old secret as well."""

EVERY_EVENT = "*"

# Asked with every answer that holds a detection; built once, for building costs more than asking.
_ENABLED = (
    select(webhook_endpoints)
    .where(webhook_endpoints.c.user_id == bindparam("of_user"), webhook_endpoints.c.disabled_at.is_(None))
    .order_by(webhook_endpoints.c.id)
)


@dataclass(frozen=True, slots=True)
class Subscription:
    """What its owner decides about an endpoint.

    Attributes:
        url: may hold what only its owner should know.
        events: types, or `EVERY_EVENT` alone.
        detections: those that `detection.created` tells of.
    """

    url: str = field(repr=False)
    events: tuple[str, ...] = (EVERY_EVENT,)
    description: str = ""
    detections: DetectionFilter = field(default_factory=DetectionFilter)

    def wants(self, kind: EventType) -> bool:
        return EVERY_EVENT in self.events or kind.value in self.events


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Somewhere that an account's events go.

    Attributes:
        disabled_at: since when nothing is sent there, and `disabled_reason` why; None where it is.
        failing_since: the first failure since something was last delivered.
        old_secret_ends_at: until when payloads are signed with the secret before as well.
    """

    id: str
    user_id: str
    subscription: Subscription
    created_at: datetime
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    old_secret_ends_at: datetime | None = None


class Endpoints:
    """Endpoints of users. Somebody else's id and an unknown one are the same: `NotFound`."""

    def __init__(self, vault: Vault, *, clock: Clock = utc_now) -> None:
        """Keep the secrets only as `vault` seals them."""
        self._vault = vault
        self._clock = clock

    def add(self, connection: Connection, user_id: str, subscription: Subscription) -> tuple[Endpoint, str]:
        """Make an endpoint; its secret is given here and never again.

        Raises:
            InvalidRequest: the user has `MOST_ENDPOINTS` already.
        """
        mine = select(func.count()).where(webhook_endpoints.c.user_id == user_id)
        if connection.execute(mine).scalar_one() >= MOST_ENDPOINTS:
            raise InvalidRequest(f"expected at most {MOST_ENDPOINTS} webhooks of one account")
        endpoint = Endpoint(f"we_{uuid4().hex}", user_id, subscription, self._clock())
        secret = new_secret()
        row = {
            "id": endpoint.id,
            "user_id": user_id,
            "created_at": endpoint.created_at,
            "sealed_secret": self._sealed(secret, endpoint.id),
        }
        connection.execute(insert(webhook_endpoints).values(**row, **_columns(subscription)))
        return endpoint, secret

    def get(self, connection: Connection, user_id: str, endpoint_id: str) -> Endpoint:
        """Give an endpoint of a user; raises `NotFound`."""
        return _endpoint_of(_one(connection, _of_user(user_id, endpoint_id)))

    def list(self, connection: Connection, user_id: str) -> list[Endpoint]:
        """Give a user's endpoints, oldest first."""
        table = webhook_endpoints
        mine = select(table).where(table.c.user_id == user_id).order_by(table.c.created_at, table.c.id)
        return [_endpoint_of(row) for row in connection.execute(mine).mappings()]

    def change(
        self,
        connection: Connection,
        user_id: str,
        endpoint_id: str,
        revise: Callable[[Subscription], Subscription],
    ) -> Endpoint:
        """Replace what the owner decided; what is on its way already goes to the new URL.

        Raises:
            NotFound: the user has none of that id.
        """
        before = _endpoint_of(_one(connection, _of_user(user_id, endpoint_id).with_for_update())).subscription
        after = revise(before)
        fresh = {} if after.url == before.url else {"failing_since": None}
        _update(connection, endpoint_id, _columns(after) | fresh)
        return self.get(connection, user_id, endpoint_id)

    def enable(self, connection: Connection, user_id: str, endpoint_id: str) -> Endpoint:
        """Send events to an endpoint again, those to come; raises `NotFound`."""
        self.get(connection, user_id, endpoint_id)
        _update(
            connection, endpoint_id, {"disabled_at": None, "disabled_reason": None, "failing_since": None}
        )
        return self.get(connection, user_id, endpoint_id)

    def rotate(self, connection: Connection, user_id: str, endpoint_id: str) -> tuple[Endpoint, str]:
        """Give an endpoint a new secret, which is given here and never again.

        The one of before stays valid for `OVERLAP`; one of before that ends at once.

        Raises:
            NotFound: the user has none of that id.
        """
        row = _one(connection, _of_user(user_id, endpoint_id).with_for_update())
        secret = new_secret()
        rotated = {
            "sealed_secret": self._sealed(secret, endpoint_id),
            "sealed_old_secret": row["sealed_secret"],
            "old_secret_ends_at": self._clock() + OVERLAP,
        }
        _update(connection, endpoint_id, rotated)
        return self.get(connection, user_id, endpoint_id), secret

    def remove(self, connection: Connection, user_id: str, endpoint_id: str) -> None:
        """Delete an endpoint with all that was sent there; raises `NotFound`."""
        # From here on no event is written for it.
        _one(connection, _of_user(user_id, endpoint_id).with_for_update())
        sent = select(webhook_deliveries.c.id).where(webhook_deliveries.c.endpoint_id == endpoint_id)
        connection.execute(delete(webhook_attempts).where(webhook_attempts.c.delivery_id.in_(sent)))
        for table in (webhook_deliveries, webhook_sequences):
            connection.execute(delete(table).where(table.c.endpoint_id == endpoint_id))
        connection.execute(delete(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id))

    def _sealed(self, secret: str, endpoint_id: str) -> bytes:
        return self._vault.seal(secret, owner=endpoint_id).encode()


def listening(connection: Connection, user_id: str, kind: EventType) -> list[Endpoint]:
    """Give a user's enabled endpoints that want events of a kind, in the order of their ids."""
    rows = connection.execute(_ENABLED, {"of_user": user_id}).mappings()
    return [endpoint for endpoint in map(_endpoint_of, rows) if endpoint.subscription.wants(kind)]


def disable(connection: Connection, endpoint_id: str, *, reason: str, now: datetime) -> None:
    """Send nothing to an endpoint any more, what was waiting included; the first reason stays."""
    enabled = (webhook_endpoints.c.id == endpoint_id) & webhook_endpoints.c.disabled_at.is_(None)
    connection.execute(
        update(webhook_endpoints).where(enabled).values(disabled_at=now, disabled_reason=reason)
    )
    waiting = (webhook_deliveries.c.endpoint_id == endpoint_id) & (
        webhook_deliveries.c.state == DeliveryState.PENDING.value
    )
    given_up = {"state": DeliveryState.FAILED.value, "next_at": None, "finished_at": now}
    connection.execute(update(webhook_deliveries).where(waiting).values(given_up))


def _of_user(user_id: str, endpoint_id: str) -> "Select[tuple[object, ...]]":
    table = webhook_endpoints
    return select(table).where(table.c.id == endpoint_id, table.c.user_id == user_id)


def _one(connection: Connection, wanted: "Select[tuple[object, ...]]") -> RowMapping:
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None:
        raise NotFound("expected the id of a webhook of this account, got another")
    return row


def _update(connection: Connection, endpoint_id: str, values: Mapping[str, object]) -> None:
    connection.execute(update(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id).values(values))


def _columns(subscription: Subscription) -> dict[str, object]:
    return {
        "url": subscription.url,
        "description": subscription.description,
        "events": list(subscription.events),
        "detection_filter": subscription.detections.stored(),
    }


def _endpoint_of(row: RowMapping) -> Endpoint:
    subscription = Subscription(
        url=row["url"],
        events=tuple(row["events"]),
        description=row["description"],
        detections=DetectionFilter.of_stored(row["detection_filter"]),
    )
    return Endpoint(
        id=row["id"],
        user_id=row["user_id"],
        subscription=subscription,
        created_at=row["created_at"],
        disabled_at=row["disabled_at"],
        disabled_reason=row["disabled_reason"],
        failing_since=row["failing_since"],
        old_secret_ends_at=row["old_secret_ends_at"],
    )
