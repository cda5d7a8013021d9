"""Reading what SpeciesNet's users have: instances, detections, classifications and predictions JSON.

Every problem is named by its entry, as `predictions[3] (a.jpg): detections[0].conf: ...`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import Taxon
from okapia.domain.types import BBox, Category, Classification, Detection, Prediction
from okapia.formats.base import Json
from okapia.formats.megadetector import CATEGORY_IDS
from okapia.formats.speciesnet import WHOLE_IMAGE_ID, Entry, Instance, Step, Version

_CATEGORIES = {number: category for category, number in CATEGORY_IDS.items()}
_SHOWN = 200  # characters of somebody's text that a message repeats
_BEYOND = 0.001  # by how much a box may leave its picture: it was rounded to whole pixels

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Predictions:
    """A predictions, detections or classifications file; `entries` in the file's order."""

    version: Version
    entries: tuple[Entry, ...]

    def by_filepath(self) -> dict[str, Entry]:
        """The entries by what they are about; of several with one path the last."""
        return {entry.instance.filepath: entry for entry in self.entries}


def read_instances(path: Path) -> tuple[Instance, ...]:
    """Read an instances file; raises what `instances_of` raises, the file named."""
    try:
        return instances_of(_read(path, param="instances"))
    except InvalidRequest as error:
        raise InvalidRequest(f"{path.name}: {error}", param="instances") from error


def read_predictions(path: Path) -> Predictions:
    """Read a predictions, detections or classifications file; raises what `predictions_of` raises."""
    try:
        return predictions_of(_read(path, param="predictions"))
    except InvalidRequest as error:
        raise InvalidRequest(f"{path.name}: {error}", param="predictions") from error


def instances_of(document: object, *, extra_fields: Sequence[str] = ()) -> tuple[Instance, ...]:
    """Take the instances from parsed JSON, one each: `{"instances": [{"filepath": ...}, ...]}`.

    Args:
        extra_fields: names of further fields to keep.

    Raises:
        InvalidRequest: it is not of that form; a state stands without a country, a coordinate alone or
            out of range; there is no instance.
    """
    rows = _rows(document, "instances")
    if not rows:
        raise InvalidRequest("instances: expected at least one, got none", param="instances")
    return tuple(
        _checked(_Instance, row, f"instances[{place}]").instance(row, extra_fields)
        for place, row in enumerate(rows)
    )


def predictions_of(document: object) -> Predictions:
    """Take the entries from parsed JSON: `{"predictions": [{"filepath": ...}, ...]}`, of either age.

    Detections and classifications files are of the same form with fewer fields.

    Raises:
        InvalidRequest: it is not of that form or of another `format_version`; a label is none; a number
            is none or out of range.
    """
    version = _version(document)
    rows = _rows(document, "predictions")
    return Predictions(version, tuple(_entry(row, f"predictions[{n}]") for n, row in enumerate(rows)))


def one_each(instances: Sequence[Instance]) -> tuple[Instance, ...]:
    """Leave one instance a file path, in the order of first appearance; of several the last counts."""
    return tuple({instance.filepath: instance for instance in instances}.values())


def parse_json(data: bytes, *, param: str) -> object:
    """Parse JSON; `NaN` and `Infinity`, which Python programs write, become floats for others to judge.

    Raises:
        InvalidRequest: it is no JSON.
    """
    try:
        parsed: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        try:
            parsed = json.loads(data)
        except (ValueError, RecursionError):
            raise InvalidRequest(f"expected JSON: {error}", param=param) from error
    return parsed


def _read(path: Path, *, param: str) -> object:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"cannot be read: {error.strerror}", param=param) from error
    return parse_json(data, param=param)


def _fraction_of_picture(value: float) -> float:
    if not -_BEYOND <= value <= 1.0 + _BEYOND:
        raise ValueError("expected [xmin, ymin, width, height] as fractions of the picture")
    return value


_Unit = Annotated[float, Field(ge=0.0, le=1.0 + 1e-6, allow_inf_nan=False)]
"""A softmax in 32-bit floats may exceed 1 by a rounding."""
_Side = Annotated[float, Field(allow_inf_nan=False), AfterValidator(_fraction_of_picture)]


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Place(_Form):
    filepath: Annotated[str, Field(min_length=1)]
    country: str | None = None
    admin1_region: str | None = None
    latitude: Annotated[float, Field(ge=-90.0, le=90.0, allow_inf_nan=False)] | None = None
    longitude: Annotated[float, Field(ge=-180.0, le=180.0, allow_inf_nan=False)] | None = None

    def instance(self, row: Mapping[str, Json], extra_fields: Sequence[str] = ()) -> Instance:
        extra = {name: row[name] for name in extra_fields if name in row}
        return Instance(self.filepath, self.country, self.admin1_region, self.latitude, self.longitude, extra)


class _Instance(_Place):
    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.admin1_region and not self.country:
            raise ValueError("expected a country with the admin1_region, got none")
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("expected latitude and longitude together, got one of them")
        return self


