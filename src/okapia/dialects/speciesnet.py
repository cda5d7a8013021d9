"""SpeciesNet's own server: `/predict` with its instances JSON, `/info` and `/health`.

Answers are in the format of 4.0.0 to 5.0.5 unless the query says `format=20261015`. Ours beside the
contract: uploads (repeated `images` or `file`) and base64 (`image_b64` in an instance).
"""

from asyncio import wrap_future
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus

import orjson
import structlog
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from okapia.dialects.base import Dialect
from okapia.domain.callers import Bucket, Scope
from okapia.domain.errors import (
    InvalidRequest,
    OkapiaError,
    PlacesUnavailable,
    SourceRefused,
    SourceUnavailable,
    UnreadableFile,
)
from okapia.domain.types import AnalysisOptions, Crops, Failure, ImageResult, Where
from okapia.formats.base import Json
from okapia.formats.speciesnet import Entry, Instance, Version, document
from okapia.formats.speciesnet_files import instances_of
from okapia.service import NamedImage, Service
from okapia.service.calls import Call
from okapia.web.context import Context
from okapia.web.door import door
from okapia.web.needs import needs, public
from okapia.web.paying import paid
from okapia.web.problems import Problem
from okapia.web.uploads import Upload, UploadedImage, decode_base64, read_upload

_log = structlog.get_logger(__name__)

_CROPS = {Version.OLD: Crops.TOP_BOX, Version.NEW: Crops.EVERY_BOX}
_NO_ACCESS = {SourceRefused.code, SourceUnavailable.code, UnreadableFile.code}
_PLACE = ("country", "admin1_region", "latitude", "longitude")
_USA = "USA"


@dataclass(frozen=True, slots=True)
class _Asked:
    """One picture: where it was taken, and how to get it."""

    instance: Instance
    read: Callable[[], bytes]
    where: Where = field(default_factory=Where)

    @property
    def image(self) -> NamedImage:
        return NamedImage(self.instance.filepath, self.read)


def build(context: Context) -> APIRouter:
    """Make `POST /predict`, `GET /info` and `GET /health`."""
    router = APIRouter(tags=["speciesnet"], route_class=door(context, render_error))
    answers = _Answers(context.service)

    @router.post("/predict", openapi_extra=_REQUEST, responses=_ANSWERS)
    @needs(Scope.DETECT, Bucket.INFERENCE)
    async def predict(request: Request) -> Response:
        """Find and name the animals of the pictures that the instances name, or that are sent."""
        version = _version(request.query_params)
        upload = await read_upload(request, param="images", also=("file",), limits=context.limits)
        asked = _asked(upload, request.query_params, context)
        placed = await run_in_threadpool(answers.placed, asked)
        async with paid(context, request, images=len(placed)) as call:
            results = await answers.results(placed, _CROPS[version], call)
        if refused := next((result for result in results if _failure_code(result[1]) in _NO_ACCESS), None):
            return _no_access(*refused)
        return _json(document(answers.entries(results), version))

    @router.get("/info")
    @needs(Scope.READ)
    def info() -> Response:
        """Say which models answer, and how this server is set."""
        return _json({"model": answers.model_facts(), "server": _server_facts(context, answers.devices())})

    @router.get("/health", responses={503: {"description": "`not ready`"}})
    @public
    def health() -> Response:
        """Say `ok` when the models answer; loads them when they are not in memory."""
        try:
            context.service.readiness.check()
        except OkapiaError:
            return PlainTextResponse("not ready", HTTPStatus.SERVICE_UNAVAILABLE)
        return PlainTextResponse("ok")

    return router


_Answered = tuple[_Asked, ImageResult]


