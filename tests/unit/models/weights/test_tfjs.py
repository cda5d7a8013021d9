"""Each TensorFlow operator becomes ONNX that answers as TensorFlow documents it."""

import base64
import json
from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from okapia.domain.errors import ModelDamaged
from okapia.models.weights.convert import nanodet
from okapia.models.weights.convert.tfjs import Output, translate
from okapia.models.weights.convert.tfjs_file import read_graph_model
from tests.unit.models.weights.layers import Floats, convolve, same

Array = NDArray[np.generic]
Json = dict[str, object]

RANDOM = np.random.default_rng(8)


def text(value: str) -> Json:
    return {"s": base64.b64encode(value.encode()).decode()}


def numbers(*values: int) -> Json:
    return {"list": {"i": [str(value) for value in values]}}


def node(operator: str, *inputs: str, name: str = "answer", attributes: Json | None = None) -> Json:
    return {"name": name, "op": operator, "input": list(inputs), "attr": attributes or {}}


def window(strides: int, padding: str, **more: Json) -> Json:
    steps = numbers(1, strides, strides, 1)
    return {"strides": steps, "padding": text(padding), "data_format": text("NHWC"), **more}


class Model:
    """A graph model of one placeholder, constants and the nodes under test, as its two files."""

    def __init__(self, shape: Sequence[int], nodes: Sequence[Json], constants: Mapping[str, Array]) -> None:
        shaped: Json = {"shape": {"shape": {"dim": [{"size": str(side)} for side in shape]}}}
        placeholder = node("Placeholder", name="x", attributes=shaped)
        stored = [node("Const", name=name) for name in constants]
        weights = [
            {"name": name, "shape": value.shape, "dtype": value.dtype.name}
            for name, value in constants.items()
        ]
        self.document: Json = {
            "modelTopology": {"node": [*nodes, placeholder, *stored]},
            "weightsManifest": [{"paths": ["shard"], "weights": weights}],
        }
        self.shard = b"".join(value.tobytes() for value in constants.values())

    def network(self, *outputs: Output) -> bytes:
        graph = read_graph_model(json.dumps(self.document).encode(), {"shard": self.shard})
        network: bytes = translate(graph, outputs, name="test").SerializeToString()
        return network

    def answer(self, x: Array, shape: Sequence[int | str], *, of: str = "answer") -> Floats:
        session = onnxruntime.InferenceSession(self.network(Output(of, "y", shape)))
        (value,) = session.run(["y"], {"images": x})
        answer: Floats = value.astype(np.float64)
        return answer


