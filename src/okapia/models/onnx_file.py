"""What an ONNX file says of itself, read without loading it: weights are stepped over.

Engines tell little of a file that they cannot read ("Protobuf parsing failed"), and nothing of the
types of its weights. The numbers of the fields are those of onnx.proto (ONNX 1.17).
"""

import mmap
from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path, PurePosixPath
from typing import Final

from okapia.domain.errors import ModelError
from okapia.models.protobuf import Bytes, Field, NotProtobufError, fields, packed, text, varint_signed
from okapia.models.rows import Shape

Side = int | str | None

_FLOATS: Final = {1: "f32", 10: "f16", 16: "bf16", 11: "f64"}
_WEIGHTS: Final = {**_FLOATS, 2: "int8", 3: "int8"}
"""Of TensorProto.DataType, what weights come in; indices and shapes (int64) are none."""


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """The facts that opening a network needs.

    Attributes:
        precision: type of most of its weights: `f32`, `f16`, `bf16`, `f64` or `int8`; of its input without
            weights.
        input: name of its first input.
        outputs: names of its outputs, in order.
        sides: of that input: lengths, names of open sides, None for an open side without a name.
    """

    precision: str
    input: str
    outputs: tuple[str, ...]
    sides: tuple[Side, ...]

    def named_sides(self, row: Shape) -> dict[str, int]:
        """Give the length of every open side that has a name and that `row` knows.

        A name that would have two lengths, or that the rows go by, is left open.
        """
        found: dict[str, set[int | None]] = {}
        for side, wanted in zip(self.sides, (None, *row[1:]), strict=False):
            if isinstance(side, str) and side:
                found.setdefault(side, set()).add(wanted)
        lengths = {name: wanted.pop() for name, wanted in found.items() if len(wanted) == 1}
        return {name: length for name, length in lengths.items() if length is not None}


def read_onnx(network: Path) -> OnnxFile:
    """Read an ONNX file's facts.

    Raises:
        ModelError: it is no ONNX file (the message says what it seems to be), cut off, or the file that
            holds its weights is missing.
    """
    try:
        with network.open("rb") as file:
            head = file.read(512)
            if (looks := _looks_like(head)) is not None:
                raise ModelError(f"cannot load {network}: expected an ONNX file, this is {looks}")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                graph = _read_graph(data)
    except OSError as error:
        raise ModelError(f"cannot read {network}: {error.strerror}") from error
    except NotProtobufError as error:
        raise ModelError(f"cannot load {network}: expected an ONNX file, {error}") from error
    _check_weights(network, graph.external)
    entry = graph.input
    precision = graph.precision or _FLOATS.get(entry.type, "f32")
    return OnnxFile(precision, entry.name, graph.outputs, entry.sides)


# --- files of other kinds -------------------------------------------------------------

_MAGIC: Final = (
    (0, b"version https://git-lfs", "a Git LFS pointer: the download left the content out"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"II*\x00", "a TIFF picture"),
    (0, b"MM\x00*", "a TIFF picture"),
    (8, b"WEBP", "a WebP picture"),
    (0, b"PK\x03\x04", "a ZIP archive, as PyTorch checkpoints (.pt) and .keras files are"),
    (0, b"\x1f\x8b", "a gzip archive"),
    *((0, bytes([0x80, n]), "a Python pickle, as old PyTorch checkpoints (.pt) are") for n in range(2, 6)),
    (0, b"\x89HDF", "an HDF5 file, as old Keras models are"),
    (4, b"TFL3", "a TensorFlow Lite network"),
    (4, b"ORTM", "a network in ONNX Runtime's own format"),
    (8, b'{"', "a safetensors file: weights without a network"),
)
"""(offset, bytes, what begins like that): what people take for a network, or get in its place."""


def _looks_like(head: bytes) -> str | None:
    """Name a file's kind from its first bytes; None when it may be ONNX."""
    if not head:
        return "an empty file"
    for offset, magic, name in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return name
    is_text = all(byte >= 32 or byte in b"\t\n\r\f" for byte in head) and _is_utf8(head)
    return "text" if is_text else None


