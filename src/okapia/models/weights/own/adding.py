"""Getting a person's network into the store: checked first, then whole or not at all."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from okapia.domain.errors import InvalidRequest, PullFailed
from okapia.models.card import ModelCard
from okapia.models.catalog import Catalog
from okapia.models.weights.check import Check
from okapia.models.weights.own.inspect import NetworkFacts
from okapia.models.weights.staging import staging
from okapia.models.weights.store import Installed, ModelStore

Keep = Literal["copy", "in_place"]
"""Whether the store keeps a copy of the files, or only remembers where they lie."""

IfKnown = Literal["refuse", "replace"]
"""What becomes of a model that has the same id already."""

_RESERVED = 50_000_000
"""Bytes that stay free on the disk."""


@dataclass(frozen=True, slots=True)
class Addition:
    """A network that is to be installed under a card."""

    facts: NetworkFacts
    card: ModelCard
    keep: Keep = "copy"


def add_networks(
    additions: Sequence[Addition], *, catalog: Catalog, check: Check, if_known: IfKnown = "refuse"
) -> list[Installed]:
    """Install networks with their cards, all of them or, when one does not hold, none.

    Raises:
        InvalidRequest: an id is taken, and may not be replaced.
        ModelError: a network does not answer as its card says.
        PullFailed: the disk is full or not to be written.
    """
    for addition in additions:
        require_free_id(addition.card.id, catalog=catalog, if_known=if_known)
    for addition in additions:
        check(addition.card, addition.facts.path)
    return [_installed(addition, catalog.store) for addition in additions]


def require_free_id(model_id: str, *, catalog: Catalog, if_known: IfKnown = "refuse") -> None:
    """Refuse an id that another model has.

    Raises:
        InvalidRequest: a model that ships with Okapia has it, or an added one that may not be replaced.
    """
    if catalog.is_builtin(model_id):
        raise InvalidRequest(f"{model_id} is a model that comes with Okapia; choose another id", param="id")
    if if_known == "refuse" and model_id in catalog.store.ids():
        raise InvalidRequest(
            f"a model {model_id} is installed already; choose another id, or replace it (--replace)",
            param="id",
        )


def _installed(addition: Addition, store: ModelStore) -> Installed:
    facts, source = addition.facts, f"file {addition.facts.name}"
    if addition.keep == "in_place":
        outside = [facts.path.parent / name for name in facts.data_files]
        return store.link(addition.card, facts.path, companions=outside, source=source)
    names = [facts.name, *facts.data_files]
    try:
        with staging(store.root) as folder:
            finished = folder / "network"
            _require_room(facts.path.parent, names, store.root)
            for name in names:
                (finished / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(facts.path.parent / name, finished / name)
            return store.adopt(addition.card, finished, network=facts.name, source=source)
    except OSError as error:
        raise PullFailed(f"cannot copy {facts.path} into {store.root}: {error.strerror}") from error


def _require_room(folder: Path, names: Sequence[str], root: Path) -> None:
    needed = sum((folder / name).stat().st_size for name in names)
    free = shutil.disk_usage(root).free
    if free < needed + _RESERVED:
        raise PullFailed(
            f"{root} has {free / 1e6:,.0f} MB free, the network needs {needed / 1e6:,.0f} MB; "
            "free some, or leave it where it is (--in-place)"
        )
