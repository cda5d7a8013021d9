"""Okapia's own routes about models: what there is, what is loaded, and what answers."""

from dataclasses import asdict
from typing import Annotated

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from okapia.dialects.base import Dialect
from okapia.domain.callers import Scope
from okapia.domain.errors import UnknownModel
from okapia.domain.models import ModelChoice, ModelFacts
from okapia.service import Models
from okapia.web.context import Context
from okapia.web.door import door
from okapia.web.gateways import gateway_row
from okapia.web.needs import needs
from okapia.web.problems import problem_json


class Choice(BaseModel):
    """The models of a profile; `classifier` null means boxes without species."""

    model_config = ConfigDict(extra="forbid")

    detector: Annotated[str, Field(min_length=1)]
    classifier: str | None = None
    tiles: Annotated[int, Field(ge=1, le=4)] = 1


def build(context: Context) -> APIRouter:
    """Make `/v1/models` and `/v1/profiles`."""
    router = APIRouter(prefix="/v1", tags=["models"], route_class=door(context, problem_json))
    _add_models(router, context.service.models)
    _add_profiles(router, context.service.models)
    return router


def _add_models(router: APIRouter, models: Models) -> None:
    @router.get("/models")
    @needs(Scope.READ)
    def list_models() -> Response:
        """List the known models, and how the loaded ones run."""
        return _json({"models": [_row(facts) for facts in models.facts()]})

    @router.get("/models/{model_id}")
    @needs(Scope.READ)
    def show_model(model_id: str) -> Response:
        """Say what there is to know of one model."""
        return _json(_row(_facts_of(models, model_id)))

    @router.post("/models/{model_id}/load")
    @needs(Scope.ADMIN)
    def load_model(model_id: str) -> Response:
        """Bring a model into memory, so that the first picture does not wait for it."""
        models.load(_facts_of(models, model_id).id)
        return _json(_row(_facts_of(models, model_id)))

    @router.post("/models/{model_id}/unload")
    @needs(Scope.ADMIN)
    def unload_model(model_id: str) -> Response:
        """Drop a model from memory; pictures on their way keep it, the next one brings it back."""
        models.unload(_facts_of(models, model_id).id)
        return _json(_row(_facts_of(models, model_id)))


def _add_profiles(router: APIRouter, models: Models) -> None:
    @router.get("/profiles")
    @needs(Scope.READ)
    def list_profiles() -> Response:
        """Say which models answer for `wild` and for `urban`."""
        return _json({"profiles": {name: asdict(choice) for name, choice in models.profiles.items()}})

    @router.put("/profiles/{name}")
    @needs(Scope.ADMIN)
    def use_models(name: str, choice: Choice) -> Response:
        """Have other models answer for a profile, until the server stops. No picture is dropped."""
        wanted = ModelChoice(choice.detector, choice.classifier or None, choice.tiles)
        reports = models.use(name, wanted)
        return _json({"profile": name, **asdict(wanted), "models": list(reports)})


dialect = Dialect("models", "Okapia's own; under /api also what pyzm 2.x lists", build, also_under=("/api",))


def _facts_of(models: Models, model_id: str) -> ModelFacts:
    by_id = {facts.id: facts for facts in models.facts()}
    if model_id not in by_id:
        raise UnknownModel(model_id, known=list(by_id))
    return by_id[model_id]


def _row(facts: ModelFacts) -> dict[str, object]:
    report = facts.loaded.report if facts.loaded else None
    return {
        "id": facts.id,
        "title": facts.title,
        "task": facts.task,
        "version": facts.version,
        "licence": facts.licence,
        "area": facts.area or None,
        "installed": facts.sha256 is not None,
        "sha256": facts.sha256,
        "loaded": report is not None,
        "device": report.device if report else None,
        "engine": report.engine if report else None,
        "precision": report.precision if report else None,
        "canvas": report.canvas if report else None,
        "memory_bytes": facts.loaded.memory_bytes if facts.loaded else None,
        "load_seconds": facts.loaded.load_seconds if facts.loaded else None,
        "classes": facts.classes,
        **gateway_row(facts),
    }


def _json(body: dict[str, object]) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
