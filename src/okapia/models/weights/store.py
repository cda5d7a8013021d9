"""Where installed networks live: `<root>/<id>/network.onnx` with `installed.json` beside it."""

import hashlib
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from okapia.domain.errors import ModelDamaged, ModelError, ModelNotInstalled, PullFailed
from okapia.models.card import ModelCard
from okapia.models.weights.staging import replace_folder, staging, write_durably

_NETWORK = "network.onnx"
_RECORD = "installed.json"
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
    archive_sha256: str
    licence: str
    installed_at: datetime


class Installed(_Record):
    """An installed network.

    Attributes:
        path: the ONNX file.
        sha256, n_bytes: of that file when it was installed; `ModelStore.verify` compares.
        card_version: version of the card that it was made by.
        source: `package==version` that the weights came from.
        archive_sha256: of that package's archive.
        installed_at: UTC.
    """

    path: Path


class ModelStore:
    """The installed networks of one machine. A network is whole and recorded, or not there."""

    def __init__(self, root: Path) -> None:
        self.root = root

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
        return Installed(**record.model_dump(), path=folder / _NETWORK)

    def put(self, card: ModelCard, network: bytes) -> Installed:
        """Install a network under its card's id, in place of an older one.

        Raises:
            PullFailed: the card has no source, or the folder cannot be written.
        """
        if card.source is None:
            raise PullFailed(f"{card.id} has no package source")
        record = _Record(
            model_id=card.id,
            sha256=hashlib.sha256(network).hexdigest(),
            n_bytes=len(network),
            card_version=card.version,
            source=f"{card.source.package}=={card.source.version}",
            archive_sha256=card.source.archive_sha256,
            licence=card.licence,
            installed_at=datetime.now(UTC).replace(microsecond=0),
        )
        try:
            self._write(record, network)
        except OSError as error:
            raise PullFailed(f"cannot write {self._folder(card.id)}: {error.strerror}") from error
        return Installed(**record.model_dump(), path=self._folder(card.id) / _NETWORK)

    def remove(self, model_id: str) -> None:
        """Take an installed network away.

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
        """Compare a network with the checksum of its installation.

        Raises:
            ModelNotInstalled: there is none.
            ModelDamaged: it differs; the message names both checksums.
        """
        installed = self.find(model_id)
        if installed is None:
            raise ModelNotInstalled(model_id, command=f"okapia models pull {model_id}")
        actual = file_sha256(installed.path) if installed.path.is_file() else "no file"
        if actual != installed.sha256:
            raise ModelDamaged(
                f"{installed.path}: expected sha256 {installed.sha256}, got {actual}; "
                f"install it again with `okapia models pull {model_id}`"
            )
        return installed

    def _folder(self, model_id: str) -> Path:
        if not _MODEL_ID.fullmatch(model_id):
            raise ModelError(f"{model_id!r} cannot be the id of a model")
        return self.root / model_id

    def _write(self, record: _Record, network: bytes) -> None:
        with staging(self.root) as folder:
            finished = folder / record.model_id
            finished.mkdir()
            write_durably(finished / _NETWORK, network)
            write_durably(finished / _RECORD, record.model_dump_json(indent=2).encode())
            replace_folder(finished, self._folder(record.model_id))


def file_sha256(path: Path) -> str:
    """Hash a file, a megabyte at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
