"""The lite models that `okapia models pull lite` installed are whole and answer as their cards say."""

from pathlib import Path

import numpy as np
import pytest

from okapia.domain.types import Size
from okapia.models.card import PROFILES, builtin_cards
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights import fingerprint
from okapia.models.weights.store import ModelStore
from okapia.settings import load_settings

pytestmark = [pytest.mark.models, pytest.mark.usefixtures("lite")]

LITE = pytest.mark.parametrize("model_id", PROFILES["lite"].model_ids)


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore(load_settings().models_dir)


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return Runtime(EngineChoice(), load=Load(), cores=1)


@LITE
def test_a_lite_model_is_installed_and_whole(store: ModelStore, model_id: str) -> None:
    installed = store.verify(model_id)

    assert installed.n_bytes == Path(installed.path).stat().st_size


@LITE
def test_a_lite_model_answers_as_its_card_says(store: ModelStore, runtime: Runtime, model_id: str) -> None:
    card = builtin_cards()[model_id]

    fingerprint.check(card, runtime.open(store.verify(model_id).path, card.input_shape(card.canvas)))


@LITE
def test_a_batch_answers_as_its_pictures_one_by_one(
    store: ModelStore, runtime: Runtime, model_id: str
) -> None:
    card = builtin_cards()[model_id]
    session = runtime.open(store.verify(model_id).path, card.input_shape(card.canvas))
    first = fingerprint.probe((1, 3, *card.canvas))
    batch = np.concatenate([first, 255 - first])

    together = session.run(batch)

    for row in range(2):
        for name, alone in session.run(batch[row : row + 1]).items():
            np.testing.assert_allclose(together[name][row : row + 1], alone, atol=2e-4)


@pytest.mark.parametrize("canvas", builtin_cards()["megadetector-lite"].canvases)
def test_the_animal_detector_runs_at_every_canvas_of_its_card(
    store: ModelStore, runtime: Runtime, canvas: Size
) -> None:
    card = builtin_cards()["megadetector-lite"]
    session = runtime.open(store.verify(card.id).path, card.input_shape(canvas))

    output = session.run(fingerprint.probe((1, 3, *canvas)))["output"]

    assert output.shape == (1, sum((canvas[0] // stride) ** 2 for stride in (8, 16, 32)), 6)
