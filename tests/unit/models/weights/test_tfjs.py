"""Each TensorFlow operator becomes ONNX that answers as TensorFlow documents it."""

import base64
import json
from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from okapia.domain.errors import ModelDamaged
from okapia.models.weights.convert import faceres, nanodet
from okapia.models.weights.convert.tfjs import Output, translate
from okapia.models.weights.convert.tfjs_file import read_graph_model
from tests.unit.models.weights.layers import Floats, convolve, same

Array = NDArray[np.generic]
Json = dict[str, object]

RANDOM = np.random.default_rng(8)


def text(value: str) -> Json:
    return {"s": base64.b64encode(value.encode()).decode()}


def texts(*values: str) -> Json:
    return {"list": {"s": [base64.b64encode(value.encode()).decode() for value in values]}}


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


@pytest.mark.parametrize("multiplier", [1, 2])
def test_a_depthwise_convolution_keeps_its_channels_apart(multiplier: int) -> None:
    x, kernel = picture(1, 6, 8, 3), picture(3, 3, 3, multiplier)
    attributes = window(2, "SAME", dilations=numbers(1, 1, 1, 1))
    depthwise = node("DepthwiseConv2dNative", "x", "k", attributes=attributes)
    n_out = 3 * multiplier

    actual = Model((1, 6, 8, 3), [depthwise], {"k": kernel}).answer(x, ("N", 3, 4, n_out))

    first = x.transpose(0, 3, 1, 2).astype(np.float64)
    # TensorFlow's output channel is `in * multiplier + place`.
    weight = kernel.transpose(2, 3, 0, 1).reshape(n_out, 1, 3, 3).astype(np.float64)
    expected = convolve(first, weight, stride=2, groups=3, padding=same)
    np.testing.assert_allclose(actual, expected.transpose(0, 2, 3, 1), atol=1e-5)


@pytest.mark.parametrize("keeps", [True, False])
def test_a_mean_is_taken_over_the_named_axes(*, keeps: bool) -> None:
    x = picture(1, 4, 5, 2)
    mean = node("Mean", "x", "axes", attributes={"keep_dims": {"b": keeps}})
    shape = ("N", 1, 1, 2) if keeps else ("N", 2)

    actual = Model((1, 4, 5, 2), [mean], {"axes": np.array([1, 2], np.int32)}).answer(x, shape)

    np.testing.assert_allclose(actual, x.mean(axis=(1, 2), keepdims=keeps), atol=1e-6)


def dense(*steps: str, transposed: bool = False) -> Json:
    attributes = {"fused_ops": texts(*steps), "transpose_a": {"b": False}, "transpose_b": {"b": transposed}}
    return node("_FusedMatMul", "x", "w", "b", attributes=attributes)


def test_a_dense_layer_multiplies_adds_and_activates() -> None:
    x, weight, bias = picture(1, 6), picture(6, 4), picture(4)

    actual = Model((1, 6), [dense("BiasAdd", "Relu")], {"w": weight, "b": bias}).answer(x, ("N", 4))

    np.testing.assert_allclose(actual, np.maximum(x @ weight + bias, 0), atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "fault"),
    [(dense("BiasAdd", "Elu"), "cannot convert Elu"), (dense("BiasAdd", transposed=True), "transposed")],
    ids=["activation", "transposition"],
)
def test_a_dense_layer_that_would_be_mistaken_is_refused(layer: Json, fault: str) -> None:
    model = Model((1, 6), [layer], {"w": picture(6, 4), "b": picture(4)})

    with pytest.raises(ModelDamaged, match=fault):
        model.network(Output("answer", "y", ("N", 4)))


def test_numbers_are_clipped_and_scaled_one_by_one() -> None:
    x, low, high, gain = picture(1, 3, 2), picture(2), picture(2) + 2, picture(2)
    nodes = [
        node("Mul", "x", "gain", name="scaled"),
        node("Relu", "scaled", name="positive"),
        node("Minimum", "positive", "high", name="capped"),
        node("Maximum", "capped", "low"),
    ]

    actual = Model((1, 3, 2), nodes, {"gain": gain, "high": high, "low": low}).answer(x, ("N", 3, 2))

    np.testing.assert_allclose(actual, np.maximum(np.minimum(np.maximum(x * gain, 0), high), low), rtol=1e-6)


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


def test_of_the_face_network_only_the_guess_about_gender_is_converted() -> None:
    # The features go on to an age and to the embedding; whatever is behind those is not looked at.
    nodes = [
        node("Mean", "x", "axes", name="global_pooling/Mean", attributes={"keep_dims": {"b": False}}),
        node("Sigmoid", "global_pooling/Mean", name="gender_pred/Sigmoid"),
        node("Softmax", "global_pooling/Mean", name="age_pred/Softmax"),
    ]
    model = Model((-1, 4, 4, 1), nodes, {"axes": np.array([1, 2], np.int32)})

    network = faceres.convert({"faceres.json": json.dumps(model.document).encode(), "shard": model.shard})

    assert [output.name for output in network.graph.output] == ["man"]
    assert {operator.op_type for operator in network.graph.node} == {"ReduceMean", "Sigmoid"}


def test_nanodet_needs_its_json_beside_the_weights() -> None:
    with pytest.raises(ModelDamaged, match=r"expected one \.json file, got nanodet\.bin"):
        nanodet.convert({"package/models/nanodet.bin": b""})
