"""Kits: what a worker elsewhere needs to answer as the process does that took a batch.

Files travel by their SHA-256: through the blob store, where whoever takes batches puts them, or from hand to
hand. None is ever fetched from anywhere else.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from okapia.domain.errors import ModelDamaged, ModelNotInstalled
from okapia.domain.models import ModelChoice
from okapia.domain.storage_errors import BlobMissing
from okapia.domain.versions import Versions
from okapia.models.catalog import Catalog
from okapia.models.weights.parcels import Packed, Parcel, pack
from okapia.models.weights.store import file_sha256
from okapia.storage.blobs import BlobStore

_MOST_FILE_BYTES: Final = 4 << 30
_MOST_KIT_BYTES: Final = 64 << 20
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How pictures are looked at: the settings of these names, which change answers."""

    canvases: Mapping[str, int] = field(default_factory=dict)
    scaling: str = "fast"
    truncated: str = "use"
    max_pixels: int = 120_000_000
    http_formats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KitRules:
    """Where kits are made of.

    Attributes:
        ranges: the operator's files of ranges, by the setting that names them.
        shares_files: whether other machines look into the blob store too, so that a kit's files belong there.
    """

    catalog: Catalog
    manner: Manner
    ranges: Mapping[str, Path]
    shares_files: bool


@dataclass(frozen=True, slots=True)
class Kit:
    """What the answers of a batch come from, but for the device that they are computed on.

    Attributes:
        ranges: SHA-256 of the operator's files of ranges, by the setting that names them and their suffix.
    """

    versions: Versions
    models: tuple[Parcel, ...]
    ranges: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = field(default_factory=Manner)

    @property
    def sha256(self) -> str:
        """Give what tells it from every other kit."""
        return hashlib.sha256(_KIT.dump_json(self)).hexdigest()

    @property
    def files(self) -> tuple[str, ...]:
        """Give the SHA-256 of all that belongs to it, once each."""
        of_models = {sha256 for parcel in self.models for sha256 in parcel.files.values()}
        return tuple(sorted(of_models | {*self.ranges.values()}))


_KIT = TypeAdapter(Kit)


class Kits:
    """Makes kits of what is installed here, keeps them with their batches, and gives their files."""

    def __init__(self, blobs: BlobStore, rules: KitRules) -> None:
        self._blobs = blobs
        self._rules = rules
        self._paths: dict[str, Path] = {}

    def make(self, choice: ModelChoice) -> Kit:
        """Give the kit of some models as they are installed now.

        Raises:
            ModelError: one is unknown or not installed.
        """
        packed = [self._pack(model_id) for model_id in choice.model_ids]
        ranges = {
            f"{name}{path.suffix}": (file_sha256(path), path) for name, path in self._rules.ranges.items()
        }
        for one in packed:
            self._paths.update(one.paths)
        self._paths.update(ranges.values())
        hashes = {name: sha256 for name, (sha256, _) in ranges.items()}
        return Kit(Versions.here(), tuple(one.parcel for one in packed), hashes, self._rules.manner)

    def put(self, batch_id: str, choice: ModelChoice) -> None:
        """Keep the kit of a new batch, and its files where others need them.

        Raises:
            ModelError: a model is unknown or not installed.
            StorageUnavailable, StorageRefused: the blob store does not take it.
        """
        kit = self.make(choice)
        for sha256 in kit.files if self._rules.shares_files else ():
            if self._blobs.size(_file_key(sha256)) is None:
                chunks = _chunks(self._paths[sha256])
                self._blobs.put(_file_key(sha256), chunks, max_bytes=_MOST_FILE_BYTES)
        self._blobs.put(_kit_key(batch_id), [_KIT.dump_json(kit)], max_bytes=_MOST_KIT_BYTES)

    def get(self, batch_id: str) -> Kit:
        """Give the kit of a batch.

        Raises:
            BlobMissing: it was taken without one.
            ModelDamaged: what is kept is none.
            StorageUnavailable, StorageRefused: the blob store does not answer.
        """
        data = self._blobs.read(_kit_key(batch_id), max_bytes=_MOST_KIT_BYTES)
        try:
            return _KIT.validate_json(data)
        except ValidationError as error:
            raise ModelDamaged("the kit of the batch is not readable") from error

    def read(self, sha256: str) -> bytes:
        """Give a file of a kit: this machine's own, else the blob store's.

        Raises:
            ModelDamaged: nobody has it, or what is there is something else; the message names both hashes.
            StorageUnavailable, StorageRefused: the blob store does not answer.
        """
        own = self._paths.get(sha256)
        try:
            if own is not None and own.exists():
                return checked(own.read_bytes(), sha256)
            return checked(self._blobs.read(_file_key(sha256), max_bytes=_MOST_FILE_BYTES), sha256)
        except BlobMissing as error:
            raise ModelDamaged(
                f"expected a model's file with sha256 {sha256}: neither here nor in the blob store"
            ) from error

    def _pack(self, model_id: str) -> Packed:
        card = self._rules.catalog.card(model_id)
        installed = self._rules.catalog.store.find(card.id)
        if installed is None:
            raise ModelNotInstalled(card.id, command=card.pull_command)
        return pack(card, installed)


def checked(data: bytes, sha256: str) -> bytes:
    """Give the bytes back; raises `ModelDamaged` when they have another SHA-256."""
    actual = hashlib.sha256(data).hexdigest()
    if actual != sha256:
        raise ModelDamaged(f"expected sha256 {sha256}, got {actual}")
    return data


def _file_key(sha256: str) -> str:
    return f"models/{sha256}"


def _kit_key(batch_id: str) -> str:
    return f"batches/{batch_id}/kit.json"


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(_CHUNK), b"")
