"""Files that are no network, or none that an engine can load: one sentence names the file and the fact."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from okapia.domain.errors import ModelError
from okapia.models.base import Session
from okapia.models.onnx_file import read_onnx
from okapia.models.runtime import EngineChoice, Load, Runtime
from tests.unit.models.odd_networks import (
    ROW,
    every_engine,
    means,
    needs_openvino,
    outside,
    picture,
    port,
    save,
    single,
)


def opened(network: Path, choice: EngineChoice) -> Session:
    return Runtime(choice, load=Load(), cores=1).open(network, ROW)


@every_engine
@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"", "an empty file"),
        (b"this is a text", "text"),
        (b"<!DOCTYPE html><html>Not found</html>", "text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a PNG picture"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG picture"),
        (pickle.dumps({"model": [1.0] * 9}), "a Python pickle"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\x1c\0\0\0TFL3\x14\0\x20\0", "a TensorFlow Lite network"),
        (b'\x40\0\0\0\0\0\0\0{"weight":{"dtype":"F32"}}', "a safetensors file"),
        (b"\x08\x09\x12\x04made", "this holds no ONNX graph"),
        (bytes(range(128, 256)), "this is none"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_of_another_kind_is_named(
    tmp_path: Path, choice: EngineChoice, content: bytes, fact: str
) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(content)

    with pytest.raises(ModelError, match=rf"cannot load .*broken\.onnx: expected an ONNX file, .*{fact}"):
        opened(broken, choice)


def test_a_checkpoint_of_pytorch_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "best.pt"
    with zipfile.ZipFile(broken, "w") as archive:
        archive.writestr("best/data.pkl", pickle.dumps({}))

    with pytest.raises(ModelError, match=r"best\.pt: .*a ZIP archive, as PyTorch checkpoints"):
        opened(broken, EngineChoice())


@every_engine
def test_a_network_that_was_cut_off_is_named(tmp_path: Path, choice: EngineChoice) -> None:
    network = means(tmp_path / "cut.onnx")
    whole = network.read_bytes()
    network.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(ModelError, match=r"cut\.onnx: .*cut off: \d+ bytes are announced, \d+ are there"):
        opened(network, choice)


@every_engine
def test_a_file_that_is_not_there_is_named(tmp_path: Path, choice: EngineChoice) -> None:
    with pytest.raises(ModelError, match=r"cannot read .*nowhere\.onnx"):
        opened(tmp_path / "nowhere.onnx", choice)


@every_engine
def test_missing_external_weights_are_named(tmp_path: Path, choice: EngineChoice) -> None:
    network = outside(tmp_path / "outside.onnx", location="outside.onnx.data")

    with pytest.raises(ModelError, match=r"outside\.onnx keeps its weights in outside\.onnx\.data, which is"):
        opened(network, choice)


@every_engine
def test_external_weights_that_were_cut_off_are_named(tmp_path: Path, choice: EngineChoice) -> None:
    network = outside(tmp_path / "outside.onnx", location="weights.bin")
    (tmp_path / "weights.bin").write_bytes(bytes(7))

    with pytest.raises(ModelError, match=r"weights\.bin is cut off: expected at least 16 bytes.*got 7"):
        opened(network, choice)


@every_engine
@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "a/../../b", "C:\\weights.bin"])
def test_external_weights_stay_in_the_networks_folder(
    tmp_path: Path, choice: EngineChoice, location: str
) -> None:
    network = outside(tmp_path / "outside.onnx", location=location)

    with pytest.raises(ModelError, match=r"outside\.onnx keeps weights outside of its folder"):
        opened(network, choice)


@every_engine
def test_external_weights_that_are_there_are_used(tmp_path: Path, choice: EngineChoice) -> None:
    network = outside(tmp_path / "outside.onnx", location="weights.bin")
    (tmp_path / "weights.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    session = Runtime(choice, load=Load(), cores=1).open(network, (1, 3, 2, 2))

    answer = session.run(np.zeros((1, 3, 2, 2), dtype=np.float32))["sums"]

    assert answer[0, 0].tolist() == [[0, 1], [2, 3]]


@every_engine
@pytest.mark.parametrize("domain", ["", "my.ops"])
def test_an_unknown_operator_is_named(tmp_path: Path, choice: EngineChoice, domain: str) -> None:
    network = single(tmp_path / "strange.onnx", "Frobnicate", domain=domain)

    with pytest.raises(ModelError, match=r"cannot load .*strange\.onnx: it uses the operator .*Frobnicate"):
        opened(network, choice)


def test_an_opset_that_is_too_new_is_named(tmp_path: Path) -> None:
    network = single(tmp_path / "new.onnx", "Relu", opset=99)

    with pytest.raises(ModelError, match=r"new\.onnx: it needs opset 99, which onnxruntime .* does not know"):
        opened(network, EngineChoice())


def test_a_format_that_is_too_new_is_named(tmp_path: Path) -> None:
    network = single(tmp_path / "new.onnx", "Relu", ir=99)

    with pytest.raises(ModelError, match=r"new\.onnx: its format has the version 99"):
        opened(network, EngineChoice())


# --- what a file says of itself -------------------------------------------------------


def test_the_precision_is_that_of_most_weights(tmp_path: Path) -> None:
    weights = [
        numpy_helper.from_array(np.zeros((1, 3, 8, 8), dtype=np.float16), "large"),
        numpy_helper.from_array(np.zeros(3, dtype=np.float32), "small"),
        numpy_helper.from_array(np.zeros(999, dtype=np.int64), "places"),
    ]
    node = helper.make_node("Relu", ["images"], ["answer"])
    network = save(
        tmp_path / "mixed.onnx",
        [node],
        inputs=[port("images", ROW)],
        outputs=[port("answer", ROW)],
        weights=weights,
    )

    assert read_onnx(network).precision == "f16"


@pytest.mark.parametrize(("kind", "precision"), [(TensorProto.FLOAT16, "f16"), (TensorProto.UINT8, "f32")])
def test_without_weights_the_precision_is_that_of_the_input(
    tmp_path: Path, kind: int, precision: str
) -> None:
    assert read_onnx(means(tmp_path / "means.onnx", kind=kind)).precision == precision


def test_named_sides_get_the_lengths_of_the_row_unless_a_name_would_have_two(tmp_path: Path) -> None:
    apart = read_onnx(means(tmp_path / "apart.onnx", sides=("N", 3, "H", "W")))
    shared = read_onnx(means(tmp_path / "shared.onnx", sides=("N", 3, "S", "S")))

    assert apart.named_sides((1, 3, 48, 64)) == {"H": 48, "W": 64}
    assert apart.named_sides((1, 3, None, 64)) == {"W": 64}
    assert shared.named_sides((1, 3, 48, 48)) == {"S": 48}
    assert shared.named_sides((1, 3, 48, 64)) == {}


# --- OpenVINO's own files -------------------------------------------------------------


def own_network(path: Path, *, int8: bool) -> Path:
    """A convolution that adds up the channels, in float32 or in 8 bits."""
    openvino = pytest.importorskip("openvino")
    op = openvino.opset13
    images = op.parameter(list(ROW), np.float32, name="images")
    weights = np.ones((1, 3, 1, 1), dtype=np.int8)
    if int8:
        levels = [np.float32(level) for level in (0, 255, 0, 255)]
        source = op.fake_quantize(images, *levels, 256)
        kernel = op.multiply(
            op.convert(op.constant(weights), np.float32), np.ones((1, 1, 1, 1), dtype=np.float32)
        )
    else:
        source, kernel = images, op.constant(weights.astype(np.float32))
    sums = op.convolution(source, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
    sums.output(0).set_names({"sums"})
    openvino.save_model(openvino.Model([op.result(sums)], [images], "own"), path, compress_to_fp16=False)
    return path


@needs_openvino
@pytest.mark.parametrize(("int8", "precision"), [(True, "int8"), (False, "f32")])
def test_openvinos_own_network_runs_in_openvino_whatever_the_engine(
    tmp_path: Path, *, int8: bool, precision: str
) -> None:
    session = opened(own_network(tmp_path / "own.xml", int8=int8), EngineChoice("onnxruntime"))
    batch = picture()

    answer = session.run(batch)["sums"]

    assert (session.engine.split()[0], session.precision) == ("openvino", precision)
    assert answer == pytest.approx(batch.sum(axis=1, keepdims=True))


@needs_openvino
def test_openvinos_own_network_without_its_weights_is_named(tmp_path: Path) -> None:
    network = own_network(tmp_path / "own.xml", int8=False)
    network.with_suffix(".bin").unlink()

    with pytest.raises(ModelError, match=r"own\.xml keeps its weights in own\.bin, which is missing"):
        opened(network, EngineChoice())


@needs_openvino
def test_openvinos_own_network_whose_weights_were_cut_off_is_named(tmp_path: Path) -> None:
    network = own_network(tmp_path / "own.xml", int8=False)
    network.with_suffix(".bin").write_bytes(b"")

    with pytest.raises(ModelError, match=r"cannot load .*own\.xml"):
        opened(network, EngineChoice())


@needs_openvino
def test_other_xml_is_named(tmp_path: Path) -> None:
    network = tmp_path / "feed.xml"
    network.write_text("<rss/>", encoding="utf-8")

    with pytest.raises(ModelError, match=r"feed\.xml: expected an OpenVINO network"):
        opened(network, EngineChoice())
