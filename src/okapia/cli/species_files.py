"""Which taxonomy and ranges a command goes by: a model's, or the files that it was given."""

from dataclasses import dataclass, replace
from pathlib import Path

from okapia.domain.errors import InvalidRequest
from okapia.domain.taxonomy import Taxonomy
from okapia.models.card import ModelCard
from okapia.models.catalog import Catalog
from okapia.models.taxa import class_taxa
from okapia.models.weights.own.speciesnet import INFO, read_info
from okapia.models.weights.store import ModelStore
from okapia.pipeline.naming import Naming, RangeFiles
from okapia.pipeline.text_files import read_labels, read_taxonomy
from okapia.settings import Settings


@dataclass(frozen=True, slots=True)
class SpeciesFiles:
    """What a command was told to name species with; None where it was told nothing.

    Attributes:
        model: id of a classifier or of a pipeline that holds one, or SpeciesNet's model folder.
        labels: of the classifier, one a line; they are the taxonomy when no other is given.
    """

    model: str | None = None
    taxonomy: Path | None = None
    geofence: Path | None = None
    labels: Path | None = None


def naming_of(settings: Settings, files: SpeciesFiles) -> Naming:
    """Read taxonomy and ranges; no network is loaded, and none has to be installed.

    A taxonomy without a model brings no ranges: those of the geofence file are all there are then, and
    rules for taxa that the taxonomy lacks do nothing. With a model the file's rules go on top of its own.

    Raises:
        InvalidRequest: a file is not readable or wrong; the message names it.
        ModelError: the model is unknown or no classifier.
    """
    own = _own_taxonomy(files)
    rules = files.geofence or settings.geofence
    on_top = RangeFiles(rules, settings.species_list)
    if own is not None and files.model is None:
        return _without_model(own, on_top)
    folder = Path(files.model) if files.model else None
    if folder is not None and (folder / INFO).is_file():
        return _of_folder(folder, own, on_top)
    card = classifier_card(settings, files.model)
    taxonomy = own or class_taxa(card.labels, taxonomy=card.taxonomy).taxonomy
    return on_top.naming(taxonomy, geofence=card.geofence, top_classes=card.top_classes)


def _without_model(taxonomy: Taxonomy, files: RangeFiles) -> Naming:
    """Take a JSON file as the whole geofence, as SpeciesNet does; a CSV of rules is made into one."""
    if files.rules is None or files.rules.suffix.lower() != ".json":
        return files.naming(taxonomy, geofence="")
    return replace(files, rules=None).naming(taxonomy, geofence=str(files.rules))


def _of_folder(folder: Path, own: Taxonomy | None, files: RangeFiles) -> Naming:
    """Read what SpeciesNet's model folder names in its `info.json`."""
    info = read_info(folder)
    named = folder / info.taxonomy if info.taxonomy else None
    taxonomy = read_taxonomy(named) if named else _labels_taxonomy(folder / info.classifier_labels)
    geofence = str(folder / info.geofence) if info.geofence else ""
    return files.naming(own or taxonomy, geofence=geofence)


def classifier_card(settings: Settings, name: str | None) -> ModelCard:
    """Give the card of a classifier by its id or that of a pipeline; the default one for None.

    Raises:
        UnknownModel: there is none.
        InvalidRequest: it is a detector, or a pipeline without a classifier.
    """
    catalog = Catalog(ModelStore(settings.models_dir))
    profiles = settings.profiles | catalog.profiles()
    model_id = profiles[name or "wild"].classifier if (name or "wild") in profiles else name
    if not model_id:
        raise InvalidRequest(
            "expected a classifier, the settings name none; name one with --model", param="model"
        )
    card = catalog.card(model_id)
    if card.task != "classifier":
        raise InvalidRequest(f"expected a classifier, {model_id} is a {card.task}", param="model")
    return card


def _own_taxonomy(files: SpeciesFiles) -> Taxonomy | None:
    if files.taxonomy is not None:
        return read_taxonomy(files.taxonomy)
    return _labels_taxonomy(files.labels) if files.labels is not None else None


def _labels_taxonomy(file: Path) -> Taxonomy:
    """Make a taxonomy of a classifier's labels; ancestors that are no labels themselves are added."""
    return class_taxa([taxon.label for taxon in read_labels(file)]).taxonomy
