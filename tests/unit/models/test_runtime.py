"""The same contract for every engine, and no silent change of device or precision."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from okapia.domain.errors import DeviceUnavailable, ModelError
from okapia.models.base import Session
from okapia.models.runtime import EngineChoice, Load, Runtime, installed_engines

CANVAS = 32
ENGINES = [
    EngineChoice("onnxruntime", "f32"),
    pytest.param(
        EngineChoice("openvino", "f32"),
        marks=pytest.mark.skipif("openvino" not in installed_engines(), reason="needs OpenVINO"),
    ),
]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that answers the mean of each channel, with open batch and sides."""
    shape = ["N", 3, "H", "W"]
    graph = helper.make_graph(
        [helper.make_node("GlobalAveragePool", ["images"], ["means"])],
        "means",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("means", TensorProto.FLOAT, ["N", 3, 1, 1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    path = tmp_path_factory.mktemp("networks") / "means.onnx"
    onnx.save(model, str(path))
    return path


def opened(network: Path, choice: EngineChoice, *, cores: int = 2, load: Load | None = None) -> Session:
    return Runtime(choice, load=load or Load(), cores=cores).open(network, CANVAS)


def rows(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.arange(count * 3 * CANVAS * CANVAS, dtype=np.float32).reshape(count, 3, CANVAS, CANVAS) / 1e3


@pytest.mark.parametrize("choice", ENGINES)
def test_outputs_come_by_name_one_row_an_input_row(network: Path, choice: EngineChoice) -> None:
    batch = rows(3)

    outputs = opened(network, choice).run(batch)

    assert list(outputs) == ["means"]
    assert outputs["means"].reshape(3, 3) == pytest.approx(batch.mean(axis=(2, 3)), rel=1e-4)


@pytest.mark.parametrize("choice", ENGINES)
def test_calls_from_many_threads_do_not_mix(network: Path, choice: EngineChoice) -> None:
    session = opened(network, choice)
    batches = [rows(1) + n for n in range(64)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(session.run, batches))

    expected = [batch.mean(axis=(2, 3)) for batch in batches]
    assert [a["means"].reshape(1, 3) for a in answers] == [pytest.approx(e, rel=1e-4) for e in expected]


@pytest.mark.parametrize("choice", ENGINES)
def test_light_and_heavy_load_give_the_same_answer(network: Path, choice: EngineChoice) -> None:
    load = Load()
    session = opened(network, choice, load=load)
    batch = rows(1)

    light = session.run(batch)["means"]
    with load.one(), load.one():
        heavy = session.run(batch)["means"]

    assert heavy == pytest.approx(light, rel=1e-5)


@pytest.mark.parametrize("choice", ENGINES)
def test_engine_device_and_precision_are_reported(network: Path, choice: EngineChoice) -> None:
    session = opened(network, choice)

    assert session.engine.startswith(choice.engine)
    assert (session.device, session.precision) == ("cpu", "f32")


@pytest.mark.parametrize("choice", ENGINES)
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, choice: EngineChoice) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"this is a text")

    with pytest.raises(ModelError, match=r"cannot load .*broken\.onnx"):
        opened(broken, choice)


@pytest.mark.parametrize("choice", ENGINES)
def test_an_input_of_the_wrong_shape_is_an_error_of_ours(network: Path, choice: EngineChoice) -> None:
    session = opened(network, choice)

    with pytest.raises(ModelError):
        session.run(np.zeros((1, 5, CANVAS, CANVAS), dtype=np.float32))


def test_a_gpu_that_is_not_there_is_refused_and_not_replaced(network: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="CUDAExecutionProvider"):
        opened(network, EngineChoice("onnxruntime", "f32", "cuda:0"))


def test_a_precision_that_the_engine_lacks_is_refused(network: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="bf16"):
        opened(network, EngineChoice("onnxruntime", "bf16"))


def test_a_device_of_another_name_is_refused(network: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="tpu"):
        opened(network, EngineChoice("onnxruntime", "f32", "tpu:0"))
