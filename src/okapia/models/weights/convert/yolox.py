"""YOLOX checkpoints of any size (nano to x, any number of classes) to ONNX.

Input `images` (N, 3, H, W) float32, H and W multiples of 32. Output `output` (N, anchors,
5 + classes): the box as the network gives it (offset and log size in strides), then
objectness and classes after their sigmoid; strides 8, 16, 32 one after the other, each row
by row. Decoding is left to `okapia.models.yolox`, so one file serves every canvas.

The layer names and their order are those of `yolox/models` in Megvii-BaseDetection/YOLOX.
"""

from collections.abc import Mapping

import onnx

from okapia.domain.errors import ModelDamaged
from okapia.models.weights.convert.checkpoint import StateDict, read_state_dict
from okapia.models.weights.convert.graph import Graph, Kernel, folded_kernel

_EPSILON = 1e-3  # YOLOX sets it in place of PyTorch's 1e-5
_INT32_MAX = 2**31 - 1


def convert(members: Mapping[str, bytes]) -> onnx.ModelProto:
    """Convert the one `.pth` file in `members`.

    Raises:
        ModelDamaged: not a YOLOX checkpoint.
    """
    (checkpoint,) = members.values()
    return build(read_state_dict(checkpoint, key="model"))


def build(tensors: StateDict) -> onnx.ModelProto:
    """Build the network from its tensors; depth, width and classes are read off them.

    Raises:
        ModelDamaged: a tensor is missing.
    """
    network = _Network(tensors)
    images = network.graph.input("images", ("N", 3, "H", "W"))
    levels = network.neck(*network.backbone(images))
    rows = network.head(levels)
    network.graph.output("output", rows, ("N", "anchors", 5 + network.n_classes))
    return network.graph.finish("yolox")


