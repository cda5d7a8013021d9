"""Where the server tells of what it has seen and done."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from okapia.client.connection import Connection, at
from okapia.client.pages import rows
from okapia.client.reading import Answer, read


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionFilter:
    """Which detections `detection.created` tells of: those for which all that is set holds.

    Attributes:
        category: any of `animal`, `human`, `vehicle`, `other`.
        taxon: id or name of a taxon; what is below it counts too.
        camera: serial numbers.
        min_score: 0 to 1.
        hours: from, to, as `("20:00", "06:00")`, by the camera's clock.
    """

    category: Sequence[str] = ()
    taxon: str | None = None
    camera: Sequence[str] = ()
    min_score: float = 0.0
    hours: tuple[str, str] | None = None

    def document(self) -> dict[str, object]:
        """Give it as the contract has it."""
        return {
            "category": list(self.category),
            "taxon": self.taxon,
            "camera": list(self.camera),
            "min_score": self.min_score,
            "hours": {"from": self.hours[0], "to": self.hours[1]} if self.hours else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Answer):
    """A URL that is told of events.

    Attributes:
        url: may hold what only its owner should know.
        secret: for `verify_webhook`; only from `create` and `rotate_secret`.
        failing_since: the first failure since something was last delivered.
    """

    id: str
    url: str = field(repr=False)
    events: tuple[str, ...]
    description: str = ""
    filter: Mapping[str, object] = field(default_factory=dict)
    secret: str | None = field(default=None, repr=False)
    enabled: bool = True
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    old_secret_expires_at: datetime | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(Answer):
    """An event on its way to a webhook.

    Attributes:
        event_id: the header `webhook-id`, the same in every attempt.
        state: `pending`, `sending`, `delivered` or `failed`.
    """

    id: str
    event_id: str
    type: str
    state: str
    attempts: int
    next_attempt_at: datetime | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None


class Webhooks:
    """Makes webhooks and looks after them. What arrives there is checked by `verify_webhook`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        url: str,
        *,
        events: Sequence[str] = ("*",),
        description: str = "",
        detections: DetectionFilter | None = None,
    ) -> Webhook:
        """Have events sent to a URL; the secret in the answer is shown only now.

        Args:
            events: their types; `*` for all.
            detections: those that `detection.created` tells of.
        """
        asked: dict[str, object] = {"url": url, "events": list(events), "description": description}
        if detections is not None:
            asked["filter"] = detections.document()
        return read(Webhook, self._connection.post(at("webhooks"), asked).document)

    def get(self, webhook_id: str) -> Webhook:
        return read(Webhook, self._connection.get(at("webhooks", webhook_id)).document)

    def all(self) -> Iterator[Webhook]:
        """Give the account's webhooks, oldest first."""
        return rows(self._connection, at("webhooks"), Webhook, key="webhooks", query={})

    def change(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        description: str | None = None,
        detections: DetectionFilter | None = None,
        enabled: bool | None = None,
    ) -> Webhook:
        """Change what is given, and nothing else; a filter is replaced as a whole."""
        asked = {
            "url": url,
            "events": list(events) if events is not None else None,
            "description": description,
            "filter": detections.document() if detections is not None else None,
            "enabled": enabled,
        }
        given = {name: value for name, value in asked.items() if value is not None}
        return read(Webhook, self._connection.patch(at("webhooks", webhook_id), given).document)

    def rotate_secret(self, webhook_id: str) -> Webhook:
        """Give a webhook a new secret, shown only now; for a day events are signed with the old one too."""
        return read(Webhook, self._connection.post(at("webhooks", webhook_id, "rotate")).document)

    def delete(self, webhook_id: str) -> None:
        self._connection.delete(at("webhooks", webhook_id))

    def test(self, webhook_id: str) -> Delivery:
        """Have the event `webhook.test` sent."""
        return read(Delivery, self._connection.post(at("webhooks", webhook_id, "test")).document)

    def deliveries(self, webhook_id: str) -> Iterator[Delivery]:
        """Give what was sent there in the last 30 days, newest first."""
        path = at("webhooks", webhook_id, "deliveries")
        return rows(self._connection, path, Delivery, key="deliveries", query={})

    def replay(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Have a delivery that has ended sent again, as the same event."""
        path = at("webhooks", webhook_id, "deliveries", delivery_id, "replay")
        return read(Delivery, self._connection.post(path).document)
