"""A dialect for Okapia: `POST /count` takes one picture and answers how many animals and people are in it."""

from asyncio import wrap_future
from collections import Counter

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from okapia.dialects.base import Dialect
from okapia.domain.callers import Bucket, Scope
from okapia.domain.types import AnalysisOptions, Category, Failure
from okapia.service import NamedImage
from okapia.web.context import Context
from okapia.web.door import door
from okapia.web.needs import needs
from okapia.web.paying import paid
from okapia.web.problems import Problem, RefusedImage
from okapia.web.uploads import read_upload


def build(context: Context) -> APIRouter:
    """Make `POST /count`."""
    router = APIRouter(tags=["count"], route_class=door(context, render_error))

    @router.post("/count")
    @needs(Scope.DETECT, Bucket.INFERENCE)
    async def count(request: Request, model: str = "wild") -> Response:
        """Count what is in a picture, with a profile or a model by its name."""
        choice = context.service.models.named(model)
        image = (await read_upload(request, param="file", limits=context.limits)).one_image("file")
        named = NamedImage(image.name, lambda: image.data)
        options = AnalysisOptions(context.threshold, classify=False)
        async with paid(context, request, images=1) as call:
            result = await wrap_future(call.analyze(named, options, choice=choice))
        if isinstance(result.outcome, Failure):
            raise RefusedImage(result.outcome)
        found = Counter(d.category for d in result.outcome.above(context.threshold).detections)
        return JSONResponse({"animals": found[Category.ANIMAL], "people": found[Category.PERSON]})

    return router


def render_error(problem: Problem) -> Response:
    """Answer `{"error": SENTENCE}`."""
    return JSONResponse({"error": problem.message}, problem.status)


dialect = Dialect("count", "examples/own-dialect, an example", build)
