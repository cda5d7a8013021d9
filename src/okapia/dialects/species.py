"""Okapia's own routes for answers without a picture: the decision list and the ranges, each by itself."""

from typing import Annotated, Literal, Self, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from okapia.dialects.base import Dialect
from okapia.domain.callers import Scope
from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import HUMAN, Taxon
from okapia.domain.types import BBox, Category, Detection, Prediction, RangeRule, Restriction
from okapia.service import ResolvedPlace, Species
from okapia.web.context import Context, Limits
from okapia.web.door import door
from okapia.web.needs import needs
from okapia.web.problems import problem_json
from okapia.web.uploads import read_upload

MAX_LABELS = 10_000
"""More than any classifier knows."""

_WHOLE = BBox(0.0, 0.0, 1.0, 1.0)
_CATEGORIES = {"animal": Category.ANIMAL, "human": Category.PERSON, "vehicle": Category.VEHICLE}
_SHOWN = 200  # characters of somebody's value that a message repeats

Label = Annotated[str, Field(description="id;class;order;family;genus;species;common name")]
Unit = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]

M = TypeVar("M", bound=BaseModel)


class _Question(BaseModel):
    """The place, in whatever words; `country=auto` takes it from the coordinates."""

    model_config = ConfigDict(extra="forbid")

    labels: Annotated[list[Label], Field(min_length=1, max_length=MAX_LABELS)]
    country: str | None = None
    state: str | None = None
    latitude: float | None = None
    longitude: float | None = None


class _Scored(_Question):
    """Labels with a classifier's scores, in any order."""

    scores: Annotated[list[Unit], Field(min_length=1, max_length=MAX_LABELS)]

    @model_validator(mode="after")
    def _has_a_score_each(self) -> Self:
        if self.scores and len(self.labels) != len(self.scores):
            got = f"{len(self.labels)} labels and {len(self.scores)} scores"
            raise ValueError(f"expected a score for each label, got {got}")
        return self

    @property
    def ranked(self) -> tuple[list[str], list[float]]:
        """Labels and scores, best first; of equals the first stays the first."""
        pairs = sorted(zip(self.labels, self.scores, strict=True), key=lambda pair: -pair[1])
        return [label for label, _ in pairs], [score for _, score in pairs]


class EnsembleQuestion(_Scored):
    """Labels with scores, and the box that was classified, when there is one."""

    category: Literal["animal", "human", "vehicle"] | None = None
    detection_score: Unit | None = None

    @model_validator(mode="after")
    def _has_a_whole_box(self) -> Self:
        if (self.category is None) != (self.detection_score is None):
            raise ValueError("expected category and detection_score together, got one of them")
        return self

    @property
    def detection(self) -> Detection | None:
        if self.category is None or self.detection_score is None:
            return None
        return Detection(_WHOLE, _CATEGORIES[self.category], self.detection_score, self.category)


class GeofenceQuestion(_Scored):
    """Labels, each of which is looked up by itself; with scores also what the best becomes there."""

    scores: Annotated[list[Unit], Field(max_length=MAX_LABELS)] = []


class Kept(BaseModel):
    """What kept a more precise answer out, and what that was."""

    rule: str
    country: str | None
    admin1: str | None
    original_label: str
    rolled_up_to: str | None


class Answer(BaseModel):
    """A taxon, on whose word, and why."""

    label: Label
    common_name: str
    scientific_name: str
    rank: str
    score: float
    source: str
    decision: str
    geofence: list[Kept]
    explanation: list[str]


class Warned(BaseModel):
    """What of the place was not, or not wholly, used."""

    code: str
    message: str


class EnsembleAnswer(Answer):
    """Answer of `/v1/ensemble`."""

    country_processed: str | None
    admin1_processed: str | None
    warnings: list[Warned]


class Verdict(BaseModel):
    """Whether a label may be the answer at the place, and what a sure classifier's answer becomes there.

    Attributes:
        known: whether the default classifier's taxonomy has it; what it has not is allowed everywhere.
    """

    label: Label
    known: bool
    allowed: bool
    answer: Answer


class GeofenceAnswer(BaseModel):
    """Answer of `/v1/geofence`, verdicts in the order of the labels.

    Attributes:
        answer: what the best class becomes there, when there are scores.
    """

    verdicts: list[Verdict]
    answer: Answer | None
    country_processed: str | None
    admin1_processed: str | None
    warnings: list[Warned]


def build(context: Context) -> APIRouter:
    """Make `POST /v1/ensemble` and `POST /v1/geofence`."""
    router = APIRouter(prefix="/v1", tags=["species"], route_class=door(context, problem_json))
    species = context.service.species

    @router.post("/ensemble", openapi_extra=_body_of(EnsembleQuestion), response_model=EnsembleAnswer)
    @needs(Scope.READ)
    async def ensemble(request: Request) -> Response:
        """Answer once from labels, scores, a box and a place, as SpeciesNet's rules do."""
        asked = await _asked(EnsembleQuestion, request, context.limits)
        return _json(await run_in_threadpool(_ensemble, species, asked))

    @router.post("/geofence", openapi_extra=_body_of(GeofenceQuestion), response_model=GeofenceAnswer)
    @needs(Scope.READ)
    async def geofence(request: Request) -> Response:
        """Say of each label whether it may be the answer at a place, and what is the answer otherwise."""
        asked = await _asked(GeofenceQuestion, request, context.limits)
        return _json(await run_in_threadpool(_geofence, species, asked))

    return router


