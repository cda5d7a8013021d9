"""SpeciesNet's own model folder: `info.json` beside a classifier, a detector, labels and taxonomy.

File formats as of SpeciesNet 5.0.6 (`speciesnet/utils.py`, `ModelInfo`).
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from okapia.domain.errors import ModelError, PullFailed
from okapia.domain.models import ModelChoice
from okapia.models.card import ModelCard
from okapia.models.catalog import Catalog
from okapia.models.weights.check import Check
from okapia.models.weights.own.adding import Addition, IfKnown, add_networks, require_free_id
from okapia.models.weights.own.inspect import NetworkFacts, inspect, listed
from okapia.models.weights.own.labels import MEGADETECTOR, read_labels
from okapia.models.weights.own.partial import Fragment, completed
from okapia.models.weights.staging import staging
from okapia.models.weights.store import Installed, ModelStore

Convert = Callable[[Path, Path], None]
"""Makes an ONNX file (second) of a PyTorch classifier (first), running the code in it."""

INFO = "info.json"

_SIDE, _DETECTOR_SIDE = 480, 1280
_VIEWS = {"always_crop": "box", "full_image": "strip"}

_Name = Annotated[str, StringConstraints(min_length=1)]


class Info(BaseModel):
    """What `info.json` holds; every name but `detector` is of a file beside it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: _Name
    type: Literal["always_crop", "full_image"]
    classifier: _Name
    classifier_labels: _Name
    detector: str = ""
    taxonomy: str = ""
    geofence: str = ""


@dataclass(frozen=True, slots=True)
class AddedFolder:
    """What came of a folder.

    Attributes:
        installed: the classifier, and the detector when it could be added.
        pipeline: name under which both are known together; "" when the detector is missing.
        missing: a sentence on what was not added, and why; "" when all was.
    """

    installed: tuple[Installed, ...]
    pipeline: str
    missing: str


def add_speciesnet_folder(
    folder: Path,
    *,
    catalog: Catalog,
    check: Check,
    convert: Convert | None = None,
    licence: str | None = None,
    if_known: IfKnown = "refuse",
) -> AddedFolder:
    """Install a folder's classifier and detector where they lie, and remember that they belong together.

    Args:
        convert: for a classifier that is a PyTorch file; None refuses such a file.
        licence: of the weights; SpeciesNet's and MegaDetector's own when None.

    Raises:
        InvalidRequest: a model of that version is there already.
        ModelError: `info.json` lacks something, a file is missing, or a network does not answer as it should.
        PullFailed: the disk is full or not to be written.
    """
    info = read_info(folder)
    name = _model_id(info)
    require_free_id(name, catalog=catalog, if_known=if_known)
    reader = _FolderReader(folder, info, licence)
    detector = reader.detector()
    with _onnx_of(reader.file(info.classifier, key="classifier"), catalog.store, convert) as network:
        is_made = network.path.parent != folder
        classifier = Addition(network, reader.classifier(network), "copy" if is_made else "in_place")
        additions = [detector, classifier] if detector else [classifier]
        installed = add_networks(additions, catalog=catalog, check=check, if_known=if_known)
    if detector is None:
        return AddedFolder(tuple(installed), "", reader.without_detector)
    catalog.store.put_pipeline(name, ModelChoice(detector.card.id, name))
    return AddedFolder(tuple(installed), name, "")


def read_info(folder: Path) -> Info:
    """Read a folder's `info.json`.

    Raises:
        ModelError: not to be read, no JSON, or it lacks something; the message names every problem.
    """
    path = folder / INFO
    try:
        return Info.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in error.errors())
        raise ModelError(f"{path}: {'; '.join(problems)}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON: {error}") from error


def _model_id(info: Info) -> str:
    return f"speciesnet-{re.sub(r'[^A-Za-z0-9._-]+', '-', info.version)}"


