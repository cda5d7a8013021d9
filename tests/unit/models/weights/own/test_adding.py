"""A person's network is installed whole after it answered as its card says, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from okapia.domain.errors import InvalidRequest, ModelError, PullFailed
from okapia.models.card import ModelCard
from okapia.models.catalog import Catalog
from okapia.models.weights.check import checker
from okapia.models.weights.own import adding
from okapia.models.weights.own.adding import Addition, Keep, add_networks
from okapia.models.weights.own.inspect import inspect
from okapia.models.weights.own.partial import completed, merged
from okapia.models.weights.pull import OpenSession
from okapia.models.weights.store import Installed
from tests.unit.models.weights.own import strange

CLASSIFIER = {
    "id": "okapis",
    "title": "Okapis",
    "version": "1",
    "task": "classifier",
    "family": "classifier",
    "licence": "MIT",
    "canvas": 64,
    "labels": ["okapi", "bongo", "kudu"],
    "activation": "softmax",
    "preprocessing": {"resize": "stretch", "std": 255},
}
DETECTOR = {
    **CLASSIFIER,
    "task": "detector",
    "family": "yolo",
    "activation": "none",
    "default_category": "animal",
}


def card(**changes: object) -> ModelCard:
    return completed(merged(CLASSIFIER, changes), origin="okapis.onnx")


def add(
    path: Path, card: ModelCard, catalog: Catalog, open_session: OpenSession, *, keep: Keep = "copy"
) -> Installed:
    addition = Addition(inspect(path), card, keep)
    (installed,) = add_networks([addition], catalog=catalog, check=checker(open_session))
    return installed


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "My Okapis.onnx"
    path.write_bytes(strange.scores(1, 2, 3))
    return path


def names_in(catalog: Catalog) -> list[str]:
    root = catalog.store.root
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_an_added_network_is_known_by_its_id_and_whole(
    network: Path, catalog: Catalog, open_session: OpenSession
) -> None:
    installed = add(network, card(), catalog, open_session)

    assert catalog.card("okapis") == card()
    assert catalog.store.verify("okapis") == installed
    assert installed.path.read_bytes() == network.read_bytes()
    assert installed.source == "file My Okapis.onnx"


def test_its_tensors_come_along_and_the_copy_runs(
    tmp_path: Path, catalog: Catalog, open_session: OpenSession
) -> None:
    path = strange.write_with_external_data(tmp_path)

    installed = add(path, card(), catalog, open_session)

    path.unlink()
    (tmp_path / "means.onnx.data").unlink()
    checker(open_session)(card(), installed.path)
    assert list(installed.companions) == ["means.onnx.data"]


def test_a_network_may_stay_where_it_is(network: Path, catalog: Catalog, open_session: OpenSession) -> None:
    installed = add(network, card(), catalog, open_session, keep="in_place")

    assert installed.path == network
    assert names_in(catalog) == ["okapis/card.json", "okapis/installed.json"]


@pytest.mark.parametrize(
    "case",
    [
        (strange.not_a_number(), {}, "not finite"),
        (strange.scores(1, 2), {}, r"3 labels"),
        (strange.scores(1, 2, 3), {"labels": ["okapi"]}, "1 labels"),
        (strange.unknown_operator(), {}, "OkapiStripes"),
        (strange.scores(1, 2, 3), {"family": "striped"}, "no model family 'striped'"),
        (strange.yolo(classes=3), DETECTOR | {"family": "rtdetr"}, "3 labels"),
        (strange.yolo(classes=2), DETECTOR, "3 labels"),
        (strange.finished_boxes(scale=64), DETECTOR | {"family": "yolo_e2e", "labels": ["okapi"]}, "class 1"),
        (strange.scores(1, 2, 3, shape=(1, 3, 32, 32)), {}, "32"),
    ],
    ids=["nan", "fewer outputs", "fewer labels", "operator", "family", "head", "columns", "class", "canvas"],
)
def test_a_network_that_does_not_answer_as_its_card_says_is_not_installed(
    network: Path, catalog: Catalog, open_session: OpenSession, *, case: tuple[bytes, dict[str, object], str]
) -> None:
    content, changes, fact = case
    network.write_bytes(content)

    with pytest.raises(ModelError, match=fact):
        add(network, card(**changes), catalog, open_session)

    assert names_in(catalog) == []


def test_the_id_of_a_built_in_model_is_taken(
    network: Path, catalog: Catalog, open_session: OpenSession
) -> None:
    with pytest.raises(InvalidRequest, match="nanodet-coco is a model that comes with Okapia"):
        add(network, card(id="nanodet-coco"), catalog, open_session)


def test_an_id_is_used_once_unless_it_is_to_be_replaced(
    network: Path, catalog: Catalog, open_session: OpenSession
) -> None:
    add(network, card(), catalog, open_session)
    with pytest.raises(InvalidRequest, match="okapis is installed already"):
        add(network, card(title="Newer"), catalog, open_session)

    addition = Addition(inspect(network), card(title="Newer"))
    add_networks([addition], catalog=catalog, check=checker(open_session), if_known="replace")

    assert catalog.card("okapis").title == "Newer"


def test_other_models_stay_when_one_cannot_be_added(
    network: Path, catalog: Catalog, open_session: OpenSession
) -> None:
    add(network, card(), catalog, open_session)
    network.write_bytes(strange.not_a_number())

    with pytest.raises(ModelError):
        add(network, card(id="bad"), catalog, open_session)

    assert catalog.store.verify("okapis").model_id == "okapis"


def test_a_full_disk_is_noticed_before_anything_is_copied(
    network: Path, catalog: Catalog, open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adding, "_RESERVED", 1 << 60)

    with pytest.raises(PullFailed, match=r"MB free, the network needs .*--in-place"):
        add(network, card(), catalog, open_session)

    assert names_in(catalog) == []


def test_a_disk_that_fills_while_copying_leaves_nothing(
    network: Path, catalog: Catalog, open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _small_files(monkeypatch), pytest.raises(PullFailed, match=r"cannot copy .*No space left"):
        add(network, card(), catalog, open_session)

    assert names_in(catalog) == []


@contextmanager
def _small_files(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a copy run out of space after its first bytes, as a full disk does."""

    def copyfile(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("okapia.models.weights.own.adding.shutil.copyfile", copyfile)
        yield