dialect = Dialect("species", "Okapia's own", build)


def _ensemble(species: Species, asked: EnsembleQuestion) -> EnsembleAnswer:
    found = _place(species, asked)
    prediction = species.decide(asked.detection, *asked.ranked, found.where)
    return EnsembleAnswer(
        **_answer(prediction).model_dump(),
        country_processed=found.where.country,
        admin1_processed=found.where.state,
        warnings=_warnings(found),
    )


def _geofence(species: Species, asked: GeofenceQuestion) -> GeofenceAnswer:
    found = _place(species, asked)
    taxa = [Taxon.from_label(label) for label in asked.labels]
    return GeofenceAnswer(
        verdicts=[_verdict(species, taxon, found) for taxon in taxa],
        answer=_answer(species.restrict(*asked.ranked, found.where)) if asked.scores else None,
        country_processed=found.where.country,
        admin1_processed=found.where.state,
        warnings=_warnings(found),
    )


def _verdict(species: Species, taxon: Taxon, found: ResolvedPlace) -> Verdict:
    prediction = _sure(species, taxon, found)
    return Verdict(
        label=taxon.label,
        known=taxon.key in species.taxonomy,
        allowed=prediction.taxon.key == taxon.key,
        answer=_answer(prediction),
    )


def _sure(species: Species, taxon: Taxon, found: ResolvedPlace) -> Prediction:
    """What becomes of a taxon that a classifier is sure of; people and what is no animal are everywhere."""
    if taxon.key == HUMAN.key or not taxon.is_animal:
        return Prediction(taxon, 1.0, "classifier")
    return species.decide(None, [taxon.label], [1.0], found.where)


def _place(species: Species, asked: _Question) -> ResolvedPlace:
    return species.place(asked.country, asked.state, asked.latitude, asked.longitude)


def _warnings(found: ResolvedPlace) -> list[Warned]:
    return [Warned(code=warning.code, message=warning.message) for warning in found.warnings]


def _answer(prediction: Prediction) -> Answer:
    taxon = prediction.taxon
    return Answer(
        label=taxon.label,
        common_name=taxon.common_name,
        scientific_name=taxon.scientific_name,
        rank=taxon.rank,
        score=prediction.score,
        source=prediction.source,
        decision=prediction.decision,
        geofence=[_kept(restriction) for restriction in prediction.restrictions],
        explanation=_explanation(prediction),
    )


def _kept(restriction: Restriction) -> Kept:
    return Kept(
        rule=restriction.rule,
        country=restriction.country,
        admin1=restriction.state,
        original_label=restriction.original.label,
        rolled_up_to=restriction.level,
    )


def _explanation(prediction: Prediction) -> list[str]:
    """Sentences in the order in which things happened: who chose the taxon, what kept it out."""
    chosen = [f"rule {prediction.decision}: {RULES[prediction.decision]}"] if prediction.decision else []
    return chosen + [_reason(restriction) for restriction in prediction.restrictions]


def _reason(restriction: Restriction) -> str:
    original = restriction.original
    name = original.common_name or original.scientific_name
    place = "-".join(filter(None, (restriction.country, restriction.state)))
    level = restriction.level
    instead = f"the answer is the {level} above it" if level else "nothing above it is certain enough"
    return f"{name} {_REASONS[restriction.rule].format(place=place)}: {instead}"


_REASONS = {
    RangeRule.ALLOW: "is allowed in some places, and {place} is none of them",
    RangeRule.BLOCK: "is blocked in {place}",
    RangeRule.SPECIES_LIST: "is not on the project's species list",
}

RULES = {
    "1a": "the box is a person, above 0.7",
    "1b": "the box is a person, above 0.2, and the best class a human or a vehicle, above 0.5",
    "2a": "the box is a vehicle, above 0.2, and the best class a human, above 0.5",
    "2b": "the box is a vehicle, above 0.7",
    "2c": "the box is a vehicle, above 0.2, and the best class a vehicle, above 0.4",
    "3a": "there is no box above 0.2, and the best class is blank, above 0.5",
    "3b": "the best class is blank, above 0.99",
    "4a": "the best class is an animal, above 0.8",
    "4b": "the best class is an animal, above 0.65, and the box an animal, above 0.2",
    "5a": "the best classes together are above 0.65 at this rank, and not below it",
    "5b": "the box is an animal, above 0.5, and no class is certain enough",
    "6": "neither the box nor a class is certain enough",
}
"""The decision list in words, as `okapia.pipeline.ensemble` has it."""


async def _asked(form: type[M], request: Request, limits: Limits) -> M:
    """Read a JSON body of a bounded size.

    Raises:
        InvalidRequest: a field is missing, unknown or out of its range; `param` names it.
    """
    upload = await read_upload(request, param="image", limits=limits)
    try:
        return form.model_validate(upload.fields)
    except ValidationError as error:
        raise _invalid(error) from error


def _invalid(error: ValidationError) -> InvalidRequest:
    first = error.errors()[0]
    steps = first["loc"]
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
    message = first["msg"].removeprefix("Value error, ")
    if not name:
        return InvalidRequest(message)
    return InvalidRequest(f"{name}: {message}, got {first['input']!r:.{_SHOWN}}", param=str(steps[0]))


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(), media_type="application/json")


def _body_of(form: type[BaseModel]) -> dict[str, object]:
    content = {"application/json": {"schema": form.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}
