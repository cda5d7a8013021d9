"""Small networks of the true shapes whose answers are known in closed form, made with onnx.

`bright_box` finds the rectangle of bright pixels: a detector that really looks, so that resizing, padding and
the way back to the picture are tested together. `mean_colour` answers with the mean of each channel: three
logits that tell whether order, normalisation and layout are right. `constant` says the same to everything.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]
Layout = Callable[["Graph", str], str]
"""Turns (4,) x1, y1, x2, y2 in canvas pixels, given by name, into a family's output, named too."""

BRIGHT = 0.5
"""A pixel is bright when the mean of its channels exceeds this, after normalisation."""
SCORE = 0.875
"""What every box of `bright_box` is scored; exact in every float type."""


class Graph:
    """Collects nodes and constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: NDArray[np.generic] | Sequence[float]) -> str:
        array = np.asarray(value, dtype=np.float32) if not isinstance(value, np.ndarray) else value
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def whole(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def model(
        self, outputs: dict[str, Shape], *, shape: Shape, kind: int = TensorProto.FLOAT
    ) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "generated",
            [helper.make_tensor_value_info("images", kind, list(shape))],
            [helper.make_tensor_value_info(name, kind, list(sides)) for name, sides in outputs.items()],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        onnx.checker.check_model(model)
        return model


def constant(
    answer: NDArray[np.float32], *, shape: Shape = ("N", 3, 640, 640), declared: Shape | None = None
) -> bytes:
    """Answer `answer` to every picture.

    Args:
        declared: shape that the file declares for its output; that of `answer` when None.
    """
    graph = Graph()
    nothing = graph.op("Mul", graph.op("ReduceMean", "images", keepdims=0), graph.constant([0.0]))
    graph.nodes.append(helper.make_node("Add", [graph.constant(answer), nothing], ["output"]))
    return bytes(graph.model({"output": declared or answer.shape}, shape=shape).SerializeToString())


def constants(answers: Mapping[str, NDArray[np.float32]], *, shape: Shape) -> bytes:
    """Answer the same to every picture, in several outputs."""
    graph = Graph()
    nothing = graph.op("Mul", graph.op("ReduceMean", "images", keepdims=0), graph.constant([0.0]))
    for name, answer in answers.items():
        graph.nodes.append(helper.make_node("Add", [graph.constant(answer), nothing], [name]))
    outputs: dict[str, Shape] = {name: answer.shape for name, answer in answers.items()}
    return bytes(graph.model(outputs, shape=shape).SerializeToString())


def brightness(*, shape: Shape) -> bytes:
    """Answer with the mean of all values of a row, `output` (N,)."""
    graph = Graph()
    graph.nodes.append(helper.make_node("ReduceMean", ["images"], ["output"], axes=[1, 2, 3], keepdims=0))
    return bytes(graph.model({"output": [shape[0]]}, shape=shape).SerializeToString())


def bright_box(layout: Layout, declared: Shape, *, shape: Shape = (1, 3, 640, 640)) -> bytes:
    """Find the rectangle of bright pixels (NCHW) and answer in a family's layout."""
    graph = Graph()
    bright = graph.op(
        "Greater", graph.op("ReduceMean", "images", axes=[0, 1], keepdims=0), graph.constant([BRIGHT])
    )
    rows = _span(
        graph, graph.op("ReduceMax", graph.op("Cast", bright, to=TensorProto.FLOAT), axes=[1], keepdims=0)
    )
    columns = _span(
        graph, graph.op("ReduceMax", graph.op("Cast", bright, to=TensorProto.FLOAT), axes=[0], keepdims=0)
    )
    corners = graph.op("Concat", columns[0], rows[0], columns[1], rows[1], axis=0)
    graph.nodes.append(helper.make_node("Identity", [layout(graph, corners)], ["output"]))
    return bytes(graph.model({"output": declared}, shape=shape).SerializeToString())


def _span(graph: Graph, is_bright: str) -> tuple[str, str]:
    """First bright place and the one behind the last, each (1,), of a (length,) mask of 0 and 1."""
    first = graph.op("ArgMax", is_bright, axis=0, keepdims=1)
    last = graph.op("ArgMax", is_bright, axis=0, keepdims=1, select_last_index=1)
    as_float = [graph.op("Cast", place, to=TensorProto.FLOAT) for place in (first, last)]
    return as_float[0], graph.op("Add", as_float[1], graph.constant([1.0]))


def _centre_size(graph: Graph, corners: str) -> str:
    """(4,) centre x, centre y, width, height."""
    matrix = np.array([[0.5, 0, -1, 0], [0, 0.5, 0, -1], [0.5, 0, 1, 0], [0, 0.5, 0, 1]], dtype=np.float32)
    return graph.op("MatMul", corners, graph.constant(matrix))


