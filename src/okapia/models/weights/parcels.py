"""Models on their way to other machines: a card, and the SHA-256 of each file that belongs to it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from okapia.domain.errors import ModelDamaged
from okapia.models.card import ModelCard
from okapia.models.weights.staging import staging
from okapia.models.weights.store import Installed, ModelStore, file_sha256

_SOURCE = "taken by its hash"


@dataclass(frozen=True, slots=True)
class Parcel:
    """A model without its bytes; the same wherever the same model is installed.

    Attributes:
        card: files that it names are named as in `files`.
        network: which of the files is the network.
        files: SHA-256 by path below the model's folder.
    """

    card: ModelCard
    network: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Packed:
    """A parcel, and where its files lie on this machine, by SHA-256."""

    parcel: Parcel
    paths: Mapping[str, Path]


def pack(card: ModelCard, installed: Installed) -> Packed:
    """Say what an installed model consists of.

    Raises:
        OSError: a file that the card names cannot be read.
    """
    folder = installed.path.parent
    files = {installed.path.name: installed.sha256, **installed.companions}
    paths = {sha256: folder / name for name, sha256 in files.items()}
    named = {field: Path(path) for field, path in _named_files(card).items()}
    for field, path in named.items():
        sha256 = file_sha256(path)
        files[_place(field, path.name)] = sha256
        paths[sha256] = path
    portable = card.model_copy(update={field: _place(field, path.name) for field, path in named.items()})
    return Packed(Parcel(portable, installed.path.name, dict(sorted(files.items()))), paths)


def unpack(parcel: Parcel, find: Callable[[str], Path], store: ModelStore, *, lies_at: Path) -> None:
    """Install a model from files that are there already, as hard links.

    Args:
        find: gives a file by its SHA-256, on the same file system as the store.
        lies_at: where the store will be when the model is used, if it is moved before.

    Raises:
        ModelDamaged: a file would lie outside the model's folder.
        OSError: a file cannot be linked to.
        PullFailed: the store cannot be written.
    """
    card = parcel.card
    if any(name.startswith("/") or ".." in PurePosixPath(name).parts for name in parcel.files):
        raise ModelDamaged(f"{card.id}: expected files below the model's folder, got others")
    final = lies_at / card.id
    usable = card.model_copy(update={field: str(final / name) for field, name in _named_files(card).items()})
    with staging(store.root) as folder:
        for name, sha256 in parcel.files.items():
            target = folder / card.id / PurePosixPath(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(find(sha256), target)
        store.adopt(usable, folder / card.id, network=parcel.network, source=_SOURCE)


def _named_files(card: ModelCard) -> dict[str, str]:
    """Give the files that a card names, by its field; `builtin` is a table of Okapia, no file."""
    named = {"taxonomy": card.taxonomy, "geofence": card.geofence}
    return {field: path for field, path in named.items() if path not in {"", "builtin"}}


def _place(field: str, name: str) -> str:
    return f"of-card/{field}/{name}"
