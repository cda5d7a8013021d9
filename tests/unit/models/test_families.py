"""Every family of detectors against networks whose answers are known in closed form, from bytes to boxes."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from okapia.domain.errors import ModelError
from okapia.domain.models import ModelReport
from okapia.domain.types import Category, Detection, Size
from okapia.models.base import Detector
from okapia.models.card import ModelCard, Preprocessing
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.vision.resample import Pixels
from tests import networks
from tests.networks import SCORE, Shape

MEGADETECTOR = ("animal", "person", "vehicle")
RUNTIME = Runtime(EngineChoice(), load=Load(), cores=1)

CENTRED = Preprocessing(
    resize="letterbox",
    placement="centre",
    interpolation="cv2_bilinear",
    std=(255.0,) * 3,
    pad_value=(114.0,) * 3,
)
STRETCHED = Preprocessing(resize="stretch", interpolation="bilinear", std=(255.0,) * 3)


def card(
    family: str,
    recipe: Preprocessing,
    *,
    labels: Sequence[str] = MEGADETECTOR,
    canvas: Size = (640, 640),
    names_species: bool = False,
) -> ModelCard:
    return ModelCard(
        id="generated",
        title="generated",
        version="1",
        task="detector",
        family=family,
        licence="none",
        canvas=canvas,
        labels=tuple(labels),
        categories={"animal": "animal", "person": "person", "vehicle": "vehicle"},
        default_category="animal" if names_species else "other",
        names_species=names_species,
        preprocessing=recipe,
    )


def detector(network: bytes, model: ModelCard, folder: Path) -> Detector:
    file = folder / "network.onnx"
    file.write_bytes(network)
    session = RUNTIME.open(file, model.input_shape(model.canvas))
    report = ModelReport(
        model.id, "detector", model.canvas, session.engine, session.device, session.precision, "0"
    )
    built: Detector = importlib.import_module(f"okapia.models.{model.family}").build(
        model, session, canvas=model.canvas, report=report
    )
    return built


def picture(size: Size, box: tuple[int, int, int, int]) -> Pixels:
    """Black with one white rectangle (left, top, right, bottom)."""
    pixels = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = 255
    return pixels


class Case(NamedTuple):
    """A family, and a network of its kind that finds the bright rectangle."""

    family: str
    recipe: Preprocessing
    layout: networks.Layout
    declared: Shape

    @property
    def network(self) -> bytes:
        return networks.bright_box(self.layout, self.declared)


CASES = [
    Case("yolov5", CENTRED, networks.yolov5_layout(3, winner=1), [1, 2, 8]),
    Case("yolo", CENTRED, networks.yolo_layout(3, winner=1), [1, 7, 1]),
    Case("yolo_e2e", CENTRED, networks.yolo_e2e_layout(winner=1), ["n", 6]),
    Case("rtdetr_topk", STRETCHED, networks.rtdetr_topk_layout((640, 640), winner=1), ["n", 6]),
]


@pytest.mark.parametrize("case", CASES, ids=[case.family for case in CASES])
@pytest.mark.parametrize("size", [(1280, 960), (960, 1280), (640, 640), (320, 160)], ids=str)
def test_a_rectangle_is_found_where_it_is(case: Case, size: Size, tmp_path: Path) -> None:
    model = detector(case.network, card(case.family, case.recipe), tmp_path)
    width, height = size
    # Quarters and eighths of these sizes fall on whole pixels of the canvas, so nothing is lost by resizing.
    box = (width // 4, height // 4, width // 2, 7 * height // 8)

    (found,) = model.detect(picture(size, box))

    assert found.category is Category.PERSON
    assert found.confidence == pytest.approx(SCORE, abs=1e-4)
    assert corners(found) == pytest.approx([0.25, 0.25, 0.5, 0.875], abs=1e-4)


def corners(found: Detection) -> list[float]:
    return [found.bbox.x_min, found.bbox.y_min, found.bbox.x_max, found.bbox.y_max]


def test_a_canvas_need_not_be_square(tmp_path: Path) -> None:
    layout = networks.yolo_e2e_layout(winner=0)
    network = networks.bright_box(layout, ["n", 6], shape=[1, 3, 480, 640])
    model = detector(network, card("yolo_e2e", CENTRED, canvas=(640, 480)), tmp_path)

    (found,) = model.detect(picture((640, 240), (160, 60, 320, 180)))

    assert corners(found) == pytest.approx([0.25, 0.25, 0.5, 0.75], abs=1e-4)


def test_rtdetr_with_a_score_a_class_is_decoded(tmp_path: Path) -> None:
    rows = np.zeros((1, 300, 7), dtype=np.float32)
    rows[0, 17] = [0.5, 0.25, 0.2, 0.1, 0.0, 0.1, 0.75]
    model = detector(networks.constant(rows, shape=[1, 3, 640, 640]), card("rtdetr", STRETCHED), tmp_path)

    (found,) = model.detect(picture((400, 300), (0, 0, 1, 1)))

    assert found.category is Category.VEHICLE
    assert found.confidence == pytest.approx(0.75)
    assert corners(found) == pytest.approx([0.4, 0.2, 0.6, 0.3], abs=1e-6)


def test_yolov5_merges_boxes_of_one_class_only(tmp_path: Path) -> None:
    rows = np.zeros((1, 4, 8), dtype=np.float32)
    rows[0, 0] = [100, 100, 50, 50, 1.0, 0.9, 0, 0]
    rows[0, 1] = [102, 100, 50, 50, 1.0, 0.8, 0, 0]
    rows[0, 2] = [100, 100, 50, 50, 0.5, 0, 0.6, 0]
    rows[0, 3] = [400, 400, 50, 50, 0.005, 1.0, 0, 0]
    model = detector(networks.constant(rows, shape=[1, 3, 640, 640]), card("yolov5", CENTRED), tmp_path)

    found = model.detect(picture((640, 640), (0, 0, 1, 1)))

    assert [d.label for d in found] == ["animal", "person"]
    assert [d.confidence for d in found] == pytest.approx([0.9, 0.3])


def test_a_network_that_finds_nothing_may_answer_no_rows(tmp_path: Path) -> None:
    nothing = np.zeros((0, 6), dtype=np.float32)
    network = networks.constant(nothing, shape=[1, 3, 640, 640], declared=["n", 6])

    assert (
        detector(network, card("yolo_e2e", CENTRED), tmp_path).detect(picture((64, 64), (0, 0, 9, 9))) == ()
    )


def test_a_species_detector_says_the_taxon_itself(tmp_path: Path) -> None:
    layout = networks.yolo_e2e_layout(winner=0)
    model = card("yolo_e2e", CENTRED, labels=["red fox", "Ursus arctos"], names_species=True)

    (found,) = detector(networks.bright_box(layout, ["n", 6]), model, tmp_path).detect(
        picture((640, 640), (160, 160, 320, 320))
    )

    assert (found.label, found.category) == ("red fox", Category.ANIMAL)
    assert [c.taxon.scientific_name for c in found.classifications] == ["Vulpes vulpes"]


@pytest.mark.parametrize("labels", [("animal",), ("a", "b", "c", "d")], ids=["fewer", "more"])
@pytest.mark.parametrize("family", ["yolov5", "yolo"])
def test_labels_that_are_fewer_or_more_than_the_classes_are_an_error(
    family: str, labels: tuple[str, ...], tmp_path: Path
) -> None:
    network = next(case.network for case in CASES if case.family == family)
    model = detector(network, card(family, CENTRED, labels=labels), tmp_path)

    with pytest.raises(ModelError, match=f"generated: expected .* for {len(labels)} labels"):
        model.detect(picture((640, 640), (160, 160, 320, 320)))


def test_a_class_without_a_label_is_an_error(tmp_path: Path) -> None:
    network = networks.bright_box(networks.yolo_e2e_layout(winner=7), ["n", 6])

    with pytest.raises(ModelError, match="answers with class 7, it has 3 labels"):
        detector(network, card("yolo_e2e", CENTRED), tmp_path).detect(picture((64, 64), (16, 16, 32, 32)))
