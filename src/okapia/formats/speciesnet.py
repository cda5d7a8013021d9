"""SpeciesNet's predictions JSON, of both ages: what one entry says, and a file of them.

Until 5.0.5 there was one answer a picture; 5.0.6 (2026-10-16) has one a box and other fields. The facts
are those of google/cameratrapai (Apache-2.0). Reading is `okapia.formats.speciesnet_files`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from okapia.domain.types import (
    BBox,
    Category,
    Classification,
    Crops,
    Detection,
    Failure,
    ImageResult,
    Prediction,
)
from okapia.formats.base import Format, Json, ResultWriter, RunInfo, Writing
from okapia.formats.megadetector import CATEGORY_IDS, as_utf8
from okapia.formats.pending import PendingFile

TOP_OLD = 5
"""Classes of a picture that the old format reports."""

TOP_NEW = 2
"""Classes of a box that the new format reports unless told otherwise."""

WHOLE_IMAGE_ID = "0"
"""Category of the pseudo box that stands for the whole picture where a classifier looked at that."""

_WHOLE_IMAGE = BBox(0.0, 0.0, 1.0, 1.0)
_LABELS = {Category.ANIMAL: "animal", Category.PERSON: "human", Category.VEHICLE: "vehicle"}
_LEAST = 0.01  # boxes of this confidence and below are not written
_DIGITS = 4  # in files, since 5.0.2; over HTTP numbers are whole


class Version(StrEnum):
    """The two ages of the format; the later is called as in its `info.format_version`."""

    OLD = "old"
    NEW = "20261015"


class Step(StrEnum):
    """What can fail of a picture, as `failures` names it."""

    CLASSIFIER = "CLASSIFIER"
    DETECTOR = "DETECTOR"
    GEOLOCATION = "GEOLOCATION"


@dataclass(frozen=True, slots=True)
class Instance:
    """A picture that somebody asks about, and the place as they named it.

    Attributes:
        filepath: a path or a URL; what the answer is found by.
        country: ISO 3166-1 alpha-3 in capitals, where it is right; nobody has checked.
        admin1_region: two letters of a US state, unchecked like the country.
        latitude, longitude: degrees; both or neither.
        extra: further fields that come back in the answer.
    """

    filepath: str
    country: str | None = None
    admin1_region: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a file says of one picture; None where it says nothing, as after a failure.

    Attributes:
        classifications: of the picture as a whole, best first; the new format has them only from
            classifiers that look at whole pictures.
        prediction: of the picture as a whole.
    """

    instance: Instance
    model_version: str
    failures: tuple[Step, ...] = ()
    detections: tuple[Detection, ...] | None = None
    classifications: tuple[Classification, ...] | None = None
    prediction: Prediction | None = None

    @classmethod
    def of(cls, result: ImageResult, instance: Instance, *, model_version: str) -> Self:
        """Take over a result of `Crops.TOP_BOX` (for the old format) or `Crops.EVERY_BOX` (for the new)."""
        if isinstance(result.outcome, Failure):
            return cls(instance, model_version, (Step.CLASSIFIER, Step.DETECTOR))
        found = result.outcome
        seen = None if found.prediction is None else found.classifications
        return cls(instance, model_version, (), found.detections, seen, found.prediction)


def as_json(entry: Entry, version: Version, *, top: int | None = TOP_NEW) -> dict[str, Json]:
    """Give an entry's fields in the order and under the names of its format, numbers whole.

    An entry with answers a box alone is put into the old format by SpeciesNet's rule: its most
    confident classified box answers for the picture.

    Args:
        top: classes a box that the new format reports; None for all.
    """
    about = {**_place(entry.instance), **entry.instance.extra}
    answer = _old(entry) if version is Version.OLD else _new(entry, top)
    head: dict[str, Json] = {"filepath": as_utf8(entry.instance.filepath)}
    if entry.failures:
        head["failures"] = [step.value for step in entry.failures]
    return {**head, **about, **answer, "model_version": entry.model_version}


def document(entries: Iterable[Entry], version: Version, *, top: int | None = TOP_NEW) -> dict[str, Json]:
    """Give the whole answer of a server: `predictions`, after `info` in the new format."""
    predictions = [as_json(entry, version, top=top) for entry in entries]
    return {**_info(version), "predictions": predictions}


def boxes_of(entry: Entry) -> list[dict[str, Json]]:
    """Give the boxes that the formats have, most confident first, without their answers."""
    return [_box(detection) for detection in _written(entry.detections or ())]


