"""CenterFace's heat map becomes boxes, against a network that finds painted cells."""

from pathlib import Path

import numpy as np
import pytest

from okapia.domain.errors import ModelError
from okapia.domain.types import Category
from okapia.models.base import Detector
from okapia.models.card import builtin_cards
from okapia.models.engine import Engine
from okapia.models.families import build_detector
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.vision.resample import Pixels
from tests import networks

CARD = builtin_cards()["centerface"]
CANVAS = 320


def detector(folder: Path, network: bytes, *, engine: Engine = "onnxruntime") -> Detector:
    file = folder / "network.onnx"
    file.write_bytes(network)
    runtime = Runtime(EngineChoice(engine), load=Load(), cores=1)
    session = runtime.open(file, CARD.input_shape((CANVAS, CANVAS)))
    return build_detector(CARD, session, canvas=(CANVAS, CANVAS), sha256="0" * 64)


def painted(*faces: tuple[int, int, tuple[int, int, int]], height: int = CANVAS) -> Pixels:
    """Black pixels, with the cell (column, row) of each face painted."""
    pixels = np.zeros((height, CANVAS, 3), dtype=np.uint8)
    for column, row, colour in faces:
        pixels[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = colour
    return pixels


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_face_lies_around_its_cell_as_large_as_the_network_says(tmp_path: Path, engine: Engine) -> None:
    faces = detector(tmp_path, networks.painted_faces(side=CANVAS), engine=engine)

    (face,) = faces.detect(painted((20, 40, (204, 60, 40))))

    assert (face.label, face.category) == ("face", Category.PERSON)
    assert face.confidence == pytest.approx(0.8)
    # Centre (20 + 0.5 + 0.125, 40 + 0.5 + 0.25) cells, 40 x 60 pixels.
    assert face.bbox.x_min * CANVAS == pytest.approx(82.5 - 20, abs=1e-3)
    assert face.bbox.x_max * CANVAS == pytest.approx(82.5 + 20, abs=1e-3)
    assert face.bbox.y_min * CANVAS == pytest.approx(163 - 30, abs=1e-3)
    assert face.bbox.y_max * CANVAS == pytest.approx(163 + 30, abs=1e-3)


def test_a_face_in_a_wide_picture_comes_back_through_the_letterbox(tmp_path: Path) -> None:
    faces = detector(tmp_path, networks.painted_faces(side=CANVAS))
    wide = painted((20, 30, (204, 60, 40)), height=160).repeat(2, axis=0).repeat(2, axis=1)

    (face,) = faces.detect(wide)

    assert face.bbox.x_max * CANVAS == pytest.approx(82.5 + 20, abs=1e-3)
    assert face.bbox.y_min * 160 == pytest.approx(123 - 30, abs=1e-3)
    assert face.bbox.y_max * 160 == pytest.approx(123 + 30, abs=1e-3)


def test_of_two_cells_of_one_face_the_surer_stays(tmp_path: Path) -> None:
    faces = detector(tmp_path, networks.painted_faces(side=CANVAS))

    found = faces.detect(painted((20, 20, (204, 60, 60)), (21, 20, (153, 60, 60)), (60, 60, (102, 60, 60))))

    assert [round(face.confidence, 2) for face in found] == [0.8, 0.4]


def test_a_black_picture_has_no_faces(tmp_path: Path) -> None:
    assert detector(tmp_path, networks.painted_faces(side=CANVAS)).detect(painted()) == ()


def test_a_network_of_another_layout_is_said(tmp_path: Path) -> None:
    answer = np.zeros((1, 5), dtype=np.float32)
    faces = detector(tmp_path, networks.constant(answer, shape=("N", 3, CANVAS, CANVAS)))

    with pytest.raises(ModelError, match=r"expected `heat` with 1 values for each of 6400 cells.*output"):
        faces.detect(painted())
