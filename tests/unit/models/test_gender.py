"""Gender readers against a network that answers with how green a face is."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from okapia.domain.errors import ModelError
from okapia.domain.types import BBox, GenderWord
from okapia.models.base import FaceReader
from okapia.models.card import builtin_cards
from okapia.models.families import build_face_reader
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.vision.resample import Pixels
from tests import networks

CARD = builtin_cards()["faceres"]
RUNTIME = Runtime(EngineChoice(), load=Load(), cores=1)


def reader(folder: Path, network: bytes) -> FaceReader:
    file = folder / "network.onnx"
    file.write_bytes(network)
    session = RUNTIME.open(file, CARD.input_shape(CARD.canvas))
    return build_face_reader(CARD, session, canvas=CARD.canvas, sha256="0" * 64)


def green(value: int) -> Pixels:
    return np.full((90, 70, 3), (255, value, 255), dtype=np.uint8)


def test_each_face_gets_its_own_answer_however_many_there_are(tmp_path: Path) -> None:
    values = [12 * place for place in range(19)]

    genders = reader(tmp_path, networks.mean_green()).read([green(value) for value in values])

    expected = [value / 255 for value in values]
    assert [gender.man_probability for gender in genders] == pytest.approx(expected, abs=1e-3)
    assert (genders[0].word, genders[10].word, genders[-1].word) == (
        GenderWord.WOMAN,
        GenderWord.UNKNOWN,
        GenderWord.MAN,
    )


def test_no_faces_give_no_answers(tmp_path: Path) -> None:
    assert reader(tmp_path, networks.mean_green()).read([]) == []


def test_the_reader_looks_at_a_square_a_fifth_larger_than_the_face(tmp_path: Path) -> None:
    region = reader(tmp_path, networks.mean_green()).region(BBox(0.4, 0.4, 0.1, 0.1), (400, 200))

    # 40 x 20 pixels around (180, 90) become 48 x 48.
    assert (region.x_min * 400, region.y_min * 200) == pytest.approx((156, 66))
    assert (region.width * 400, region.height * 200) == pytest.approx((48, 48))


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (np.full((1, 1), 1.5), "not within 0..1"),
        (np.full((1, 1), np.nan), "not within 0..1"),
        (np.zeros((1, 2)), r"expected one number for each of 1 faces, the network answers \(1, 2\)"),
    ],
    ids=["above 1", "NaN", "two numbers"],
)
def test_what_is_no_probability_is_an_error(tmp_path: Path, answer: NDArray[np.float64], fault: str) -> None:
    network = networks.constant(answer.astype(np.float32), shape=("N", 224, 224, 3))

    with pytest.raises(ModelError, match=fault):
        reader(tmp_path, network).read([green(0)])