class _Answers:
    """Analyses instances with the models of the default profile."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def placed(self, asked: Sequence[_Asked]) -> list[_Asked]:
        """Look up the places; may read the borders from disk."""
        return [self._placed(one) for one in asked]

    async def results(self, asked: Sequence[_Asked], crops: Crops, call: Call) -> list[_Answered]:
        """Analyse a picture at once, several in bulk: their number must not crowd others out."""
        if len(asked) > 1:
            return await run_in_threadpool(_in_bulk, asked, crops, call)
        (one,) = asked
        options = AnalysisOptions(crops=crops, where=one.where)
        image = await run_in_threadpool(one.image.read_now)
        return [(one, await wrap_future(call.analyze(image, options)))]

    def entries(self, results: Sequence[_Answered]) -> list[Entry]:
        """Put results into entries; a bad picture is `failures` in its own.

        Raises:
            InvalidRequest: an animal was looked up at a place of no code.
        """
        for one, result in results:
            if isinstance(result.outcome, Failure) and result.outcome.code == InvalidRequest.code:
                raise InvalidRequest(f"`{one.instance.filepath}`: {result.outcome.message}")
        version = self._model_version
        return [Entry.of(result, one.instance, model_version=version) for one, result in results]

    def model_facts(self) -> dict[str, Json]:
        choice = self._service.models.choice()
        return {
            "type": "speciesnet",
            "version": self._model_version,
            "detector": choice.detector,
            "classifier": choice.classifier,
        }

    def devices(self) -> list[Json]:
        """Where the models that are in memory run."""
        ids = self._service.models.choice().model_ids
        loaded = [facts.loaded for facts in self._service.models.facts() if facts.id in ids and facts.loaded]
        return list(dict.fromkeys(model.report.device for model in loaded))

    @property
    def _model_version(self) -> str:
        return "+".join(self._service.models.choice().model_ids)

    def _placed(self, asked: _Asked) -> _Asked:
        """Take the codes as they are given; they are checked when an animal is looked up.

        As in SpeciesNet coordinates tell the state within the USA, and nothing else.
        """
        given = asked.instance
        state = given.admin1_region or self._state(given)
        instance = replace(given, admin1_region=state)
        return replace(asked, instance=instance, where=Where(given.country or None, state))

    def _state(self, given: Instance) -> str | None:
        if given.country != _USA or given.latitude is None:
            return None
        try:
            place = self._service.species.place(_USA, None, given.latitude, given.longitude)
        except PlacesUnavailable as error:
            _log.warning("state_unknown", reason=str(error))
            return None
        return place.where.state


def _in_bulk(asked: Sequence[_Asked], crops: Crops, call: Call) -> list[_Answered]:
    """Analyse place by place, and stop where one picture refuses them all."""
    places: dict[Where, list[int]] = {}
    for number, one in enumerate(asked):
        places.setdefault(one.where, []).append(number)
    answered: dict[int, _Answered] = {}
    for where, numbers in places.items():
        options = AnalysisOptions(crops=crops, where=where)
        # Read here, a few ahead of the workers, which must not wait for somebody's slow host.
        images = (asked[number].image.read_now() for number in numbers)
        for number, result in zip(numbers, call.analyze_many(images, options), strict=True):
            answered[number] = (asked[number], result)
            if _failure_code(result) in _NO_ACCESS:
                return [answered[number]]
    return [answered[number] for number in sorted(answered)]


def render_error(problem: Problem) -> Response:
    """Answer as FastAPI and LitServe do: `detail`, and 504 for what waited too long."""
    if problem.code == "deadline_exceeded":
        return _json({"detail": "Request timed out"}, HTTPStatus.GATEWAY_TIMEOUT)
    response = _json({"detail": problem.message}, problem.status)
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    return response


dialect = Dialect("speciesnet", "speciesnet 5.0.6 (run_server) on LitServe 0.2.19", build)


def _version(query: QueryParams) -> Version:
    named = query.get("format", Version.OLD.value)
    if named not in set(Version):
        raise InvalidRequest(f"format: expected {' or '.join(Version)}, got {named[:40]!r}", param="format")
    return Version(named)


def _asked(upload: Upload, query: QueryParams, context: Context) -> list[_Asked]:
    """Give what is asked: the pictures that were sent, or else one a file path."""
    if upload.images:
        return _sent(upload.images, {**query, **upload.fields})
    rows = upload.fields.get("instances")
    if not isinstance(rows, list):
        raise InvalidRequest("expected pictures (`images`), or a JSON object with the list `instances`")
    named = [_with_name(row, place) for place, row in enumerate(rows)]
    instances = instances_of({"instances": named}, extra_fields=context.extra_fields)
    kept: dict[str | int, _Asked] = {}
    for place, (row, instance) in enumerate(zip(named, instances, strict=True)):
        encoded = row.get("image_b64") if isinstance(row, Mapping) else None
        if encoded is None:
            read = partial(context.read_source, instance.filepath)
            kept[instance.filepath] = _Asked(instance, read)
        else:
            data = decode_base64(encoded, param=f"instances[{place}].image_b64")
            kept[place] = _Asked(instance, partial(bytes, data))
    return list(kept.values())


def _with_name(row: object, place: int) -> object:
    """Let a picture that is sent in its instance do without a file path."""
    if isinstance(row, dict) and "image_b64" in row:
        return {"filepath": f"image-{place + 1}", **row}
    return row


def _sent(images: Sequence[UploadedImage], fields: Mapping[str, object]) -> list[_Asked]:
    """Give uploads the place that stands beside them."""
    place = {name: fields[name] for name in _PLACE if fields.get(name)}
    for name in place.keys() & {"latitude", "longitude"}:
        place[name] = _degrees(place[name], name)
    instances = instances_of({"instances": [{**place, "filepath": image.name} for image in images]})
    return [
        _Asked(instance, partial(bytes, image.data))
        for instance, image in zip(instances, images, strict=True)
    ]


def _degrees(value: object, name: str) -> float:
    try:
        return float(str(value))
    except ValueError as error:
        raise InvalidRequest(f"{name}: expected degrees, got {str(value)[:40]!r}", param=name) from error


def _failure_code(result: ImageResult) -> str | None:
    return result.outcome.code if isinstance(result.outcome, Failure) else None


def _no_access(one: _Asked, result: ImageResult) -> Response:
    """Refuse the whole request, as the contract does; why is ours."""
    reason = result.outcome.message if isinstance(result.outcome, Failure) else ""
    detail = f"Cannot access filepath: `{one.instance.filepath}`"
    return _json({"detail": detail, "reason": reason}, HTTPStatus.BAD_REQUEST)


def _server_facts(context: Context, devices: list[Json]) -> dict[str, Json]:
    return {
        "devices": devices,
        "workers_per_device": 1,
        "stream": {"/predict": False},
        "max_payload_size": context.limits.max_body_bytes,
        "track_requests": False,
    }


def _json(body: Mapping[str, Json], status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


_INSTANCE = {
    "type": "object",
    "properties": {
        "filepath": {"type": "string"},
        "image_b64": {"type": "string"},
        "country": {"type": "string"},
        "admin1_region": {"type": "string"},
        "latitude": {"type": "number"},
        "longitude": {"type": "number"},
    },
}
_INSTANCES = {
    "type": "object",
    "required": ["instances"],
    "properties": {"instances": {"type": "array", "items": _INSTANCE}},
}
_UPLOADS = {
    "type": "object",
    "properties": {"images": {"type": "array", "items": {"type": "string", "format": "binary"}}},
}
_REQUEST: dict[str, object] = {
    "parameters": [{"name": "format", "in": "query", "schema": {"type": "string", "enum": list(Version)}}],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _INSTANCES},
            "multipart/form-data": {"schema": _UPLOADS},
        },
    },
}
_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {"description": "Predictions JSON", "content": {"application/json": {"schema": {"type": "object"}}}},
    400: {"description": "The request is wrong, or a file path cannot be accessed: `detail` says how"},
    503: {"description": "No model is installed, or the queue is full"},
    504: {"description": "The picture waited too long"},
}
