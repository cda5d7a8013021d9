"""A detector of faces and a reader of faces as one, as a person names them: `centerface+faceres`."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from okapia.domain.errors import InvalidRequest, ModelNotInstalled
from okapia.domain.models import ModelChoice
from okapia.domain.types import Analysis, AnalysisOptions, Detection, GenderWord
from okapia.models.card import PROFILES, builtin_cards
from okapia.models.catalog import Catalog
from okapia.models.registry import Registry
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights.store import ModelStore
from okapia.pipeline.assemble import Assembler
from okapia.pipeline.naming import RangeFiles
from okapia.vision.decode import DecodePolicy
from tests import networks

CARDS = builtin_cards()
FACES = PROFILES["faces"]
CANVAS = 640


def assembler(folder: Path) -> Assembler:
    runtime = Runtime(EngineChoice(), load=Load(), cores=1)
    registry = Registry(Catalog(ModelStore(folder)), runtime=runtime, canvases={}, idle_s=60)
    return Assembler(registry, policy=DecodePolicy(), ranges=RangeFiles())


@pytest.fixture
def pack(tmp_path: Path) -> Assembler:
    """Models in which a painted cell is a face, and a green face is a man's."""
    store = ModelStore(tmp_path)
    store.put(CARDS["centerface"], networks.painted_faces(side=CANVAS))
    store.put(CARDS["faceres"], networks.mean_green())
    return assembler(tmp_path)


def picture() -> bytes:
    """A sure face on green, another on black, and an unsure one on green."""
    pixels = np.zeros((CANVAS, CANVAS, 3), dtype=np.uint8)
    for column, ground, heat in ((20, 220, 204), (70, 0, 180), (120, 220, 26)):
        pixels[200:360, 4 * column - 60 : 4 * column + 64] = (0, ground, 0)
        pixels[280:284, 4 * column : 4 * column + 4] = (heat, 100, 80)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def found(models: Assembler, detector: str) -> list[Detection]:
    pipeline = models.pipeline(ModelChoice(detector, None))
    result = pipeline.run("faces.png", picture(), AnalysisOptions(threshold=0.05))
    assert isinstance(result.outcome, Analysis), result.outcome
    return list(result.outcome.detections)


def test_each_sure_face_has_the_gender_of_its_own_pixels(pack: Assembler) -> None:
    on_green, on_black, unsure = found(pack, "centerface+faceres")

    assert on_green.gender is not None
    assert on_green.gender.word is GenderWord.MAN
    assert on_green.gender.man_probability == pytest.approx(220 / 255, abs=0.01)
    assert on_black.gender is not None
    assert on_black.gender.word is GenderWord.WOMAN
    assert on_black.gender.confidence > 0.99
    assert (round(unsure.confidence, 1), unsure.gender) == (0.1, None)


def test_the_boxes_are_those_of_the_detector_alone(pack: Assembler) -> None:
    alone, both = found(pack, "centerface"), found(pack, "centerface+faceres")

    assert [(d.bbox, d.confidence, d.label) for d in both] == [(d.bbox, d.confidence, d.label) for d in alone]
    assert all(face.gender is None for face in alone)


def test_both_networks_are_reported_and_pictures_are_decoded_larger(pack: Assembler) -> None:
    both = pack.pipeline(FACES).detector
    alone = pack.pipeline(ModelChoice("centerface", None)).detector

    assert [report.model_id for report in both.reports] == ["centerface", "faceres"]
    assert (alone.wanted((4000, 3000)), both.wanted((4000, 3000))) == ((640, 480), (1280, 960))


def test_tiles_find_the_faces_and_the_reader_still_reads_them(pack: Assembler) -> None:
    pipeline = pack.pipeline(ModelChoice("centerface+faceres", None, tiles=2))

    detections = pipeline.detector.detect(np.asarray(Image.open(io.BytesIO(picture()))))

    assert {d.gender.word for d in detections if d.gender} == {GenderWord.MAN, GenderWord.WOMAN}


@pytest.mark.parametrize(
    ("detector", "fault"),
    [
        ("nanodet-coco+faceres", "expected a detector with the label 'face' before faceres"),
        ("faceres", "expected a detector, faceres is a face reader"),
        ("centerface+faceres+faceres", "expected one detector or two joined"),
    ],
)
def test_only_faces_can_be_read(pack: Assembler, detector: str, fault: str) -> None:
    with pytest.raises(InvalidRequest, match=fault):
        pack.pipeline(ModelChoice(detector, None))


@pytest.mark.parametrize("detector", ["centerface", "centerface+faceres"])
def test_without_the_pack_the_error_names_the_command_that_gets_it(tmp_path: Path, detector: str) -> None:
    with pytest.raises(ModelNotInstalled, match="okapia models pull faces`"):
        assembler(tmp_path).pipeline(ModelChoice(detector, None))
