"""The lite detectors in 8 bits, on real camera-trap pictures: one passes the gate, the other is refused."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from okapia.domain.errors import VariantRefused
from okapia.domain.models import ModelReport
from okapia.models import nanodet, yolox
from okapia.models.base import Detector
from okapia.models.card import ModelCard, builtin_cards
from okapia.models.optimise import Sample, Trial, detector_exam, optimise
from okapia.models.quantise import LADDER, Recipe
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights.store import ModelStore
from okapia.settings import load_settings
from okapia.vision.decode import Picture
from okapia.vision.resample import Pixels

pytestmark = [
    pytest.mark.models,
    pytest.mark.usefixtures("lite"),
    pytest.mark.skipif(
        find_spec("nncf") is None or find_spec("openvino") is None,
        reason="needs NNCF and OpenVINO: pip install okapia[optimise]",
    ),
]
RUNTIME = Runtime(EngineChoice(), load=Load(), cores=1)


def detector(family: ModuleType, card: ModelCard, network: Path) -> Detector:
    session = RUNTIME.open(network, card.input_shape(card.canvas))
    report = ModelReport(card.id, card.task, card.canvas, "", "", session.precision, "0")
    built: Detector = family.build(card, session, canvas=card.canvas, report=report)
    return built


def decoded(file: Path, model: Detector) -> Pixels:
    picture = Picture.open(file.read_bytes())
    return picture.pixels(model.wanted((picture.info.width, picture.info.height)))


def trials(
    card: ModelCard, family: ModuleType, *, folder: Path, target: Path, ladder: Sequence[Recipe]
) -> list[Trial]:
    """Optimise an installed model into another store; gives what was tried."""
    original = ModelStore(load_settings().models_dir).verify(card.id)
    open_detector: Callable[[Path], Detector] = partial(detector, family, card)
    model = open_detector(original.path)
    samples: list[Sample] = [partial(decoded, file, model) for file in sorted(folder.glob("*.jpg"))]
    tried: list[Trial] = []
    optimise(
        card,
        original,
        samples=samples,
        exam=detector_exam(open_detector),
        store=ModelStore(target),
        on_trial=tried.append,
        ladder=ladder,
    )
    return tried


@pytest.mark.slow
def test_megadetector_lite_passes_once_its_last_layers_keep_their_precision(
    shared_data: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    card = builtin_cards()["megadetector-lite"]

    tried = trials(card, yolox, folder=shared_data / "camera-traps", target=tmp_path, ladder=LADDER[:2])

    record_property("trials", [str(trial) for trial in tried])
    assert ModelStore(tmp_path).verify("megadetector-lite-int8").path.suffix == ".xml"
    assert tried[-1].n_bytes < 7_000_000


@pytest.mark.slow
def test_nanodet_loses_boxes_in_8_bits_and_is_refused(shared_data: Path, tmp_path: Path) -> None:
    card = builtin_cards()["nanodet-coco"]

    with pytest.raises(VariantRefused, match="boxes are lost"):
        trials(card, nanodet, folder=shared_data / "camera-traps", target=tmp_path, ladder=LADDER[:1])

    assert ModelStore(tmp_path).ids() == []
