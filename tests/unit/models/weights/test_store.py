"""A network is installed whole and recorded, or not there."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from okapia.domain.errors import ModelDamaged, ModelError, ModelNotInstalled, PullFailed
from okapia.models.card import ModelCard, builtin_cards
from okapia.models.weights.staging import staging
from okapia.models.weights.store import ModelStore

CARD = builtin_cards()["megadetector-lite"]
OKAPI, BONGO = b"okapi network", b"bongo network"


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def names_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_what_was_put_is_found_and_whole(store: ModelStore) -> None:
    put = store.put(CARD, OKAPI)

    found = store.find(CARD.id)

    assert found == put == store.verify(CARD.id)
    assert put.path.read_bytes() == OKAPI
    assert put.source == "zamba==2.7.2"
    assert put.licence == "MIT"
    assert datetime.now(UTC) - put.installed_at < timedelta(minutes=1)


def test_nothing_but_the_model_is_left_in_the_store(store: ModelStore) -> None:
    store.put(CARD, OKAPI)
    store.put(CARD, BONGO)

    assert names_below(store.root) == [CARD.id, f"{CARD.id}/installed.json", f"{CARD.id}/network.onnx"]
    assert store.verify(CARD.id).path.read_bytes() == BONGO


def test_a_model_that_is_not_there_is_none(store: ModelStore) -> None:
    assert store.find(CARD.id) is None


def test_a_changed_network_is_damaged_and_both_checksums_are_named(store: ModelStore) -> None:
    installed = store.put(CARD, OKAPI)
    installed.path.write_bytes(BONGO)

    with pytest.raises(
        ModelDamaged, match=rf"expected sha256 {installed.sha256}, got (?!{installed.sha256})\w"
    ):
        store.verify(CARD.id)


def test_a_record_without_its_network_is_damaged(store: ModelStore) -> None:
    store.put(CARD, OKAPI).path.unlink()

    with pytest.raises(ModelDamaged, match="got no file"):
        store.verify(CARD.id)


def test_an_unreadable_record_is_damaged(store: ModelStore) -> None:
    store.put(CARD, OKAPI)
    (store.root / CARD.id / "installed.json").write_text("okapi")

    with pytest.raises(ModelDamaged, match=r"installed\.json"):
        store.find(CARD.id)


def test_removal_takes_everything(store: ModelStore) -> None:
    store.put(CARD, OKAPI)

    store.remove(CARD.id)

    assert names_below(store.root) == []


@pytest.mark.parametrize("operation", ["remove", "verify"])
def test_a_model_that_is_not_installed_is_said_with_the_command_that_installs_it(
    store: ModelStore, operation: str
) -> None:
    with pytest.raises(ModelNotInstalled, match="okapia models pull megadetector-lite"):
        getattr(store, operation)(CARD.id)


@pytest.mark.parametrize("model_id", ["..", "../okapi", "/etc", "", "a/b", "a\\b"])
def test_an_id_never_leads_out_of_the_store(store: ModelStore, model_id: str) -> None:
    with pytest.raises(ModelError, match="no model is called"):
        store.remove(model_id)


def test_a_store_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")

    with pytest.raises(PullFailed, match="cannot write"):
        ModelStore(tmp_path / "models").put(CARD, OKAPI)


def test_a_model_of_a_persons_own_is_not_put_by_a_pull(store: ModelStore) -> None:
    with pytest.raises(PullFailed, match="no package source"):
        store.put(CARD.model_copy(update={"source": None}), OKAPI)


def test_folders_of_killed_processes_are_swept_after_a_day(store: ModelStore) -> None:
    old, young = store.root / ".staging-old", store.root / ".staging-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    yesterday = datetime.now(UTC) - timedelta(hours=25)
    os.utime(old, (yesterday.timestamp(), yesterday.timestamp()))

    with staging(store.root):
        pass

    assert names_below(store.root) == [young.name]


def own_card() -> ModelCard:
    return CARD.model_copy(update={"id": "own", "source": None, "fingerprint": None})


def test_an_adopted_folder_is_moved_with_everything_that_the_network_needs(store: ModelStore) -> None:
    with staging(store.root) as folder:
        inside = folder / "unpacked"
        inside.mkdir()
        (inside / "net.onnx").write_bytes(b"graph")
        (inside / "net.onnx.data").write_bytes(b"tensors")

        store.adopt(own_card(), inside, network="net.onnx", source="somewhere")

    installed = store.verify("own")
    assert installed.path.read_bytes() == b"graph"
    assert list(installed.companions) == ["net.onnx.data"]
    assert store.card("own") == own_card()


def test_a_network_that_is_read_in_place_stays_where_it_is(store: ModelStore, tmp_path: Path) -> None:
    network = tmp_path / "elsewhere" / "net.onnx"
    network.parent.mkdir()
    network.write_bytes(b"graph")

    store.link(own_card(), network, source="in place")
    found = store.verify("own")
    store.remove("own")

    assert found.path == network
    assert network.exists()
    assert store.find("own") is None


def test_a_companion_that_changed_is_damage(store: ModelStore, tmp_path: Path) -> None:
    network = tmp_path / "net.xml"
    network.write_bytes(b"graph")
    network.with_suffix(".bin").write_bytes(b"tensors")
    store.link(own_card(), network, companions=[network.with_suffix(".bin")], source="in place")

    network.with_suffix(".bin").write_bytes(b"other tensors")

    with pytest.raises(ModelDamaged, match=r"net\.bin: expected sha256"):
        store.verify("own")


def test_the_ids_are_those_of_whole_models(store: ModelStore, tmp_path: Path) -> None:
    network = tmp_path / "net.onnx"
    network.write_bytes(b"graph")
    store.link(own_card(), network, source="in place")
    (store.root / "half").mkdir()

    assert store.ids() == ["own"]
