"""The manifest of a zoo model, as its makers wrote it.

Confirmed on sparrow-engine 0.1.30, the zoo's own engine, with generated networks: unknown keys are
ignored; `pad_value` is 114/255 when not given, and in the range after normalisation; `resize_size`
is `input_size` when not given; `center_crop` is true or false and cuts to `input_size`; the sum and
the size are those of `file`, also where `file_fp16` is run; `yolo_e2e` needs `letterbox`, and
`rtdetr_topk` needs `resize`.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Literal, Self, TypeVar

import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from okapia.domain.errors import ModelDamaged, ModelError
from okapia.models.weights.store import file_sha256
from okapia.models.weights.zoo.labels import LabelFormat

MANIFEST = "manifest.toml"

_log = structlog.get_logger(__name__)


def _inside(name: str) -> str:
    """Let a path through that stays below the manifest's folder, on every system."""
    paths = (PurePosixPath(name), PureWindowsPath(name))
    if any(path.is_absolute() or path.drive or path.root or ".." in path.parts for path in paths):
        raise ValueError(f"expected a file name inside the model's folder, got {name!r}")
    return name


FileName = Annotated[str, Field(min_length=1), AfterValidator(_inside)]
OnnxFile = Annotated[FileName, Field(pattern=r"(?i)\.onnx$")]
Pair = Annotated[tuple[int, int], Field(strict=False)]
Texts = Annotated[tuple[str, ...], Field(strict=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    # What a newer catalogue adds is kept apart, so that it can be named in the log.
    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)


class Model(_Section):
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    format: Literal["onnx"]
    file: OnnxFile
    file_fp16: OnnxFile | None = None
    onnx_sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    onnx_size_bytes: Annotated[int, Field(gt=0)] | None = None
    version: str | int | float = ""
    description: str = ""
    subtype: str | None = None
    default: bool = False
    display_name: str = ""
    family: Texts | str = ()
    species_direct: bool | None = None
    detector_gate_class: str | int | None = None
    geo_scope: str = ""
    geo_regions: Texts = ()
    geo_locality: str = ""


class Preprocessing(_Section):
    method: Literal["letterbox", "resize", "resize_min_max", "resize_crop"]
    input_size: Pair
    layout: Literal["nchw"]
    normalization: Literal["unit", "imagenet", "none"]
    channel_order: Literal["rgb", "bgr"] = "rgb"
    pad_value: float = 114 / 255
    interpolation: Literal["bilinear", "bicubic", "lanczos", "cv2_bilinear"] = "bilinear"
    pre_crop_square: bool = False
    resize_size: Pair | None = None
    resize_mode: Literal["exact", "shorter_side"] = "exact"
    center_crop: bool | Pair = False


class Inference(_Section):
    strategy: Literal["single"]
    precision: Literal["fp32", "fp16"] = "fp32"


class Postprocessing(_Section):
    method: Literal["yolo_e2e", "megadet_v5a", "rtdetr_topk", "softmax", "sigmoid"]
    confidence_threshold: Fraction | None = None
    iou_threshold: Fraction | None = None
    topk: Annotated[int, Field(gt=0)] | None = None
    max_detections: Annotated[int, Field(gt=0)] | None = None


class Labels(_Section):
    file: FileName
    format: LabelFormat


class Manifest(_Section):
    """Everything that the zoo says of a model; see the zoo's own documents for the keys."""

    model: Model
    preprocessing: Preprocessing
    inference: Inference
    postprocessing: Postprocessing
    labels: Labels
    provenance: dict[str, object] = {}
    drift_reference: dict[str, object] = {}

    @model_validator(mode="after")
    def _fp16_has_its_file(self) -> Self:
        if self.inference.precision == "fp16" and self.model.file_fp16 is None:
            raise ValueError("inference.precision = 'fp16' needs model.file_fp16")
        return self

    @property
    def network(self) -> str:
        """Name of the file that is run."""
        is_half = self.inference.precision == "fp16"
        return self.model.file_fp16 if is_half and self.model.file_fp16 else self.model.file


_UNDERSTOOD: dict[tuple[str, str], set[str]] = {
    ("model", "format"): {"onnx"},
    ("preprocessing", "method"): {"letterbox", "resize", "resize_min_max", "resize_crop"},
    ("preprocessing", "layout"): {"nchw"},
    ("inference", "strategy"): {"single"},
    ("postprocessing", "method"): {"yolo_e2e", "megadet_v5a", "rtdetr_topk", "softmax", "sigmoid"},
}
_WHY = {
    "tiled": "the model is for overhead pictures, taken from the air",
    "heatmap_peaks": "the model is for overhead pictures, taken from the air",
    "sliding_window": "the model is for sound",
    "mel_spectrogram": "the model is for sound",
    "raw_audio": "the model is for sound",
    "embedding": "the model answers with a vector, not with boxes or species",
}


def read_manifest(folder: Path) -> Manifest:
    """Read `manifest.toml` of a model's folder; keys that nobody knows are logged.

    Raises:
        ModelError: there is none, it is not TOML, a key is missing or out of range, it asks for
            a method that Okapia does not have, or the folder is not named after the model.
    """
    raw = read_toml(folder / MANIFEST)
    where = f"{folder.name}/{MANIFEST}"
    _refuse_foreign(raw, where)
    manifest = parse(Manifest, raw, where=where)
    if manifest.model.id != folder.name:
        raise ModelError(
            f"{where}: expected the id {folder.name!r}, as the folder, got {manifest.model.id!r}"
        )
    if unknown := sorted(_unknown(manifest)):
        _log.warning("zoo_manifest_unknown_keys", model=manifest.model.id, keys=unknown)
    return manifest


def read_toml(path: Path) -> dict[str, object]:
    """Parse a TOML file of the zoo.

    Raises:
        ModelError: it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path.parent.name}/{path.name} is not TOML: {error}") from error


Parsed = TypeVar("Parsed", bound=BaseModel)


def parse(kind: type[Parsed], raw: Mapping[str, object], *, where: str) -> Parsed:
    """Check what a TOML file holds; raises `ModelError` that names every key at fault."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise ModelError(f"{where}: {problems(error)}") from error


def problems(error: ValidationError) -> str:
    """Say what pydantic found, a key and a sentence each."""
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())


