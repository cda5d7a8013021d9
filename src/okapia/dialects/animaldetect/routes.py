"""The routes."""

from asyncio import wrap_future
from dataclasses import replace
from functools import partial
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from okapia.dialects.animaldetect.answers import (
    DetectAnswer,
    FilterAnswer,
    detect_answer,
    filter_answer,
    info_of,
)
from okapia.dialects.animaldetect.asking import REQUEST, Asked, read_asked
from okapia.dialects.base import Context, Dialect, RefusedImage, error_route, problem_json
from okapia.dialects.uploads import read_upload
from okapia.domain.models import ModelChoice
from okapia.domain.taxonomy import Taxon
from okapia.domain.types import Analysis, AnalysisOptions, Failure, ImageResult, Where
from okapia.service import URBAN, WILD, Found, Service


def build(context: Context) -> APIRouter:
    """Make the routes `POST /v1/detect` and `POST /v1/filter`, and their variants for towns."""
    router = APIRouter(prefix="/v1", tags=["detect"], route_class=error_route(problem_json))
    answers = _Answers(context.service)

    async def read(request: Request) -> Asked:
        """Read the one picture and the parameters, which may also stand in the query."""
        upload = await read_upload(request, param="image", limits=context.limits)
        return read_asked(upload, dict(request.query_params), default_threshold=context.threshold)

    Picture = Annotated[Asked, Depends(read)]  # noqa: N806 - a type, bound to this service

    @router.post("/detect", openapi_extra=REQUEST, responses=_ANSWERS, response_model=DetectAnswer)
    async def detect(asked: Picture) -> Response:
        """Find the animals, people and vehicles of one picture and name the species."""
        return await answers.detect(asked, WILD)

    @router.post("/detect-urban", openapi_extra=REQUEST, responses=_ANSWERS, response_model=DetectAnswer)
    async def detect_urban(asked: Picture) -> Response:
        """Do as `detect` does with the models of the profile `urban`."""
        return await answers.detect(asked, URBAN)

    @router.post("/filter", openapi_extra=REQUEST, responses=_ANSWERS, response_model=FilterAnswer)
    async def filter_(asked: Picture) -> Response:
        """Say whether one picture holds animals, people or vehicles, and where."""
        return await answers.filter(asked, WILD)

    @router.post("/filter-urban", openapi_extra=REQUEST, responses=_ANSWERS, response_model=FilterAnswer)
    async def filter_urban(asked: Picture) -> Response:
        """Do as `filter` does with the models of the profile `urban`."""
        return await answers.filter(asked, URBAN)

    return router


class _Answers:
    """Answers one picture with the models of a profile, as JSON or as a drawn copy."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def detect(self, asked: Asked, profile: str) -> Response:
        choice = asked.choice(self._service.models.choice(profile))
        found = await self._place(asked)
        result = await self._result(asked, choice, asked.options(found.where, classify=True))
        analysis = _analysis(result, asked)
        if asked.parameters.render:
            return await self._drawn(asked, analysis)
        allowed = partial(self._is_allowed, found.where, choice)
        return _json(detect_answer(asked, analysis, info_of(choice, asked, result, found), allowed=allowed))

    async def filter(self, asked: Asked, profile: str) -> Response:
        choice = replace(asked.choice(self._service.models.choice(profile)), classifier=None)
        found = await self._place(asked)
        result = await self._result(asked, choice, asked.options(found.where, classify=False))
        analysis = _analysis(result, asked)
        if asked.parameters.render:
            return await self._drawn(asked, analysis)
        return _json(filter_answer(asked, analysis, info_of(choice, asked, result, found)))

    async def _place(self, asked: Asked) -> Found:
        """Look the place up; the first point reads the borders from disk, so not in the event loop."""
        p = asked.parameters
        place = partial(self._service.species.place, p.country, p.state, p.latitude, p.longitude)
        return place() if p.latitude is None else await to_thread.run_sync(place)

    async def _result(self, asked: Asked, choice: ModelChoice, options: AnalysisOptions) -> ImageResult:
        return await wrap_future(self._service.analyze(asked.image, options, choice=choice))

    async def _drawn(self, asked: Asked, analysis: Analysis) -> Response:
        people = asked.parameters.people
        copy = self._service.annotate(asked.data, analysis.detections, people=people)
        return Response(await wrap_future(copy), media_type="image/jpeg")

    def _is_allowed(self, where: Where, choice: ModelChoice, taxon: Taxon) -> bool:
        return self._service.species.rule_for(taxon, where, choice=choice) is None


dialect = Dialect("animaldetect", "Animal Detect API, state of June 2026", build)


def _analysis(result: ImageResult, asked: Asked) -> Analysis:
    """Give what was found above the caller's threshold, or refuse the picture."""
    if isinstance(result.outcome, Failure):
        raise RefusedImage(result.outcome)
    return result.outcome.above(asked.parameters.threshold)


def _json(answer: BaseModel) -> Response:
    body = answer.model_dump_json(by_alias=True, exclude_none=True)
    return Response(body, media_type="application/json")


_PROBLEM = {"content": {"application/problem+json": {"schema": {"type": "object"}}}}
_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {"description": "What was found", "content": {"image/jpeg": {"schema": {"type": "string"}}}},
    400: {"description": "The request or its picture is wrong: `code` says how", **_PROBLEM},
    413: {"description": "The body is too large", **_PROBLEM},
    415: {"description": "The body is of no accepted type", **_PROBLEM},
    503: {"description": "No model is installed, or the queue is full", **_PROBLEM},
}
