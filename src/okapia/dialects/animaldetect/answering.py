"""From what is asked to what is answered."""

import asyncio
from asyncio import wrap_future
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

from anyio import to_thread
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from okapia.dialects.animaldetect.answers import (
    BatchAnswer,
    DetectAnswer,
    FilterAnswer,
    Kept,
    batch_answer,
    batch_failure,
    batch_item,
    detect_answer,
    filter_answer,
    info_of,
)
from okapia.dialects.animaldetect.asking import Asked
from okapia.domain.models import ModelChoice
from okapia.domain.taxonomy import Taxon
from okapia.domain.types import Analysis, AnalysisOptions, Failure, ImageResult
from okapia.service import ResolvedPlace
from okapia.service.calls import Call, Seen
from okapia.web.context import Context
from okapia.web.paying import paid
from okapia.web.problems import Problem, RefusedImage
from okapia.web.visit import visit_of


@dataclass(frozen=True, slots=True)
class Way:
    """How all pictures of a call are answered.

    Attributes:
        is_coarse: `filter` in place of `detect`: boxes without species.
    """

    choice: ModelChoice
    found: ResolvedPlace
    is_coarse: bool

    def options(self, asked: Asked) -> AnalysisOptions:
        return asked.options(self.found.where, classify=not self.is_coarse)


class Answers:
    """Answers with the models of a profile, as JSON or as a drawn copy."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._service = context.service

    async def one(self, request: Request, asked: Asked, profile: str, *, is_coarse: bool) -> Response:
        """Answer about one picture; it is refused when it cannot be read."""
        way = await self._way(request, asked, profile, is_coarse=is_coarse)
        async with paid(self._context, request, images=1) as call:
            result = await self._result(request, asked, way, call)
            if isinstance(result.outcome, Failure):
                raise RefusedImage(result.outcome)
            if asked.parameters.render:
                return await self._drawn(asked, result.outcome)
            kept = Kept(call.expires_at)
            body = dump(self.answer(asked, result, result.outcome, way, kept=kept))
            seen = [self.seen(request, asked, result.outcome, kept)]
            call.keep(kept.id, _endpoint(request), body, seen=seen)
        return _json(body)

    async def many(
        self, request: Request, asked: Sequence[Asked], profile: str, *, is_coarse: bool
    ) -> Response:
        """Answer about several pictures; one that cannot be read has its error in its place.

        Raises:
            RefusedImage: none can be read.
        """
        started = perf_counter()
        way = await self._way(request, asked[0], profile, is_coarse=is_coarse)
        async with paid(self._context, request, images=len(asked)) as call:
            results = await asyncio.gather(*(self._result(request, one, way, call) for one in asked))
            failures = [result.outcome for result in results if isinstance(result.outcome, Failure)]
            if len(failures) == len(results):
                raise RefusedImage(failures[0])
            visit_of(request).is_for_now = any(Problem.of(failure).is_retryable for failure in failures)
            kept = Kept(call.expires_at)
            milliseconds = round((perf_counter() - started) * 1000)
            body = dump(self._batch(asked, results, way, kept, milliseconds=milliseconds))
            call.keep(kept.id, _endpoint(request), body, seen=self._all_seen(request, asked, results, kept))
        return _json(body)

    def way(self, asked: Asked, profile: str, *, is_coarse: bool) -> Way:
        """Find the models and the place; the first point reads the borders from disk."""
        p = asked.parameters
        choice = asked.choice(self._service.models.choice(profile))
        choice = replace(choice, classifier=None) if is_coarse else choice
        found = self._service.species.place(p.country, p.state, p.latitude, p.longitude)
        return Way(choice, found, is_coarse)

    def answer(
        self, asked: Asked, result: ImageResult, analysis: Analysis, way: Way, *, kept: Kept
    ) -> DetectAnswer | FilterAnswer:
        """Say what was seen in one picture."""
        seen = analysis.above(asked.parameters.threshold)
        info = info_of(way.choice, asked, result, way.found, aliases=self._context.model_aliases)
        if way.is_coarse:
            return filter_answer(asked, seen, info, kept=kept)
        return detect_answer(asked, seen, info, kept=kept, allowed=partial(self._is_allowed, way))

    def seen(self, request: Request, asked: Asked, analysis: Analysis, kept: Kept) -> Seen:
        """Give what subscribers may want to be told of one picture."""
        capture = analysis.image.capture
        return Seen(
            kept.id,
            asked.name,
            analysis.above(asked.parameters.threshold),
            camera=capture.camera_serial,
            captured_at=capture.captured_at,
            endpoint=_endpoint(request),
        )

    async def _way(self, request: Request, asked: Asked, profile: str, *, is_coarse: bool) -> Way:
        find = partial(self.way, asked, profile, is_coarse=is_coarse)
        way = find() if asked.parameters.latitude is None else await to_thread.run_sync(find)
        visit_of(request).model_id = "+".join(way.choice.model_ids)
        return way

    async def _result(self, request: Request, asked: Asked, way: Way, call: Call) -> ImageResult:
        with visit_of(request).span("analysis"):
            return await wrap_future(call.analyze(asked.image, way.options(asked), choice=way.choice))

    def _batch(
        self,
        asked: Sequence[Asked],
        results: Sequence[ImageResult],
        way: Way,
        kept: Kept,
        *,
        milliseconds: int,
    ) -> BatchAnswer:
        pairs = zip(asked, results, strict=True)
        items = [self._item(index, one, result, way, kept) for index, (one, result) in enumerate(pairs)]
        aliases = self._context.model_aliases
        info = info_of(way.choice, asked[0], results[0], way.found, aliases=aliases)
        return batch_answer(items, info, kept=kept, milliseconds=milliseconds)

    def _item(self, index: int, asked: Asked, result: ImageResult, way: Way, kept: Kept) -> dict[str, object]:
        if isinstance(result.outcome, Failure):
            key = "detections" if way.is_coarse else "annotations"
            return batch_failure(index, asked, result.outcome, key=key)
        return batch_item(index, asked, self.answer(asked, result, result.outcome, way, kept=kept))

    def _all_seen(
        self, request: Request, asked: Sequence[Asked], results: Sequence[ImageResult], kept: Kept
    ) -> list[Seen]:
        pairs = zip(asked, results, strict=True)
        return [
            self.seen(request, one, result.outcome, kept)
            for one, result in pairs
            if isinstance(result.outcome, Analysis)
        ]

    async def _drawn(self, asked: Asked, analysis: Analysis) -> Response:
        seen = analysis.above(asked.parameters.threshold)
        copy = self._service.annotate(asked.data, seen.detections, people=asked.parameters.people)
        return Response(await wrap_future(copy), media_type="image/jpeg")

    def _is_allowed(self, way: Way, taxon: Taxon) -> bool:
        return self._service.species.rule_for(taxon, way.found.where, choice=way.choice) is None


def _endpoint(request: Request) -> str:
    """Give the path of a call, whichever of its two prefixes it came by."""
    return request.url.path.removeprefix("/api")


def dump(answer: BaseModel) -> bytes:
    """Write an answer as JSON, without the fields that are not known."""
    return answer.model_dump_json(by_alias=True, exclude_none=True).encode()


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")
