"""Eight-bit variants of a small convolutional network that names the colour of a picture."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from okapia.domain.errors import EmptyImage, InvalidRequest, ModelError, VariantRefused
from okapia.domain.models import ModelReport
from okapia.domain.types import Classification
from okapia.models.agreement import Gate
from okapia.models.base import Tensor
from okapia.models.card import Fingerprint, ModelCard, Preprocessing
from okapia.models.classifier import ScoreClassifier
from okapia.models.optimise import (
    LEAST_SAMPLES,
    MOST_TO_CALIBRATE,
    MOST_TO_JUDGE,
    SPLIT_FROM,
    Exam,
    Optimised,
    Sample,
    Trial,
    classifier_exam,
    optimise,
    split,
    variant_id,
)
from okapia.models.quantise import LADDER, Recipe, quantise
from okapia.models.runtime import EngineChoice, Load, Runtime
from okapia.models.weights.staging import staging
from okapia.models.weights.store import Installed, ModelStore
from okapia.vision.resample import Pixels
from tests.networks import Graph

needs_nncf = pytest.mark.skipif(
    find_spec("nncf") is None or find_spec("openvino") is None,
    reason="needs NNCF and OpenVINO: pip install okapia[optimise]",
)
SIDE = 32
CARD = ModelCard(
    id="colours",
    title="Colours",
    version="1",
    task="classifier",
    family="classifier",
    licence="Apache-2.0",
    notes="Made for tests.",
    canvas=(SIDE, SIDE),
    canvases=((SIDE, SIDE), (64, 64)),
    labels=("red fox", "brown bear", "domestic cat"),
    activation="softmax",
    preprocessing=Preprocessing(resize="stretch", std=(255.0, 255.0, 255.0)),
    fingerprint=Fingerprint(values=(0, 0, 0), tolerance=1),
)
RUNTIME = Runtime(EngineChoice(), load=Load(), cores=1)
NOTHING_PASSES = Gate(largest_change=0)


def colour_network(*, kind: int = TensorProto.FLOAT) -> bytes:
    """Answer with about 12 times the mean of each channel: three convolutions, two SiLUs, some noise."""
    chance = np.random.default_rng(7)
    graph = Graph()
    value = graph.op("Cast", "images", to=TensorProto.FLOAT)
    for n_inputs, gain in ((3, 4.0), (12, 1.0)):
        weights = chance.normal(0, 0.02, (12, n_inputs, 3, 3))
        weights[range(3), range(3), 1, 1] = gain
        constants = [weights, chance.normal(0, 0.1, 12)]
        names = [graph.constant(array.astype(np.float32)) for array in constants]
        value = graph.op("Conv", value, *names, pads=[1, 1, 1, 1])
        value = graph.op("Mul", value, graph.op("Sigmoid", value))
    last = np.zeros((3, 12, 1, 1), dtype=np.float32)
    last[range(3), range(3)] = 3.0
    value = graph.op("GlobalAveragePool", graph.op("Conv", value, graph.constant(last)))
    value = graph.op("Flatten", value, axis=1)
    graph.nodes.append(helper.make_node("Cast", [value], ["output"], to=kind))
    model = graph.model({"output": ["N", 3]}, shape=["N", 3, SIDE, SIDE], kind=kind)
    return bytes(model.SerializeToString())


def picture(place: int) -> Pixels:
    """One colour, more or less, that depends on the place."""
    chance = np.random.default_rng(place)
    pixels = chance.integers(0, 90, (40, 50, 3))
    pixels[:, :, place % 3] += 140
    return pixels.astype(np.uint8)


def pictures(n: int) -> list[Sample]:
    return [partial(picture, place) for place in range(n)]


def open_classifier(network: Path) -> ScoreClassifier:
    session = RUNTIME.open(network, CARD.input_shape(CARD.canvas))
    report = ModelReport(CARD.id, CARD.task, CARD.canvas, "", "", session.precision, "0")
    return ScoreClassifier(CARD, session, canvas=CARD.canvas, report=report)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def original(store: ModelStore) -> Installed:
    with staging(store.root) as folder:
        made = folder / "made"
        made.mkdir()
        (made / "network.onnx").write_bytes(colour_network())
        return store.adopt(CARD, made, network="network.onnx", source="tests")


def run(
    store: ModelStore,
    original: Installed,
    *,
    samples: list[Sample],
    gate: Gate | None = None,
    on_trial: Callable[[Trial], None] = lambda _: None,
) -> Optimised:
    exam = classifier_exam(open_classifier)
    return optimise(CARD, original, samples=samples, exam=exam, store=store, gate=gate, on_trial=on_trial)


# --- the variant ----------------------------------------------------------------------


@needs_nncf
def test_a_variant_that_passes_is_installed_beside_the_original(
    store: ModelStore, original: Installed
) -> None:
    told: list[Trial] = []

    done = run(store, original, samples=pictures(48), on_trial=told.append)

    assert store.ids() == ["colours", "colours-int8"]
    assert store.verify("colours-int8").path.name == "network.xml"
    assert store.verify("colours").sha256 == original.sha256
    assert told == list(done.trials)
    assert done.trials[-1].agreement.passes(Gate())


@needs_nncf
def test_a_variant_computes_in_8_bits(store: ModelStore, original: Installed) -> None:
    done = run(store, original, samples=pictures(48))

    (report,) = open_classifier(done.installed.path).reports
    assert report.precision == "int8"


@needs_nncf
def test_a_variants_card_says_how_it_was_made(store: ModelStore, original: Installed) -> None:
    done = run(store, original, samples=pictures(48))

    card = store.card("colours-int8")
    assert card == done.card
    assert (card.licence, card.labels) == (CARD.licence, CARD.labels)
    assert (card.canvases, card.fingerprint, card.source) == ((), None, None)
    for fact in (
        original.sha256,
        "28 samples, judged on 20 others",
        "NNCF 3",
        "OpenVINO 20",
        "Made for tests.",
    ):
        assert fact in card.notes
    assert str(done.trials[-1].agreement) in card.notes


@needs_nncf
def test_nothing_is_installed_below_the_gate_and_every_trial_is_listed(
    store: ModelStore, original: Installed
) -> None:
    with pytest.raises(VariantRefused) as refused:
        run(store, original, samples=pictures(24), gate=NOTHING_PASSES)

    lines = str(refused.value).splitlines()
    assert "nothing was installed" in lines[0]
    assert "judged on the same" in lines[0]
    assert len(lines) == 1 + len(LADDER)
    assert all("one confidence changed" in line for line in lines[1:])
    assert [entry.name for entry in store.root.iterdir()] == ["colours"]


@needs_nncf
def test_an_older_variant_survives_a_refusal(store: ModelStore, original: Installed) -> None:
    before = run(store, original, samples=pictures(24)).installed

    with pytest.raises(VariantRefused):
        run(store, original, samples=pictures(24), gate=NOTHING_PASSES)

    assert store.verify("colours-int8").sha256 == before.sha256


@needs_nncf
def test_pictures_that_show_nothing_are_refused_before_anything_is_made(
    store: ModelStore, original: Installed
) -> None:
    grey: list[Sample] = [lambda: np.full((40, 50, 3), 99, dtype=np.uint8)] * 24

    with pytest.raises(InvalidRequest, match="0 crops in the original's answers are too few"):
        run(store, original, samples=grey)


# --- the layers -----------------------------------------------------------------------


def rows(n: int) -> list[Tensor]:
    cut = (picture(place)[None, :SIDE, :SIDE].astype(np.float32) for place in range(n))
    return [(pixels / np.float32(255)).transpose(0, 3, 1, 2) for pixels in cut]


@needs_nncf
@pytest.mark.parametrize(
    ("recipe", "in_float"),
    [(Recipe("all"), 0), (Recipe("", last=1), 1), (Recipe("", first=1, last=1), 2), (Recipe("", last=9), 3)],
    ids=["none", "the last", "both ends", "all"],
)
def test_layers_at_the_ends_keep_their_precision(recipe: Recipe, in_float: int, tmp_path: Path) -> None:
    network, target = tmp_path / "network.onnx", tmp_path / "variant.xml"
    network.write_bytes(colour_network())

    quantise(network, (1, 3, SIDE, SIDE), rows=rows(4), recipe=recipe, target=target)

    n_eight_bit_weights = target.read_text(encoding="utf-8").count('element_type="i8"')
    assert n_eight_bit_weights == 3 - in_float
    assert target.with_suffix(".bin").is_file()


@needs_nncf
def test_a_network_of_16_bits_is_calibrated_in_its_own_type(tmp_path: Path) -> None:
    network, target = tmp_path / "network.onnx", tmp_path / "variant.xml"
    network.write_bytes(colour_network(kind=TensorProto.FLOAT16))

    quantise(network, (1, 3, SIDE, SIDE), rows=rows(4), recipe=LADDER[0], target=target)

    session = RUNTIME.open(target, (1, 3, SIDE, SIDE))
    (scores,) = session.run(rows(1)[0]).values()
    assert scores.argmax() == 0


@needs_nncf
def test_a_variant_is_not_quantised_again(tmp_path: Path) -> None:
    network, target = tmp_path / "network.onnx", tmp_path / "variant.xml"
    network.write_bytes(colour_network())
    quantise(network, (1, 3, SIDE, SIDE), rows=rows(4), recipe=LADDER[0], target=target)

    with pytest.raises(ModelError, match=r"variant\.xml is quantised already"):
        quantise(target, (1, 3, SIDE, SIDE), rows=rows(4), recipe=LADDER[0], target=tmp_path / "again.xml")


@needs_nncf
def test_a_file_that_is_no_network_is_named(tmp_path: Path) -> None:
    network = tmp_path / "network.onnx"
    network.write_bytes(b"no network")

    with pytest.raises(ModelError, match=r"cannot quantise .*network\.onnx: "):
        quantise(network, (1, 3, SIDE, SIDE), rows=rows(4), recipe=LADDER[0], target=tmp_path / "v.xml")


@needs_nncf
def test_a_picture_that_does_not_decode_says_so_itself(store: ModelStore, original: Installed) -> None:
    def broken() -> Pixels:
        raise EmptyImage

    # The last block calibrates: the original is questioned without it.
    samples = [*pictures(44), broken]

    with pytest.raises(EmptyImage):
        run(store, original, samples=samples)


@needs_nncf
def test_what_nncf_prints_stays_out_of_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = tmp_path / "network.onnx"
    network.write_bytes(colour_network())

    quantise(network, (1, 3, SIDE, SIDE), rows=rows(4), recipe=LADDER[0], target=tmp_path / "v.xml")

    assert not capsys.readouterr().out


@needs_nncf
def test_nncf_reports_nothing_to_its_makers() -> None:
    # In a process of its own: under pytest NNCF is silent by itself.
    program = (
        "from okapia.models.quantise import toolkit_versions; toolkit_versions(); "
        "from nncf.telemetry import wrapper; print(isinstance(wrapper.telemetry, wrapper.NNCFTelemetry))"
    )

    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert answer.stdout.strip() == "False"


# --- without NNCF ---------------------------------------------------------------------


def test_a_missing_toolkit_is_named_with_the_line_that_installs_it(
    store: ModelStore, original: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)

    with pytest.raises(ModelError, match=r"pip install okapia\[optimise\]"):
        run(store, original, samples=pictures(24))


def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"expected at least 12 pictures .* got 11"):
        split(range(LEAST_SAMPLES - 1))


def test_few_pictures_calibrate_and_judge() -> None:
    parts = split(range(SPLIT_FROM - 1))

    assert parts.is_shared
    assert str(parts) == "calibrated on 39 samples, judged on the same"


def test_no_picture_and_no_burst_is_on_both_sides_when_there_are_enough() -> None:
    parts = split(range(45))

    assert list(parts.calibrate) == [*range(10), *range(20, 30), *range(40, 45)]
    assert list(parts.judge) == [*range(10, 20), *range(30, 40)]


def test_too_many_pictures_are_thinned_evenly() -> None:
    parts = split(range(20_000))

    assert (len(parts.calibrate), len(parts.judge)) == (MOST_TO_CALIBRATE, MOST_TO_JUDGE)
    assert not set(parts.calibrate) & set(parts.judge)
    assert max(np.diff(np.array(parts.judge))) < 60


def test_an_id_that_leaves_no_room_is_refused() -> None:
    card = CARD.model_copy(update={"id": "a" * 96})

    with pytest.raises(ModelError, match="longer than the 100 characters"):
        variant_id(card)


def test_a_classifier_is_asked_crop_by_crop(original: Installed) -> None:
    exam: Exam[tuple[Classification, ...]] = classifier_exam(open_classifier)

    best, *_ = exam.open(original.path)(picture(1))

    assert best.taxon.common_name == "brown bear"
    assert best.score > 0.9
