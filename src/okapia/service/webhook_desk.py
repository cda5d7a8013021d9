"""Everything about webhooks, put together: who manages them, who sends, who sweeps up."""

from pathlib import Path

from okapia.accounts.audit import Audit
from okapia.database.engine import Database
from okapia.domain.clock import utc_now
from okapia.service.webhooks import DeliveryLog, Webhooks
from okapia.storage.secrets import Vault, load_or_make_secret
from okapia.webhooks.courier import Courier
from okapia.webhooks.deliveries import Deliveries
from okapia.webhooks.endpoints import Endpoints
from okapia.webhooks.outbox import Outbox
from okapia.webhooks.queue import DeliveryQueue
from okapia.webhooks.sequences import forget_sequences

_VAULT = "webhook-secrets"
"""Name of the secret in the home folder; all processes on one database need the same."""


class WebhookDesk:
    """Webhooks of one process. `start` it, `sweep` now and then, `close` it in the end.

    Attributes:
        webhooks: manages endpoints.
        log: tells what was sent.
        outbox: takes events, in the transaction of what they tell of.
    """

    def __init__(self, database: Database, *, home: Path, allow_private: bool, instance_id: str) -> None:
        """Send to addresses of one's own machine and network only with `allow_private`."""
        # An HTTP client with its certificates takes 0.15 s to import: only servers need it.
        from okapia.storage.post import GuardedPoster  # noqa: PLC0415

        vault = Vault(load_or_make_secret(home, _VAULT))
        poster = GuardedPoster(allow_private=allow_private)
        endpoints = Endpoints(vault)
        self._database = database
        self._deliveries = Deliveries()
        self._queue = DeliveryQueue(instance_id=instance_id)
        self._courier = Courier(database, queue=self._queue, vault=vault, post=poster.post)
        self.outbox = Outbox()
        self.webhooks = Webhooks(database, endpoints=endpoints, check_url=poster.check, audit=Audit())
        self.log = DeliveryLog(database, endpoints=endpoints, deliveries=self._deliveries, outbox=self.outbox)

    def start(self) -> None:
        """Begin to send, what dead processes left included."""
        self.sweep()
        self._courier.start()

    def sweep(self) -> None:
        """Take up what dead processes were sending, once they are buried; forget what is kept no longer."""
        with self._database.write() as connection:
            self._queue.release(connection)
            self._deliveries.sweep(connection)
            forget_sequences(connection, now=utc_now())

    def close(self) -> None:
        """Finish what is being sent, 15 s at most."""
        self._courier.stop()
