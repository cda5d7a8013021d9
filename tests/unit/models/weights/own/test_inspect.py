"""An ONNX file's facts are read without running it; what cannot be one is refused by name and fact."""

from pathlib import Path

import onnx
import pytest

from okapia.domain.errors import ModelError
from okapia.models.weights.own.inspect import Metadata, inspect
from tests.unit.models.weights.own import strange
from tests.unit.models.weights.own.conftest import Drop


def test_inputs_outputs_and_producer_are_read(drop: Drop) -> None:
    model = onnx.load_model_from_string(strange.yolo(classes=2, shape=("N", 3, "H", 64)))
    model.producer_name, model.producer_version = "pytorch", "2.9"

    facts = inspect(drop(model.SerializeToString()))

    assert (facts.producer, facts.opset) == ("pytorch 2.9", 17)
    assert str(facts.inputs[0]) == "images [?, 3, ?, 64] float"
    assert str(facts.outputs[0]) == "output [1, 6, 84] float"


def test_what_ultralytics_wrote_is_read(drop: Drop) -> None:
    entries = {
        "names": "{0: 'okapi', 1: \"thomson's gazelle\"}",
        "imgsz": "[480, 640]",
        "task": "detect",
        "args": "{'batch': 1, 'nms': True}",
    }

    facts = inspect(drop(strange.with_metadata(strange.yolo(classes=2), entries)))

    assert facts.metadata == Metadata(
        names=("okapi", "thomson's gazelle"), canvas=(640, 480), task="detect", has_nms=True
    )


@pytest.mark.parametrize(
    "names",
    ["__import__('os').getcwd()", "{0: 'okapi', 2: 'bongo'}", "{'okapi': 0}", "[1, 2]", "[" * 10_000, "{}"],
)
def test_metadata_that_makes_no_sense_is_as_if_it_were_not_there(drop: Drop, names: str) -> None:
    facts = inspect(drop(strange.with_metadata(strange.yolo(classes=2), {"names": names, "imgsz": "'big'"})))

    assert facts.metadata == Metadata()


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"", "empty"),
        (b"<html>not found</html>", "text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "PNG"),
        (strange.yolo(classes=2)[:-100], "cut off"),
        (onnx.ModelProto(ir_version=9).SerializeToString(), "graph|ONNX"),
    ],
    ids=["empty", "text", "picture", "truncated", "no graph"],
)
def test_what_is_no_onnx_file_is_refused_by_name(drop: Drop, content: bytes, fact: str) -> None:
    with pytest.raises(ModelError, match=rf"My Okapis v2\.onnx.*({fact})"):
        inspect(drop(content))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read .*okapi\.onnx: No such file"):
        inspect(tmp_path / "okapi.onnx")


def test_tensors_beside_the_file_are_named(tmp_path: Path) -> None:
    path = strange.write_with_external_data(tmp_path, location="parts/means.bin")

    assert inspect(path).data_files == ("parts/means.bin",)


def test_missing_tensors_are_named(tmp_path: Path) -> None:
    path = strange.write_with_external_data(tmp_path)
    (tmp_path / "means.onnx.data").unlink()

    with pytest.raises(ModelError, match=r"means\.onnx keeps its weights in means\.onnx\.data"):
        inspect(path)


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/secret.bin", "..\\secret.bin"])
def test_tensors_outside_of_the_folder_are_refused(tmp_path: Path, location: str) -> None:
    path = strange.write_with_external_data(tmp_path)
    model = onnx.load_model(str(path), load_external_data=False)
    model.graph.initializer[0].external_data[0].value = location
    path.write_bytes(model.SerializeToString())

    with pytest.raises(ModelError, match=r"outside|not a file beside it"):
        inspect(path)


def test_tensors_of_a_subgraph_are_seen_too(tmp_path: Path) -> None:
    path = strange.write_with_external_data(tmp_path)
    model = onnx.load_model(str(path), load_external_data=False)
    weight = model.graph.initializer.pop()
    branch = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", [weight.name], ["kept"])], "branch", [], [], [weight]
    )
    model.graph.node.append(
        onnx.helper.make_node("If", ["images"], ["kept"], then_branch=branch, else_branch=branch)
    )
    path.write_bytes(model.SerializeToString())

    assert inspect(path).data_files == ("means.onnx.data",)
