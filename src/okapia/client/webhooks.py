"""Where the server tells of what it has seen and done."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from okapia.client.connection import Connection
from okapia.client.pages import rows
from okapia.client.reading import Answer, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Answer):
    """A URL that is told of events.

    Attributes:
        secret: for `verify_webhook`; only when it was just made.
    """

    id: str
    url: str
    events: tuple[str, ...] = ()
    description: str = ""
    secret: str | None = field(default=None, repr=False)
    created_at: datetime | None = None
    disabled_at: datetime | None = None
    disabled_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(Answer):
    """An event on its way to a webhook."""

    id: str
    event_type: str
    state: str
    attempts: int
    created_at: datetime | None = None


class Webhooks:
    """Makes webhooks and looks after them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
