"""An account's webhooks: where events go, and what became of those that were sent."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from okapia.accounts.audit import Audit
from okapia.database.engine import Database
from okapia.domain.callers import Caller
from okapia.domain.clock import Clock, utc_now
from okapia.domain.errors import InvalidRequest, SourceRefused
from okapia.domain.taxon_search import folded
from okapia.domain.taxonomy import Taxon, Taxonomy
from okapia.webhooks.deliveries import Attempt, Deliveries, Delivery, DeliveryPage, DeliveryRecord
from okapia.webhooks.endpoints import EVERY_EVENT, Endpoint, Endpoints, Subscription, disable
from okapia.webhooks.events import EventType
from okapia.webhooks.filters import DetectionFilter, Hours
from okapia.webhooks.outbox import Outbox

__all__ = [
    "EVERY_EVENT",
    "Attempt",
    "Change",
    "Delivery",
    "DeliveryLog",
    "DeliveryPage",
    "DeliveryRecord",
    "DetectionFilter",
    "Endpoint",
    "EventType",
    "Hours",
    "Subscription",
    "Webhooks",
    "named_taxon",
]

_SHOWN = 100  # characters of a name that a message repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be different about an endpoint; None leaves it as it is."""

    url: str | None = field(default=None, repr=False)
    events: tuple[str, ...] | None = None
    description: str | None = None
    detections: DetectionFilter | None = None
    is_enabled: bool | None = None

    def revise(self, before: Subscription) -> Subscription:
        return Subscription(
            url=before.url if self.url is None else self.url,
            events=before.events if self.events is None else self.events,
            description=before.description if self.description is None else self.description,
            detections=before.detections if self.detections is None else self.detections,
        )


class Webhooks:
    """Endpoints in the name of a caller. Somebody else's and an unknown one are the same: `NotFound`."""

    def __init__(
        self,
        database: Database,
        *,
        endpoints: Endpoints,
        check_url: Callable[[str], None],
        audit: Audit,
        clock: Clock = utc_now,
    ) -> None:
        """Let callers send where `check_url` does not raise `SourceRefused`."""
        self._database = database
        self._endpoints = endpoints
        self._check_url = check_url
        self._audit = audit
        self._clock = clock

    def all(self, caller: Caller) -> list[Endpoint]:
        """Give the caller's endpoints, oldest first."""
        with self._database.read() as connection:
            return self._endpoints.list(connection, caller.user_id)

    def get(self, caller: Caller, endpoint_id: str) -> Endpoint:
        """Give an endpoint; raises `NotFound`."""
        with self._database.read() as connection:
            return self._endpoints.get(connection, caller.user_id, endpoint_id)

    def add(
        self, caller: Caller, subscription: Subscription, *, request_id: str | None
    ) -> tuple[Endpoint, str]:
        """Make an endpoint; its secret is given here and never again.

        Raises:
            InvalidRequest: the URL cannot be sent to, or there are too many endpoints.
        """
        self._check(subscription.url)
        with self._database.write() as connection:
            endpoint, secret = self._endpoints.add(connection, caller.user_id, subscription)
            self._note(connection, caller, "webhook.create", endpoint, request_id)
        return endpoint, secret

    def change(self, caller: Caller, endpoint_id: str, change: Change, *, request_id: str | None) -> Endpoint:
        """Change an endpoint; events to come go by it.

        Raises:
            NotFound: there is none of that id.
            InvalidRequest: the URL cannot be sent to.
        """
        if change.url is not None:
            self._check(change.url)
        with self._database.write() as connection:
            endpoint = self._endpoints.change(connection, caller.user_id, endpoint_id, change.revise)
            if change.is_enabled:
                self._endpoints.enable(connection, caller.user_id, endpoint_id)
            elif change.is_enabled is not None:
                disable(connection, endpoint_id, reason="disabled by its owner", now=self._clock())
            self._note(connection, caller, "webhook.change", endpoint, request_id)
            return self._endpoints.get(connection, caller.user_id, endpoint_id)

    def rotate(self, caller: Caller, endpoint_id: str, *, request_id: str | None) -> tuple[Endpoint, str]:
        """Give an endpoint a new secret, shown here and never again; the old one stays valid for 24 h.

        Raises:
            NotFound: there is none of that id.
        """
        with self._database.write() as connection:
            endpoint, secret = self._endpoints.rotate(connection, caller.user_id, endpoint_id)
            self._note(connection, caller, "webhook.rotate", endpoint, request_id)
        return endpoint, secret

    def remove(self, caller: Caller, endpoint_id: str, *, request_id: str | None) -> None:
        """Delete an endpoint with all that was sent there; raises `NotFound`."""
        with self._database.write() as connection:
            endpoint = self._endpoints.get(connection, caller.user_id, endpoint_id)
            self._endpoints.remove(connection, caller.user_id, endpoint_id)
            self._note(connection, caller, "webhook.delete", endpoint, request_id)

    def _check(self, url: str) -> None:
        try:
            self._check_url(url)
        except SourceRefused as error:
            raise InvalidRequest(f"url: {error}", param="url") from error

    def _note(
        self, connection: Connection, caller: Caller, action: str, endpoint: Endpoint, request_id: str | None
    ) -> None:
        """Write an audit entry; a URL may be a secret, so it is not in it."""
        self._audit.record(
            connection,
            actor=caller.name,
            action=action,
            subject=f"webhook {endpoint.id}",
            details={"events": list(endpoint.subscription.events)},
            request_id=request_id,
        )


