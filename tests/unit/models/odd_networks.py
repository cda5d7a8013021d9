"""Networks as people export them: every type, batch and shape, small enough to load in a moment."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from okapia.models.devices import installed_engines
from okapia.models.runtime import EngineChoice

Sides = Sequence[int | str | None] | None

SIDE = 8
ROW = (1, 3, SIDE, SIDE)

needs_openvino = pytest.mark.skipif("openvino" not in installed_engines(), reason="needs OpenVINO")
every_engine = pytest.mark.parametrize(
    "choice",
    [EngineChoice("onnxruntime"), pytest.param(EngineChoice("openvino"), marks=needs_openvino)],
    ids=lambda choice: choice.engine,
)
"""The same contract for each of them."""


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    *,
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    weights: Sequence[onnx.TensorProto] = (),
    opset: int = 17,
    ir: int = 9,
) -> Path:
    graph = helper.make_graph(list(nodes), "odd", list(inputs), list(outputs), list(weights))
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("my.ops", 1)]
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = ir
    path.write_bytes(model.SerializeToString())
    return path


def port(name: str, sides: Sides, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, sides)


def means(
    path: Path,
    *,
    sides: Sides = ("N", 3, "H", "W"),
    answer: Sides = ("N", 3),
    kind: int = TensorProto.FLOAT,
    axes: tuple[int, int] = (2, 3),
) -> Path:
    """Answer with the mean of each channel, in float32, whatever the type of the picture."""
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["means"], axes=axes, keepdims=0),
    ]
    return save(path, nodes, inputs=[port("images", sides, kind)], outputs=[port("means", answer)])


def bright_places(path: Path, *, sides: Sides = ROW, answer: Sides = ("M", 4)) -> Path:
    """Answer with the places above 0, one a row, as networks with NMS inside do: `[M, 4]` without a batch."""
    nodes = [
        helper.make_node("Relu", ["images"], ["bright"]),
        helper.make_node("NonZero", ["bright"], ["columns"]),
        helper.make_node("Transpose", ["columns"], ["places"]),
    ]
    outputs = [port("places", answer, TensorProto.INT64)]
    return save(path, nodes, inputs=[port("images", sides)], outputs=outputs)


def halves(path: Path) -> Path:
    """Answer with half of each channel's mean: inputs, outputs and the weight are float16."""
    kind = TensorProto.FLOAT16
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["means"]),
        helper.make_node("Mul", ["means", "half"], ["halves"]),
    ]
    weight = numpy_helper.from_array(np.full((1, 3, 1, 1), 0.5, dtype=np.float16), "half")
    return save(
        path,
        nodes,
        inputs=[port("images", ["N", 3, "H", "W"], kind)],
        outputs=[port("halves", ["N", 3, 1, 1], kind)],
        weights=[weight],
    )


def outside(path: Path, *, location: str) -> Path:
    """Add a weight of four numbers that is kept in another file, which is not written."""
    weight = onnx.TensorProto(name="offsets", data_type=TensorProto.FLOAT, dims=[1, 1, 2, 2])
    weight.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "16"}.items():
        weight.external_data.add(key=key, value=value)
    node = helper.make_node("Add", ["images", "offsets"], ["sums"])
    shape = (1, 3, 2, 2)
    return save(path, [node], inputs=[port("images", shape)], outputs=[port("sums", shape)], weights=[weight])


def single(path: Path, operator: str, *, domain: str = "", opset: int = 17, ir: int = 9) -> Path:
    """Make a network of one operator."""
    node = helper.make_node(operator, ["images"], ["answer"], domain=domain)
    shape = ("N", 3, "H", "W")
    return save(
        path, [node], inputs=[port("images", shape)], outputs=[port("answer", shape)], opset=opset, ir=ir
    )


def picture(count: int = 1, *, side: int = SIDE) -> NDArray[np.float32]:
    """(count, 3, side, side) numbers 0..255, all different from row to row."""
    size = count * 3 * side * side
    return (np.arange(size, dtype=np.float32) * 7 % 256).reshape(count, 3, side, side)