class _Network:
    """The blocks of YOLOX, each adding its nodes to the graph and giving its output's name."""

    def __init__(self, tensors: StateDict) -> None:
        self.graph = Graph()
        self.n_classes = len(tensors["head.cls_preds.0.bias"])
        self._tensors = tensors

    def backbone(self, images: str) -> tuple[str, str, str]:
        """CSPDarknet; gives the maps at strides 8, 16 and 32."""
        root = "backbone.backbone"
        x = self._conv(self._focus(images), f"{root}.stem.conv")
        x = self._csp(self._block(x, f"{root}.dark2.0", stride=2), f"{root}.dark2.1")
        stride_8 = self._csp(self._block(x, f"{root}.dark3.0", stride=2), f"{root}.dark3.1")
        stride_16 = self._csp(self._block(stride_8, f"{root}.dark4.0", stride=2), f"{root}.dark4.1")
        x = self._pyramid_pooling(self._block(stride_16, f"{root}.dark5.0", stride=2), f"{root}.dark5.1")
        return stride_8, stride_16, self._csp(x, f"{root}.dark5.2", residual=None)

    def neck(self, stride_8: str, stride_16: str, stride_32: str) -> tuple[str, str, str]:
        """PAFPN: down the pyramid, then up again."""
        coarse = self._conv(stride_32, "backbone.lateral_conv0")
        middle = self._merge(self._upsampled(coarse), stride_16, "backbone.C3_p4")
        middle = self._conv(middle, "backbone.reduce_conv1")
        fine_out = self._merge(self._upsampled(middle), stride_8, "backbone.C3_p3")
        x = self._block(fine_out, "backbone.bu_conv2", stride=2)
        middle_out = self._merge(x, middle, "backbone.C3_n3")
        x = self._block(middle_out, "backbone.bu_conv1", stride=2)
        return fine_out, middle_out, self._merge(x, coarse, "backbone.C3_n4")

    def head(self, levels: tuple[str, str, str]) -> str:
        """Run the decoupled head on each level; gives (N, anchors, 5 + classes)."""
        flat = [
            self.graph.node("Reshape", self._level(x, level), self.graph.integers(0, 5 + self.n_classes, -1))
            for level, x in enumerate(levels)
        ]
        return self.graph.node("Transpose", self.graph.node("Concat", *flat, axis=2), perm=[0, 2, 1])

    def _level(self, x: str, level: int) -> str:
        x = self._conv(x, f"head.stems.{level}")
        classes = self._towers(x, f"head.cls_convs.{level}")
        boxes = self._towers(x, f"head.reg_convs.{level}")
        return self.graph.node(
            "Concat",
            self._prediction(boxes, f"head.reg_preds.{level}"),
            self.graph.node("Sigmoid", self._prediction(boxes, f"head.obj_preds.{level}")),
            self.graph.node("Sigmoid", self._prediction(classes, f"head.cls_preds.{level}")),
            axis=1,
        )

    def _towers(self, x: str, prefix: str) -> str:
        return self._block(self._block(x, f"{prefix}.0"), f"{prefix}.1")

    def _prediction(self, x: str, prefix: str) -> str:
        kernel = Kernel(self._tensors[f"{prefix}.weight"], self._tensors[f"{prefix}.bias"])
        return self._convolution(x, kernel, stride=1, groups=1)

    def _focus(self, images: str) -> str:
        """Space to depth: the four pixels of each 2 x 2 cell become channels."""
        cells = [self._every_second(images, top, left) for top, left in ((0, 0), (1, 0), (0, 1), (1, 1))]
        return self.graph.node("Concat", *cells, axis=1)

    def _every_second(self, images: str, top: int, left: int) -> str:
        integers = self.graph.integers
        starts, ends = integers(top, left), integers(_INT32_MAX, _INT32_MAX)
        return self.graph.node("Slice", images, starts, ends, integers(2, 3), integers(2, 2))

    def _pyramid_pooling(self, x: str, prefix: str) -> str:
        x = self._conv(x, f"{prefix}.conv1")
        pooled = [
            self.graph.node("MaxPool", x, kernel_shape=[k, k], strides=[1, 1], pads=[k // 2] * 4)
            for k in (5, 9, 13)
        ]
        return self._conv(self.graph.node("Concat", x, *pooled, axis=1), f"{prefix}.conv2")

    def _merge(self, x: str, skipped: str, prefix: str) -> str:
        return self._csp(self.graph.node("Concat", x, skipped, axis=1), prefix, residual=None)

    def _csp(self, x: str, prefix: str, *, residual: str | None = "Add") -> str:
        """Cross-stage partial block; `residual` joins each bottleneck's input to its output."""
        inner, outer = self._conv(x, f"{prefix}.conv1"), self._conv(x, f"{prefix}.conv2")
        depth = self._tensors.count(prefix + ".m.{}.conv1.conv.weight")
        if depth == 0:
            raise ModelDamaged(f"the checkpoint has no bottleneck under {prefix}.m")
        for place in range(depth):
            through = self._conv(inner, f"{prefix}.m.{place}.conv1")
            through = self._block(through, f"{prefix}.m.{place}.conv2")
            inner = self.graph.node(residual, through, inner) if residual else through
        return self._conv(self.graph.node("Concat", inner, outer, axis=1), f"{prefix}.conv3")

    def _upsampled(self, x: str) -> str:
        return self.graph.node(
            "Resize",
            x,
            "",
            self.graph.floats(1, 1, 2, 2),
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )

    def _block(self, x: str, prefix: str, *, stride: int = 1) -> str:
        """A convolution, or in YOLOX-nano a depthwise and a pointwise one."""
        if f"{prefix}.dconv.conv.weight" not in self._tensors:
            return self._conv(x, prefix, stride=stride)
        channels = len(self._tensors[f"{prefix}.dconv.conv.weight"])
        x = self._conv(x, f"{prefix}.dconv", stride=stride, groups=channels)
        return self._conv(x, f"{prefix}.pconv")

    def _conv(self, x: str, prefix: str, *, stride: int = 1, groups: int = 1) -> str:
        """Convolution, batch normalisation, SiLU."""
        kernel = folded_kernel(
            self._tensors, convolution=f"{prefix}.conv", norm=f"{prefix}.bn", epsilon=_EPSILON
        )
        x = self._convolution(x, kernel, stride=stride, groups=groups)
        return self.graph.node("Mul", x, self.graph.node("Sigmoid", x))

    def _convolution(self, x: str, kernel: Kernel, *, stride: int, groups: int) -> str:
        return self.graph.node(
            "Conv",
            x,
            self.graph.constant(kernel.weight),
            self.graph.constant(kernel.bias),
            kernel_shape=kernel.size,
            strides=[stride, stride],
            pads=[(kernel.size[0] - 1) // 2] * 4,
            group=groups,
        )
