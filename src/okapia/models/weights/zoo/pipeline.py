"""The zoo's cascades: models that belong together, under one name."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from okapia.domain.errors import ModelError
from okapia.domain.models import ModelChoice
from okapia.models.weights.zoo.manifest import parse, read_toml

PIPELINE = "pipeline.toml"

_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class _Step(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    role: Literal["detector", "classifier"]
    model: _Id


class _Pipeline(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    id: _Id
    steps: Annotated[tuple[_Step, ...], Field(strict=False)]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    pipeline: _Pipeline


def read_pipeline(folder: Path) -> ModelChoice:
    """Read `pipeline.toml`; the pipeline's name is the folder's.

    Raises:
        ModelError: it is not a pipeline, or not of one or two detectors and at most one classifier.
    """
    where = f"{folder.name}/{PIPELINE}"
    pipeline = parse(_File, read_toml(folder / PIPELINE), where=where).pipeline
    if pipeline.id != folder.name:
        raise ModelError(f"{where}: expected the id {folder.name!r}, as the folder, got {pipeline.id!r}")
    detectors = [step.model for step in pipeline.steps if step.role == "detector"]
    classifiers = [step.model for step in pipeline.steps if step.role == "classifier"]
    if len(detectors) not in {1, 2} or len(classifiers) > 1:
        raise ModelError(
            f"{where}: expected one or two detectors and at most one classifier, "
            f"got {len(detectors)} and {len(classifiers)}"
        )
    return ModelChoice("+".join(detectors), classifiers[0] if classifiers else None)
