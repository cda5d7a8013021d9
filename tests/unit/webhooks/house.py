"""All stores of webhooks on one database, and a courier that goes when it is told to."""

from okapia.database.engine import Database
from okapia.database.instances import Instance
from okapia.storage.post import GuardedPoster
from okapia.storage.secrets import Vault
from okapia.webhooks.courier import Courier, Post
from okapia.webhooks.deliveries import Deliveries, Delivery, DeliveryRecord
from okapia.webhooks.endpoints import Endpoint, Endpoints, Subscription
from okapia.webhooks.events import Event, EventType, Seen
from okapia.webhooks.filters import DetectionFilter
from okapia.webhooks.outbox import Outbox
from okapia.webhooks.queue import DeliveryQueue
from tests.unit.jobs.drafts import Watch

DONE = Event(EventType.JOB_SUCCEEDED, {"id": "j1", "status": "succeeded"})
POSTER = GuardedPoster(allow_private=True, total_s=10.0)


class House:
    """Webhooks of `ada` and `ben`.

    Attributes:
        secrets: of the endpoints, by id, the newest.
    """

    def __init__(self, database: Database, instance: Instance, watch: Watch) -> None:
        self.database = database
        self.instance = instance
        self.watch = watch
        self.vault = Vault(bytes(32))
        self.endpoints = Endpoints(self.vault, clock=watch)
        self.outbox = Outbox(clock=watch)
        self.deliveries = Deliveries(clock=watch)
        self.queue = DeliveryQueue(instance_id=instance.id, clock=watch)
        self.secrets: dict[str, str] = {}

    def courier(
        self,
        *,
        post: Post = POSTER.post,
        queue: DeliveryQueue | None = None,
        jitter: float = 0.0,
        workers: int = 4,
    ) -> Courier:
        return Courier(
            self.database,
            queue=queue or self.queue,
            vault=self.vault,
            post=post,
            clock=self.watch,
            jitter=lambda: jitter,
            workers=workers,
            idle_s=0.01,
        )

    def add(
        self,
        url: str = "https://example.org/hook",
        *events: str,
        user_id: str = "ada",
        detections: DetectionFilter | None = None,
    ) -> Endpoint:
        wanted = Subscription(url, events or ("*",), detections=detections or DetectionFilter())
        with self.database.write() as connection:
            endpoint, secret = self.endpoints.add(connection, user_id, wanted)
        self.secrets[endpoint.id] = secret
        return endpoint

    def rotate(self, endpoint: Endpoint) -> str:
        with self.database.write() as connection:
            _, secret = self.endpoints.rotate(connection, endpoint.user_id, endpoint.id)
        return secret

    def get(self, endpoint: Endpoint) -> Endpoint:
        with self.database.read() as connection:
            return self.endpoints.get(connection, endpoint.user_id, endpoint.id)

    def emit(self, event: Event = DONE, *, user_id: str = "ada") -> None:
        with self.database.write() as connection:
            self.outbox.emit(connection, user_id, event)

    def show(self, *pictures: Seen, user_id: str = "ada") -> None:
        with self.database.write() as connection:
            self.outbox.emit_detections(connection, user_id, *pictures)

    def sent_to(self, endpoint: Endpoint) -> list[Delivery]:
        """Give all deliveries to an endpoint, newest first."""
        with self.database.read() as connection:
            return list(self.deliveries.page(connection, endpoint.id, limit=100).deliveries)

    def record(self, endpoint: Endpoint) -> DeliveryRecord:
        """Give the newest delivery to an endpoint."""
        newest = self.sent_to(endpoint)[0]
        with self.database.read() as connection:
            return self.deliveries.record(connection, endpoint.id, newest.id)

    def replay(self, delivery: Delivery) -> Delivery:
        with self.database.write() as connection:
            return self.deliveries.replay(connection, delivery.endpoint_id, delivery.id)
