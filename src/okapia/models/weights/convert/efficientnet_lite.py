"""EfficientNet-Lite0 checkpoints to ONNX.

Input `images` (N, 3, 224, 224) float32 RGB 0..255, normalised inside as (x - 127) / 128.
Output `probs` (N, classes) float32 after its softmax.

Layers and names are those of the PyTorch port of Google's TPU release: TensorFlow's SAME
padding, ReLU6, no squeeze-and-excitation, batch normalisation with epsilon 1e-3.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import onnx

from okapia.domain.errors import ModelDamaged
from okapia.models.weights.convert.checkpoint import StateDict, read_state_dict
from okapia.models.weights.convert.graph import Graph, folded_kernel

CANVAS = 224

_EPSILON = 1e-3
_STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))
"""Blocks and first stride of each stage (EfficientNet-B0, depth 1.0)."""


@dataclass(frozen=True, slots=True)
class _Step:
    """How one convolution is applied."""

    stride: int = 1
    groups: int = 1


def convert(members: Mapping[str, bytes]) -> onnx.ModelProto:
    """Convert the one `.pth` file in `members`.

    Raises:
        ModelDamaged: not an EfficientNet-Lite0 checkpoint.
    """
    (checkpoint,) = members.values()
    return build(read_state_dict(checkpoint))


def build(tensors: StateDict) -> onnx.ModelProto:
    """Build the network from its tensors.

    Raises:
        ModelDamaged: a tensor is missing, or there are more blocks than Lite0 has.
    """
    network = _Network(tensors)
    graph = network.graph
    images = graph.input("images", ("N", 3, CANVAS, CANVAS))
    x = graph.node("Div", graph.node("Sub", images, graph.floats(127)), graph.floats(128))
    probabilities = graph.node("Softmax", network.logits(network.features(x)), axis=-1)
    graph.output("probs", probabilities, ("N", len(tensors["_fc.bias"])))
    return graph.finish("efficientnet_lite0")


class _Network:
    """The blocks of EfficientNet-Lite, each adding its nodes and giving its output's name."""

    def __init__(self, tensors: StateDict) -> None:
        self.graph = Graph()
        self._tensors = tensors

    def features(self, x: str) -> str:
        """Stem, blocks and head convolution."""
        x = self._activated(self._conv(x, "_conv_stem", "_bn0", _Step(stride=2)))
        strides = [stride if place == 0 else 1 for n, stride in _STAGES for place in range(n)]
        for number, stride in enumerate(strides):
            x = self._block(x, f"_blocks.{number}", stride=stride)
        if f"_blocks.{len(strides)}._bn1.weight" in self._tensors:
            raise ModelDamaged(f"expected {len(strides)} blocks, the checkpoint has more: not a Lite0")
        return self._activated(self._conv(x, "_conv_head", "_bn1", _Step()))

    def logits(self, x: str) -> str:
        """Pool and classify."""
        pooled = self.graph.node("Flatten", self.graph.node("GlobalAveragePool", x))
        weight, bias = self._tensors["_fc.weight"], self._tensors["_fc.bias"]
        return self.graph.node(
            "Gemm", pooled, self.graph.constant(weight), self.graph.constant(bias), transB=1
        )

    def _block(self, x: str, prefix: str, *, stride: int) -> str:
        """Inverted residual: expand, depthwise, project; added to its input where shapes agree."""
        depthwise = self._tensors[f"{prefix}._depthwise_conv.weight"]
        projected = self._tensors[f"{prefix}._project_conv.weight"]
        inner, channels_in = x, len(depthwise)
        if f"{prefix}._expand_conv.weight" in self._tensors:
            channels_in = self._tensors[f"{prefix}._expand_conv.weight"].shape[1]
            inner = self._activated(self._conv(x, f"{prefix}._expand_conv", f"{prefix}._bn0", _Step()))
        step = _Step(stride=stride, groups=len(depthwise))
        inner = self._activated(self._conv(inner, f"{prefix}._depthwise_conv", f"{prefix}._bn1", step))
        inner = self._conv(inner, f"{prefix}._project_conv", f"{prefix}._bn2", _Step())
        if stride == 1 and channels_in == len(projected):
            return self.graph.node("Add", inner, x)
        return inner

    def _activated(self, x: str) -> str:
        return self.graph.node("Clip", x, self.graph.floats(0), self.graph.floats(6))

    def _conv(self, x: str, convolution: str, norm: str, step: _Step) -> str:
        kernel = folded_kernel(self._tensors, convolution=convolution, norm=norm, epsilon=_EPSILON)
        return self.graph.node(
            "Conv",
            x,
            self.graph.constant(kernel.weight),
            self.graph.constant(kernel.bias),
            kernel_shape=kernel.size,
            strides=[step.stride, step.stride],
            group=step.groups,
            auto_pad="SAME_UPPER",
        )
