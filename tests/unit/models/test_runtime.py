"""The same contract for every engine, whatever a network's types, batch and shapes; no silent change."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from okapia.domain.errors import DeviceUnavailable, ModelError
from okapia.models.base import Session
from okapia.models.devices import parse_device
from okapia.models.engine import Precision
from okapia.models.runtime import EngineChoice, Load, Runtime
from tests.unit.models.odd_networks import ROW, SIDE, Sides, every_engine, halves, means, picture, port, save


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that answers the mean of each channel, with open batch and sides."""
    return means(tmp_path_factory.mktemp("networks") / "means.onnx")


def opened(network: Path, choice: EngineChoice, *, load: Load | None = None) -> Session:
    return Runtime(choice, load=load or Load(), cores=2).open(network, ROW)


# --- calls ----------------------------------------------------------------------------


@every_engine
def test_outputs_come_by_name_one_row_an_input_row(network: Path, choice: EngineChoice) -> None:
    batch = picture(3)

    outputs = opened(network, choice).run(batch)

    assert list(outputs) == ["means"]
    assert outputs["means"] == pytest.approx(batch.mean(axis=(2, 3)), rel=1e-4)


@every_engine
def test_an_output_keeps_its_name_where_the_engine_merges_tensors(
    tmp_path: Path, choice: EngineChoice
) -> None:
    nodes = [helper.make_node("Relu", ["images"], ["a"]), helper.make_node("Identity", ["a"], ["answer"])]
    ports = [port(name, ROW) for name in ("images", "answer")]
    network = save(tmp_path / "merged.onnx", nodes, inputs=ports[:1], outputs=ports[1:])

    outputs = opened(network, choice).run(picture())

    assert list(outputs) == ["answer"]


@every_engine
def test_calls_from_many_threads_do_not_mix(network: Path, choice: EngineChoice) -> None:
    session = opened(network, choice)
    batches = [picture() + n for n in range(64)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(session.run, batches))

    expected = [batch.mean(axis=(2, 3)) for batch in batches]
    assert [a["means"] for a in answers] == [pytest.approx(e, rel=1e-4) for e in expected]


@every_engine
def test_light_and_heavy_load_give_the_same_answer(network: Path, choice: EngineChoice) -> None:
    load = Load()
    session = opened(network, choice, load=load)
    batch = picture()

    light = session.run(batch)["means"]
    with load.one(), load.one():
        heavy = session.run(batch)["means"]

    assert heavy == pytest.approx(light, rel=1e-5)


@every_engine
def test_engine_device_and_precision_are_reported(network: Path, choice: EngineChoice) -> None:
    session = opened(network, choice)

    assert session.engine.startswith(choice.engine)
    assert (session.device, session.precision) == ("cpu", "f32")


# --- types ----------------------------------------------------------------------------


@every_engine
def test_a_float16_network_takes_and_gives_float32(tmp_path: Path, choice: EngineChoice) -> None:
    session = opened(halves(tmp_path / "halves.onnx"), choice)
    batch = picture(2) / np.float32(256)

    answer = session.run(batch)["halves"]

    assert answer.dtype == np.float32
    assert answer.reshape(2, 3) == pytest.approx(batch.mean(axis=(2, 3)) / 2, abs=2e-3)


def test_onnx_runtime_reports_the_precision_of_the_file(tmp_path: Path) -> None:
    session = opened(halves(tmp_path / "halves.onnx"), EngineChoice())

    assert session.precision == "f16"


@every_engine
@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.UINT8, TensorProto.DOUBLE])
def test_rows_are_cast_to_what_the_network_takes(tmp_path: Path, choice: EngineChoice, kind: int) -> None:
    session = opened(means(tmp_path / "means.onnx", kind=kind), choice)
    batch = picture(2)

    answer = session.run(batch)["means"]

    assert answer == pytest.approx(batch.mean(axis=(2, 3)), rel=1e-3)


@every_engine
def test_rows_of_a_uint8_network_are_rounded_and_clipped(tmp_path: Path, choice: EngineChoice) -> None:
    session = opened(means(tmp_path / "means.onnx", kind=TensorProto.UINT8), choice)
    batch = np.broadcast_to(np.array([-3, 99.7, 300], dtype=np.float32).reshape(1, 3, 1, 1), ROW)

    answer = session.run(np.ascontiguousarray(batch))["means"]

    assert answer.tolist() == [[0, 100, 255]]


@every_engine
@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.INT8, TensorProto.BOOL])
def test_an_input_of_another_type_is_refused_by_name(tmp_path: Path, choice: EngineChoice, kind: int) -> None:
    network = means(tmp_path / "whole.onnx", kind=kind)

    with pytest.raises(ModelError, match=r"whole\.onnx: its input is images .*, expected a type of f32"):
        opened(network, choice)


