"""What the commands of `okapia models` do and print."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import typer

from okapia.cli.logs import configure_logs
from okapia.cli.model_pull import pull_models
from okapia.cli.places import PLACES, pull_places_pack
from okapia.domain.errors import ModelDamaged, ModelNotInstalled
from okapia.models.card import ModelCard
from okapia.models.catalog import Catalog
from okapia.models.tuning import CANDIDATES, choose, load_choice, measure, store_choice
from okapia.models.weights.store import Installed, ModelStore
from okapia.models.weights.zoo import catalogue
from okapia.settings import Settings, load_settings

_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class _Check:
    """Whether one installed network is whole."""

    model_id: str
    ok: bool
    problem: str


def open_desk() -> "ModelDesk":
    """Give the desk of this machine, as the settings say."""
    settings = load_settings()
    configure_logs(settings.log_level)
    return ModelDesk(settings)


class ModelDesk:
    """The models of one Okapia home."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = ModelStore(settings.models_dir)
        self._catalog = Catalog(self._store)

    def print_list(self) -> None:
        for card in self._catalog.cards().values():
            installed = self._store.find(card.id)
            state = f"{installed.n_bytes / _MB:.1f} MB" if installed else "not installed"
            typer.echo(f"{card.id:<24} {card.task:<11} {state:<14} {card.licence:<11} {card.title}")
        typer.echo(f"{len(catalogue.entries())} more in the public zoo: okapia models search [WORDS]")

    def print_list_json(self) -> None:
        _print_json([self._facts(card) for card in self._catalog.cards().values()])

    def print_card(self, model_id: str) -> None:
        """Print the card of a model; raises `UnknownModel`."""
        card = self._catalog.card(model_id)
        installed = self._store.find(card.id)
        where = str(installed.path) if installed else f"no; `okapia models pull {card.id}` gets it"
        lines = {
            "id": card.id,
            "title": card.title,
            "task": card.task,
            "input": _inputs(card),
            "area": card.area,
            "licence": card.licence,
            "citation": card.citation,
            "source": _source(card, installed),
            "installed": where,
            "notes": card.notes,
        }
        for name, value in lines.items():
            if value:
                typer.echo(f"{name + ':':<11}{value}")

    def print_card_json(self, model_id: str) -> None:
        """Print everything on the card; raises `UnknownModel`."""
        card = self._catalog.card(model_id)
        _print_json(card.model_dump(mode="json") | self._facts(card))

    def print_search(self, words: str) -> None:
        """List the models of the public zoo that fit some words; all of them for none."""
        found = catalogue.search(words)
        for entry in found:
            where = ", ".join(entry.regions) or entry.area or "everywhere"
            mark = "*" if entry.recommended else " "
            typer.echo(f"{mark} zoo:{entry.id:<26} {entry.task:<11} {entry.licence:<28} {where}")
        typer.echo(f"{len(found)} of {len(catalogue.entries())} models; get one: okapia models pull zoo:ID")

    def print_search_json(self, words: str) -> None:
        _print_json([entry.model_dump(mode="json") for entry in catalogue.search(words)])

    def pull(self, names: Sequence[str], *, offline: Path | None, accept_licence: bool) -> None:
        """Install models, profiles and the pack of places; raises what those pulls raise."""
        settings = self._settings
        if PLACES in names:
            pull_places_pack(settings, offline=offline)
        wanted = [name for name in names if name != PLACES]
        done = pull_models(
            wanted, catalog=self._catalog, settings=settings, offline=offline, accept_licence=accept_licence
        )
        if done and load_choice(settings.home) is None:
            self.tune()

    def tune(self) -> None:
        """Measure the engines on an installed detector and store the fastest.

        Raises:
            ModelNotInstalled: there is no detector to measure on.
        """
        card, network = self._installed_detector()
        names = {choice: f"{choice.engine} {choice.precision}" for choice in CANDIDATES}
        typer.echo(f"measuring which engine is fastest here, on {card.id}", err=True)
        row = tuple(side or max(card.canvas) for side in card.input_shape(card.canvas))
        measurements = measure(network, row)
        for measurement in measurements:
            typer.echo(
                f"  {names[measurement.choice]:<17} {measurement.milliseconds:6.1f} ms a picture and core"
            )
        choice = choose(measurements)
        path = store_choice(self._settings.home, choice, measurements)
        typer.echo(f"{names[choice]} it is, from now on; kept in {path}")

    def _installed_detector(self) -> tuple[ModelCard, Path]:
        for card in self._catalog.cards().values():
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
            return [_check(self._store, self._catalog.card(model_id).id)]
        return [_check(self._store, one) for one in self._store.ids()]


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


def _inputs(card: ModelCard) -> str:
    sizes = [f"{width} x {height}" for width, height in dict.fromkeys((card.canvas, *card.canvases))]
    return f"{sizes[0]} pixels" + (f"; also {', '.join(sizes[1:])}" if sizes[1:] else "")


def _source(card: ModelCard, installed: Installed | None) -> str:
    if card.source is None:
        return installed.source if installed else ""
    size = card.source.archive_bytes / _MB
    return f"{card.source.package} {card.source.version} ({card.source.kind}, {size:.0f} MB)"


def _print_json(value: object) -> None:
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))
