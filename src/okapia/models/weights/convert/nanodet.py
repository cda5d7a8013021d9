"""The TensorFlow.js build of NanoDet-g 416 to ONNX.

Input `images` (N, 3, 416, 416) float32, normalised by the caller. Outputs, for the strides
s = 8, 16, 32 with n = (416 / s)² cells: `cls<s>` (N, n, 80) after its sigmoid and `reg<s>`
(N, n, 44), four distributions over eleven distances.
"""

from collections.abc import Mapping

import onnx

from okapia.models.weights.convert.tfjs import Output, translate
from okapia.models.weights.convert.tfjs_file import read_members

CANVAS = 416
STRIDES = (8, 16, 32)
_N_CLASSES = 80
_N_BINS = 44


def convert(members: Mapping[str, bytes]) -> onnx.ModelProto:
    """Convert the `.json` file in `members` with the weights beside it.

    Raises:
        ModelDamaged: not this graph, or its weights are not as long as it says.
    """
    return translate(read_members(members), _outputs(), name="nanodet")


def _outputs() -> list[Output]:
    """Name the graph's outputs: the export numbered them, classes first."""
    cells = [(CANVAS // stride) ** 2 for stride in STRIDES]
    classes = [
        Output(node, f"cls{stride}", ("N", n, _N_CLASSES))
        for node, stride, n in zip(("Identity", "Identity_1", "Identity_2"), STRIDES, cells, strict=True)
    ]
    sides = [
        Output(node, f"reg{stride}", ("N", n, _N_BINS))
        for node, stride, n in zip(("Identity_3", "Identity_4", "Identity_5"), STRIDES, cells, strict=True)
    ]
    return classes + sides
