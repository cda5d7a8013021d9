"""Builds ONNX graphs node by node."""

from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from okapia.models.weights.convert.checkpoint import StateDict

OPSET = 17
IR_VERSION = 9  # the newest that ONNX Runtime 1.20 reads

Attribute = int | float | str | Sequence[int] | Sequence[float]
Shape = Sequence[int | str]

_SMALL = 64
"""Constants of fewer items than this are shared between nodes."""


class Graph:
    """A network under construction: `constant` and `node` give the names of what they add."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._shared: dict[tuple[bytes, str, tuple[int, ...]], str] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, shape: Shape) -> str:
        """Add a float32 input; a string in `shape` is an open axis."""
        self._inputs.append(_value_info(name, shape))
        return name

    def output(self, name: str, value: str, shape: Shape) -> None:
        """Give the output of a node, `value`, out under `name`."""
        # Renamed, not passed through an Identity: OpenVINO would know the result by either name.
        for node in self._nodes:
            _rename(node.input, value, name)
            _rename(node.output, value, name)
        self._outputs.append(_value_info(name, shape))

    def constant(self, values: NDArray[np.generic]) -> str:
        key = (values.tobytes(), values.dtype.str, values.shape) if values.size < _SMALL else None
        if key is not None and key in self._shared:
            return self._shared[key]
        name = f"constant_{len(self._constants)}"
        self._constants[name] = onnx.numpy_helper.from_array(np.ascontiguousarray(values), name)
        if key is not None:
            self._shared[key] = name
        return name

    def floats(self, *values: float) -> str:
        """Add a float32 vector, or a scalar when there is one value."""
        return self.constant(np.array(values if len(values) > 1 else values[0], np.float32))

    def integers(self, *values: int) -> str:
        """Add an int64 vector."""
        return self.constant(np.array(values, np.int64))

    def node(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        """Add an operator with one output. An empty input name is one left out."""
        return self.nodes(operator, *inputs, n_outputs=1, **attributes)[0]

    def nodes(self, operator: str, *inputs: str, n_outputs: int, **attributes: Attribute) -> list[str]:
        """Add an operator with several outputs."""
        name = f"{operator}_{len(self._nodes)}"
        outputs = [f"{name}_{place}" for place in range(n_outputs)]
        self._nodes.append(onnx.helper.make_node(operator, list(inputs), outputs, name=name, **attributes))
        return outputs

    def finish(self, name: str) -> onnx.ModelProto:
        """Close the graph, leaving out constants that no node reads, and check it."""
        read = {value for node in self._nodes for value in node.input}
        constants = [tensor for key, tensor in self._constants.items() if key in read]
        graph = onnx.helper.make_graph(self._nodes, name, self._inputs, self._outputs, constants)
        model = onnx.helper.make_model(
            graph,
            opset_imports=[onnx.helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="okapia",
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def _rename(values: MutableSequence[str], old: str, new: str) -> None:
    for place, value in enumerate(values):
        if value == old:
            values[place] = new


def _value_info(name: str, shape: Shape) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, list(shape))


@dataclass(frozen=True, slots=True)
class Kernel:
    """A convolution's weight (out, in / groups, kh, kw) and bias (out,), both float32."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    @property
    def size(self) -> tuple[int, int]:
        return (self.weight.shape[2], self.weight.shape[3])


def folded_kernel(tensors: StateDict, *, convolution: str, norm: str, epsilon: float) -> Kernel:
    """Fold a batch normalisation into the convolution before it, which has no bias of its own.

    Computed in float64: `w * g / sqrt(v + eps)` and `b - m * g / sqrt(v + eps)`.
    """
    weight = tensors[f"{convolution}.weight"].astype(np.float64)
    gain, bias, mean, variance = (
        tensors[f"{norm}.{part}"].astype(np.float64)
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gain / np.sqrt(variance + epsilon)
    return Kernel(
        (weight * scale[:, None, None, None]).astype(np.float32), (bias - mean * scale).astype(np.float32)
    )
