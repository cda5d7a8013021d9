"""Make `deer.onnx`: a network with a FOMO network's input and output, to which bright cells are roe deer."""

import sys
from pathlib import Path

import onnx

NETWORK = """
<ir_version: 9, opset_import: ["": 17]>
fomo (float[1, 96, 96, 3] images) => (float[1, 12, 12, 3] grid)
<float[1] one = {1}, float[1] zero = {0}>
{
    planes = Transpose <perm = [0, 3, 1, 2]> (images)
    cells = AveragePool <kernel_shape = [8, 8], strides = [8, 8]> (planes)
    deer = ReduceMean <axes = [1], keepdims = 1> (cells)
    dog = Mul (deer, zero)
    background = Sub (one, deer)
    scores = Concat <axis = 1> (background, deer, dog)
    grid = Transpose <perm = [0, 2, 3, 1]> (scores)
}
"""


def make_network() -> bytes:
    """Give the file's content."""
    model = onnx.parser.parse_model(NETWORK)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else "deer.onnx").write_bytes(make_network())