def _row(graph: Graph, *parts: str) -> str:
    return graph.op("Unsqueeze", graph.op("Concat", *parts, axis=0), graph.whole(0))


def yolov5_layout(classes: int, *, winner: int) -> Layout:
    """`[1, 2, 5 + classes]`: cx, cy, w, h in pixels, objectness, classes; the second row is noise."""

    def layout(graph: Graph, corners: str) -> str:
        scores = np.zeros(classes, dtype=np.float32)
        scores[winner] = SCORE
        row = _row(graph, _centre_size(graph, corners), graph.constant([1.0]), graph.constant(scores))
        noise = graph.constant(np.full((1, 5 + classes), 1e-4, dtype=np.float32))
        return graph.op("Unsqueeze", graph.op("Concat", row, noise, axis=0), graph.whole(0))

    return layout


def yolo_layout(classes: int, *, winner: int) -> Layout:
    """`[1, 4 + classes, 1]`: the same without objectness, columns for rows."""

    def layout(graph: Graph, corners: str) -> str:
        scores = np.zeros(classes, dtype=np.float32)
        scores[winner] = SCORE
        column = graph.op(
            "Transpose", _row(graph, _centre_size(graph, corners), graph.constant(scores)), perm=[1, 0]
        )
        return graph.op("Unsqueeze", column, graph.whole(0))

    return layout


def yolo_e2e_layout(*, winner: int) -> Layout:
    """`[1, 6]`: x1, y1, x2, y2 in pixels, confidence, class."""

    def layout(graph: Graph, corners: str) -> str:
        return _row(graph, corners, graph.constant([SCORE, float(winner)]))

    return layout


def rtdetr_topk_layout(canvas: tuple[int, int], *, winner: int) -> Layout:
    """`[1, 6]`: cx, cy, w, h in 0..1, score, class."""

    def layout(graph: Graph, corners: str) -> str:
        sides = graph.constant([canvas[0], canvas[1], canvas[0], canvas[1]])
        box = graph.op("Div", _centre_size(graph, corners), sides)
        return _row(graph, box, graph.constant([SCORE, float(winner)]))

    return layout


def mean_colour(*, shape: Shape = ("N", 3, 224, 224), gain: float = 1.0) -> bytes:
    """Answer with the mean of each channel times `gain`; NCHW, or NHWC when `shape` ends in 3."""
    graph = Graph()
    axes = [1, 2] if shape[-1] == 3 else [2, 3]
    means = graph.op("ReduceMean", "images", axes=axes, keepdims=0)
    graph.nodes.append(helper.make_node("Mul", [means, graph.constant([gain])], ["output"]))
    return bytes(graph.model({"output": [shape[0], 3]}, shape=shape).SerializeToString())


def painted_faces(*, side: int) -> bytes:
    """Find faces where cells of 4 x 4 pixels are painted (NCHW, 0..255), in CenterFace's layout.

    A cell's red is the heat in 255ths, its green the face's height and its blue the width in pixels; the
    centre lies a quarter of a cell below the middle of the cell, and an eighth to the right.
    """
    graph = Graph()
    cells = graph.op("AveragePool", "images", kernel_shape=[4, 4], strides=[4, 4])
    heat, sizes = (
        graph.op("Gather", cells, graph.constant(np.array(places)), axis=1) for places in ([0], [1, 2])
    )
    heights = graph.op("Max", graph.op("Div", sizes, graph.constant([4.0])), graph.constant([0.25]))
    moved = graph.op("Mul", sizes, graph.constant([0.0]))
    offset = np.array([0.25, 0.125], dtype=np.float32).reshape(1, 2, 1, 1)
    graph.nodes += [
        helper.make_node("Div", [heat, graph.constant([255.0])], ["heat"]),
        helper.make_node("Log", [heights], ["size"]),
        helper.make_node("Add", [moved, graph.constant(offset)], ["offset"]),
    ]
    sides = (side // 4, side // 4)
    outputs: dict[str, Shape] = {
        "heat": ("N", 1, *sides),
        "size": ("N", 2, *sides),
        "offset": ("N", 2, *sides),
    }
    return bytes(graph.model(outputs, shape=("N", 3, side, side)).SerializeToString())


def mean_green(*, side: int = 224) -> bytes:
    """Answer (N, 1) with the mean green, in 255ths, of (N, side, side, 3) pixels, as a gender reader does."""
    graph = Graph()
    means = graph.op("ReduceMean", "images", axes=[1, 2], keepdims=0)
    green = graph.op("Gather", means, graph.constant(np.array([1])), axis=1)
    graph.nodes.append(helper.make_node("Div", [green, graph.constant([255.0])], ["man"]))
    return bytes(graph.model({"man": ("N", 1)}, shape=("N", side, side, 3)).SerializeToString())
