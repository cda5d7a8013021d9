"""Reads the tensors of PyTorch checkpoints without PyTorch, and without running what is in them.

A checkpoint is a pickle, and a pickle may name any callable. `read_checkpoint` resolves the
few names that hold tensors together and refuses every other, so reading a hostile file ends
in `ModelDamaged`, never in its code.
"""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from okapia.domain.errors import ModelDamaged

Array = NDArray[np.generic]

_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "|b1",
}

# torch/serialization.py: the stream format of PyTorch before 1.6.
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001


class StateDict:
    """The tensors of a network by name; a missing one is damage, not a `KeyError`."""

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        self._tensors = tensors

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """Give one tensor as float32.

        Raises:
            ModelDamaged: there is none of this name.
        """
        if name not in self._tensors:
            raise ModelDamaged(f"the checkpoint has no tensor {name!r}")
        return self._tensors[name].astype(np.float32, copy=False)

    def count(self, pattern: str) -> int:
        """Count how many of `pattern.format(0)`, `pattern.format(1)` ... follow one another."""
        n = 0
        while pattern.format(n) in self._tensors:
            n += 1
        return n


def read_state_dict(data: bytes, *, key: str | None = None) -> StateDict:
    """Read a network's tensors out of a checkpoint file.

    Args:
        data: a whole `.pth` file, of either format.
        key: where the tensors lie when the checkpoint is a dict of several things.

    Raises:
        ModelDamaged: no checkpoint, one that names a forbidden global, or no tensors at `key`.
    """
    content = read_checkpoint(data)
    tensors = content.get(key) if key is not None and isinstance(content, dict) else content
    if not isinstance(tensors, dict):
        raise ModelDamaged(f"expected a dict of tensors at {key!r} of the checkpoint")
    return StateDict({name: value for name, value in tensors.items() if isinstance(value, np.ndarray)})


def read_checkpoint(data: bytes) -> object:
    """Read what `torch.save` wrote: dicts, lists and plain values as they are, tensors as arrays.

    Raises:
        ModelDamaged: not a checkpoint, cut off, or one that names a forbidden global.
    """
    stream = io.BytesIO(data)
    try:
        content = _read_zip(stream) if zipfile.is_zipfile(stream) else _read_legacy(io.BytesIO(data))
        return _to_arrays(content)
    except _MALFORMED as error:
        raise ModelDamaged(f"not a PyTorch checkpoint: {error}") from error


# What the unpickler raises on broken input, by its documentation and by experience.
_MALFORMED = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class _StorageType:
    """Stands for `torch.FloatStorage` and its sisters."""

    dtype: str


@dataclass(slots=True)
class _Storage:
    """The flat memory behind one or several tensors; the legacy format fills it last."""

    dtype: str
    n_items: int
    values: Array | None = None

    @property
    def n_bytes(self) -> int:
        return self.n_items * np.dtype(self.dtype).itemsize

    def fill(self, raw: bytes) -> None:
        if len(raw) != self.n_bytes:
            raise ModelDamaged(f"a storage of {self.n_bytes:,} bytes has {len(raw):,} in the file")
        self.values = np.frombuffer(raw, self.dtype)


@dataclass(frozen=True, slots=True)
class _TensorView:
    """A tensor as the pickle describes it: a window into a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def to_array(self) -> Array:
        """Copy the window out; it must lie inside its storage."""
        values = self.storage.values
        if values is None:
            raise ModelDamaged("a tensor's storage is missing from the checkpoint")
        if 0 in self.shape:
            return np.empty(self.shape, values.dtype)
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((length - 1) * stride for length, stride in steps)
        if min(self.offset, *self.shape, *self.strides, 0) < 0 or last >= len(values):
            raise ModelDamaged(f"a tensor reaches item {last} of a storage of {len(values)}")
        strides = [stride * values.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides).copy()


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_ignored: object
) -> _TensorView:
    """Stand in for `torch._utils._rebuild_tensor_v2`; gradients and hooks are dropped."""
    if not isinstance(storage, _Storage):
        raise ModelDamaged(f"expected a tensor's storage, got {type(storage).__name__}")
    return _TensorView(storage, offset, tuple(shape), tuple(strides))


_ALLOWED: dict[tuple[str, str], object] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    **{("torch", name): _StorageType(dtype) for name, dtype in _DTYPES.items()},
}


class _Unpickler(pickle.Unpickler):
    """Resolves the names in `_ALLOWED` and no other; collects the storages by their key."""

    def __init__(self, stream: io.BytesIO, *, max_bytes: int) -> None:
        super().__init__(stream, encoding="utf-8")
        self.storages: dict[str, _Storage] = {}
        self._max_bytes = max_bytes

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _ALLOWED:
            raise ModelDamaged(f"the checkpoint names {module}.{name}, which no tensor needs; refused")
        return _ALLOWED[(module, name)]

    def persistent_load(self, pid: tuple[object, ...]) -> _Storage:
        match pid:
            case ("storage", _StorageType(dtype), str(key), _, int(n_items), *_):
                storage = self.storages.setdefault(key, _Storage(dtype, n_items))
            case _:
                raise ModelDamaged(f"the checkpoint refers to {pid!r}, which is no storage")
        if not 0 <= storage.n_bytes <= self._max_bytes:
            raise ModelDamaged(f"a storage claims {storage.n_bytes:,} bytes in a file of {self._max_bytes:,}")
        return storage


def _read_zip(stream: io.BytesIO) -> object:
    """Read the zip format (PyTorch 1.6 and later): `<root>/data.pkl` and `<root>/data/<key>`."""
    size = stream.getbuffer().nbytes
    with zipfile.ZipFile(stream) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ModelDamaged(f"expected one data.pkl in the checkpoint, found {len(pickles)}")
        root = pickles[0].removesuffix("data.pkl")
        unpickler = _Unpickler(io.BytesIO(archive.read(pickles[0])), max_bytes=size)
        content = unpickler.load()
        for key, storage in unpickler.storages.items():
            with archive.open(f"{root}data/{key}") as member:
                storage.fill(member.read(storage.n_bytes))
    return content


def _read_legacy(stream: io.BytesIO) -> object:
    """Read the stream format: magic, protocol, machine, content, storage keys, storages."""
    size = stream.getbuffer().nbytes
    magic, protocol, machine = (_Unpickler(stream, max_bytes=size).load() for _ in range(3))
    if magic != _LEGACY_MAGIC or protocol != _LEGACY_PROTOCOL or not machine["little_endian"]:
        raise ModelDamaged("not a PyTorch checkpoint of the stream format")
    unpickler = _Unpickler(stream, max_bytes=size)
    content = unpickler.load()
    for key in _Unpickler(stream, max_bytes=size).load():
        storage = unpickler.storages[key]
        n_items = int.from_bytes(stream.read(8), "little")
        if n_items != storage.n_items:
            raise ModelDamaged(f"storage {key} has {n_items} items, expected {storage.n_items}")
        storage.fill(stream.read(storage.n_bytes))
    return content


def _to_arrays(value: object) -> object:
    """Replace each tensor view by its array, all the way down."""
    if isinstance(value, _TensorView):
        return value.to_array()
    if isinstance(value, dict):
        return {name: _to_arrays(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_to_arrays(entry) for entry in value]
    return value
