"""The fingerprint tells a right conversion from a wrong one."""

import hashlib
import math

import numpy as np
import pytest

from okapia.domain.errors import ModelDamaged, ModelError
from okapia.models.base import Tensor
from okapia.models.card import Fingerprint, builtin_cards
from okapia.models.weights.fingerprint import check, measure, probe

CARD = builtin_cards()["nanodet-coco"]


class TwoOutputs:
    """Answers three numbers and one, whatever it is asked."""

    engine, device, precision = "test", "cpu", "f32"

    def __init__(self, *values: float, shape: tuple[int | None, ...] = (None, 3, 8, 8)) -> None:
        self.input_shape = shape
        self._values = np.array(values, np.float32)

    def run(self, batch: Tensor) -> dict[str, Tensor]:
        assert batch.shape == (1, 3, 8, 8)
        return {"a": self._values[None, :3], "b": self._values[None, 3:]}


def test_the_probe_never_changes() -> None:
    digest = hashlib.sha256(probe((1, 3, 64, 64)).astype("<f4").tobytes()).hexdigest()

    assert digest == "3964524a56f1660994638af1225e502530a87a3ede21e9156b4fe71a8eb02ba2"


def test_the_probe_uses_the_whole_range_of_pixels_and_differs_along_every_axis() -> None:
    values = probe((1, 3, 224, 224))

    assert values.dtype == np.float32
    assert (values.min(), values.max()) == (0, 255)
    for axis in (1, 2, 3):
        assert not np.array_equal(values, np.flip(values, axis))


def test_each_element_of_all_outputs_counts_alike() -> None:
    assert measure(TwoOutputs(0, 1, 2, 9)) == (0, 3, 9)


def test_a_session_without_a_fixed_canvas_is_refused() -> None:
    with pytest.raises(ModelError, match="fixed canvas"):
        measure(TwoOutputs(0, 0, 0, 0, shape=(None, 3, None, None)))


@pytest.mark.parametrize("last", [9.0, 9.009])
def test_a_difference_within_the_tolerance_passes(last: float) -> None:
    card = CARD.model_copy(update={"fingerprint": Fingerprint(values=(0, 3, 9), tolerance=0.01)})

    check(card, TwoOutputs(0, 1, 2, last))


@pytest.mark.parametrize("last", [9.1, math.nan, math.inf])
def test_a_network_that_answers_otherwise_is_damaged(last: float) -> None:
    card = CARD.model_copy(update={"fingerprint": Fingerprint(values=(0, 3, 9), tolerance=0.01)})

    with pytest.raises(ModelDamaged, match=r"expected 0, 3, 9 within 0\.01"):
        check(card, TwoOutputs(0, 1, 2, last))


def test_every_card_with_a_package_has_a_fingerprint() -> None:
    without = [card.id for card in builtin_cards().values() if card.source and not card.fingerprint]

    assert without == []
