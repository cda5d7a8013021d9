"""Make `garden.onnx`: a network with YOLOv5's input and output that finds what is bright, a "hedgehog".

It stands in for a network that you have trained. Its one row holds centre x, centre y, width and height in
pixels, objectness, and a score for each of the three labels of `garden.toml`.
"""

import sys
from pathlib import Path

import onnx

NETWORK = """
<ir_version: 9, opset_import: ["": 17]>
garden (float[1, 3, 320, 320] images) => (float[1, 1, 8] output)
<
    float half = {0.5},
    float[4, 4] to_centre = {0.5, 0, -1, 0,   0, 0.5, 0, -1,   0.5, 0, 1, 0,   0, 0.5, 0, 1},
    float[4] last_pixel = {0.5, 0.5, 1, 1},
    float[3] classes = {0.9, 0, 0},
    int64[2] first = {0, 1}
>
{
    grey = ReduceMean <axes = [0, 1], keepdims = 0> (images)
    is_bright = Greater (grey, half)
    bright = Cast <to = 1> (is_bright)
    rows = ReduceMax <axes = [1], keepdims = 0> (bright)
    columns = ReduceMax <axes = [0], keepdims = 0> (bright)
    left = ArgMax <axis = 0> (columns)
    top = ArgMax <axis = 0> (rows)
    right = ArgMax <axis = 0, select_last_index = 1> (columns)
    bottom = ArgMax <axis = 0, select_last_index = 1> (rows)
    places = Concat <axis = 0> (left, top, right, bottom)
    corners = Cast <to = 1> (places)
    centre = MatMul (corners, to_centre)
    box = Add (centre, last_pixel)
    objectness = ReduceMax <axes = [0], keepdims = 1> (rows)
    row = Concat <axis = 0> (box, objectness, classes)
    output = Unsqueeze (row, first)
}
"""


def make_network(target: Path) -> None:
    """Write the network to a file."""
    model = onnx.parser.parse_model(NETWORK)
    onnx.checker.check_model(model)
    target.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    make_network(Path(sys.argv[1] if len(sys.argv) > 1 else "garden.onnx"))
