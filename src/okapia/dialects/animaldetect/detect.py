"""Detect and filter: the calls on pictures."""

from functools import partial
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from okapia.dialects.animaldetect.answering import Answers
from okapia.dialects.animaldetect.answers import BatchAnswer, DetectAnswer, FilterAnswer
from okapia.dialects.animaldetect.asking import (
    BATCH_REQUEST,
    REQUEST,
    Asked,
    many_asked,
    one_asked,
    url_asked,
    url_request,
)
from okapia.domain.callers import Bucket, Scope
from okapia.service import URBAN, WILD
from okapia.web.context import Context
from okapia.web.door import door
from okapia.web.needs import needs
from okapia.web.problems import problem_json
from okapia.web.uploads import read_upload

MOST_FETCHES = 8
"""Pictures that are fetched at a time; slow hosts must not hold the threads that others need."""

_VARIANTS = (("", WILD), ("-urban", URBAN))
"""Every call exists twice: `detect` with the models of `wild`, `detect-urban` with those of `urban`."""


def build(context: Context) -> APIRouter:
    """Make detect and filter, for one picture and for up to ten, and their variants for towns."""
    router = APIRouter(prefix="/v1", tags=["detect"], route_class=door(context, problem_json))
    answers = Answers(context)
    _add_url(router, context, answers)
    for suffix, profile in _VARIANTS:
        _add_single(router, context, answers, suffix=suffix, profile=profile)
        _add_batch(router, context, answers, suffix=suffix, profile=profile)
    return router


def _add_url(router: APIRouter, context: Context, answers: Answers) -> None:
    fetches = CapacityLimiter(MOST_FETCHES)

    @router.post("/detect-url", response_model=DetectAnswer, openapi_extra=url_request(), responses=_ANSWERS)
    @needs(Scope.DETECT, Bucket.INFERENCE)
    async def detect_url(request: Request) -> Response:
        """Do as `detect` does with a picture that the server fetches, where the operator lets it."""
        upload = await read_upload(request, param="image", limits=context.limits)
        fetch = partial(url_asked, default_threshold=context.threshold, read=context.read_source)
        asked = await to_thread.run_sync(fetch, upload, limiter=fetches)
        return await answers.one(request, asked, WILD, is_coarse=False)


def _add_single(router: APIRouter, context: Context, answers: Answers, *, suffix: str, profile: str) -> None:
    async def read(request: Request) -> Asked:
        """Read the one picture and the parameters, which may also stand in the query."""
        upload = await read_upload(request, param="image", limits=context.limits)
        return one_asked(upload, dict(request.query_params), default_threshold=context.threshold)

    Picture = Annotated[Asked, Depends(read)]  # noqa: N806 - a type, bound to this service

    @router.post(f"/detect{suffix}", response_model=DetectAnswer, openapi_extra=REQUEST, responses=_ANSWERS)
    @needs(Scope.DETECT, Bucket.INFERENCE)
    async def detect(request: Request, asked: Picture) -> Response:
        """Find the animals, people and vehicles of one picture and name the species."""
        return await answers.one(request, asked, profile, is_coarse=False)

    @router.post(f"/filter{suffix}", response_model=FilterAnswer, openapi_extra=REQUEST, responses=_ANSWERS)
    @needs(Scope.FILTER, Bucket.INFERENCE)
    async def filter_(request: Request, asked: Picture) -> Response:
        """Say whether one picture holds animals, people or vehicles, and where."""
        return await answers.one(request, asked, profile, is_coarse=True)


def _add_batch(router: APIRouter, context: Context, answers: Answers, *, suffix: str, profile: str) -> None:
    async def read(request: Request) -> list[Asked]:
        """Read the pictures and the parameters, which all of them share."""
        upload = await read_upload(request, param="images", limits=context.limits)
        return many_asked(upload, dict(request.query_params), default_threshold=context.threshold)

    Pictures = Annotated[list[Asked], Depends(read)]  # noqa: N806 - a type, bound to this service

    @router.post(
        f"/batch-detect{suffix}", response_model=BatchAnswer, openapi_extra=BATCH_REQUEST, responses=_ANSWERS
    )
    @needs(Scope.DETECT, Bucket.INFERENCE)
    async def batch_detect(request: Request, asked: Pictures) -> Response:
        """Do as `detect` does with up to ten pictures; one that is bad has its error in its place."""
        return await answers.many(request, asked, profile, is_coarse=False)

    @router.post(
        f"/batch-filter{suffix}", response_model=BatchAnswer, openapi_extra=BATCH_REQUEST, responses=_ANSWERS
    )
    @needs(Scope.FILTER, Bucket.INFERENCE, max_body_bytes=context.limits.max_filter_batch_bytes)
    async def batch_filter(request: Request, asked: Pictures) -> Response:
        """Do as `filter` does with up to ten pictures; one that is bad has its error in its place."""
        return await answers.many(request, asked, profile, is_coarse=True)


_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {"description": "What was found", "content": {"image/jpeg": {"schema": {"type": "string"}}}},
    402: {"description": "The credits are spent"},
    413: {"description": "The body, or the pictures in it, are too large"},
    415: {"description": "The body is of no accepted type"},
}
