"""What the commands of `okapia models` do and print."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import orjson
import typer

from okapia.cli.logs import configure_logs
from okapia.cli.model_pull import pull_models
from okapia.cli.places import PLACES, pull_places_pack
from okapia.domain.errors import ModelDamaged, ModelNotInstalled
from okapia.domain.plugins import OWN
from okapia.models.card import ModelCard
from okapia.models.catalog import Catalog
from okapia.models.families import family_origin
from okapia.models.tuning import CANDIDATES, choose, load_choice, measure, store_choice
from okapia.models.weights.pull import expand
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
            origin = f"{'built in' if self._catalog.is_builtin(card.id) else 'added'}, {_family(card)}"
            typer.echo(
                f"{card.id:<24} {card.task:<11} {state:<14} {card.licence:<11} {card.title} ({origin})"
            )
        typer.echo(f"{len(catalogue.entries())} more in the public zoo: okapia models search [WORDS]")

    def print_list_json(self) -> None:
        _print_json([self._facts(card) for card in self._catalog.cards().values()])

    def print_card(self, model_id: str) -> None:
        """Print the card of a model; raises `UnknownModel`."""
        card = self._catalog.card(model_id)
        installed = self._store.find(card.id)
        where = str(installed.path) if installed else f"no; `{card.pull_command}` gets it"
        lines = {
            "id": card.id,
            "title": card.title,
            "task": card.task,
            "input": _inputs(card),
            "family": _family(card),
            "area": card.area,
            "licence": card.licence,
            "citation": card.citation,
            "source": _source(card, installed),
            "installed": where,
            "notes": card.notes,
            "notice": card.notice,
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

    def pull(self, names: Sequence[str], *, offline: Path | None, accept_licence: bool) -> list[Installed]:
        """Install models, profiles and the pack of places; raises what those pulls raise.

        What a person has to be told of a model is printed before anything is fetched.
        """
        settings = self._settings
        if PLACES in names:
            pull_places_pack(settings, offline=offline)
        wanted = [name for name in names if name != PLACES]
        self._print_notices(wanted)
        done = pull_models(
            wanted, catalog=self._catalog, settings=settings, offline=offline, accept_licence=accept_licence
        )
        if done and load_choice(settings.home) is None and self._installed_detector() is not None:
            self.tune()
        return done

    def pull_json(self, names: Sequence[str], *, offline: Path | None, accept_licence: bool) -> None:
        """Do as `pull` does and print the installed models in JSON; its sentences go to standard error."""
        with redirect_stdout(sys.stderr):
            done = self.pull(names, offline=offline, accept_licence=accept_licence)
        cards = [self._catalog.card(installed.model_id) for installed in done]
        _print_json([self._facts(card) | {"notice": card.notice} for card in cards])

    def _print_notices(self, names: Sequence[str]) -> None:
        for model_id in expand(names):
            card = self._catalog.card(model_id) if self._catalog.is_builtin(model_id) else None
            if card is not None and card.notice:
                typer.echo(f"{card.title}. {card.notice}\n")

    def tune(self) -> None:
        """Measure the engines on an installed detector and store the fastest.

        Raises:
            ModelNotInstalled: there is no detector to measure on.
        """
        detector = self._installed_detector()
        if detector is None:
            raise ModelNotInstalled("a detector", command="okapia models pull lite")
        card, network = detector
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

    def _installed_detector(self) -> tuple[ModelCard, Path] | None:
        detectors = [card for card in self._catalog.cards().values() if card.task == "detector"]
        # The network of most pictures is what counts, not one of a pack beside it.
        for card in sorted(detectors, key=lambda card: card.pack):
            installed = self._store.find(card.id)
            if installed is not None:
                return card, installed.path
        return None

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


def _family(card: ModelCard) -> str:
    """Name a card's family, and the package that brings it where that is not Okapia."""
    origin = family_origin(card.family) or "no package on this machine"
    return card.family if origin == OWN else f"{card.family} of {origin}"


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