def rounded(value: Json) -> Json:
    """Copy an entry with four digits behind the point, but coordinates as they are."""
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, Mapping):
        return {k: v if k in {"latitude", "longitude"} else rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return value


class SpeciesNetWriter:
    """A `ResultWriter` of predictions JSON: four digits, one picture a line.

    Args:
        instances: by file path, what to say of a picture's place; others have none.
        top: classes a box that the new format reports; None for all.

    Raises:
        OutputNotWritable: the target's folder cannot be written; before any image is analysed.
    """

    def __init__(
        self,
        target: Path,
        *,
        version: Version,
        model_version: str,
        instances: Mapping[str, Instance] | None = None,
        top: int | None = TOP_NEW,
    ) -> None:
        self._version = version
        self._model_version = model_version
        self._instances = instances or {}
        self._top = top
        self._file = PendingFile(target)
        self._due = orjson.dumps({**_info(version), "predictions": []}).removesuffix(b"]}") + b"\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.discard()

    def add(self, result: ImageResult) -> None:
        """Write the next image."""
        instance = self._instances.get(result.name) or Instance(result.name)
        self.add_entry(Entry.of(result, instance, model_version=self._model_version))

    def add_entry(self, entry: Entry) -> None:
        """Write the next image, whose answer was made or read elsewhere."""
        written = rounded(as_json(entry, self._version, top=self._top))
        self._file.write(self._due + orjson.dumps(written))
        self._due = b",\n"

    def finish(self, info: RunInfo | None = None, *, target: Path | None = None) -> None:
        """Put the whole file in its place; the format has no room for `info`."""
        del info
        self._file.write(self._due.removesuffix(b",\n") + b"\n]}\n")
        self._file.commit(instead=target)


def _writer(target: Path, writing: Writing) -> ResultWriter:
    return SpeciesNetWriter(target, version=Version.NEW, model_version=writing.models, top=writing.top_k)


result_format = Format(
    "speciesnet", "SpeciesNet 5.0.6, predictions of 20261015", ".json", _writer, Crops.EVERY_BOX
)


def _info(version: Version) -> dict[str, Json]:
    return {} if version is Version.OLD else {"info": {"format_version": version.value}}


def _place(instance: Instance) -> dict[str, Json]:
    named: dict[str, Json] = {
        "country": instance.country,
        "admin1_region": instance.admin1_region,
        "latitude": instance.latitude,
        "longitude": instance.longitude,
    }
    return {name: value for name, value in named.items() if value is not None}


def _old(entry: Entry) -> dict[str, Json]:
    seen, prediction = _of_picture(entry)
    fields: dict[str, Json] = {}
    if seen is not None:
        fields["classifications"] = _ranked(seen, TOP_OLD)
    if entry.detections is not None:
        fields["detections"] = boxes_of(entry)
    if prediction is not None:
        fields["prediction"] = prediction.taxon.label
        fields["prediction_score"] = prediction.score
        fields["prediction_source"] = prediction.source
    return fields


def _of_picture(entry: Entry) -> tuple[tuple[Classification, ...] | None, Prediction | None]:
    """The picture's own answer, or that of the most confident box which was classified."""
    classified = [d for d in _written(entry.detections or ()) if d.prediction is not None]
    if entry.classifications is not None or entry.prediction is not None or not classified:
        return entry.classifications, entry.prediction
    return classified[0].classifications, classified[0].prediction


def _new(entry: Entry, top: int | None) -> dict[str, Json]:
    if entry.detections is None:
        return {}
    boxes = [{**_box(d), **_answer(d.classifications, d.prediction, top)} for d in _written(entry.detections)]
    if entry.classifications:
        boxes.insert(0, {**_WHOLE_IMAGE_BOX, **_answer(entry.classifications, entry.prediction, top)})
    return {"detections": boxes}


def _answer(
    seen: tuple[Classification, ...], prediction: Prediction | None, top: int | None
) -> dict[str, Json]:
    fields: dict[str, Json] = {}
    if seen:
        fields["raw_classifications"] = _ranked(seen, top)
    if prediction is not None:
        fields["processed_classification"] = {
            "class": prediction.taxon.label,
            "score": prediction.score,
            "source": prediction.source,
        }
    return fields


def _written(detections: Iterable[Detection]) -> list[Detection]:
    """The boxes that the format has, most confident first."""
    kept = [d for d in detections if d.confidence > _LEAST and d.category in CATEGORY_IDS]
    return sorted(kept, key=lambda detection: -detection.confidence)


def _box(detection: Detection) -> dict[str, Json]:
    return {
        "category": CATEGORY_IDS[detection.category],
        "label": _LABELS[detection.category],
        "conf": detection.confidence,
        "bbox": _corners(detection.bbox),
    }


def _corners(box: BBox) -> list[Json]:
    return [box.x_min, box.y_min, box.width, box.height]


_WHOLE_IMAGE_BOX: dict[str, Json] = {
    "category": WHOLE_IMAGE_ID,
    "label": "whole_image_classification",
    "conf": 1.0,
    "bbox": _corners(_WHOLE_IMAGE),
}


def _ranked(seen: tuple[Classification, ...], top: int | None) -> dict[str, Json]:
    best = seen[:top]
    return {"classes": [c.taxon.label for c in best], "scores": [c.score for c in best]}
