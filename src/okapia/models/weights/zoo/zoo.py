"""The door to the public zoo: a name, or a folder in the zoo's layout, becomes an installed model."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from okapia.domain.errors import ModelDamaged, ModelError, ModelNotInstalled, PullFailed
from okapia.domain.models import ModelChoice
from okapia.models.card import PROFILES, ModelCard, builtin_cards
from okapia.models.catalog import ZOO
from okapia.models.weights.pull import OnEvent, PullEvent
from okapia.models.weights.staging import staging
from okapia.models.weights.store import Installed, ModelStore, companions_of
from okapia.models.weights.zoo import catalogue
from okapia.models.weights.zoo.cards import ZooFolderContent, read_folder
from okapia.models.weights.zoo.manifest import MANIFEST
from okapia.models.weights.zoo.pipeline import PIPELINE, read_pipeline
from okapia.models.weights.zoo.source import ZooSource
from okapia.models.weights.zoo.unpack import unpack

Check = Callable[[ModelCard, Path], None]
"""Loads a network and runs it once; raises `ModelError` where that fails. Must let go of the file."""

_KEPT = ("licen", "readme", "notice", "citation", "copying")
"""Beginnings of the names of files that stay with a model for a person to read."""


@dataclass(frozen=True, slots=True)
class Added:
    """What is installed now.

    Attributes:
        models: the model, or every member of the pipeline, in the order of its steps.
        pipeline: the name that they go by together, when a pipeline was asked for.
    """

    models: tuple[Installed, ...]
    pipeline: str | None = None


class Zoo:
    """Installs models of the public zoo. A model is whole and checked, or not there."""

    def __init__(self, store: ModelStore, *, source: ZooSource, check: Check, on_event: OnEvent) -> None:
        """Take archives from `source`; `check` has the last word on every network."""
        self._store = store
        self._source = source
        self._check = check
        self._on_event = on_event

    def pull(self, model_id: str, *, accept_licence: bool) -> Added:
        """Install a model or a pipeline by its id, with or without `zoo:`; what is whole stays as it is.

        Raises:
            LicenceNotAccepted: a licence is copyleft, non-commercial or unknown, and was not accepted.
            PullFailed: the archive cannot be had, does not fit the disk, or is not safe to unpack.
            ModelDamaged: the archive or the network is not what the record or the manifest says.
            ModelError: the model needs what Okapia does not do, or its network does not run.
        """
        name = model_id.removeprefix(ZOO)
        name = known.id if (known := catalogue.entry(name)) else name
        _require_free_name(name)
        with _disk(self._store.root):
            if choice := self._store.pipelines().get(name):
                return self._pull_members(name, choice, accept_licence=accept_licence)
            present = self._present(name)
            return Added((present,)) if present else self._fetch(name, accept_licence=accept_licence)

    def add_folder(self, folder: Path, *, accept_licence: bool) -> Added:
        """Install a model's folder, or a pipeline's whose members lie beside it, where it is.

        Its files are read in place, now and later. Raises as `pull` does.
        """
        folder = folder.resolve()
        with _disk(self._store.root):
            if not (folder / PIPELINE).is_file():
                return Added((self._link(folder, accept_licence=accept_licence),))
            return self._link_members(folder, read_pipeline(folder), accept_licence=accept_licence)

    # --- archives ---------------------------------------------------------------------

    def _present(self, model_id: str) -> Installed | None:
        """Give the installed model if it is whole."""
        try:
            installed = self._store.verify(model_id)
        except (ModelNotInstalled, ModelDamaged):
            return None
        self._on_event(PullEvent("present", (model_id,)))
        return installed

    def _fetch(self, name: str, *, accept_licence: bool) -> Added:
        """Install a model or a pipeline that is not there yet."""
        with self._unpacked(name, accept_licence=accept_licence) as (folder, origin):
            if not (folder / PIPELINE).is_file():
                return Added((self._adopt(folder, origin),))
            choice = _by_their_ids(read_pipeline(folder))
        return self._pull_members(name, choice, accept_licence=accept_licence)

    def _fetch_member(self, model_id: str, *, accept_licence: bool) -> Installed:
        """Install a model that is not there yet; a pipeline in its place is refused: it could be endless."""
        with self._unpacked(model_id, accept_licence=accept_licence) as (folder, origin):
            return self._adopt(folder, origin)

    def _pull_members(self, name: str, choice: ModelChoice, *, accept_licence: bool) -> Added:
        present = {member: self._present(member) for member in choice.model_ids}
        for member, installed in present.items():  # all are asked for before the first is fetched
            if installed is None:
                _consent(member, accepted=accept_licence)
        models = tuple(
            installed or self._fetch_member(member, accept_licence=accept_licence)
            for member, installed in present.items()
        )
        self._store.put_pipeline(name, choice)
        return Added(models, name)

    @contextmanager
    def _unpacked(self, name: str, *, accept_licence: bool) -> Iterator[tuple[Path, str]]:
        """Give the folder out of an archive, and where that came from.

        The archive is given up afterwards, also when it was refused; what a full disk interrupted
        is kept for the next time.
        """
        if catalogue.entry(name):  # said before any network is asked
            _consent(name, accepted=accept_licence)
        archive = self._source.find(name)
        _consent(name, accepted=accept_licence)
        path = self._source.fetch(archive, arrived=lambda n, total: self._tell(name, n, total))
        try:
            with staging(self._store.root) as staged:
                folder = unpack(path, staged)
                _require_name(folder, name, archive=archive.file_name)
                yield folder, self._source.origin(archive)
        except ModelError as error:
            if not isinstance(error.__cause__, OSError):
                self._source.forget(archive)
            raise
        self._source.forget(archive)

    def _adopt(self, folder: Path, origin: str) -> Installed:
        content = read_folder(folder)
        self._check(content.card, content.network)
        kept = _gather(folder, content)
        installed = self._store.adopt(content.card, kept, network=content.network.name, source=origin)
        self._on_event(PullEvent("installed", (content.card.id,)))
        return installed

    def _tell(self, model_id: str, n_bytes: int, total: int) -> None:
        self._on_event(PullEvent("fetching", (model_id,), n_bytes, total))

    # --- folders ----------------------------------------------------------------------

    def _link_members(self, folder: Path, choice: ModelChoice, *, accept_licence: bool) -> Added:
        """Install a pipeline of folders: a member is installed already, or lies beside it."""
        _require_free_name(folder.name)
        present = {member: self._present(member) for member in choice.model_ids}
        beside = {member: folder.with_name(member) for member, installed in present.items() if not installed}
        for member, path in beside.items():  # all are looked for before the first is installed
            _require_member(path)
            _consent_to_folder(member, path, accepted=accept_licence)
        models = tuple(
            installed or self._link(beside[member], accept_licence=accept_licence)
            for member, installed in present.items()
        )
        self._store.put_pipeline(folder.name, choice)
        return Added(models, folder.name)

    def _link(self, folder: Path, *, accept_licence: bool) -> Installed:
        content = read_folder(folder)
        model_id = content.card.id
        _consent_to_folder(model_id, folder, accepted=accept_licence)
        _require_free_name(model_id)
        self._require_same_place(model_id, folder)
        self._check(content.card, content.network)
        installed = self._store.link(
            content.card, content.network, companions=companions_of(content.network), source=str(folder)
        )
        self._on_event(PullEvent("installed", (model_id,)))
        return installed

    def _require_same_place(self, model_id: str, folder: Path) -> None:
        """Refuse a second model of an id; the same folder may be read again."""
        there = self._store.find(model_id)
        if there is not None and there.source != str(folder):
            raise ModelError(
                f"{model_id} is installed already, from {there.source}; take that away first with "
                f"`okapia models remove {model_id}`"
            )


def _by_their_ids(choice: ModelChoice) -> ModelChoice:
    """Give the same models, none by an alias: archives and installed models go by their ids."""
    ids = {member: known.id for member in choice.model_ids if (known := catalogue.entry(member))}
    detectors = [ids.get(member, member) for member in choice.detector.split("+")]
    classifier = ids.get(choice.classifier, choice.classifier) if choice.classifier else None
    return ModelChoice("+".join(detectors), classifier)


def _consent(model_id: str, *, accepted: bool) -> None:
    command = f"okapia models pull {ZOO}{model_id}"
    catalogue.require_acceptance(model_id, accepted=accepted, command=command)


def _consent_to_folder(model_id: str, folder: Path, *, accepted: bool) -> None:
    catalogue.require_acceptance(model_id, accepted=accepted, command=f"okapia models add {folder}")


def _require_member(folder: Path) -> None:
    if not folder.is_dir():
        raise ModelNotInstalled(folder.name, command=f"okapia models pull {ZOO}{folder.name}")


def _require_name(folder: Path, name: str, *, archive: str) -> None:
    if folder.name != name:
        raise ModelError(f"{archive}: expected the folder {name}, got {folder.name}")


def _require_free_name(name: str) -> None:
    """Refuse what would stand in the way of a model or profile that ships with Okapia."""
    if name in PROFILES or name in builtin_cards():
        raise ModelError(
            f"{name} is a model or a profile that ships with Okapia: rename the folder and its id"
        )


def _gather(folder: Path, content: ZooFolderContent) -> Path:
    """Move the files that a model needs, and those that a person should read, into a folder of their own.

    The rest goes: a second network of another precision is as large as the first.
    """
    kept = folder.with_name(f"{folder.name}.kept")
    kept.mkdir()
    texts = [path for path in folder.iterdir() if path.is_file() and path.name.lower().startswith(_KEPT)]
    network = content.network
    for path in {folder / MANIFEST, content.labels, network, *companions_of(network), *texts}:
        shutil.move(path, kept / path.name)
    return kept


@contextmanager
def _disk(root: Path) -> Iterator[None]:
    """Turn what the disk refuses into a `PullFailed`."""
    try:
        yield
    except OSError as error:
        where = error.filename or root
        raise PullFailed(f"cannot read or write {where}: {error.strerror or error}") from error