def _is_utf8(head: bytes) -> bool:
    try:
        # The last character may be cut.
        head[:-3].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _check_weights(network: Path, external: dict[str, int]) -> None:
    """Look for the files that hold weights outside of the network's own."""
    for location, end in external.items():
        place = PurePosixPath(location.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or ":" in location:
            raise ModelError(f"{network} keeps weights outside of its folder: {location}")
        weights = network.parent / place
        if not weights.is_file():
            raise ModelError(f"{network} keeps its weights in {location}, which is missing beside it")
        if (size := weights.stat().st_size) < end:
            raise ModelError(
                f"{weights} is cut off: expected at least {end:,} bytes of weights, got {size:,}"
            )


# --- onnx.proto -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Weights:
    """TensorProto.

    Attributes:
        end: bytes that its file has to have at least.
    """

    name: str
    type: int
    elements: int
    location: str
    end: int


@dataclass(frozen=True, slots=True)
class _Input:
    """ValueInfoProto."""

    name: str = ""
    type: int = 0
    sides: tuple[Side, ...] = ()


@dataclass(frozen=True, slots=True)
class _Graph:
    """GraphProto, as far as it matters here.

    Attributes:
        precision: None without weights.
        external: bytes that each file of weights has to have at least, by its path.
    """

    precision: str | None
    input: _Input
    outputs: tuple[str, ...]
    external: dict[str, int]


def _read_graph(data: Bytes) -> _Graph:
    graphs = [field for field in fields(data, 0, len(data)) if field.number == 7]
    if not graphs:
        raise NotProtobufError("this holds no ONNX graph")
    parts = list(fields(data, graphs[0].start, graphs[0].end))
    weights = [_tensor(data, part) for part in parts if part.number == 5]
    known = {tensor.name for tensor in weights}
    # Files before version 4 list their weights among the inputs too.
    inputs = (_value_info(data, part) for part in parts if part.number == 11)
    entry = next((entry for entry in inputs if entry.name not in known), _Input())
    outputs = tuple(_value_info(data, part).name for part in parts if part.number == 12)
    external: dict[str, int] = {}
    for tensor in (tensor for tensor in weights if tensor.location):
        external[tensor.location] = max(external.get(tensor.location, 0), tensor.end)
    return _Graph(_precision(weights), entry, outputs, external)


def _precision(weights: list[_Weights]) -> str | None:
    """Name the type of most of the numbers."""
    elements: Counter[str] = Counter()
    for tensor in weights:
        if tensor.type in _WEIGHTS:
            elements[_WEIGHTS[tensor.type]] += tensor.elements
    return max(elements, key=elements.__getitem__, default=None)


def _tensor(data: Bytes, tensor: Field) -> _Weights:
    """Read TensorProto: dims 1, data_type 2, name 8, external_data 13."""
    kind, name = 0, ""
    dims: list[int] = []
    external: dict[str, str] = {}
    for field in fields(data, tensor.start, tensor.end):
        if field.number == 1:
            dims += packed(data, field) or [field.value]
        elif field.number == 2:
            kind = field.value
        elif field.number == 8:
            name = text(data, field)
        elif field.number == 13:
            key, value = ("".join(text(data, part) for part in _inside(data, field, n)) for n in (1, 2))
            external[key] = value
    return _Weights(name, kind, prod(dims), external.get("location", ""), _end(external, name))


def _end(external: dict[str, str], name: str) -> int:
    """Count the bytes that the file of a tensor's weights has to have."""
    numbers = [external.get(key, "0") for key in ("offset", "length")]
    if not all(number.isascii() and number.isdecimal() for number in numbers):
        raise NotProtobufError(f"the place of the weights {name} in {external.get('location')} is no number")
    return sum(map(int, numbers))


def _value_info(data: Bytes, info: Field) -> _Input:
    """Read ValueInfoProto: name 1, type 2 / tensor_type 1 / (elem_type 1, shape 2 / dim 1)."""
    name = "".join(text(data, part) for part in _inside(data, info, 1))
    kind = 0
    sides: tuple[Side, ...] = ()
    for tensor in _inside(data, info, 2, 1):
        kind = next((part.value for part in _inside(data, tensor, 1)), 0)
        sides = tuple(_side(data, dim) for dim in _inside(data, tensor, 2, 1))
    return _Input(name, kind, sides)


def _inside(data: Bytes, message: Field, *numbers: int) -> list[Field]:
    """Give the fields that a path of field numbers leads to."""
    found = [message]
    for number in numbers:
        found = [
            part for outer in found for part in fields(data, outer.start, outer.end) if part.number == number
        ]
    return found


def _side(data: Bytes, dim: Field) -> Side:
    """Read Dimension: dim_value 1 or dim_param 2."""
    for field in fields(data, dim.start, dim.end):
        if field.number == 1:
            return varint_signed(field.value)
        if field.number == 2:
            return text(data, field)
    return None
