"""Networks such as people bring: every head, odd shapes, tensors elsewhere, things that cannot run."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.networks import Graph, Shape, constant

CANVAS = 64
SQUARE: Shape = (1, 3, CANVAS, CANVAS)
CELLS = 84  # 8 x 8 + 4 x 4 + 2 x 2

MEGADETECTOR_NAMES = {"names": "{0: 'animal', 1: 'person', 2: 'vehicle'}"}


def centres() -> NDArray[np.float32]:
    """(84, 2) centres of the cells of a canvas of 64 in pixels, strides 8, 16, 32."""
    grids = []
    for stride in (8, 16, 32):
        y, x = np.mgrid[: CANVAS // stride, : CANVAS // stride]
        grids.append((np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) * stride)
    return np.concatenate(grids).astype(np.float32)


def boxes(*, columns: int, a_cell: int = 1) -> NDArray[np.float32]:
    """(84 x a_cell, columns) boxes of 10 pixels around every cell; all scores are 0.25."""
    places = np.tile(centres(), (a_cell, 1))
    rows = np.full((len(places), columns), 0.25, dtype=np.float32)
    rows[:, :2] = places
    rows[:, 2:4] = 10
    return rows


def yolov5(*, classes: int, shape: Shape = SQUARE) -> bytes:
    return constant(boxes(columns=5 + classes, a_cell=3)[None], shape=shape)


def yolo(*, classes: int, shape: Shape = SQUARE, declared: Shape | None = None) -> bytes:
    return constant(boxes(columns=4 + classes).T[None].copy(), shape=shape, declared=declared)


def decoded_yolox(*, classes: int) -> bytes:
    return constant(boxes(columns=5 + classes)[None], shape=SQUARE)


def raw_yolox(*, classes: int) -> bytes:
    rows = np.full((1, CELLS, 5 + classes), 0.25, dtype=np.float32)
    rows[..., :2] = np.random.default_rng(7).uniform(-1, 1.5, (1, CELLS, 2))
    return constant(rows, shape=SQUARE)


def finished_boxes(*, scale: float, shape: Shape = SQUARE, is_empty: bool = False) -> bytes:
    """`[1, 20, 6]`: corners or centres up to `scale`, a score, a class; the last ten rows are zeros."""
    rows = np.zeros((1, 20, 6), dtype=np.float32)
    if not is_empty:
        rows[0, :10] = [0.25 * scale, 0.25 * scale, 0.75 * scale, 0.75 * scale, 0.5, 1]
    return constant(rows, shape=shape)


def rtdetr(*, classes: int) -> bytes:
    rows = np.random.default_rng(7).uniform(0.1, 0.6, (1, 300, 4 + classes)).astype(np.float32)
    return constant(rows, shape=SQUARE)


def scores(*values: float, shape: Shape = ("N", 3, CANVAS, CANVAS)) -> bytes:
    """A classifier that always answers with these."""
    return constant(np.array([values], dtype=np.float32), shape=shape)


def with_metadata(network: bytes, entries: Mapping[str, str]) -> bytes:
    model = onnx.load_model_from_string(network)
    helper.set_model_props(model, dict(entries))
    return bytes(model.SerializeToString())


def mixing(*, shape: Shape, out: Shape) -> onnx.ModelProto:
    """Answer with the means of the channels, mixed by a 3 x 3 matrix: a network with a weight of its own."""
    graph = Graph()
    weight = graph.constant(np.eye(3, dtype=np.float32) * 4)
    means = graph.op("ReduceMean", "images", axes=[2, 3], keepdims=0)
    graph.nodes.append(helper.make_node("MatMul", [means, weight], ["output"]))
    return graph.model({"output": out}, shape=shape)


def write_with_external_data(folder: Path, *, location: str = "means.onnx.data") -> Path:
    """Write a network whose weight lies in another file."""
    model = mixing(shape=SQUARE, out=(1, 3))
    tensor = model.graph.initializer[0]
    data = numpy_helper.to_array(tensor).tobytes()
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": str(len(data))}.items():
        tensor.external_data.add(key=key, value=value)
    target = folder / location
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    path = folder / "means.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def unknown_operator() -> bytes:
    """A network with an operator that no engine has."""
    node = helper.make_node("OkapiStripes", ["images"], ["output"], domain="zoo.okapi")
    return _of_node(node, shape=SQUARE, domain="zoo.okapi")


def not_a_number() -> bytes:
    """A classifier that divides zero by zero."""
    graph = Graph()
    zeros = graph.op("Mul", graph.op("ReduceMean", "images", axes=[2, 3], keepdims=0), graph.constant([0.0]))
    graph.nodes.append(helper.make_node("Div", [zeros, zeros], ["output"]))
    return bytes(graph.model({"output": (1, 3)}, shape=SQUARE).SerializeToString())


def bytes_in(shape: Shape) -> bytes:
    """A classifier that takes uint8 pixels."""
    model = mixing(shape=shape, out=(1, 3))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    cast = helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT)
    model.graph.node[0].input[0] = "floats"
    model.graph.node.insert(0, cast)
    return bytes(model.SerializeToString())


def _of_node(node: onnx.NodeProto, *, shape: Shape, domain: str) -> bytes:
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name in ("images", "output")
    ]
    graph = helper.make_graph([node], "strange", ports[:1], ports[1:])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(domain, 1)]
    )
    model.ir_version = 9
    return bytes(model.SerializeToString())
