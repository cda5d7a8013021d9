"""From what is asked to what is answered: a form with JSON and pictures in it, or one JSON document."""

import asyncio
import base64
import decimal
from asyncio import wrap_future
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import Response

from okapia.dialects.microsoft_detect.asking import Asked
from okapia.domain.models import ModelChoice
from okapia.domain.types import Analysis, AnalysisOptions, Category, Detection, Failure, ImageResult
from okapia.service.calls import Call
from okapia.web.context import Context
from okapia.web.paying import paid
from okapia.web.problems import Problem, RefusedImage
from okapia.web.visit import visit_of

T = TypeVar("T")

NUMBERS = {Category.ANIMAL: 1, Category.PERSON: 2, Category.VEHICLE: 3}
"""Microsoft's categories; other boxes are left out."""

_OPTIONS = AnalysisOptions(classify=False)
_CONFIDENCE = decimal.Context(prec=3, rounding=decimal.ROUND_DOWN)
_COORDINATE = decimal.Context(prec=4, rounding=decimal.ROUND_DOWN)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What there is to say, by the pictures' keys.

    Attributes:
        copies: JPEG files.
    """

    seen: Mapping[str, Analysis]
    failures: Mapping[str, Failure]
    copies: Mapping[str, bytes] = field(default_factory=dict)


class Answers:
    """Answers with the detector of the profile `wild`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._service = context.service

    @property
    def choice(self) -> ModelChoice:
        return replace(self._service.models.choice(), classifier=None)

    async def answer(self, request: Request, asked: Asked) -> Response:
        """Look at all pictures together; only those that an answer goes out for are paid.

        Raises:
            RefusedImage: one is bad and the call is strict, or all are.
        """
        async with paid(self._context, request, images=len(asked.images)) as call:
            with visit_of(request).span("analysis"):
                answer = await self._answer(request, asked)
            _pay(call, answer)
        return _json(asked, answer) if asked.takes_json else _form(asked, answer)

    async def _answer(self, request: Request, asked: Asked) -> _Answer:
        analyze = partial(self._service.analyze, options=_OPTIONS, choice=self.choice)
        results = await _together(partial(analyze, image) for image in asked.named)
        answer = _sorted(results)
        if answer.failures and (asked.is_strict or not answer.seen):
            key, failure = next(iter(answer.failures.items()))
            raise RefusedImage(replace(failure, message=f"{key}: {failure.message}"))
        failures = answer.failures.values()
        visit_of(request).is_for_now = any(Problem.of(failure).is_retryable for failure in failures)
        return replace(answer, copies=await self._drawn(asked, answer)) if asked.parameters.render else answer

    async def _drawn(self, asked: Asked, answer: _Answer) -> dict[str, bytes]:
        least, people = asked.parameters.least_drawn, asked.parameters.people
        draw = partial(self._service.annotate, people=people)
        copies = await _together(
            partial(draw, asked.images[key], _above(analysis, least)) for key, analysis in answer.seen.items()
        )
        return dict(zip(answer.seen, copies, strict=True))


async def _together(works: Iterable[Callable[[], Future[T]]]) -> list[T]:
    """Begin all works before waiting for the first; when one fails, those that still wait are dropped."""
    begun: list[asyncio.Future[T]] = []
    try:
        for work in works:
            begun.append(wrap_future(work()))  # noqa: PERF401 - what was begun must be known when one raises
        return await asyncio.gather(*begun)
    finally:
        for future in begun:
            future.cancel()


def _sorted(results: Sequence[ImageResult]) -> _Answer:
    seen = {result.name: result.outcome for result in results if isinstance(result.outcome, Analysis)}
    failures = {result.name: result.outcome for result in results if isinstance(result.outcome, Failure)}
    return _Answer(seen, failures)


def _pay(call: Call, answer: _Answer) -> None:
    for _ in answer.seen:
        call.succeed()


def _above(analysis: Analysis, least: float) -> tuple[Detection, ...]:
    """Give the boxes of Microsoft's categories that are more confident than `least`."""
    return tuple(d for d in analysis.detections if d.category in NUMBERS and d.confidence > least)


def _row(detection: Detection) -> list[float | int]:
    """Write a box as Microsoft does: y before x, corners, cut off after some significant digits."""
    box = detection.bbox
    corners = (box.y_min, box.x_min, box.y_max, box.x_max)
    cut = [_cut(value, _COORDINATE) for value in corners]
    return [*cut, _cut(detection.confidence, _CONFIDENCE), NUMBERS[detection.category]]


def _cut(value: float, digits: decimal.Context) -> float:
    # By way of a text: 0.29 itself lies a little below 0.29, and would become 0.289; so do sums.
    return float(digits.create_decimal(f"{value:.12g}"))


def _documents(asked: Asked, answer: _Answer) -> dict[str, dict[str, object]]:
    """Give the answer's JSON by name; programs of the last age take the last of them, whatever its name."""
    documents: dict[str, dict[str, object]] = {}
    if not asked.is_strict:
        documents["failures"] = {
            key: {"code": failure.code, "message": failure.message}
            for key, failure in answer.failures.items()
        }
    documents["detection_result"] = {
        key: [_row(detection) for detection in _above(analysis, asked.parameters.least)]
        for key, analysis in answer.seen.items()
    }
    if not asked.parameters.is_of_last_age:
        documents["classification_result"] = {}
    return documents


def _json(asked: Asked, answer: _Answer) -> Response:
    document: dict[str, object] = {**_documents(asked, answer)}
    if asked.parameters.render:
        document["images"] = {key: base64.b64encode(copy).decode() for key, copy in answer.copies.items()}
    return Response(orjson.dumps(document), media_type="application/json")


def _form(asked: Asked, answer: _Answer) -> Response:
    """Have httpx write the form: what it writes for requests is what this answer is."""
    documents = _documents(asked, answer).items()
    parts = [(name, (name, orjson.dumps(document), "application/json")) for name, document in documents]
    parts += [(key, (key, copy, "image/jpeg")) for key, copy in answer.copies.items()]
    form = httpx.Request("POST", "http://okapia", files=parts)
    return Response(form.read(), media_type=form.headers["content-type"])