@every_engine
def test_outputs_without_numbers_are_refused(tmp_path: Path, choice: EngineChoice) -> None:
    node = helper.make_node("Cast", ["images"], ["brains"], to=TensorProto.BFLOAT16)
    shape = ("N", 3, "H", "W")
    outputs = [port("brains", shape, TensorProto.BFLOAT16)]
    network = save(tmp_path / "brain.onnx", [node], inputs=[port("images", shape)], outputs=outputs)

    with pytest.raises(ModelError, match=r"brain\.onnx: expected outputs that are tensors of numbers"):
        opened(network, choice)


# --- inputs ---------------------------------------------------------------------------


@every_engine
def test_a_network_of_two_inputs_is_refused_with_both_named(tmp_path: Path, choice: EngineChoice) -> None:
    node = helper.make_node("Add", ["images", "scales"], ["sums"])
    inputs = [port("images", ROW), port("scales", [1, 3, 1, 1])]
    network = save(tmp_path / "two.onnx", [node], inputs=inputs, outputs=[port("sums", ROW)])

    with pytest.raises(ModelError, match=r"two\.onnx: expected .* one input.*images f32 .*scales f32"):
        opened(network, choice)


@every_engine
def test_a_network_without_an_input_is_refused(tmp_path: Path, choice: EngineChoice) -> None:
    weight = numpy_helper.from_array(np.ones(1, dtype=np.float32), "w")
    node = helper.make_node("Relu", ["w"], ["answer"])
    network = save(tmp_path / "mute.onnx", [node], inputs=[], outputs=[port("answer", [1])], weights=[weight])

    with pytest.raises(ModelError, match=r"mute\.onnx: expected a network of one input.*none"):
        opened(network, choice)


@every_engine
@pytest.mark.parametrize(
    "sides",
    [(1, 1, SIDE, SIDE), ("N", 4, "H", "W"), (1, 3, 16, SIDE), (1, SIDE, SIDE, 3), (1, 3 * SIDE * SIDE)],
    ids=["grey", "four channels", "another size", "another layout", "another rank"],
)
def test_an_input_of_another_shape_is_refused_when_it_is_loaded(
    tmp_path: Path, choice: EngineChoice, sides: Sides
) -> None:
    network = save(
        tmp_path / "odd.onnx",
        [helper.make_node("Relu", ["images"], ["answer"])],
        inputs=[port("images", sides)],
        outputs=[port("answer", sides)],
    )

    with pytest.raises(
        ModelError, match=r"odd\.onnx: its input is images f32 \(.*expected rows of \(1, 3, 8, 8"
    ):
        opened(network, choice)


@every_engine
def test_rows_of_another_shape_are_refused_when_they_come(network: Path, choice: EngineChoice) -> None:
    session = opened(network, choice)

    with pytest.raises(ModelError, match=r"means\.onnx takes rows of \(1, 3, 8, 8\), got \(1, 5, 8, 8\)"):
        session.run(np.zeros((1, 5, SIDE, SIDE), dtype=np.float32))


@every_engine
def test_weights_that_are_listed_as_inputs_are_none(tmp_path: Path, choice: EngineChoice) -> None:
    weight = numpy_helper.from_array(np.full((1, 3, 1, 1), 2, dtype=np.float32), "scales")
    network = save(
        tmp_path / "old.onnx",
        [helper.make_node("Mul", ["images", "scales"], ["answer"])],
        inputs=[port("scales", [1, 3, 1, 1]), port("images", ["N", 3, "H", "W"])],
        outputs=[port("answer", ["N", 3, "H", "W"])],
        weights=[weight],
        ir=3,
    )
    batch = picture()

    answer = opened(network, choice).run(batch)["answer"]

    assert np.array_equal(answer, batch * 2)


# --- devices --------------------------------------------------------------------------


def test_a_gpu_that_is_not_there_is_refused_at_the_start_and_not_replaced() -> None:
    with pytest.raises(
        DeviceUnavailable, match=r"CUDAExecutionProvider.*pip install .onnxruntime-gpu\[cuda,cudnn\]"
    ):
        Runtime(EngineChoice(device=parse_device("cuda:0")), load=Load(), cores=1)


@pytest.mark.parametrize("precision", ["bf16", "f16"])
def test_a_precision_that_the_engine_lacks_is_refused_at_the_start(precision: Precision) -> None:
    with pytest.raises(DeviceUnavailable, match=precision):
        Runtime(EngineChoice("onnxruntime", precision), load=Load(), cores=1)


def test_openvino_runs_on_no_gpu() -> None:
    with pytest.raises(DeviceUnavailable, match="cpu"):
        Runtime(EngineChoice("openvino", device=parse_device("cuda:0")), load=Load(), cores=1)
