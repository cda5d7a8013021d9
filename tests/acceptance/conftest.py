"""Installed lite models and the sample pictures that come with them."""

from pathlib import Path

import pytest

from okapia.models.card import PROFILES
from okapia.models.weights.store import ModelStore
from okapia.pipeline.place_pack import pack_path
from okapia.settings import load_settings


@pytest.fixture(scope="session")
def lite() -> None:
    """The lite models are installed in OKAPIA_HOME; `make test` sees to that."""
    store = ModelStore(load_settings().models_dir)
    missing = [model_id for model_id in PROFILES["lite"].model_ids if store.find(model_id) is None]
    if missing:
        pytest.skip(f"needs the models {', '.join(missing)}; run `okapia models pull lite`")


@pytest.fixture(scope="session")
def borders() -> None:
    """The borders of countries are installed in OKAPIA_HOME; `make test` sees to that."""
    if not pack_path(load_settings().home).exists():
        pytest.skip("needs the borders; run `okapia models pull places`")


@pytest.fixture(scope="session")
def samples(lite: None) -> Path:
    """The folder of `okapia samples`."""
    del lite
    folder = load_settings().home / "samples"
    if not (folder / "cat.png").exists():
        pytest.skip(f"needs the sample pictures; run `okapia samples {folder}`")
    return folder
