"""Writing events down for every endpoint that wants them, in the transaction of what they tell of.

Nothing is sent here: `okapia.webhooks.courier` does, once the transaction is committed.
"""

from collections.abc import Sequence
from contextlib import suppress
from uuid import uuid4

from sqlalchemy import Connection, Select, insert, select

from okapia.database.tables import webhook_deliveries, webhook_endpoints
from okapia.domain.clock import Clock, utc_now
from okapia.domain.errors import NotFound
from okapia.domain.refusals import WrongState
from okapia.webhooks.deliveries import DeliveryState, check_enabled
from okapia.webhooks.endpoints import Endpoint, listening
from okapia.webhooks.events import Event, EventType, Seen, detection_event, encode
from okapia.webhooks.sequences import is_news


class Outbox:
    """Events of accounts on their way out."""

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._clock = clock

    def emit(self, connection: Connection, user_id: str, event: Event) -> None:
        """Tell a user's endpoints what happened, those that want to know; without any it is one SELECT."""
        endpoints = listening(connection, user_id, event.type)
        if not endpoints:
            return
        # One that is being deleted must not undo what the event tells of.
        kept = (
            connection.execute(_ids_of(endpoints).with_for_update(read=True, key_share=True)).scalars().all()
        )
        if kept:
            self._write(connection, event, kept)

    def emit_to(self, connection: Connection, endpoint_id: str, event: Event) -> None:
        """Tell one endpoint what happened, whatever it subscribed to, unless it is gone or disabled."""
        with suppress(NotFound, WrongState):
            check_enabled(connection, endpoint_id)
            self._write(connection, event, [endpoint_id])

    def emit_detections(self, connection: Connection, user_id: str, *seen: Seen) -> None:
        """Tell a user's endpoints of the detections in pictures that they want to know of.

        An endpoint is told once of each sequence, by the first of its pictures that it wants to know of.
        Without any detection the database is not asked.
        """
        found = [one for one in seen if one.analysis.detections]
        if not found:
            return
        endpoints = listening(connection, user_id, EventType.DETECTION_CREATED)
        wanted = [
            (endpoint, one, matching)
            for one in found
            for endpoint in endpoints
            if (matching := endpoint.subscription.detections.matching(one))
        ]
        if not wanted:
            return
        # Pictures of one burst are often answered at the same time. All endpoints are locked, in one
        # order, so that two calls never wait for each other.
        kept = connection.execute(_ids_of(endpoints).with_for_update(key_share=True)).scalars().all()
        for endpoint, one, matching in wanted:
            if endpoint.id in kept and is_news(connection, endpoint.id, one, now=self._clock()):
                self._write(connection, detection_event(one, matching), [endpoint.id])

    def emit_test(self, connection: Connection, endpoint_id: str) -> str:
        """Send `webhook.test` to an endpoint, whatever it subscribed to; gives the delivery's id.

        Raises:
            NotFound, WrongState: there is no such endpoint, or it is disabled.
        """
        check_enabled(connection, endpoint_id)
        event = Event(EventType.TEST, {"webhook_id": endpoint_id})
        return self._write(connection, event, [endpoint_id])[0]

    def _write(self, connection: Connection, event: Event, endpoint_ids: Sequence[str]) -> list[str]:
        """Write a delivery for each endpoint; gives their ids."""
        now = self._clock()
        shared = {
            "event_id": f"msg_{uuid4().hex}",
            "event_type": event.type.value,
            "body": encode(event, now),
            "state": DeliveryState.PENDING.value,
            "attempts": 0,
            "next_at": now,
            "created_at": now,
        }
        rows = [{"id": f"wd_{uuid4().hex}", "endpoint_id": place, **shared} for place in endpoint_ids]
        connection.execute(insert(webhook_deliveries), rows)
        return [str(row["id"]) for row in rows]


def _ids_of(endpoints: Sequence[Endpoint]) -> "Select[str]":
    """Ask which of the endpoints there still are."""
    table = webhook_endpoints
    return select(table.c.id).where(table.c.id.in_([one.id for one in endpoints])).order_by(table.c.id)
