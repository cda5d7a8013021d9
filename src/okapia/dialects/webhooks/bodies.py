"""What is sent to and from the routes of webhooks, field by field."""

from collections.abc import Mapping
from datetime import datetime, time
from typing import Annotated, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field

from okapia.domain.types import Category
from okapia.service import Species
from okapia.service.webhooks import (
    EVERY_EVENT,
    Attempt,
    Change,
    Delivery,
    DeliveryRecord,
    DetectionFilter,
    Endpoint,
    Hours,
    Subscription,
    named_taxon,
)

CategoryName = Literal["animal", "human", "vehicle", "other"]

_CATEGORIES: Mapping[CategoryName, Category] = {
    "animal": Category.ANIMAL,
    "human": Category.PERSON,
    "vehicle": Category.VEHICLE,
    "other": Category.OTHER,
}
_NAMES = {category: name for name, category in _CATEGORIES.items()}

EventName = Literal[
    "*",
    "job.succeeded",
    "job.failed",
    "job.expired",
    "job.canceled",
    "batch.completed",
    "batch.failed",
    "detection.created",
]
ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", examples=["20:00"])]
ShortText = Annotated[str, Field(max_length=255)]
Url = Annotated[str, Field(max_length=2048, examples=["https://example.org/okapia"])]
Events = Annotated[list[EventName], Field(min_length=1, max_length=20)]


class HourRange(BaseModel):
    """A part of every day by the camera's clock, over midnight where `to` is the earlier; `to` is outside."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_: Annotated[ClockTime, Field(alias="from")]
    to: ClockTime

    def hours(self) -> Hours:
        return Hours(time.fromisoformat(self.from_), time.fromisoformat(self.to))

    @classmethod
    def of(cls, hours: Hours) -> Self:
        return cls(from_=f"{hours.start:%H:%M}", to=f"{hours.end:%H:%M}")


class Filter(BaseModel):
    """Which detections `detection.created` tells of: those for which all that is set holds.

    `taxon` is the id or name of a taxon; what is below it matches too.
    """

    model_config = ConfigDict(extra="forbid")

    category: Annotated[list[CategoryName], Field(max_length=4)] = []
    taxon: Annotated[ShortText, Field(examples=["canidae"])] | None = None
    camera: Annotated[list[ShortText], Field(max_length=1000)] = []
    min_score: Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)] = 0.0
    hours: HourRange | None = None

    def detections(self, species: Species) -> DetectionFilter:
        """Give it in our words; raises what `named_taxon` and `Species.taxonomy` do."""
        return DetectionFilter(
            categories=frozenset(_CATEGORIES[name] for name in self.category),
            taxon=None if self.taxon is None else named_taxon(species.taxonomy, self.taxon),
            cameras=frozenset(self.camera),
            min_score=self.min_score,
            hours=self.hours.hours() if self.hours else None,
        )


class ShownFilter(Filter):
    """A filter as it is kept: `taxon` is the taxon's id, and `taxon_name` what it is called."""

    taxon_name: str | None = None

    @classmethod
    def of(cls, detections: DetectionFilter) -> Self:
        taxon = detections.taxon
        return cls(
            category=[_NAMES[category] for category in sorted(detections.categories)],
            taxon=taxon.id if taxon else None,
            taxon_name=(taxon.common_name or taxon.scientific_name.lower()) if taxon else None,
            camera=sorted(detections.cameras),
            min_score=detections.min_score,
            hours=HourRange.of(detections.hours) if detections.hours else None,
        )


class NewWebhook(BaseModel):
    """Where events are to go, and which."""

    model_config = ConfigDict(extra="forbid")

    url: Url
    events: Events = ["*"]
    description: ShortText = ""
    filter: Filter = Filter()

    def subscription(self, species: Species) -> Subscription:
        return Subscription(
            self.url, _event_names(self.events), self.description, self.filter.detections(species)
        )


class WebhookChange(BaseModel):
    """What is to be different; what is left out stays. A filter is replaced as a whole."""

    model_config = ConfigDict(extra="forbid")

    url: Url | None = None
    events: Events | None = None
    description: ShortText | None = None
    filter: Filter | None = None
    enabled: bool | None = None

    def change(self, species: Species) -> Change:
        return Change(
            url=self.url,
            events=None if self.events is None else _event_names(self.events),
            description=self.description,
            detections=None if self.filter is None else self.filter.detections(species),
            is_enabled=self.enabled,
        )


class Webhook(BaseModel):
    """An endpoint.

    Attributes:
        failing_since: the first failure since something was last delivered.
        old_secret_expires_at: until when payloads are signed with the secret before as well.
    """

    id: str
    url: str
    events: list[str]
    description: str
    filter: ShownFilter
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: str | None
    failing_since: datetime | None
    old_secret_expires_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        return cls.model_validate(_fields(endpoint))


class WebhookWithSecret(Webhook):
    """An endpoint with its secret, which is shown only here."""

    secret: Annotated[str, Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])]

    @classmethod
    def of_new(cls, endpoint: Endpoint, secret: str) -> Self:
        return cls.model_validate({**_fields(endpoint), "secret": secret})


class Webhooks(BaseModel):
    """An account's endpoints, oldest first."""

    webhooks: list[Webhook]


class ShownDelivery(BaseModel):
    """One event on its way to one endpoint; `event_id` is its `webhook-id`, in every attempt."""

    id: str
    event_id: str
    type: str
    state: str
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        return cls.model_validate(_delivery_fields(delivery))


class ShownAttempt(BaseModel):
    """One time that a delivery was sent: the answer's `status`, or the `error` in its place."""

    at: datetime
    status: int | None
    error: str | None
    duration_ms: int

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        return cls(
            at=attempt.at, status=attempt.status, error=attempt.error, duration_ms=attempt.milliseconds
        )


class ShownRecord(ShownDelivery):
    """A delivery with what was sent and every attempt, those before a replay included."""

    payload: dict[str, object]
    log: list[ShownAttempt]

    @classmethod
    def of_record(cls, record: DeliveryRecord) -> Self:
        log = [ShownAttempt.of(attempt) for attempt in record.attempts]
        return cls.model_validate(
            {**_delivery_fields(record.delivery), "payload": orjson.loads(record.body), "log": log}
        )


class DeliveryList(BaseModel):
    """Some deliveries, newest first; `next_cursor` gives those after them."""

    deliveries: list[ShownDelivery]
    next_cursor: str | None


def _event_names(names: list[EventName]) -> tuple[str, ...]:
    """Give each name once; with all events no other is needed."""
    return (EVERY_EVENT,) if EVERY_EVENT in names else tuple(dict.fromkeys(names))


def _fields(endpoint: Endpoint) -> dict[str, object]:
    subscription = endpoint.subscription
    return {
        "id": endpoint.id,
        "url": subscription.url,
        "events": list(subscription.events),
        "description": subscription.description,
        "filter": ShownFilter.of(subscription.detections),
        "enabled": endpoint.disabled_at is None,
        "disabled_at": endpoint.disabled_at,
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": endpoint.failing_since,
        "old_secret_expires_at": endpoint.old_secret_ends_at,
        "created_at": endpoint.created_at,
    }


def _delivery_fields(delivery: Delivery) -> dict[str, object]:
    return {
        "id": delivery.id,
        "event_id": delivery.event_id,
        "type": delivery.event_type,
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_at,
        "created_at": delivery.created_at,
        "finished_at": delivery.finished_at,
    }
