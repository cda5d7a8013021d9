"""What receivers get, for the section `webhooks` of the OpenAPI document."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Generic, Literal, TypeVar

from fastapi import APIRouter, Header
from pydantic import BaseModel, Field

from okapia.dialects.webhooks.bodies import CategoryName

D = TypeVar("D", bound=BaseModel)

_JOB_EVENTS = ("job.succeeded", "job.failed", "job.expired", "job.canceled")


class Signed(BaseModel):
    """The headers of the Standard Webhooks specification, by which a payload is verified."""

    webhook_id: Annotated[str, Field(description="the same in every attempt and replay")]
    webhook_timestamp: Annotated[int, Field(description="seconds since 1970, of this attempt")]
    webhook_signature: Annotated[str, Field(description="`v1,BASE64`; two for 24 hours after a rotation")]


Headers = Annotated[Signed, Header()]


class Payload(BaseModel, Generic[D]):
    """Less than 20 kB of JSON; `timestamp` is when it happened, in UTC."""

    type: str
    timestamp: datetime
    data: D


class JobError(BaseModel):
    """Why a job failed."""

    code: str
    message: str


class JobData(BaseModel):
    """A job as it ended; its answer is at `/v1/detect/{id}`."""

    id: str
    operation: str
    status: Literal["succeeded", "failed", "expired", "canceled"]
    filename: str
    client_reference_id: str | None
    error: JobError | None


class SeenDetection(BaseModel):
    """One box: `bbox` is [x_min, y_min, width, height], fractions of the image."""

    bbox: tuple[float, float, float, float]
    category: CategoryName
    score: float
    label: str
    taxonomy_id: str | None


class DetectionData(BaseModel):
    """The detections of a picture that the filter lets through, most confident first.

    One event a sequence: of the pictures with one `sequence_id`, or that one camera took at most 60 s
    apart, the first. There are fewer `detections` than `detections_total` where they would not fit.
    """

    answer_id: str
    endpoint: Annotated[str, Field(examples=["/v1/detect"])]
    filename: str
    camera: str | None
    captured_at: Annotated[str | None, Field(examples=["2026-11-21T06:12:31"])]
    detections_total: int
    detections: list[SeenDetection]


class TestedWebhook(BaseModel):
    """The webhook that is tested."""

    webhook_id: str


def document_webhooks(router: APIRouter) -> None:
    """Describe the events on an application's `webhooks`."""

    def receive_job(body: Payload[JobData], headers: Headers) -> None:
        """A job has ended. Verify the signature and answer 2xx within 15 s; 410 ends the webhook."""

    def receive_detection(body: Payload[DetectionData], headers: Headers) -> None:
        """Something was detected that the webhook's filter lets through."""

    def receive_test(body: Payload[TestedWebhook], headers: Headers) -> None:
        """Somebody tests the webhook."""

    for name in _JOB_EVENTS:
        _describe(router, name, receive_job)
    _describe(router, "detection.created", receive_detection)
    _describe(router, "webhook.test", receive_test)


def _describe(router: APIRouter, name: str, receive: Callable[..., None]) -> None:
    router.add_api_route(
        name,
        receive,
        methods=["POST"],
        status_code=HTTPStatus.NO_CONTENT,
        summary=name,
        operation_id=f"on_{name.replace('.', '_')}",
    )