class DeliveryLog:
    """What was sent to a caller's endpoints; what is not theirs is `NotFound`."""

    def __init__(
        self, database: Database, *, endpoints: Endpoints, deliveries: Deliveries, outbox: Outbox
    ) -> None:
        self._database = database
        self._endpoints = endpoints
        self._deliveries = deliveries
        self._outbox = outbox

    def page(
        self, caller: Caller, endpoint_id: str, *, cursor: str | None = None, limit: int = 50
    ) -> DeliveryPage:
        """List the deliveries to an endpoint, newest first, after those of the page that gave `cursor`.

        Raises:
            NotFound: there is no such endpoint.
            InvalidRequest: the cursor is none of this list.
        """
        with self._database.read() as connection:
            self._endpoints.get(connection, caller.user_id, endpoint_id)
            return self._deliveries.page(connection, endpoint_id, cursor=cursor, limit=limit)

    def record(self, caller: Caller, endpoint_id: str, delivery_id: str) -> DeliveryRecord:
        """Give all that is known of a delivery; raises `NotFound`."""
        with self._database.read() as connection:
            self._endpoints.get(connection, caller.user_id, endpoint_id)
            return self._deliveries.record(connection, endpoint_id, delivery_id)

    def replay(self, caller: Caller, endpoint_id: str, delivery_id: str) -> Delivery:
        """Send an ended delivery again, as the same event.

        Raises:
            NotFound: there is no such endpoint or delivery.
            WrongState: it has not ended yet, or the endpoint is disabled.
        """
        with self._database.write() as connection:
            self._endpoints.get(connection, caller.user_id, endpoint_id)
            return self._deliveries.replay(connection, endpoint_id, delivery_id)

    def test(self, caller: Caller, endpoint_id: str) -> Delivery:
        """Send `webhook.test` to an endpoint, whatever it subscribed to.

        Raises:
            NotFound: there is no such endpoint.
            WrongState: it is disabled.
        """
        with self._database.write() as connection:
            self._endpoints.get(connection, caller.user_id, endpoint_id)
            delivery_id = self._outbox.emit_test(connection, endpoint_id)
            return self._deliveries.record(connection, endpoint_id, delivery_id).delivery


def named_taxon(taxonomy: Taxonomy, name: str) -> Taxon:
    """Give the taxon that has an id, or a latin or common name; of several the one above all others.

    Raises:
        InvalidRequest: none has it; or several have, none of which is above the others.
    """
    if (taxon := taxonomy.by_id(name)) is not None:
        return taxon
    wanted = folded(name)
    called = {one for one in taxonomy if wanted and wanted in _names(one)}
    highest = [one for one in called if called.isdisjoint(taxonomy.ancestors(one))]
    if len(highest) == 1:
        return highest[0]
    found = ", ".join(sorted(one.scientific_name for one in highest)) or "none"
    message = f"taxon: expected the id or name of one taxon, got {name[:_SHOWN]!r}; called so: {found}"
    raise InvalidRequest(message, param="taxon")


def _names(taxon: Taxon) -> set[str]:
    return {folded(taxon.scientific_name), folded(taxon.common_name)}
