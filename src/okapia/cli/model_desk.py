"""What the commands of `okapia models` do and print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import typer

from okapia.cli.progress import ArchiveProgress
from okapia.domain.errors import ModelDamaged, ModelNotInstalled, UnknownModel
from okapia.models.card import ModelCard, builtin_cards
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.tuning import CANDIDATES, choose, load_choice, measure, store_choice
from okapia.models.weights.archives import Archives, ordinary_clients
from okapia.models.weights.pull import PullEvent, Tools, pull, select
from okapia.models.weights.store import ModelStore
from okapia.settings import load_settings

_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class _Check:
    """Whether one installed network is whole."""

    model_id: str
    ok: bool
    problem: str


def open_desk() -> "ModelDesk":
    """Give the desk of this machine, as the settings say."""
    home = load_settings().home
    return ModelDesk(home, cards=builtin_cards())


class ModelDesk:
    """The models of one Okapia home."""

    def __init__(self, home: Path, *, cards: Mapping[str, ModelCard]) -> None:
        self._home = home
        self._cards = cards
        self._store = ModelStore(home / "models")

    def print_list(self) -> None:
        for card in self._cards.values():
            installed = self._store.find(card.id)
            state = f"{installed.n_bytes / _MB:.1f} MB" if installed else "not installed"
            typer.echo(f"{card.id:<20} {card.task:<11} {state:<14} {card.licence:<11} {card.title}")

    def print_list_json(self) -> None:
        _print_json([self._facts(card) for card in self._cards.values()])

    def print_card(self, model_id: str) -> None:
        """Print the card of a model; raises `UnknownModel`."""
        card = self._card(model_id)
        installed = self._store.find(card.id)
        where = str(installed.path) if installed else f"no; `okapia models pull {card.id}` gets it"
        lines = {
            "id": card.id,
            "title": card.title,
            "task": card.task,
            "input": f"{card.canvas} pixels; also {', '.join(map(str, card.canvases))}",
            "licence": card.licence,
            "citation": card.citation,
            "source": _source(card),
            "installed": where,
            "notes": card.notes,
        }
        for name, value in lines.items():
            typer.echo(f"{name + ':':<11}{value}")

    def print_card_json(self, model_id: str) -> None:
        """Print everything on the card; raises `UnknownModel`."""
        card = self._card(model_id)
        _print_json(card.model_dump(mode="json") | self._facts(card))

    def pull(self, names: Sequence[str], *, offline: Path | None) -> None:
        """Install models and profiles; raises what `okapia.models.weights.pull.pull` raises."""
        cards = select(names, self._cards)
        with ArchiveProgress() as progress:
            clients = ordinary_clients(progress.say)
            done = pull(
                cards,
                Tools(
                    store=self._store,
                    archives=Archives(self._home, clients=clients, offline=offline),
                    open_session=Runtime(EngineChoice(), load=Load(), cores=1).open,
                    on_event=lambda event: _show(event, progress),
                ),
            )
        for installed in done:
            typer.echo(f"{installed.model_id}: {installed.n_bytes / _MB:.1f} MB, {installed.licence}")

        if done and load_choice(self._home) is None:
            self.tune()

    def tune(self) -> None:
        """Measure the engines on an installed detector and store the fastest.

        Raises:
            ModelNotInstalled: there is no detector to measure on.
        """
        card, network = self._installed_detector()
        names = {choice: f"{choice.engine} {choice.precision}" for choice in CANDIDATES}
        typer.echo(f"measuring which engine is fastest here, on {card.id} at {card.canvas} pixels", err=True)
        measurements = measure(network, card.canvas)
        for measurement in measurements:
            typer.echo(
                f"  {names[measurement.choice]:<17} {measurement.milliseconds:6.1f} ms a picture and core"
            )
        choice = choose(measurements)
        path = store_choice(self._home, choice, measurements)
        typer.echo(f"{names[choice]} it is, from now on; kept in {path}")

    def _installed_detector(self) -> tuple[ModelCard, Path]:
        for card in self._cards.values():
            installed = self._store.find(card.id) if card.task == "detector" else None
            if installed is not None:
                return card, installed.path
        raise ModelNotInstalled("a detector", command="okapia models pull lite")

    def remove(self, model_id: str) -> None:
        """Remove an installed model; raises `ModelNotInstalled`."""
        self._store.remove(model_id)
        typer.echo(f"removed {model_id}")

    def verify(self, model_id: str | None) -> None:
        """Check one or all installed models; raises `ModelDamaged` after printing all."""
        checks = self._checks(model_id)
        for check in checks:
            typer.echo(f"{check.model_id}: {'ok' if check.ok else check.problem}")
        _raise_if_damaged(checks)

    def verify_json(self, model_id: str | None) -> None:
        """Do as `verify` does, in JSON."""
        checks = self._checks(model_id)
        _print_json(checks)
        _raise_if_damaged(checks)

    def _card(self, model_id: str) -> ModelCard:
        if model_id not in self._cards:
            raise UnknownModel(model_id, known=list(self._cards))
        return self._cards[model_id]

    def _facts(self, card: ModelCard) -> dict[str, object]:
        installed = self._store.find(card.id)
        return {
            "id": card.id,
            "title": card.title,
            "task": card.task,
            "version": card.version,
            "licence": card.licence,
            "installed": installed.model_dump(mode="json") if installed else None,
        }

    def _checks(self, model_id: str | None) -> list[_Check]:
        if model_id is not None:
            return [_check(self._store, self._card(model_id).id)]
        return [_check(self._store, card.id) for card in self._cards.values() if self._is_there(card)]

    def _is_there(self, card: ModelCard) -> bool:
        return (self._store.root / card.id).is_dir()


def _check(store: ModelStore, model_id: str) -> _Check:
    try:
        store.verify(model_id)
    except ModelDamaged as error:
        return _Check(model_id, ok=False, problem=str(error))
    return _Check(model_id, ok=True, problem="")


def _raise_if_damaged(checks: Sequence[_Check]) -> None:
    damaged = [check.model_id for check in checks if not check.ok]
    if damaged:
        raise ModelDamaged(
            f"{len(damaged)} of {len(checks)} installed models are damaged: {', '.join(damaged)}"
        )


def _show(event: PullEvent, progress: ArchiveProgress) -> None:
    names = ", ".join(event.model_ids)
    if event.step == "fetching":
        progress.show(names, event.bytes_done, event.bytes_total)
    elif event.step == "skipped":
        progress.say(f"okapia: warning: without {names}: {event.reason}")
    else:
        progress.say(f"{names}: {_STEPS[event.step]}")


_STEPS = {"present": "is installed already", "converting": "converting", "installed": "installed"}


def _source(card: ModelCard) -> str:
    if card.source is None:
        return "your own files"
    size = card.source.archive_bytes / _MB
    return f"{card.source.package} {card.source.version} ({card.source.kind}, {size:.0f} MB)"


def _print_json(value: object) -> None:
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))
