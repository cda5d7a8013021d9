"""Checkpoints are read without PyTorch, and without running what is in them."""

import os
import pickle
from collections.abc import Callable

import numpy as np
import pytest

from okapia.domain.errors import ModelDamaged
from okapia.models.weights.convert.checkpoint import read_checkpoint, read_state_dict
from tests.unit.models.weights.checkpoint_files import legacy_checkpoint, zip_checkpoint, zip_of

Write = Callable[[object], bytes]

OKAPI = np.arange(6, dtype=np.float32).reshape(2, 3)
BONGO = np.array(7, dtype=np.int64)
BOTH_FORMATS = pytest.mark.parametrize("write", [zip_checkpoint, legacy_checkpoint])


@BOTH_FORMATS
def test_tensors_come_back_with_shape_and_values(write: Write) -> None:
    data = write({"epoch": 105, "model": {"okapi": OKAPI, "bongo": BONGO}})

    content = read_checkpoint(data)

    assert isinstance(content, dict)
    assert content["epoch"] == 105
    np.testing.assert_array_equal(content["model"]["okapi"], OKAPI)
    np.testing.assert_array_equal(content["model"]["bongo"], BONGO)


@BOTH_FORMATS
def test_a_transposed_tensor_keeps_its_order(write: Write) -> None:
    data = write({"okapi": OKAPI.T})

    tensors = read_state_dict(data)

    np.testing.assert_array_equal(tensors["okapi"], OKAPI.T)


class _Intruder:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ("exit 1",))


def test_a_checkpoint_that_names_a_forbidden_global_is_refused() -> None:
    data = zip_of(pickle.dumps({"okapi": _Intruder()}, protocol=2), {})

    with pytest.raises(ModelDamaged, match=r"names \w+\.system, which no tensor needs"):
        read_checkpoint(data)


def test_a_legacy_checkpoint_that_names_a_forbidden_global_is_refused() -> None:
    data = pickle.dumps(_Intruder(), protocol=2)

    with pytest.raises(ModelDamaged, match=r"names \w+\.system"):
        read_checkpoint(data)


@pytest.mark.parametrize("name", ["builtins.eval", "torch.load", "torch._utils._rebuild_parameter"])
def test_only_the_listed_names_are_resolved(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    data = zip_of(f"c{module}\n{attribute}\n.".encode(), {})

    with pytest.raises(ModelDamaged, match="refused"):
        read_checkpoint(data)


@BOTH_FORMATS
def test_a_checkpoint_that_is_cut_off_is_damaged(write: Write) -> None:
    data = write({"okapi": OKAPI})

    with pytest.raises(ModelDamaged):
        read_checkpoint(data[: len(data) // 2])


def test_a_tensor_that_reaches_past_its_storage_is_refused() -> None:
    whole = zip_checkpoint({"okapi": OKAPI})
    # The shape (2, 3) of the pickle, written as two one-byte integers, becomes (2, 200).
    data = whole.replace(b"K\x02K\x03\x86", b"K\x02K\xc8\x86")

    with pytest.raises(ModelDamaged, match="reaches item"):
        read_checkpoint(_repacked(data))


def _repacked(data: bytes) -> bytes:
    """Put the patched pickle into a zip whose checksums are right again."""
    start = data.index(b"\x80\x02")
    content = data[start : data.index(b"PK", start)]
    return zip_of(content, {"0": OKAPI.tobytes()})


def test_a_storage_that_is_shorter_than_it_says_is_damaged() -> None:
    whole = zip_checkpoint({"okapi": OKAPI})
    start = whole.index(b"\x80\x02")
    content = whole[start : whole.index(b"PK", start)]

    with pytest.raises(ModelDamaged, match=r"24 bytes has 8 in the file"):
        read_checkpoint(zip_of(content, {"0": bytes(8)}))


def test_a_file_that_is_no_checkpoint_is_damaged() -> None:
    with pytest.raises(ModelDamaged, match="not a PyTorch checkpoint"):
        read_checkpoint(b"okapi")


def test_a_missing_tensor_is_named() -> None:
    tensors = read_state_dict(zip_checkpoint({"okapi": OKAPI}))

    with pytest.raises(ModelDamaged, match="no tensor 'bongo'"):
        _ = tensors["bongo"]


def test_a_state_dict_at_a_missing_key_is_damaged() -> None:
    with pytest.raises(ModelDamaged, match="'model'"):
        read_state_dict(zip_checkpoint({"okapi": OKAPI}), key="model")
