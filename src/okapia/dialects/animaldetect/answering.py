"""From what is asked to what is answered."""

import asyncio
from asyncio import wrap_future
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

from anyio import to_thread
from pydantic import BaseModel
from starlette.responses import Response

from okapia.dialects.animaldetect.answers import (
    DetectAnswer,
    FilterAnswer,
    batch_answer,
    batch_failure,
    batch_item,
    detect_answer,
    filter_answer,
    info_of,
)
from okapia.dialects.animaldetect.asking import Asked
from okapia.dialects.base import RefusedImage
from okapia.domain.models import ModelChoice
from okapia.domain.taxonomy import Taxon
from okapia.domain.types import Analysis, Failure, ImageResult
from okapia.service import ResolvedPlace, Service


@dataclass(frozen=True, slots=True)
class _Way:
    """What all pictures of a call share.

    Attributes:
        is_coarse: `filter` in place of `detect`: boxes without species.
    """

    choice: ModelChoice
    found: ResolvedPlace
    is_coarse: bool


class Answers:
    """Answers with the models of a profile, as JSON or as a drawn copy.

    `is_coarse` is the difference between `filter` and `detect`: boxes without species.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def one(self, asked: Asked, profile: str, *, is_coarse: bool) -> Response:
        """Answer about one picture; it is refused when it cannot be read."""
        way = await self._way(asked, profile, is_coarse=is_coarse)
        result = await self._result(asked, way)
        if isinstance(result.outcome, Failure):
            raise RefusedImage(result.outcome)
        if asked.parameters.render:
            return await self._drawn(asked, result.outcome.above(asked.parameters.threshold))
        return _json(self._answer(asked, result, result.outcome, way))

    async def many(self, asked: Sequence[Asked], profile: str, *, is_coarse: bool) -> Response:
        """Answer about several pictures; one that cannot be read has its error in its place.

        Raises:
            RefusedImage: none can be read.
        """
        started = perf_counter()
        way = await self._way(asked[0], profile, is_coarse=is_coarse)
        results = await asyncio.gather(*(self._result(one, way) for one in asked))
        failures = [result.outcome for result in results if isinstance(result.outcome, Failure)]
        if len(failures) == len(results):
            raise RefusedImage(failures[0])
        items = [self._item(i, one, r, way) for i, (one, r) in enumerate(zip(asked, results, strict=True))]
        info = info_of(way.choice, asked[0], results[0], way.found)
        return _json(batch_answer(items, info, milliseconds=round((perf_counter() - started) * 1000)))

    async def _way(self, asked: Asked, profile: str, *, is_coarse: bool) -> _Way:
        choice = asked.choice(self._service.models.choice(profile))
        choice = replace(choice, classifier=None) if is_coarse else choice
        return _Way(choice, await self._place(asked), is_coarse)

    async def _place(self, asked: Asked) -> ResolvedPlace:
        """Look the place up; the first point reads the borders from disk, so not in the event loop."""
        p = asked.parameters
        place = partial(self._service.species.place, p.country, p.state, p.latitude, p.longitude)
        return place() if p.latitude is None else await to_thread.run_sync(place)

    async def _result(self, asked: Asked, way: _Way) -> ImageResult:
        options = asked.options(way.found.where, classify=not way.is_coarse)
        return await wrap_future(self._service.analyze(asked.image, options, choice=way.choice))

    def _item(self, index: int, asked: Asked, result: ImageResult, way: _Way) -> dict[str, object]:
        if isinstance(result.outcome, Failure):
            key = "detections" if way.is_coarse else "annotations"
            return batch_failure(index, asked, result.outcome, key=key)
        return batch_item(index, asked, self._answer(asked, result, result.outcome, way))

    def _answer(
        self, asked: Asked, result: ImageResult, analysis: Analysis, way: _Way
    ) -> DetectAnswer | FilterAnswer:
        seen = analysis.above(asked.parameters.threshold)
        info = info_of(way.choice, asked, result, way.found)
        if way.is_coarse:
            return filter_answer(asked, seen, info)
        return detect_answer(asked, seen, info, allowed=partial(self._is_allowed, way))

    async def _drawn(self, asked: Asked, analysis: Analysis) -> Response:
        people = asked.parameters.people
        copy = self._service.annotate(asked.data, analysis.detections, people=people)
        return Response(await wrap_future(copy), media_type="image/jpeg")

    def _is_allowed(self, way: _Way, taxon: Taxon) -> bool:
        return self._service.species.rule_for(taxon, way.found.where, choice=way.choice) is None


def _json(answer: BaseModel) -> Response:
    body = answer.model_dump_json(by_alias=True, exclude_none=True)
    return Response(body, media_type="application/json")
