"""Reading the info strip: what the camera printed into the picture."""

import datetime as dt
from asyncio import wrap_future
from functools import partial

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from okapia.dialects.animaldetect.asking import image_request, url_of, url_request
from okapia.domain.callers import Bucket, Caller, Scope
from okapia.domain.refusals import NotInPlan
from okapia.web.context import Context
from okapia.web.door import door
from okapia.web.needs import needs
from okapia.web.paying import paid
from okapia.web.problems import problem_json
from okapia.web.uploads import read_upload
from okapia.web.visit import Asker, visit_of

MOST_FETCHES = 8
"""Pictures that are fetched at a time; slow hosts must not hold the threads that others need."""


class Measured(BaseModel):
    """A number with its unit."""

    value: int | float
    unit: str


class Burst(BaseModel):
    """Which picture of one trigger this is."""

    current: int
    total: int


class TextAnswer(BaseModel):
    """What the strip says; what it does not say is left out."""

    raw_text: str
    date: dt.date | None = Field(None, examples=["2019-09-15"])
    time: dt.time | None = Field(None, examples=["21:17:00"])
    temperature: Measured | None = None
    temperature_alt: Measured | None = None
    humidity: Measured | None = None
    pressure: Measured | None = None
    moon_phase: str | None = Field(None, examples=["waxing_gibbous"])
    camera_brand: str | None = Field(None, examples=["bushnell"])
    camera_model: str | None = None
    burst_sequence: Burst | None = None
    date_basis: str | None = Field(None, description="How the order of day and month is known (ours).")


def build(context: Context) -> APIRouter:
    """Make `/v1/scan-image-text` and `/v1/scan-image-text-url`."""
    router = APIRouter(prefix="/v1", tags=["text"], route_class=door(context, problem_json))
    fetches = CapacityLimiter(MOST_FETCHES)

    @router.post("/scan-image-text", response_model=TextAnswer, openapi_extra=image_request({}))
    @needs(Scope.OCR, Bucket.INFERENCE)
    async def scan_image_text(request: Request, caller: Asker) -> Response:
        """Read date, time, temperature and the like from what the camera printed into its picture."""
        _check_plan(caller)
        upload = await read_upload(request, param="image", limits=context.limits)
        return await _scan(context, request, upload.one_image("image").data)

    @router.post("/scan-image-text-url", response_model=TextAnswer, openapi_extra=url_request({}))
    @needs(Scope.OCR, Bucket.INFERENCE)
    async def scan_image_text_url(request: Request, caller: Asker) -> Response:
        """Do as `scan-image-text` does with a picture that the server fetches, where the operator lets it."""
        _check_plan(caller)
        upload = await read_upload(request, param="image", limits=context.limits)
        fetch = partial(context.read_source, url_of(upload))
        return await _scan(context, request, await to_thread.run_sync(fetch, limiter=fetches))

    return router


async def _scan(context: Context, request: Request, picture: bytes) -> Response:
    """Read the strip; costs a credit whatever it says."""
    await to_thread.run_sync(context.service.texts.check_installed)
    async with paid(context, request, images=1) as call:
        with visit_of(request).span("reading"):
            strip = await wrap_future(context.service.texts.read(picture))
        call.succeed()
    answer = TextAnswer.model_validate(strip, from_attributes=True)
    body = answer.model_dump_json(exclude_none=True)
    return Response(body, media_type="application/json")


def _check_plan(caller: Caller) -> None:
    if not caller.plan.has_ocr:
        raise NotInPlan(f"the plan {caller.plan.name} does not have scan-image-text")
