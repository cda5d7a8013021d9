"""What a person asked of `okapia speciesnet run`, checked: which pictures, which steps, which files."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import cache
from pathlib import Path

from okapia.domain.errors import InvalidRequest, NothingToDo, UnknownCountry
from okapia.formats.speciesnet import Instance, Version
from okapia.formats.speciesnet_files import one_each, read_instances
from okapia.pipeline.countries import USA, all_countries, parse_country, parse_state
from okapia.pipeline.text_files import read_text
from okapia.storage.folder import scan


class Part(Enum):
    """Which of SpeciesNet's parts run."""

    ALL = auto()
    DETECTOR = auto()
    CLASSIFIER = auto()
    ENSEMBLE = auto()


def chosen_part(*, detector_only: bool, classifier_only: bool, ensemble_only: bool) -> Part:
    """Give the part that a command's flags ask for.

    Raises:
        InvalidRequest: they ask for more than one.
    """
    asked = {
        Part.DETECTOR: detector_only,
        Part.CLASSIFIER: classifier_only,
        Part.ENSEMBLE: ensemble_only,
    }
    parts = [part for part, is_asked in asked.items() if is_asked]
    if len(parts) > 1:
        raise InvalidRequest("expected one of --detector-only, --classifier-only and --ensemble-only")
    return parts[0] if parts else Part.ALL


@dataclass(frozen=True, slots=True)
class Inputs:
    """Where the pictures are named; exactly one of the first five is given, or none for the ensemble alone.

    Attributes:
        country, admin1_region: of pictures whose instance names no country.
    """

    instances_json: Path | None
    filepaths: Sequence[str] | None
    filepaths_txt: Path | None
    folders: Sequence[str] | None
    folders_txt: Path | None
    country: str | None
    admin1_region: str | None

    def instances(self, otherwise: Sequence[Instance] = ()) -> tuple[Instance, ...]:
        """Give the pictures, each once, with their places.

        Args:
            otherwise: those to take when no input is given.

        Raises:
            InvalidRequest: not exactly one input is given, a file is not readable or malformed, a place is
                none; the message names the picture.
            NothingToDo: there is no picture.
        """
        self._require_one(can_be_none=bool(otherwise))
        if problem := _problem(self.country, self.admin1_region):
            raise InvalidRequest(f"--country: {problem}", param="country")
        named = one_each(self._named() or tuple(otherwise))
        if not named:
            raise NothingToDo("no pictures where the input points")
        return tuple(self._checked(instance) for instance in named)

    def _require_one(self, *, can_be_none: bool) -> None:
        given = {
            "--instances-json": self.instances_json,
            "--filepaths": self.filepaths,
            "--filepaths-txt": self.filepaths_txt,
            "--folders": self.folders,
            "--folders-txt": self.folders_txt,
        }
        names = [name for name, value in given.items() if value]
        if len(names) > 1 or not (names or can_be_none):
            raise InvalidRequest(
                f"expected exactly one of {', '.join(given)}, got {' and '.join(names) or 'none'}",
                param="instances",
            )

    def _named(self) -> tuple[Instance, ...]:
        if self.instances_json is not None:
            return read_instances(self.instances_json)
        paths = _parted(self.filepaths) or _lines(self.filepaths_txt, "filepaths_txt")
        folders = _parted(self.folders) or _lines(self.folders_txt, "folders_txt")
        return tuple(Instance(path) for path in (*paths, *_pictures(folders)))

    def _checked(self, instance: Instance) -> Instance:
        if not instance.country:
            region = instance.admin1_region or self.admin1_region
            instance = replace(instance, country=self.country, admin1_region=region)
        if problem := _problem(instance.country, instance.admin1_region):
            raise InvalidRequest(f"{instance.filepath}: {problem}", param="country")
        return instance


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked for.

    Attributes:
        output: None prints the predictions.
        is_fresh: an existing file is not continued but replaced.
        top: classes a box in the new format; negative for all.
        model: id of a pipeline or a model; a model folder where the ensemble runs alone.
    """

    inputs: Inputs
    part: Part
    detections: Path | None
    classifications: Path | None
    output: Path | None
    is_fresh: bool
    is_new: bool
    top: int
    model: str | None
    device: str | None
    taxonomy: Path | None
    labels: Path | None
    geofence: Path | None
    is_fenced: bool

    def __post_init__(self) -> None:
        """Refuse options that would do nothing.

        Raises:
            InvalidRequest: an option belongs to another part.
        """
        is_ensemble = self.part is Part.ENSEMBLE
        if not is_ensemble and (self.taxonomy or self.labels or self.classifications):
            raise InvalidRequest(
                "--taxonomy, --labels and --classifications-json go with --ensemble-only; "
                "a model brings its own taxonomy and labels"
            )
        if self.detections and self.part not in (Part.ENSEMBLE, Part.CLASSIFIER):
            raise InvalidRequest("--detections-json goes with --ensemble-only or --classifier-only")

    @property
    def version(self) -> Version:
        return Version.NEW if self.is_new else Version.OLD

    @property
    def classes_a_box(self) -> int | None:
        return None if self.top < 0 else self.top


def _parted(values: Sequence[str] | None) -> list[str]:
    """Take apart lists parted by commas; a value that is a path as it stands may hold some."""
    parts = ([value] if os.path.lexists(value) else value.split(",") for value in values or ())
    return [part.strip() for row in parts for part in row if part.strip()]


def _lines(file: Path | None, param: str) -> list[str]:
    if file is None:
        return []
    return [line.strip() for line in read_text(file, param=param).split("\n") if line.strip()]


def _pictures(folders: Sequence[str]) -> Iterator[str]:
    """Give the pictures of folders, each path beginning as its folder was given."""
    for folder in folders:
        if not Path(folder).is_dir():
            raise InvalidRequest(f"expected a folder, got {folder}", param="folders")
        for found in scan([Path(folder)]):
            yield str(Path(folder) / found.name)


@cache
def _problem(country: str | None, region: str | None) -> str:
    """Say what is wrong with a place; nothing when it is right."""
    if not country:
        return f"expected a country with the admin1_region {region!r}, got none" if region else ""
    if country not in {known.cca3 for known in all_countries()}:
        return f"expected a country's three-letter code in capitals (KEN), got {country!r}{_meant(country)}"
    if country == USA and region:
        try:
            code = parse_state(parse_country(USA), region).code
        except InvalidRequest as error:
            return str(error)
        return (
            "" if code == region else f"expected a state's two letters, got {region!r}; did you mean {code}?"
        )
    is_code = not region or (len(region) == 2 and region.isalpha() and region.isupper())
    return "" if is_code else f"expected an admin1_region of two capital letters, got {region!r}"


def _meant(country: str) -> str:
    try:
        known = parse_country(country)
    except UnknownCountry as error:
        return f"; did you mean {' or '.join(error.near)}?" if error.near else ""
    return f"; did you mean {known.cca3} ({known.name})?"
