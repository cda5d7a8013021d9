"""Reads the files of a TensorFlow.js graph model: `model.json` and its binary weights."""

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AliasPath, BaseModel, ConfigDict, Field, ValidationError

from okapia.domain.errors import ModelDamaged

Array = NDArray[np.generic]

_DTYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "uint8": "<u1", "uint16": "<u2", "bool": "|b1"}
_Dtype = Literal["float32", "float16", "int32", "uint8", "uint16", "bool"]
_Size = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Attribute(_Part):
    """One value of a TensorFlow node; the fields that it does not use keep their zero."""

    s: str = ""
    f: float = 0.0
    b: bool = False
    integers: tuple[int, ...] = Field((), validation_alias=AliasPath("list", "i"))
    strings: tuple[str, ...] = Field((), validation_alias=AliasPath("list", "s"))
    dimensions: tuple[dict[str, int], ...] = Field((), validation_alias=AliasPath("shape", "dim"))

    @property
    def text(self) -> str:
        return _decoded(self.s)

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(_decoded(string) for string in self.strings)

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(dimension["size"] for dimension in self.dimensions)


def _decoded(string: str) -> str:
    return base64.b64decode(string).decode()


class Node(_Part):
    """One TensorFlow operator. An input is `node`, or `node:1` for its second output."""

    name: str
    operator: str = Field(validation_alias="op")
    all_inputs: tuple[str, ...] = Field((), validation_alias="input")
    attributes: dict[str, Attribute] = Field({}, validation_alias="attr")

    @property
    def inputs(self) -> tuple[str, ...]:
        """Its data; inputs that only order the execution are left out."""
        return tuple(name for name in self.all_inputs if not name.startswith("^"))

    def attribute(self, name: str) -> Attribute:
        """Give one attribute.

        Raises:
            ModelDamaged: the node has none of this name.
        """
        if name not in self.attributes:
            raise ModelDamaged(f"{self.name} ({self.operator}) has no attribute {name!r}")
        return self.attributes[name]


class _Quantization(_Part):
    """How a weight is stored: `value = stored * scale + min`."""

    dtype: _Dtype
    scale: float = 1.0
    min: float = 0.0


class _Weight(_Part):
    name: str
    shape: tuple[_Size, ...]
    dtype: _Dtype
    quantization: _Quantization | None = None

    @property
    def stored_dtype(self) -> np.dtype[np.generic]:
        return np.dtype(_DTYPES[self.quantization.dtype if self.quantization else self.dtype])

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.stored_dtype.itemsize

    def read(self, raw: bytes) -> Array:
        stored = np.frombuffer(raw, self.stored_dtype).reshape(self.shape)
        if self.quantization is None:
            return stored
        scaled = stored.astype(np.float32) * np.float32(self.quantization.scale)
        # Arithmetic turns an array without axes into a scalar; a weight stays an array.
        return np.asarray(scaled + np.float32(self.quantization.min), _DTYPES[self.dtype])


class _Group(_Part):
    paths: tuple[str, ...]
    weights: tuple[_Weight, ...]


class _Document(_Part):
    nodes: tuple[Node, ...] = Field(validation_alias=AliasPath("modelTopology", "node"))
    groups: tuple[_Group, ...] = Field(validation_alias="weightsManifest")


@dataclass(frozen=True, slots=True)
class GraphModel:
    """A TensorFlow graph: its nodes and its constants, both by node name."""

    nodes: Mapping[str, Node]
    weights: Mapping[str, Array]


def read_members(members: Mapping[str, bytes]) -> GraphModel:
    """Parse the one `.json` file among the members of an archive, with the weights beside it.

    Raises:
        ModelDamaged: there is no such file or more than one; and as `read_graph_model`.
    """
    files = {PurePosixPath(path).name: data for path, data in members.items()}
    documents = [name for name in files if name.endswith(".json")]
    if len(documents) != 1:
        raise ModelDamaged(f"expected one .json file, got {', '.join(sorted(files))}")
    return read_graph_model(files.pop(documents[0]), files)


def read_graph_model(document: bytes, shards: Mapping[str, bytes]) -> GraphModel:
    """Parse a graph model.

    Args:
        document: the JSON file.
        shards: the binary files, by the name that the JSON gives them.

    Raises:
        ModelDamaged: not such JSON, a shard is missing, or not as long as its weights.
    """
    try:
        parsed = _Document.model_validate_json(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ModelDamaged(f"not a TensorFlow.js graph model: {where}: {first['msg']}") from error
    weights = {name: array for group in parsed.groups for name, array in _read_group(group, shards).items()}
    return GraphModel({node.name: node for node in parsed.nodes}, weights)


def _read_group(group: _Group, shards: Mapping[str, bytes]) -> dict[str, Array]:
    """Cut the joined shards of a group into its weights, which follow one another."""
    if missing := [path for path in group.paths if path not in shards]:
        raise ModelDamaged(f"the weights {', '.join(missing)} are missing")
    raw = b"".join(shards[path] for path in group.paths)
    expected = sum(weight.n_bytes for weight in group.weights)
    if len(raw) != expected:
        raise ModelDamaged(f"expected {expected:,} bytes of weights, got {len(raw):,}")
    arrays, start = {}, 0
    for weight in group.weights:
        arrays[weight.name] = weight.read(raw[start : start + weight.n_bytes])
        start += weight.n_bytes
    return arrays
