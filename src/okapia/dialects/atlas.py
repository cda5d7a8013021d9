"""Atlas Backend: one picture of at most 5 MiB in, SpeciesNet's answer of the old age out.

`/uploadfile/` is its state of 2025-11-22; `/analyze/` that of 2025-11-27, with names that people can read.
Its `/` and `/healthz` are Okapia's own here, and its way to another company's model is left out.
"""

from asyncio import wrap_future
from http import HTTPStatus

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from okapia.dialects.base import Dialect
from okapia.domain.callers import Bucket, Scope
from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import Taxon
from okapia.domain.types import AnalysisOptions, Classification, Crops, Failure
from okapia.formats.base import Json
from okapia.formats.speciesnet import TOP_OLD, Entry, Instance, boxes_of
from okapia.service import NamedImage
from okapia.web.context import Context, Limits
from okapia.web.door import door
from okapia.web.needs import needs
from okapia.web.paying import paid
from okapia.web.problems import Problem, RefusedImage
from okapia.web.uploads import UploadedImage, read_upload

MAX_FILE_BYTES = 5 * 1024 * 1024
"""Exactly so many still pass."""

_TYPES = frozenset({"image/jpeg", "image/png", "image/webp"})
_WRONG_TYPE = "Invalid file type. Only JPG, PNG, WEBP allowed."
_TOO_LARGE = "File too large. Maximum size is 5MB."
_WRONG_SIGNATURE = "Invalid image file signature."
_FAILED = "SpeciesNet inference failed. Check server logs for details."

Fields = dict[str, Json]


def build(context: Context) -> APIRouter:
    """Make `POST /uploadfile/` and `POST /analyze/`."""
    router = APIRouter(tags=["atlas"], route_class=door(context, render_error))

    @router.post("/uploadfile/", openapi_extra=_REQUEST, responses=_ANSWERS)
    @needs(Scope.DETECT, Bucket.INFERENCE)
    async def upload_file(request: Request) -> Response:
        """Find and name the animals of one JPEG, PNG or WebP, labels as SpeciesNet writes them."""
        image = await _upload(request, context.limits)
        if image is None:
            return _missing()
        return _answer(image, _summary(await _analysed(context, request, image)))

    @router.post("/analyze/", openapi_extra=_REQUEST, responses=_ANSWERS)
    @needs(Scope.DETECT, Bucket.INFERENCE)
    async def analyze(request: Request) -> Response:
        """Do as `/uploadfile/` does, with names to display beside the labels."""
        image = await _upload(request, context.limits)
        if image is None:
            return _missing()
        return _answer(image, _displayed(await _analysed(context, request, image)))

    return router


def render_error(problem: Problem) -> Response:
    """Answer as Atlas does: `detail`, 400 for what is too large, one sentence for what broke."""
    if problem.code == "payload_too_large":
        return _json({"detail": _TOO_LARGE}, HTTPStatus.BAD_REQUEST)
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return _json({"detail": _FAILED}, problem.status)
    response = _json({"detail": problem.message}, problem.status)
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    return response


dialect = Dialect("atlas", "Doyen04/atlasBackend, states of 2025-11-22 and 2025-11-27", build)


async def _upload(request: Request, limits: Limits) -> UploadedImage | None:
    """Read the field `file` and check it in Atlas's order: type, size, signature; None without it.

    Raises:
        InvalidRequest: it does not pass.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return None
    upload = await read_upload(request, param="file", limits=limits)
    if not upload.images:
        return None
    image = upload.images[-1]
    if image.content_type not in _TYPES:
        raise InvalidRequest(_WRONG_TYPE, param="file")
    if len(image.data) > MAX_FILE_BYTES:
        raise InvalidRequest(_TOO_LARGE, param="file")
    if not _is_picture(image.data):
        raise InvalidRequest(_WRONG_SIGNATURE, param="file")
    return image


def _is_picture(data: bytes) -> bool:
    """Look at the first bytes; all JPEGs pass, of which Atlas took only those with JFIF or EXIF."""
    is_webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    return is_webp or data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))


async def _analysed(context: Context, request: Request, image: UploadedImage) -> Entry:
    """Give SpeciesNet's entry; a picture that does not decode is `failures` in it.

    Raises:
        RefusedImage: it is not the picture's fault.
    """
    named = NamedImage(image.name, lambda: image.data)
    async with paid(context, request, images=1) as call:
        result = await wrap_future(call.analyze(named, AnalysisOptions(crops=Crops.TOP_BOX)))
    outcome = result.outcome
    if isinstance(outcome, Failure) and Problem.of(outcome).status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise RefusedImage(outcome)
    models = "+".join(context.service.models.choice().model_ids)
    return Entry.of(result, Instance(image.name), model_version=models)


def _summary(entry: Entry) -> Fields:
    answer = entry.prediction
    return {
        "prediction": answer.taxon.label if answer else None,
        "prediction_score": answer.score if answer else None,
        "prediction_source": answer.source if answer else None,
        "model_version": entry.model_version,
        "top_classes": [{"label": seen.taxon.label, "score": seen.score} for seen in _top(entry)],
        "detections": boxes_of(entry),
        "failures": [step.value for step in entry.failures] or None,
    }


def _displayed(entry: Entry) -> Fields:
    """The summary of `/analyze/`."""
    classes: list[Json] = [
        {"label_raw": seen.taxon.label, "display_name": _display_name(seen.taxon), "score": seen.score}
        for seen in _top(entry)
    ]
    return {
        **_summary(entry),
        "prediction_display_name": _display_name(entry.prediction.taxon) if entry.prediction else None,
        "top_classes": classes,
        "best_class": classes[0] if classes else None,
        "detections": [{**box, "label_display": box["label"]} for box in boxes_of(entry)],
    }


def _top(entry: Entry) -> tuple[Classification, ...]:
    return (entry.classifications or ())[:TOP_OLD]


def _display_name(taxon: Taxon) -> str:
    """The last part of the label that is not empty."""
    return next(part for part in reversed(taxon.label.split(";")) if part)


def _answer(image: UploadedImage, summary: Fields) -> Response:
    return _json({"filename": image.name, "content_size": len(image.data), "speciesnet": summary})


def _missing() -> Response:
    """What FastAPI says of a file that was not sent."""
    problem: Json = {"type": "missing", "loc": ["body", "file"], "msg": "Field required", "input": None}
    return _json({"detail": [problem]}, HTTPStatus.UNPROCESSABLE_ENTITY)


def _json(body: Fields, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


_FILE = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {"type": "string", "format": "binary"}},
}
_REQUEST: dict[str, object] = {
    "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FILE}}}
}
_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {
        "description": "What SpeciesNet's rules say",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    400: {"description": "Wrong type, too large, or no picture: `detail` says which"},
    422: {"description": "The field `file` is missing"},
    503: {"description": "No model is installed, or the queue is full"},
}
