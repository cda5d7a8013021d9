"""Which models `okapia speciesnet run` looks with, and what its predictions call them."""

from pathlib import Path

from okapia.cli.speciesnet_request import Part
from okapia.domain.errors import InvalidRequest
from okapia.domain.models import ModelChoice
from okapia.models.catalog import Catalog
from okapia.models.weights.own.speciesnet import INFO
from okapia.models.weights.store import ModelStore
from okapia.settings import Settings


def chosen_models(settings: Settings, name: str | None, part: Part) -> ModelChoice:
    """Give the models that a part runs: those of a pipeline, or the default ones with `name` in its place.

    Raises:
        InvalidRequest: a folder is named, or the part needs a classifier and there is none.
        UnknownModel: nothing has this id.
    """
    catalog = Catalog(ModelStore(settings.models_dir))
    profiles = settings.profiles | catalog.profiles()
    choice = profiles.get(name or "wild") or _with_model(profiles["wild"], name or "", catalog)
    if part is Part.DETECTOR:
        return ModelChoice(choice.detector, None, choice.tiles)
    if choice.classifier is None:
        raise InvalidRequest(
            f"expected a classifier, {name or 'the profile wild'} has none; name one with --model",
            param="model",
        )
    return choice


def model_version(choice: ModelChoice, part: Part) -> str:
    """Give what `model_version` says: the ids of the networks that looked, as the server says it."""
    return choice.classifier or "" if part is Part.CLASSIFIER else "+".join(choice.model_ids)


def _with_model(default: ModelChoice, model_id: str, catalog: Catalog) -> ModelChoice:
    if (Path(model_id) / INFO).is_file():
        raise InvalidRequest(
            f"{model_id} is a model folder; add it once with `okapia models add {model_id}` and give the id "
            "that it gets",
            param="model",
        )
    if catalog.card(model_id).task == "detector":
        return ModelChoice(model_id, default.classifier, default.tiles)
    return ModelChoice(default.detector, model_id, default.tiles)
