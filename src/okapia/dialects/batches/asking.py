"""How a new batch is asked for: its request as JSON, perhaps with a list of pictures beside it in a form."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from starlette.requests import Request

from okapia.dialects.batches.bodies import NewBatchBody, NewOptions, checked
from okapia.domain.clips import VIDEO_SUFFIXES
from okapia.domain.errors import InvalidRequest, PayloadTooLarge, UnknownModel, UnsupportedMediaType
from okapia.domain.models import ModelChoice
from okapia.domain.types import AnalysisOptions, Where
from okapia.service import Models, Service, Warned
from okapia.service.batch_request import BatchRequest, Outputs, PlaceOfPictures, Selection
from okapia.service.batches import ListEntry, NewBatch, parse_list
from okapia.web.context import Limits
from okapia.web.uploads import read_upload

MAX_BODY_BYTES = 128 << 20
"""Of a form with a list: about two million names."""

_JSON, _FORM = "application/json", "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Asked:
    """A batch that was asked for.

    Attributes:
        listed: the wanted pictures, where a list came with the request.
    """

    body: NewBatchBody
    listed: Iterable[ListEntry] | None = None

    def new_batch(self, service: Service, *, threshold: float) -> tuple[NewBatch, tuple[Warned, ...]]:
        """Give it in our words, and what of it is not used.

        Args:
            threshold: where the request says none.

        Raises:
            InvalidRequest: it is not clear which pictures are meant; a country, state or coordinate is wrong.
            UnknownModel: it names a model that there is not.
            PlacesUnavailable: it names a point, and borders are not installed.
        """
        body = self.body
        found = service.species.place(
            body.options.country, body.options.state, body.options.latitude, body.options.longitude
        )
        request = BatchRequest(
            place=PlaceOfPictures(address=body.source.place, fetches_list=body.source.list_url is not None),
            choice=_choice(body, service.models),
            options=_options(body.options, found.where, threshold=threshold),
            selection=body.source.selection(suffixes=_suffixes(body.options)),
            outputs=_outputs(body),
            name=body.name or "",
            webhook=body.webhook or "",
            uses_cache=not body.no_cache,
        )
        new = NewBatch(
            request=request, secrets=body.secrets(), priority=body.priority, entries=self._entries()
        )
        return new, found.warnings

    def _entries(self) -> Iterable[ListEntry] | None:
        source = self.body.source
        lists = (source.entries, source.list_url, self.listed)
        given = sum(one is not None for one in lists)
        if given > 1:
            raise InvalidRequest("expected one of images, list_url and list, got several", param="list")
        if not source.place and not given:
            raise InvalidRequest(
                "expected one of folder, address and storage, or images with URLs, got none", param="source"
            )
        return self.listed if self.listed is not None else source.entries


async def read_asked(request: Request, limits: Limits) -> Asked:
    """Read and check the body of a request for a batch.

    Raises:
        UnsupportedMediaType: it is neither JSON nor a form.
        PayloadTooLarge: JSON of more than `limits.max_body_bytes`.
        InvalidRequest: it is not what its type says, or what it says is wrong.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    match kind:
        case "application/json":
            data = await request.body()
            if len(data) > limits.max_body_bytes:
                raise PayloadTooLarge(max_bytes=limits.max_body_bytes)
            return Asked(checked(NewBatchBody, data))
        case "multipart/form-data":
            return await _read_form(request, limits)
        case _:
            raise UnsupportedMediaType(expected=f"{_JSON} or {_FORM}", actual=kind)


async def _read_form(request: Request, limits: Limits) -> Asked:
    upload = await read_upload(request, param="list", limits=replace(limits, max_image_bytes=MAX_BODY_BYTES))
    if len(upload.images) > 1:
        raise InvalidRequest(f"expected one list, got {len(upload.images)}", param="list")
    unknown = sorted({*upload.fields} - {"request"})
    if unknown or "request" not in upload.fields:
        got = f"also {unknown[0]!r}" if unknown else "no `request`"
        raise InvalidRequest(f"expected the parts `request` and `list`, got {got}", param="request")
    body = checked(NewBatchBody, str(upload.fields["request"]).encode())
    return Asked(body, parse_list([upload.images[0].data]) if upload.images else None)


def _choice(body: NewBatchBody, models: Models) -> ModelChoice:
    """Give the models that are meant, those named by themselves in place of the profile's."""
    choice = models.named(body.model)
    detector = _checked_models(models, body.detector, task="detector")
    classifier = _checked_models(models, body.classifier, task="classifier")
    return ModelChoice(
        detector or choice.detector, classifier or choice.classifier, body.options.tiles or choice.tiles
    )


def _checked_models(models: Models, names: str | None, *, task: str) -> str | None:
    facts = {one.id: one for one in models.facts()} if names else {}
    ids = [name.removeprefix("zoo:") for name in (names or "").split("+") if name]
    for model_id in ids:
        if model_id not in facts:
            raise UnknownModel(model_id, known=list(facts))
        if facts[model_id].task != task:
            message = f"{task}: expected a {task}, {model_id} is a {facts[model_id].task}"
            raise InvalidRequest(message, param=task)
    return "+".join(ids) or None


def _options(asked: NewOptions, where: Where, *, threshold: float) -> AnalysisOptions:
    return AnalysisOptions(
        asked.threshold or threshold,
        asked.classify,
        where=where,
        smooth=asked.smooth,
        frames=asked.frames.rule() if asked.frames else None,
    )


def _suffixes(asked: NewOptions) -> tuple[str, ...]:
    """Give how the names of what is looked at end."""
    pictures = Selection().suffixes
    return pictures + VIDEO_SUFFIXES if asked.frames else pictures


def _outputs(body: NewBatchBody) -> Outputs:
    asked = body.outputs
    return Outputs(
        formats=tuple(dict.fromkeys(asked.formats)),
        keep_above=asked.keep_above,
        top_k=asked.top_k,
        split=asked.split,
        address=asked.place,
    )


def _documented() -> Mapping[str, object]:
    """Give the schema of the request whole: FastAPI collects only those that it reads itself."""
    schema = NewBatchBody.model_json_schema()
    parts = schema.pop("$defs")

    def inlined(value: object) -> object:
        match value:
            case {"$ref": str(name), **rest}:
                return inlined({**parts[name.rpartition("/")[2]], **rest})
            case dict():
                return {key: inlined(one) for key, one in value.items()}
            case list():
                return [inlined(one) for one in value]
            case _:
                return value

    whole = inlined(schema)
    form = {
        "type": "object",
        "required": ["request"],
        "properties": {"request": whole, "list": {"type": "string", "format": "binary"}},
    }
    content = {_JSON: {"schema": whole}, _FORM: {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


REQUEST = dict(_documented())
