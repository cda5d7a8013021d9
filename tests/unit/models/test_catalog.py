"""Cards that ship with Okapia and cards that a person added, found by id."""

from pathlib import Path

import pytest

from okapia.domain.errors import ModelNotInstalled, UnknownModel
from okapia.domain.models import ModelChoice
from okapia.models.card import ModelCard, read_card
from okapia.models.catalog import Catalog
from okapia.models.weights.store import ModelStore

STOAT = """
id = "stoat"
title = "Stoat"
version = "1"
task = "detector"
family = "yolo_e2e"
licence = "MIT"
canvas = 64
labels = ["animal"]
[preprocessing]
resize = "letterbox"
"""


def card() -> ModelCard:
    return read_card(STOAT, origin="stoat.toml")


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def add(store: ModelStore, folder: Path) -> None:
    network = folder / "stoat.onnx"
    network.write_bytes(b"weights")
    store.link(card(), network, source="a test")


def test_a_model_that_is_added_later_is_found(store: ModelStore, tmp_path: Path) -> None:
    catalog = Catalog(store)
    with pytest.raises(UnknownModel, match="megadetector-lite"):
        catalog.card("stoat")

    add(store, tmp_path)

    assert catalog.card("stoat") == card()
    assert {"stoat", "megadetector-lite"} <= set(catalog.cards())


def test_the_zoos_prefix_may_be_written(store: ModelStore, tmp_path: Path) -> None:
    add(store, tmp_path)

    assert Catalog(store).card("zoo:stoat").id == "stoat"


def test_a_model_of_the_zoo_that_is_not_here_says_how_to_get_it(store: ModelStore) -> None:
    with pytest.raises(ModelNotInstalled, match="okapia models pull zoo:MDV6-mit-yolov9-c"):
        Catalog(store).card("MDV6-mit-yolov9-c")


def test_one_card_that_is_broken_leaves_the_others(store: ModelStore, tmp_path: Path) -> None:
    add(store, tmp_path)
    (store.root / "stoat" / "card.json").write_text('{"id": "stoat", "colour": "brown"}')

    cards = Catalog(store).cards()

    assert "stoat" not in cards
    assert "megadetector-lite" in cards


@pytest.mark.parametrize("model_id", ["", "../stoat", "a/b", "zoo:", ".hidden", "stoat\n"])
def test_what_cannot_be_an_id_is_an_unknown_model(store: ModelStore, model_id: str) -> None:
    with pytest.raises(UnknownModel):
        Catalog(store).card(model_id)


def test_pipelines_that_were_added_are_profiles(store: ModelStore) -> None:
    store.put_pipeline("my-survey", ModelChoice("stoat", "weasel"))

    assert Catalog(store).profiles()["my-survey"] == ModelChoice("stoat", "weasel")
