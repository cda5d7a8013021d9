"""From a manifest of the zoo to Okapia's own card."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from okapia.domain.errors import ModelError
from okapia.models.card import CropResize, ModelCard, Preprocessing, View
from okapia.models.weights.zoo import catalogue
from okapia.models.weights.zoo import manifest as zoo
from okapia.models.weights.zoo.labels import read_labels

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)

_RESIZE: dict[str, Literal["letterbox", "stretch", "min_max", "crop"]] = {
    "letterbox": "letterbox",
    "resize": "stretch",
    "resize_min_max": "min_max",
    "resize_crop": "crop",
}
_FAMILY = {
    "yolo_e2e": "yolo_e2e",
    "megadet_v5a": "yolov5",
    "rtdetr_topk": "rtdetr_topk",
    "softmax": "classifier",
    "sigmoid": "classifier",
}
_NEEDS = {"yolo_e2e": "letterbox", "rtdetr_topk": "resize"}
"""Pre-processing that an output's coordinates presuppose; the zoo's engine refuses others too."""

_CATEGORIES: dict[str, Literal["animal", "person", "vehicle"]] = {
    "animal": "animal",
    "person": "person",
    "human": "person",
    "vehicle": "vehicle",
}
_MAX_DETECTIONS = 300
_MOST_DETECTIONS = 3000
"""What a card allows; RT-DETR networks have 300 to 1,000 queries."""


@dataclass(frozen=True, slots=True)
class ZooFolderContent:
    """A folder of the zoo, read and understood.

    Attributes:
        network: the file that is run.
        labels: the labels file.
    """

    card: ModelCard
    network: Path
    labels: Path


def read_folder(folder: Path) -> ZooFolderContent:
    """Read a model in the zoo's layout and check its network against its manifest.

    Raises:
        ModelError: the manifest or the labels are wrong, or ask for what Okapia does not do.
        ModelDamaged: the network is not the manifest's.
    """
    manifest = zoo.read_manifest(folder)
    zoo.check_network(manifest, folder)
    labels = folder / manifest.labels.file
    card = card_of(manifest, read_labels(labels, manifest.labels.format))
    return ZooFolderContent(card, folder / manifest.network, labels)


def card_of(manifest: zoo.Manifest, labels: Sequence[str]) -> ModelCard:
    """Give the card of a model of the zoo.

    Raises:
        ModelError: the manifest contradicts itself.
    """
    model, post = manifest.model, manifest.postprocessing
    where = f"{model.id}/{zoo.MANIFEST}"
    if (needed := _NEEDS.get(post.method, manifest.preprocessing.method)) != manifest.preprocessing.method:
        raise ModelError(
            f"{where}: postprocessing {post.method} needs the preprocessing method {needed}, "
            f"got {manifest.preprocessing.method}"
        )
    facts = {
        "id": model.id,
        "title": model.display_name or model.id,
        "version": str(model.version) or "unversioned",
        "family": _FAMILY[post.method],
        "licence": catalogue.licence_of(model.id),
        "citation": _citation(manifest),
        "notes": _notes(manifest),
        "area": _area(manifest),
        "canvas": manifest.preprocessing.input_size,
        "labels": tuple(labels),
        "confidence_threshold": post.confidence_threshold,
    }
    special = (
        _classifier(post.method) if _FAMILY[post.method] == "classifier" else _detector(manifest, labels)
    )
    try:
        preprocessing = _preprocessing(manifest.preprocessing)
        return ModelCard.model_validate(facts | special | {"preprocessing": preprocessing})
    except ValidationError as error:
        raise ModelError(f"{where}: {zoo.problems(error)}") from error


# --- pixels ---------------------------------------------------------------------------


def _preprocessing(asked: zoo.Preprocessing) -> Preprocessing:
    mean, std = _normalisation(asked)
    # `pad_value` is in the range after normalisation; Okapia pads before it. For `unit`, 0.447 is
    # 113.985 of 255: kept as it is, not rounded to YOLO's 114.
    pad = tuple(asked.pad_value * s + m for m, s in zip(mean, std, strict=True))
    return Preprocessing(
        resize=_RESIZE[asked.method],
        # Confirmed on the zoo's engine: the content is centred, the left and upper border are
        # rounded down (as Ultralytics' `round(d - 0.1)` does), sides are rounded half up.
        placement="centre" if asked.method == "letterbox" else "top_left",
        interpolation=asked.interpolation,
        crop=_crop(asked) if asked.method == "resize_crop" else None,
        channels=asked.channel_order,
        mean=mean,
        std=std,
        pad_value=(pad[0], pad[1], pad[2]),
    )


def _normalisation(asked: zoo.Preprocessing) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and standard deviation in 0..255 units, in the order of the network's channels.

    ImageNet's belong to the colours: with `bgr` they turn round (confirmed on the zoo's engine).
    """
    if asked.normalization == "none":
        return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if asked.normalization == "unit":
        return (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
    order = (0, 1, 2) if asked.channel_order == "rgb" else (2, 1, 0)
    mean = [_IMAGENET_MEAN[channel] * 255 for channel in order]
    std = [_IMAGENET_STD[channel] * 255 for channel in order]
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])


def _crop(asked: zoo.Preprocessing) -> CropResize:
    centre = asked.input_size if asked.center_crop is True else asked.center_crop or None
    return CropResize(
        pre_crop_square=asked.pre_crop_square,
        resize_size=asked.resize_size or asked.input_size,
        resize_mode=asked.resize_mode,
        center_crop=centre,
    )


# --- answers --------------------------------------------------------------------------


def _classifier(method: str) -> dict[str, object]:
    # The zoo's classifiers see the detector's box as it is.
    return {"task": "classifier", "activation": method, "view": View(shape="box", margin=0)}


def _detector(manifest: zoo.Manifest, labels: Sequence[str]) -> dict[str, object]:
    post, model = manifest.postprocessing, manifest.model
    categories = {label: _CATEGORIES[label.casefold()] for label in labels if label.casefold() in _CATEGORIES}
    has_others = any(label and label not in categories for label in labels)
    names_species = has_others if model.species_direct is None else model.species_direct
    most = post.max_detections or post.topk or _MAX_DETECTIONS
    return {
        "task": "detector",
        "categories": categories,
        "names_species": names_species,
        "default_category": "animal" if names_species else "other",
        "nms_iou": 0.45 if post.iou_threshold is None else post.iou_threshold,
        "max_detections": min(most, _MOST_DETECTIONS),
    }


# --- words ----------------------------------------------------------------------------


def _citation(manifest: zoo.Manifest) -> str:
    said = (manifest.provenance.get(key) for key in ("developer", "owner"))
    return "; ".join(dict.fromkeys(name for name in said if isinstance(name, str) and name))


def _notes(manifest: zoo.Manifest) -> str:
    known = catalogue.entry(manifest.model.id)
    return ". ".join(filter(None, (manifest.model.description.rstrip("."), known.notes if known else "")))


def _area(manifest: zoo.Manifest) -> str:
    model, known = manifest.model, catalogue.entry(manifest.model.id)
    if model.geo_scope.casefold() == "global":
        return ""
    said = ", ".join(filter(None, (model.geo_locality, *model.geo_regions)))
    return said or (known.area if known else "")