def _refuse_foreign(raw: Mapping[str, object], where: str) -> None:
    """Name what Okapia cannot do, before any other complaint about such a manifest."""
    for (section, key), understood in _UNDERSTOOD.items():
        table = raw.get(section)
        said = table.get(key) if isinstance(table, dict) else None
        if isinstance(said, str) and said not in understood:
            reason = f": {_WHY[said]}" if said in _WHY else ""
            raise ModelError(
                f"{where}: {section}.{key} = {said!r} is not supported{reason}; "
                f"supported: {', '.join(sorted(understood))}"
            )


def _unknown(section: BaseModel, prefix: str = "") -> Iterator[str]:
    for key in section.model_extra or {}:
        yield prefix + key
    for name in type(section).model_fields:
        if isinstance(value := getattr(section, name), BaseModel):
            yield from _unknown(value, f"{name}.")


def check_network(manifest: Manifest, folder: Path) -> None:
    """Compare the network with the sum and the size that the manifest gives.

    Raises:
        ModelError: a file is missing.
        ModelDamaged: they differ; the message names both.
    """
    for name in {manifest.model.file, manifest.network, manifest.labels.file}:
        if not (folder / name).is_file():
            raise ModelError(f"{folder.name}/{MANIFEST} names {name}, which is not there")
    path, size, sha = folder / manifest.model.file, manifest.model.onnx_size_bytes, manifest.model.onnx_sha256
    if size is not None and (actual := path.stat().st_size) != size:
        raise ModelDamaged(f"{folder.name}/{path.name}: expected {size:,} bytes, got {actual:,}")
    if sha is not None and (digest := file_sha256(path)) != sha.lower():
        raise ModelDamaged(f"{folder.name}/{path.name}: expected sha256 {sha.lower()}, got {digest}")