def picture(*shape: int) -> NDArray[np.float32]:
    return RANDOM.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_pads_the_odd_pixel_behind(stride: int) -> None:
    x, kernel = picture(1, 6, 8, 3), picture(3, 3, 3, 4)
    attributes = window(stride, "SAME", dilations=numbers(1, 1, 1, 1))
    model = Model((1, 6, 8, 3), [node("Conv2D", "x", "k", attributes=attributes)], {"k": kernel})

    actual = model.answer(x, ("N", 6 // stride, 8 // stride, 4))

    first = x.transpose(0, 3, 1, 2).astype(np.float64)
    expected = convolve(first, kernel.transpose(3, 2, 0, 1).astype(np.float64), stride=stride, padding=same)
    np.testing.assert_allclose(actual, expected.transpose(0, 2, 3, 1), atol=1e-5)


def test_a_valid_pool_takes_the_largest_of_whole_windows() -> None:
    x = picture(1, 5, 5, 2)
    pool = node("MaxPool", "x", attributes=window(2, "VALID", ksize=numbers(1, 3, 3, 1)))

    actual = Model((1, 5, 5, 2), [pool], {}).answer(x, ("N", 2, 2, 2))

    expected = [[x[0, r : r + 3, c : c + 3].max(axis=(0, 1)) for c in (0, 2)] for r in (0, 2)]
    np.testing.assert_array_equal(actual[0], expected)


def test_padding_is_per_axis_and_takes_its_filler() -> None:
    x = picture(1, 2, 2, 1)
    amounts = np.array([[0, 0], [1, 0], [0, 2], [0, 0]], np.int32)
    model = Model((1, 2, 2, 1), [node("PadV2", "x", "p", "v")], {"p": amounts, "v": np.array(-9, np.float32)})

    actual = model.answer(x, ("N", 3, 4, 1))

    np.testing.assert_array_equal(actual, np.pad(x, amounts, constant_values=-9))


def test_bilinear_resizing_uses_half_pixel_centres() -> None:
    x = np.array([0, 1], np.float32).reshape(1, 1, 2, 1)
    resize = node("ResizeBilinear", "x", "size", attributes={"half_pixel_centers": {"b": True}})

    actual = Model((1, 1, 2, 1), [resize], {"size": np.array([1, 4], np.int32)}).answer(x, ("N", 1, 4, 1))

    np.testing.assert_allclose(actual.ravel(), [0, 0.25, 0.75, 1])


def test_split_outputs_are_told_apart_by_number() -> None:
    x = picture(1, 5)
    split = node("SplitV", "x", "sizes", "axis", name="split")
    second = node("Identity", "split:1")
    model = Model(
        (1, 5), [second, split], {"sizes": np.array([2, 3], np.int32), "axis": np.array(1, np.int32)}
    )

    actual = model.answer(x, ("N", 3))

    np.testing.assert_array_equal(actual, x[:, 2:])


def test_transpose_concat_and_activations_follow_one_another() -> None:
    x = picture(1, 2, 3)
    nodes = [
        node("Transpose", "x", "order", name="turned"),
        node("Sigmoid", "turned", name="s"),
        node("LeakyRelu", "turned", name="l", attributes={"alpha": {"f": 0.1}}),
        node("ConcatV2", "s", "l", "axis"),
    ]
    constants = {"order": np.array([0, 2, 1], np.int32), "axis": np.array(2, np.int32)}

    actual = Model((1, 2, 3), nodes, constants).answer(x, ("N", 3, 4))

    turned = x.transpose(0, 2, 1)
    leaky = np.where(turned > 0, turned, turned * 0.1)
    np.testing.assert_allclose(actual, np.concatenate([1 / (1 + np.exp(-turned)), leaky], axis=2), rtol=1e-6)


def test_the_shape_that_the_exporter_left_as_a_sum_is_folded_and_the_batch_stays_open() -> None:
    # What onnx-tf makes of a reshape: zeros with one entry set, added to a constant.
    nodes = [
        node("SparseToDense", "where", "rank", "value", "zero", name="patch"),
        node("AddV2", "base", "patch", name="shape"),
        node("Reshape", "x", "shape"),
    ]
    constants = {
        "where": np.array([[2]], np.int32),
        "rank": np.array([3], np.int32),
        "value": np.array([-7], np.int32),
        "zero": np.array(0, np.int32),
        "base": np.array([1, 2, 6], np.int32),
    }
    x = picture(3, 2, 2, 3)

    actual = Model((1, 2, 2, 3), nodes, constants).answer(x, ("N", 2, 6))

    np.testing.assert_array_equal(actual, x.reshape(3, 2, 6))


def test_addition_broadcasts_a_bias() -> None:
    x, bias = picture(1, 4, 2), picture(2)

    actual = Model((1, 4, 2), [node("Add", "x", "b")], {"b": bias}).answer(x, ("N", 4, 2))

    np.testing.assert_allclose(actual, x + bias)


@pytest.mark.parametrize(
    ("stored", "quantization", "expected"),
    [
        (np.array([1.5, -2], np.float16), {"dtype": "float16", "original_dtype": "float32"}, [1.5, -2]),
        (np.array([0, 200], np.uint8), {"dtype": "uint8", "scale": 0.5, "min": -3.0}, [-3, 97]),
    ],
    ids=["half precision", "scaled bytes"],
)
def test_quantised_weights_are_restored(stored: Array, quantization: Json, expected: list[float]) -> None:
    weight = {"name": "w", "shape": [2], "dtype": "float32", "quantization": quantization}
    document = {"modelTopology": {"node": []}, "weightsManifest": [{"paths": ["shard"], "weights": [weight]}]}

    graph = read_graph_model(json.dumps(document).encode(), {"shard": stored.tobytes()})

    np.testing.assert_array_equal(graph.weights["w"], expected)
    assert graph.weights["w"].dtype == np.float32


def test_an_operator_outside_the_table_is_named() -> None:
    model = Model((1, 2), [node("TopKV2", "x")], {})

    with pytest.raises(ModelDamaged, match="TopKV2"):
        model.network(Output("answer", "y", ("N", 2)))


def test_a_channels_first_convolution_is_refused_rather_than_mistaken() -> None:
    attributes = window(1, "SAME", dilations=numbers(1, 1, 1, 1)) | {"data_format": text("NCHW")}
    model = Model((1, 3, 6, 8), [node("Conv2D", "x", "k", attributes=attributes)], {"k": picture(3, 3, 3, 4)})

    with pytest.raises(ModelDamaged, match="NCHW"):
        model.network(Output("answer", "y", ("N", 4, 6, 8)))


def test_a_kernel_that_depends_on_the_input_is_refused() -> None:
    attributes = window(1, "SAME", dilations=numbers(1, 1, 1, 1))
    model = Model((1, 3, 3, 1), [node("Conv2D", "x", "x", attributes=attributes)], {})

    with pytest.raises(ModelDamaged, match="should be constant"):
        model.network(Output("answer", "y", ("N", 3, 3, 1)))


def test_a_cycle_is_refused() -> None:
    model = Model((1, 2), [node("Sigmoid", "b", name="a"), node("Sigmoid", "a", name="b")], {})

    with pytest.raises(ModelDamaged, match="cycle"):
        model.network(Output("a", "y", ("N", 2)))


def test_a_missing_output_is_named() -> None:
    with pytest.raises(ModelDamaged, match="no node 'okapi'"):
        Model((1, 2), [], {}).network(Output("okapi", "y", ("N", 2)))


def test_weights_of_another_length_are_damaged() -> None:
    model = Model((1, 2), [], {"w": picture(3)})

    with pytest.raises(ModelDamaged, match="expected 12 bytes of weights, got 11"):
        read_graph_model(json.dumps(model.document).encode(), {"shard": model.shard[:-1]})


def test_a_missing_shard_is_named() -> None:
    model = Model((1, 2), [], {"w": picture(3)})

    with pytest.raises(ModelDamaged, match="shard"):
        read_graph_model(json.dumps(model.document).encode(), {})


def test_a_file_that_is_no_graph_model_is_damaged() -> None:
    with pytest.raises(ModelDamaged, match=r"not a TensorFlow\.js graph model"):
        read_graph_model(b'{"format": "layers-model"}', {})


def test_nanodet_needs_its_json_beside_the_weights() -> None:
    with pytest.raises(ModelDamaged, match=r"expected one \.json file, got nanodet\.bin"):
        nanodet.convert({"package/models/nanodet.bin": b""})
