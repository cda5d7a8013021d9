"""What an ONNX file says of itself, read without running it."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx
import onnx.external_data_helper

from okapia.domain.errors import ModelError
from okapia.domain.types import Size
from okapia.models.onnx_file import read_onnx

Shape = tuple[int | None, ...]
"""Sides of a tensor; None for one that the file leaves open."""

_LONGEST_LITERAL = 1_000_000
"""Characters of metadata that are read; the names of 20,000 classes take a third of that."""


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output as the file declares it.

    Attributes:
        shape: None when the file does not even say how many sides there are.
        dtype: ONNX's own name in lower case, e.g. `float`, `float16`, `uint8`.
    """

    name: str
    shape: Shape | None
    dtype: str

    def __str__(self) -> str:
        """Give name, shape and type for people, e.g. `images [1, 3, ?, ?] float`."""
        return f"{self.name} {listed(self.shape)} {self.dtype}"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What an exporter wrote beside the graph, as Ultralytics does; None or empty where it did not.

    Attributes:
        names: class names in the order of the outputs.
        canvas: what it was exported for.
        task: `detect`, `classify`, `segment`, `pose` or `obb`.
        has_nms: whether overlapping boxes are merged in the graph.
    """

    names: tuple[str, ...] | None = None
    canvas: Size | None = None
    task: str = ""
    has_nms: bool = False
    licence: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """What an ONNX file says of itself.

    Attributes:
        producer: which program wrote it; empty when it does not say.
        opset: version of ONNX's own operators.
        data_files: files with its tensors that it cannot do without, `/` between folders, relative to
            the folder it lies in; all of them are there.
    """

    path: Path
    producer: str
    opset: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    metadata: Metadata
    data_files: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.path.name


def inspect(path: Path) -> NetworkFacts:
    """Read an ONNX file's facts; tensors that it keeps elsewhere are looked for, not read.

    Raises:
        ModelError: not to be read, not ONNX, cut off, or a file of tensors is missing, cut off or
            outside of its folder.
    """
    model = _parsed(path)
    constants = {tensor.name for tensor in model.graph.initializer}
    return NetworkFacts(
        path=path,
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        opset=max((entry.version for entry in model.opset_import if entry.domain in _ONNX_OWN), default=0),
        # Before ONNX's IR version 4 every constant was listed as an input too.
        inputs=tuple(_port(entry) for entry in model.graph.input if entry.name not in constants),
        outputs=tuple(_port(entry) for entry in model.graph.output),
        metadata=_metadata({entry.key: entry.value for entry in model.metadata_props}),
        data_files=_data_files(path, model),
    )


def listed(shape: Shape | None) -> str:
    """Give a shape for people: `[1, ?, 85]`."""
    if shape is None:
        return "[of unknown rank]"
    return f"[{', '.join('?' if side is None else str(side) for side in shape)}]"


_ONNX_OWN = ("", "ai.onnx")

_OTHER_FORMATS = {
    ".pt": "a PyTorch file; export it to ONNX first (Ultralytics: yolo export model=FILE format=onnx)",
    ".pth": "a PyTorch file; export it to ONNX first (torch.onnx.export)",
    ".h5": "a Keras file; convert it with tf2onnx first",
    ".keras": "a Keras file; convert it with tf2onnx first",
    ".tflite": "a TensorFlow Lite file; convert it with tf2onnx first",
    ".engine": "a TensorRT plan for one kind of GPU; add the ONNX file that it was made from",
}


def _parsed(path: Path) -> onnx.ModelProto:
    if path.suffix.lower() in _OTHER_FORMATS:
        raise ModelError(f"expected an ONNX file, {path} is {_OTHER_FORMATS[path.suffix.lower()]}")
    read_onnx(path)  # knows what people take for ONNX files, and whether the tensors beside it are there
    try:
        model = onnx.load_model_from_string(path.read_bytes(), format="protobuf")
    except Exception as error:  # protobuf's DecodeError, of a package without types
        raise ModelError(f"{path} is not an ONNX file, or one that is cut off") from error
    if not model.graph.node or not model.graph.output:
        raise ModelError(f"{path} is not an ONNX file: it holds no graph")
    return model


def _port(entry: onnx.ValueInfoProto) -> Port:
    tensor = entry.type.tensor_type
    shape = None
    if tensor.HasField("shape"):
        shape = tuple(side.dim_value if side.dim_value > 0 else None for side in tensor.shape.dim)
    return Port(entry.name, shape, str(onnx.TensorProto.DataType.Name(tensor.elem_type)).lower())


# --- tensors outside the file ---------------------------------------------------------


def _data_files(path: Path, model: onnx.ModelProto) -> tuple[str, ...]:
    locations = {
        onnx.external_data_helper.ExternalDataInfo(tensor).location
        for tensor in _tensors(model.graph)
        if onnx.external_data_helper.uses_external_data(tensor)
    }
    return tuple(sorted(_inside(path, location) for location in locations))


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Give every tensor of a graph and of the graphs inside its nodes."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def _inside(path: Path, location: str) -> str:
    """Give a location with `/` between folders; refuse one that leads out of the network's folder."""
    parts = PureWindowsPath(location)  # knows both kinds of slash, and drives
    if not location or parts.anchor or ".." in parts.parts:
        raise ModelError(f"{path.name} keeps its tensors in {location!r}, which is not a file beside it")
    return str(PurePosixPath(*parts.parts))


# --- what the exporter wrote beside the graph -----------------------------------------


def _metadata(entries: Mapping[str, str]) -> Metadata:
    values = {key: _literal(text) for key, text in entries.items()}
    options = values.get("args")
    has_nms = values.get("nms") is True or values.get("end2end") is True
    return Metadata(
        names=_names(values.get("names")),
        canvas=_canvas(values.get("imgsz")),
        task=entries.get("task", ""),
        has_nms=has_nms or (isinstance(options, dict) and options.get("nms") is True),
        licence=entries.get("license", "").partition(" (")[0].removesuffix(" License"),
        title=entries.get("description", ""),
    )


def _literal(text: str) -> object:
    """Read a Python literal, None when it is none: Ultralytics writes `str(value)`."""
    if len(text) > _LONGEST_LITERAL:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _names(value: object) -> tuple[str, ...] | None:
    """Read class names: a list, or a dict from index to name without holes."""
    if isinstance(value, dict):
        value = [value.get(index) for index in range(len(value))]
    if isinstance(value, list | tuple) and value and all(isinstance(name, str) for name in value):
        return tuple(value)
    return None


def _canvas(value: object) -> Size | None:
    """Read Ultralytics' `imgsz`: [height, width], or one number."""
    sides = [value, value] if isinstance(value, int) else value
    if not isinstance(sides, list | tuple) or len(sides) != 2:
        return None
    height, width = sides
    return (width, height) if isinstance(width, int) and isinstance(height, int) else None
