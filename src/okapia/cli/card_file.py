"""A card beside its network, run as if it were installed, without installing it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from okapia.app import engine_choice
from okapia.domain.errors import InvalidRequest
from okapia.models.card import ModelCard
from okapia.models.catalog import Catalog
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights.check import checker
from okapia.models.weights.own.adding import require_free_id
from okapia.models.weights.own.inspect import NetworkFacts, inspect
from okapia.models.weights.own.observe import observe
from okapia.models.weights.own.partial import merged, read_partial_card
from okapia.models.weights.own.recognise import build_card, id_of, recognise
from okapia.models.weights.store import ModelStore
from okapia.settings import Settings

SUFFIX = ".toml"


@contextmanager
def installed_for_now(card_file: Path, settings: Settings) -> Iterator[tuple[Settings, str]]:
    """Give the settings of a passing home in which a card's network is installed, and the model's id.

    A classifier finds the default detector there too. Engine and precision are those of the real home.

    Raises:
        InvalidRequest: there is no network beside the card, or its id is that of a model of Okapia's own.
        ModelError: the card is none, leaves out what the network does not tell, or does not fit it.
    """
    card, facts = _read(card_file)
    engine = engine_choice(settings)
    with TemporaryDirectory(ignore_cleanup_errors=True) as home:
        store = ModelStore(Path(home) / "models")
        require_free_id(card.id, catalog=Catalog(store))
        outside = [facts.path.parent / name for name in facts.data_files]
        store.link(card, facts.path, companions=outside, source=f"file {facts.name}")
        if card.task == "classifier":
            _link_detectors(settings, store)
        here = {"home": Path(home), "engine": engine.engine, "precision": engine.precision}
        yield settings.model_copy(update=here), card.id


def _read(card_file: Path) -> tuple[ModelCard, NetworkFacts]:
    """Complete a card by what its network tells, and have the network prove it."""
    runtime = Runtime(EngineChoice(), load=Load(), cores=1)
    facts = inspect(_network_beside(card_file))
    given = merged({"id": id_of(facts.path)}, read_partial_card(card_file))
    card = build_card(recognise(observe(facts, runtime.open, given=given), given=given))
    checker(runtime.open)(card, facts.path)
    return card, facts


def _network_beside(card_file: Path) -> Path:
    """Give the ONNX file of the card's name, or the only one in its folder."""
    named = card_file.with_suffix(".onnx")
    if named.is_file():
        return named
    others = sorted(card_file.parent.glob("*.onnx"))
    if len(others) != 1:
        found = ", ".join(file.name for file in others[:5]) or "none"
        raise InvalidRequest(f"expected {named.name} beside {card_file.name}, found {found}", param="model")
    return others[0]


def _link_detectors(settings: Settings, store: ModelStore) -> None:
    installed_here = Catalog(ModelStore(settings.models_dir))
    for model_id in settings.detector.split("+"):
        installed = installed_here.store.find(model_id)
        if installed is not None:
            beside = [installed.path.parent / name for name in installed.companions]
            card = installed_here.card(model_id)
            store.link(card, installed.path, companions=beside, source=installed.source)
