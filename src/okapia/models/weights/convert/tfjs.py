"""TensorFlow.js graph models to ONNX, without TensorFlow.

`translate` turns each operator of a graph into ONNX through the table `_OPERATORS`; adding an
operator is adding a function to it. Operators that work channels-last are wrapped in
transposes, which the engines cancel out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import numpy as np
import onnx
from numpy.typing import NDArray

from okapia.domain.errors import ModelDamaged
from okapia.models.weights.convert.graph import Attribute, Graph, Shape
from okapia.models.weights.convert.tfjs_file import Array, GraphModel, Node

_TO_CHANNELS_FIRST = (0, 3, 1, 2)
_TO_CHANNELS_LAST = (0, 2, 3, 1)


@dataclass(frozen=True, slots=True)
class Output:
    """A TensorFlow node to give out, under which name and of which shape."""

    node: str
    name: str
    shape: Shape


def translate(model: GraphModel, outputs: Sequence[Output], *, name: str) -> onnx.ModelProto:
    """Translate what `outputs` need of a graph, its first axis (the batch) left open as `N`.

    The one placeholder becomes the input `images`.

    Raises:
        ModelDamaged: a node is missing, or an operator is none of the table's.
    """
    translation = _Translation(model)
    for node in _in_order(model.nodes, [output.node for output in outputs]):
        translation.add(node)
    for output in outputs:
        translation.graph.output(output.name, translation.value(output.node), output.shape)
    return translation.graph.finish(name)


def _in_order(nodes: Mapping[str, Node], wanted: Sequence[str]) -> list[Node]:
    """Give the nodes that `wanted` depend on, each after its inputs."""
    sources: dict[str, list[str]] = {}
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name in sources:
            continue
        if name not in nodes:
            raise ModelDamaged(f"the graph has no node {name!r}")
        sources[name] = [_base(reference) for reference in nodes[name].inputs]
        waiting += sources[name]
    try:
        return [nodes[name] for name in TopologicalSorter(sources).static_order()]
    except CycleError as error:
        raise ModelDamaged(f"the graph has a cycle: {error.args[1]}") from error


def _base(reference: str) -> str:
    """Name of the node in `node` or `node:1`, its second output."""
    return reference.partition(":")[0]


class _Translation:
    """The ONNX graph so far, and what each TensorFlow node became: values, or known numbers."""

    def __init__(self, model: GraphModel) -> None:
        self.graph = Graph()
        self.weights = model.weights
        self._values: dict[str, list[str]] = {}
        self._known: dict[str, Array] = {}

    def add(self, node: Node) -> None:
        if node.operator not in _OPERATORS:
            raise ModelDamaged(f"cannot convert the operator {node.operator} of {node.name}")
        result = _OPERATORS[node.operator](self, node)
        if isinstance(result, np.ndarray):
            self._known[node.name] = result
        else:
            self._values[node.name] = [result] if isinstance(result, str) else result

    def value(self, reference: str) -> str:
        """Name the ONNX value of a reference; known numbers become a constant."""
        base, _, place = reference.partition(":")
        if base in self._values:
            return self._values[base][int(place or 0)]
        known = self._known[base]
        # ONNX wants its shapes, axes and paddings in 64 bits.
        return self.graph.constant(known.astype(np.int64) if known.dtype == np.int32 else known)

    def is_known(self, reference: str) -> bool:
        return _base(reference) in self._known

    def known(self, reference: str) -> Array:
        """Give the numbers of a reference that does not depend on the input."""
        if not self.is_known(reference):
            raise ModelDamaged(f"{reference} should be constant, but depends on the input")
        return self._known[_base(reference)]

    def integers(self, reference: str) -> list[int]:
        return [int(value) for value in np.atleast_1d(self.known(reference))]

    def transposed(self, value: str, order: Sequence[int]) -> str:
        return self.graph.node("Transpose", value, perm=list(order))


_Result = str | list[str] | Array
_Operator = Callable[[_Translation, Node], _Result]


def _const(translation: _Translation, node: Node) -> _Result:
    if node.name not in translation.weights:
        raise ModelDamaged(f"the weights of {node.name} are missing")
    return translation.weights[node.name]


def _placeholder(translation: _Translation, node: Node) -> _Result:
    sizes = node.attribute("shape").sizes
    return translation.graph.input("images", ("N", *sizes[1:]))


def _identity(translation: _Translation, node: Node) -> _Result:
    (source,) = node.inputs
    return translation.known(source) if translation.is_known(source) else translation.value(source)


def _add(translation: _Translation, node: Node) -> _Result:
    left, right = node.inputs
    if translation.is_known(left) and translation.is_known(right):
        return np.asarray(np.add(translation.known(left), translation.known(right)))
    return translation.graph.node("Add", translation.value(left), translation.value(right))


def _sparse_to_dense(translation: _Translation, node: Node) -> _Result:
    indices, shape, values, default = (translation.known(reference) for reference in node.inputs)
    dense = np.full([int(side) for side in np.atleast_1d(shape)], default, values.dtype)
    rows = indices[:, None] if indices.ndim == 1 else np.atleast_2d(indices)
    dense[tuple(rows.astype(np.int64).T)] = values
    return dense


def _of_each(operator: str) -> _Operator:
    """Translate what works number by number on its inputs, and has the same sense in ONNX."""
    return lambda translation, node: translation.graph.node(
        operator, *(translation.value(reference) for reference in node.inputs)
    )


def _leaky_relu(translation: _Translation, node: Node) -> _Result:
    slope = node.attribute("alpha").f
    return translation.graph.node("LeakyRelu", translation.value(node.inputs[0]), alpha=slope)


def _convolution(translation: _Translation, node: Node) -> _Result:
    """Conv2D: kernels come as (kh, kw, in, out), ONNX wants (out, in, kh, kw)."""
    kernel = translation.known(node.inputs[1]).astype(np.float32).transpose(3, 2, 0, 1)
    return _convolved(translation, node, kernel, groups=1)


def _depthwise(translation: _Translation, node: Node) -> _Result:
    """DepthwiseConv2dNative: kernels come as (kh, kw, in, m), ONNX wants (in * m, 1, kh, kw)."""
    kernel = translation.known(node.inputs[1]).astype(np.float32).transpose(2, 3, 0, 1)
    groups, multiplier, *window = kernel.shape
    return _convolved(translation, node, kernel.reshape(groups * multiplier, 1, *window), groups=groups)


def _convolved(translation: _Translation, node: Node, kernel: NDArray[np.float32], *, groups: int) -> _Result:
    window: dict[str, Attribute] = {
        "kernel_shape": kernel.shape[2:],
        "strides": _spatial(node, "strides"),
        "dilations": _spatial(node, "dilations"),
        "auto_pad": _padding(node),
    }
    x = translation.transposed(translation.value(node.inputs[0]), _TO_CHANNELS_FIRST)
    y = translation.graph.node("Conv", x, translation.graph.constant(kernel), group=groups, **window)
    return translation.transposed(y, _TO_CHANNELS_LAST)


def _max_pool(translation: _Translation, node: Node) -> _Result:
    window: dict[str, Attribute] = {
        "kernel_shape": _spatial(node, "ksize"),
        "strides": _spatial(node, "strides"),
        "auto_pad": _padding(node),
    }
    x = translation.transposed(translation.value(node.inputs[0]), _TO_CHANNELS_FIRST)
    return translation.transposed(translation.graph.node("MaxPool", x, **window), _TO_CHANNELS_LAST)


def _spatial(node: Node, name: str) -> list[int]:
    """Height and width of a window attribute that lists all four axes, channels last."""
    if (layout := node.attribute("data_format").text) != "NHWC":
        raise ModelDamaged(f"{node.name} is laid out {layout}; only NHWC is converted")
    return list(node.attribute(name).integers[1:3])


def _padding(node: Node) -> str:
    kind = node.attribute("padding").text
    if kind not in {"SAME", "VALID"}:
        raise ModelDamaged(f"{node.name} pads {kind!r}; only SAME and VALID are converted")
    return "SAME_UPPER" if kind == "SAME" else "VALID"


def _mean(translation: _Translation, node: Node) -> _Result:
    source, axes = node.inputs
    return translation.graph.node(
        "ReduceMean",
        translation.value(source),
        axes=translation.integers(axes),
        keepdims=int(node.attribute("keep_dims").b),
    )


def _dense(translation: _Translation, node: Node) -> _Result:
    """_FusedMatMul: a matrix, then what `fused_ops` lists: a bias, and perhaps an activation."""
    if node.attribute("transpose_a").b or node.attribute("transpose_b").b:
        raise ModelDamaged(f"{node.name} multiplies a transposed matrix, which is not converted")
    source, matrix, *biases = (translation.value(reference) for reference in node.inputs)
    value = translation.graph.node("MatMul", source, matrix)
    for step in node.attribute("fused_ops").texts:
        if step not in _FUSED:
            raise ModelDamaged(f"cannot convert {step}, a part of {node.name}")
        value = translation.graph.node(_FUSED[step], value, *(biases if step == "BiasAdd" else ()))
    return value


_FUSED = {"BiasAdd": "Add", "Relu": "Relu", "Sigmoid": "Sigmoid"}
"""What TensorFlow calls the steps of a fused operator, and ONNX."""


def _concat(translation: _Translation, node: Node) -> _Result:
    *parts, axis = node.inputs
    values = [translation.value(part) for part in parts]
    return translation.graph.node("Concat", *values, axis=translation.integers(axis)[0])


def _pad(translation: _Translation, node: Node) -> _Result:
    """Pad and PadV2: (axes, 2) before and after; ONNX lists all befores, then all afters."""
    amounts = translation.known(node.inputs[1]).astype(np.int64).T.reshape(-1)
    filler = float(translation.known(node.inputs[2])) if len(node.inputs) > 2 else 0.0
    graph = translation.graph
    return graph.node("Pad", translation.value(node.inputs[0]), graph.constant(amounts), graph.floats(filler))


def _transpose(translation: _Translation, node: Node) -> _Result:
    source, order = node.inputs
    return translation.transposed(translation.value(source), translation.integers(order))


def _reshape(translation: _Translation, node: Node) -> _Result:
    source, shape = node.inputs
    first, *others = translation.integers(shape)
    # The graph was exported for one picture; 0 takes the batch as it comes.
    batch = 0 if first == 1 else first
    return translation.graph.node(
        "Reshape", translation.value(source), translation.graph.integers(batch, *others)
    )


def _split(translation: _Translation, node: Node) -> _Result:
    source, sizes, axis = node.inputs
    lengths = translation.integers(sizes)
    return translation.graph.nodes(
        "Split",
        translation.value(source),
        translation.graph.integers(*lengths),
        n_outputs=len(lengths),
        axis=translation.integers(axis)[0],
    )


def _resize_bilinear(translation: _Translation, node: Node) -> _Result:
    if not node.attribute("half_pixel_centers").b:
        raise ModelDamaged(f"{node.name}: only half-pixel centres are converted")
    graph = translation.graph
    x = translation.transposed(translation.value(node.inputs[0]), _TO_CHANNELS_FIRST)
    batch_and_channels = graph.node("Slice", graph.node("Shape", x), graph.integers(0), graph.integers(2))
    height_and_width = graph.integers(*translation.integers(node.inputs[1]))
    sizes = graph.node("Concat", batch_and_channels, height_and_width, axis=0)
    y = graph.node("Resize", x, "", "", sizes, mode="linear", coordinate_transformation_mode="half_pixel")
    return translation.transposed(y, _TO_CHANNELS_LAST)


_OPERATORS: dict[str, _Operator] = {
    "_FusedMatMul": _dense,
    "Add": _add,
    "AddV2": _add,
    "ConcatV2": _concat,
    "Const": _const,
    "Conv2D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
    "Identity": _identity,
    "LeakyRelu": _leaky_relu,
    "Maximum": _of_each("Max"),
    "MaxPool": _max_pool,
    "Mean": _mean,
    "Minimum": _of_each("Min"),
    "Mul": _of_each("Mul"),
    "Pad": _pad,
    "PadV2": _pad,
    "Placeholder": _placeholder,
    "Relu": _of_each("Relu"),
    "Reshape": _reshape,
    "ResizeBilinear": _resize_bilinear,
    "Sigmoid": _of_each("Sigmoid"),
    "SparseToDense": _sparse_to_dense,
    "SplitV": _split,
    "Transpose": _transpose,
}
