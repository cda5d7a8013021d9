"""Writes checkpoints as PyTorch does, without PyTorch."""

import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


class _FloatStorage: ...


class _LongStorage: ...


_FloatStorage.__name__ = _FloatStorage.__qualname__ = "FloatStorage"
_LongStorage.__name__ = _LongStorage.__qualname__ = "LongStorage"
_FloatStorage.__module__ = _LongStorage.__module__ = "torch"
_STORAGES = {"<f4": _FloatStorage, "<i8": _LongStorage}


def _rebuild_tensor_v2() -> None:
    """Only its name goes into the pickle."""


_rebuild_tensor_v2.__module__ = "torch._utils"


class _StorageOf:
    def __init__(self, array: Array) -> None:
        self.array = array


class _TensorOf:
    """Pickles as PyTorch pickles a tensor."""

    def __init__(self, array: Array) -> None:
        self.array = array

    def __reduce__(self) -> tuple[object, ...]:
        strides = tuple(stride // self.array.itemsize for stride in self.array.strides)
        window: tuple[object, ...] = (
            _StorageOf(self.array),
            0,
            self.array.shape,
            strides,
            False,
            OrderedDict(),
        )
        return (_rebuild_tensor_v2, window)


class _Pickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream, protocol=2)
        self.arrays: dict[str, Array] = {}

    def persistent_id(self, value: object) -> tuple[object, ...] | None:
        if not isinstance(value, _StorageOf):
            return None
        key = str(len(self.arrays))
        self.arrays[key] = value.array
        return ("storage", _STORAGES[value.array.dtype.str], key, "cpu", value.array.size)


@contextmanager
def _torch_names() -> Iterator[None]:
    """Let the pickler find the names that it writes."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    vars(torch).update(FloatStorage=_FloatStorage, LongStorage=_LongStorage, _utils=utils)
    vars(utils).update(_rebuild_tensor_v2=_rebuild_tensor_v2)
    sys.modules.update({"torch": torch, "torch._utils": utils})
    try:
        yield
    finally:
        del sys.modules["torch"], sys.modules["torch._utils"]


def _pickled(value: object) -> tuple[bytes, dict[str, Array]]:
    stream = io.BytesIO()
    pickler = _Pickler(stream)
    with _torch_names():
        pickler.dump(_with_tensors(value))
    return stream.getvalue(), pickler.arrays


def _with_tensors(value: object) -> object:
    if isinstance(value, np.ndarray):
        return _TensorOf(value)
    if isinstance(value, dict):
        return OrderedDict((name, _with_tensors(entry)) for name, entry in value.items())
    return value


def _memory(array: Array) -> bytes:
    """Bytes in the order in which they lie, whatever the array's strides."""
    return array.ravel(order="K").tobytes()


def zip_checkpoint(value: object) -> bytes:
    """Write the format of PyTorch 1.6 and later."""
    content, arrays = _pickled(value)
    return zip_of(content, {key: _memory(array) for key, array in arrays.items()})


def zip_of(content: bytes, storages: dict[str, bytes]) -> bytes:
    """Pack a pickle and its storages."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        for key, raw in storages.items():
            archive.writestr(f"archive/data/{key}", raw)
    return stream.getvalue()


def legacy_checkpoint(value: object) -> bytes:
    """Write the stream format of PyTorch before 1.6."""
    content, arrays = _pickled(value)
    head = (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True})
    tail = [array.size.to_bytes(8, "little") + _memory(array) for array in arrays.values()]
    pickles = [pickle.dumps(part, protocol=2) for part in head]
    return b"".join([*pickles, content, pickle.dumps(list(arrays), protocol=2), *tail])