@dataclass(frozen=True, slots=True)
class _FolderReader:
    """Turns the files of a folder into cards."""

    folder: Path
    info: Info
    licence: str | None

    def file(self, name: str, *, key: str) -> Path:
        """Give a file of the folder.

        Raises:
            ModelError: it is not there, or not in the folder.
        """
        path = self.folder / name
        if Path(name).is_absolute() or ".." in Path(name).parts or not path.is_file():
            raise ModelError(f"{self.folder / INFO}: `{key}` names {name!r}, which is not a file beside it")
        return path

    def classifier(self, network: NetworkFacts) -> ModelCard:
        width, height, layout = _picture(network, side=_SIDE)
        rows = self.file(self.info.classifier_labels, key="classifier_labels")
        recipe = {"resize": "stretch", "interpolation": "cv2_bilinear", "layout": layout, "std": 255}
        return self._card(
            network,
            {
                "id": _model_id(self.info),
                "title": f"SpeciesNet {self.info.version} ({self.info.type})",
                "task": "classifier",
                "family": "classifier",
                "licence": self.licence or "Apache-2.0",
                "citation": "Gadot et al. (2024), To crop or not to crop: comparing whole-image and cropped "
                "classification on a large dataset of camera trap images.",
                "canvas": (width, height),
                "labels": read_labels(rows),
                "activation": "softmax",
                "preprocessing": recipe,
                "view": {"shape": _VIEWS[self.info.type]},
                "taxonomy": self._beside(self.info.taxonomy, key="taxonomy"),
                "geofence": self._beside(self.info.geofence, key="geofence"),
            },
        )

    def detector(self) -> Addition | None:
        """Give the detector; None when it is not there or no ONNX file."""
        if "://" in self.info.detector or not self.info.detector.lower().endswith(".onnx"):
            return None
        network = inspect(self.file(self.info.detector, key="detector"))
        return Addition(network, self._detector_card(network), "in_place")

    @property
    def without_detector(self) -> str:
        return (
            f"the detector ({self.info.detector or 'none is named'}) was not added: expected an ONNX file "
            f"beside {INFO}; choose another one with --detector, such as zoo:MDV5a"
        )

    def _detector_card(self, network: NetworkFacts) -> ModelCard:
        width, height, layout = _picture(network, side=_DETECTOR_SIDE)
        recipe = {
            "resize": "letterbox",
            "placement": "centre",
            "interpolation": "cv2_bilinear",
            "layout": layout,
            "std": 255,
            "pad_value": 114,
        }
        return self._card(
            network,
            {
                "id": f"{_model_id(self.info)}-detector",
                "title": f"MegaDetector of SpeciesNet {self.info.version}",
                "task": "detector",
                "family": "yolov5",
                "licence": self.licence or "unknown",
                "canvas": (width, height),
                "labels": MEGADETECTOR,
                "categories": {label: label for label in MEGADETECTOR},
                "nms_iou": 0.45,
                "preprocessing": recipe,
            },
        )

    def _card(self, network: NetworkFacts, facts: Fragment) -> ModelCard:
        return completed({"version": self.info.version, **facts}, origin=network.name)

    def _beside(self, name: str, *, key: str) -> str:
        """Give the path of a file that may be missing from `info.json`, but not from the folder."""
        return str(self.file(name, key=key).absolute()) if name else ""


@contextmanager
def _onnx_of(file: Path, store: ModelStore, convert: Convert | None) -> Iterator[NetworkFacts]:
    """Give a classifier as ONNX: the file itself, or one made of it that is there for the block."""
    if file.suffix.lower() == ".onnx":
        yield inspect(file)
        return
    if convert is None:
        raise ModelError(CODE_NOT_RUN.format(file=file.name))
    try:
        with staging(store.root) as aside:
            made = aside / f"{file.stem}.onnx"
            convert(file, made)
            yield inspect(made)
    except OSError as error:
        raise PullFailed(f"cannot convert {file.name}: {error.strerror}") from error


CODE_NOT_RUN = (
    "{file} is a PyTorch file: reading it runs the code that is in it. If you trust where it came from, "
    "install okapia[torch] and give --run-code, and it is converted to ONNX once, on this machine"
)


def _picture(network: NetworkFacts, *, side: int) -> tuple[int, int, str]:
    """Give (width, height, layout) of the input; open sides are `side`.

    Raises:
        ModelError: the input is not one picture.
    """
    shapes = [port.shape for port in network.inputs]
    shape = shapes[0] if len(shapes) == 1 else None
    if shape is None or len(shape) != 4 or 3 not in {shape[1], shape[3]}:
        ports = ", ".join(f"{port.name} {listed(port.shape)}" for port in network.inputs)
        raise ModelError(
            f"{network.name}: expected one picture as [1, {side}, {side}, 3] or NCHW, got {ports}"
        )
    is_nhwc = shape[3] == 3
    height, width = (shape[1], shape[2]) if is_nhwc else (shape[2], shape[3])
    return width or side, height or side, "nhwc" if is_nhwc else "nchw"