class _Ranked(_Form):
    classes: list[str]
    scores: list[_Unit]

    @model_validator(mode="after")
    def _are_pairs(self) -> Self:
        if len(self.classes) != len(self.scores):
            raise ValueError(
                f"expected a score for each class, got {len(self.classes)} classes and "
                f"{len(self.scores)} scores"
            )
        return self

    def classifications(self) -> tuple[Classification, ...]:
        pairs = zip(self.classes, self.scores, strict=True)
        return tuple(Classification(Taxon.from_label(label), score) for label, score in pairs)


class _Processed(_Form):
    class_: Annotated[str, Field(alias="class")]
    score: _Unit
    source: str

    def prediction(self) -> Prediction:
        return Prediction(Taxon.from_label(self.class_), self.score, self.source)


class _Box(_Form):
    category: Literal["0", "1", "2", "3"]
    label: str = ""
    conf: _Unit
    bbox: Annotated[list[_Side], Field(min_length=4, max_length=4)]
    raw_classifications: _Ranked | None = None
    processed_classification: _Processed | None = None

    def detection(self) -> Detection:
        category = _CATEGORIES.get(self.category, Category.OTHER)
        return Detection(
            BBox(*self.bbox), category, self.conf, self.label, self.classifications(), self.prediction()
        )

    def classifications(self) -> tuple[Classification, ...]:
        return self.raw_classifications.classifications() if self.raw_classifications else ()

    def prediction(self) -> Prediction | None:
        return self.processed_classification.prediction() if self.processed_classification else None


class _Prediction(_Place):
    failures: list[Literal["CLASSIFIER", "DETECTOR", "GEOLOCATION"]] | None = None
    classifications: _Ranked | None = None
    detections: list[_Box] | None = None
    prediction: str | None = None
    prediction_score: _Unit | None = None
    prediction_source: str = ""
    model_version: str = ""

    def entry(self, row: Mapping[str, Json]) -> Entry:
        """Take over all fields; a pseudo box of the whole picture becomes the picture's own answer."""
        boxes = self.detections or []
        whole = next((box for box in boxes if box.category == WHOLE_IMAGE_ID), None)
        found = tuple(box.detection() for box in boxes if box is not whole)
        return Entry(
            self.instance(row),
            self.model_version,
            tuple(Step(name) for name in self.failures or ()),
            None if self.detections is None else found,
            whole.classifications() if whole else self._classifications(),
            whole.prediction() if whole else self._prediction(),
        )

    def _classifications(self) -> tuple[Classification, ...] | None:
        return self.classifications.classifications() if self.classifications else None

    def _prediction(self) -> Prediction | None:
        if self.prediction is None:
            return None
        taxon = Taxon.from_label(self.prediction)
        return Prediction(taxon, self.prediction_score or 0.0, self.prediction_source)


def _entry(row: Mapping[str, Json], place: str) -> Entry:
    checked = _checked(_Prediction, row, place)
    try:
        return checked.entry(row)
    except InvalidRequest as error:  # a label
        raise InvalidRequest(f"{place} ({checked.filepath}): {error}", param=error.param) from error


def _version(document: object) -> Version:
    info = document.get("info") if isinstance(document, Mapping) else None
    if not isinstance(info, Mapping):
        return Version.OLD
    named = info.get("format_version")
    if named != Version.NEW:
        raise InvalidRequest(
            f"info.format_version: expected {Version.NEW}, or no info, got {named!r:.{_SHOWN}}",
            param="predictions",
        )
    return Version.NEW


def _rows(document: object, name: str) -> list[Mapping[str, Json]]:
    """Give the list that a file is about, its items objects."""
    rows = document.get(name) if isinstance(document, Mapping) else None
    if not isinstance(rows, list):
        got = "none" if isinstance(document, Mapping) else f"a {type(document).__name__}"
        raise InvalidRequest(f"expected an object with the list {name!r}, got {got}", param=name)
    for place, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise InvalidRequest(f"{name}[{place}]: expected an object, got {row!r:.{_SHOWN}}", param=name)
    return rows


def _checked(form: type[M], row: Mapping[str, Json], place: str) -> M:
    try:
        return form.model_validate(row)
    except ValidationError as error:
        raise _named(error, row, place) from error


def _named(error: ValidationError, row: Mapping[str, Json], place: str) -> InvalidRequest:
    """Say which entry, which field, what was expected and what came, of the first problem."""
    first = error.errors()[0]
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"])
    field = "".join(steps).removeprefix(".")
    name = row.get("filepath")
    about = f"{place} ({name:.{_SHOWN}})" if isinstance(name, str) else place
    message = first["msg"].removeprefix("Value error, ")
    got = "" if isinstance(first["input"], Mapping) else f", got {first['input']!r:.{_SHOWN}}"
    where = f"{about}: {field}" if field else about
    param = str(first["loc"][0]) if first["loc"] else place.partition("[")[0]
    return InvalidRequest(f"{where}: {message}{got}", param=param)
