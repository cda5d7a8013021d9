"""CenterFace to a network of any canvas: the published ONNX file is fixed at ten pictures of 32 x 32.

Input `images` (N, 3, H, W) float32 RGB 0..255, H and W multiples of 32. Outputs, one value a cell of 4 x 4
pixels: `heat` (N, 1, h, w) after its sigmoid, `size` (N, 2, h, w) log height and width in cells, `offset`
(N, 2, h, w) of the centre, y and x in cells. The five landmarks of a face are left out: nothing here aligns
faces, or compares them.
"""

from collections.abc import Mapping, Sequence

import onnx

from okapia.domain.errors import ModelDamaged

_INPUT = "input.1"
_OUTPUTS = {"537": ("heat", 1), "538": ("size", 2), "539": ("offset", 2)}
"""The exported names, in PyTorch's numbers, with ours and their channels."""


def convert(members: Mapping[str, bytes]) -> onnx.ModelProto:
    """Open the sides of the one `.onnx` file in `members`.

    Raises:
        ModelDamaged: not that file.
    """
    (file,) = members.values()
    try:
        model = onnx.load_model_from_string(file)
    except Exception as error:  # protobuf has one of its own, without types
        raise ModelDamaged("the file is no ONNX network") from error
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = {value.name: value for value in graph.input if value.name not in constants}
    outputs = {value.name: value for value in graph.output}
    if set(inputs) != {_INPUT} or not _OUTPUTS.keys() <= set(outputs):
        raise ModelDamaged(f"expected {_INPUT} and {', '.join(_OUTPUTS)}, got {[*inputs, *outputs]}")
    del graph.input[:], graph.output[:]
    graph.input.append(_opened("images", 3, sides=("H", "W")))
    graph.output.extend(_opened(name, channels, sides=("h", "w")) for name, channels in _OUTPUTS.values())
    _rename(graph, {_INPUT: "images"} | {old: name for old, (name, _) in _OUTPUTS.items()})
    _drop_unread(graph)
    onnx.checker.check_model(model, full_check=True)
    return model


def _opened(name: str, channels: int, *, sides: tuple[str, str]) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", channels, *sides])


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    for node in graph.node:
        node.input[:] = _renamed(node.input, names)
        node.output[:] = _renamed(node.output, names)


def _renamed(values: Sequence[str], names: Mapping[str, str]) -> list[str]:
    return [names.get(value, value) for value in values]


def _drop_unread(graph: onnx.GraphProto) -> None:
    """Leave out the nodes that no output needs, and the constants that no node reads."""
    needed = {value.name for value in graph.output}
    kept = []
    # A node stands after those that it reads from, so one look from the end finds all that is needed.
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    constants = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(constants)
