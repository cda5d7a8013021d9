"""Whatever shapes a file leaves open are learnt by running it once; what no picture fits is refused."""

from collections.abc import Callable, Sequence

import onnx
import pytest
from onnx import TensorProto

from okapia.domain.errors import ModelError
from okapia.models.weights.own.inspect import inspect
from okapia.models.weights.own.observe import Observation, observe
from okapia.models.weights.own.partial import Fragment
from okapia.models.weights.pull import OpenSession
from tests.networks import Shape
from tests.unit.models.weights.own import strange
from tests.unit.models.weights.own.conftest import Drop

Watch = Callable[[bytes, Fragment], Observation]


@pytest.fixture
def watch(drop: Drop, open_session: OpenSession) -> Watch:
    return lambda network, given: observe(inspect(drop(network)), open_session, given=given)


@pytest.mark.parametrize(
    ("shape", "canvas", "is_open"),
    [
        ((1, 3, 48, 64), (64, 48), False),
        ((1, 3, "H", 64), (64, 640), True),
        (("N", 3, "H", "W"), (640, 640), True),
        (("N", "C", "H", "W"), (640, 640), True),
        ((2, 3, 64, 64), (64, 64), False),
    ],
    ids=["fixed", "one side open", "both sides open", "everything open", "a batch of two"],
)
def test_sides_that_are_open_are_tried(
    watch: Watch, shape: Shape, canvas: tuple[int, int], *, is_open: bool
) -> None:
    seen = watch(strange.mixing(shape=shape, out=(shape[0], 3)).SerializeToString(), {})

    assert (seen.canvas, seen.is_open, seen.layout) == (canvas, is_open, "nchw")
    assert seen.outputs["output"].shape == (1, 3)


def test_an_input_without_any_shape_is_tried(watch: Watch) -> None:
    model = strange.mixing(shape=("N", 3, "H", "W"), out=("N", 3))
    model.graph.input[0].type.tensor_type.ClearField("shape")

    assert watch(model.SerializeToString(), {"canvas": 96}).canvas == (96, 96)


def test_a_network_that_runs_at_one_canvas_only_is_found_at_it(watch: Watch) -> None:
    model = strange.mixing(shape=("N", 3, "H", "W"), out=("N", 3))
    flatten = onnx.helper.make_node("Reshape", ["images", "sides"], ["flat"])
    model.graph.initializer.append(onnx.helper.make_tensor("sides", TensorProto.INT64, [4], [1, 3, 224, 224]))
    model.graph.node.insert(0, flatten)
    model.graph.node[1].input[0] = "flat"

    assert watch(model.SerializeToString(), {}).canvas == (224, 224)


def test_what_a_person_said_is_tried_alone(watch: Watch) -> None:
    seen = watch(strange.scores(1, 2, shape=("N", "A", "B", "C")), {"canvas": [96, 64]})
    last = watch(
        strange.scores(1, 2, shape=("N", "A", "B", "C")),
        {"canvas": [96, 64], "preprocessing": {"layout": "nhwc"}},
    )

    assert (seen.canvas, seen.layout) == ((96, 64), "nchw")
    assert (last.canvas, last.layout) == ((96, 64), "nhwc")


def test_a_network_of_bytes_is_run_on_bytes(watch: Watch) -> None:
    seen = watch(strange.bytes_in((1, 3, 64, 64)), {})

    assert seen.outputs["output"].max() > 100


def network_of_inputs(*ports: tuple[str, int, Sequence[int]]) -> bytes:
    model = strange.mixing(shape=(1, 3, 64, 64), out=(1, 3))
    del model.graph.input[:]
    for name, kind, shape in ports:
        model.graph.input.append(onnx.helper.make_tensor_value_info(name, kind, shape))
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("network", "fact"),
    [
        (
            network_of_inputs(
                ("images", TensorProto.FLOAT, [1, 3, 64, 64]), ("sizes", TensorProto.INT64, [1, 2])
            ),
            r"expected one input, a picture; it has 2: images .*, sizes \[1, 2\] int64",
        ),
        (network_of_inputs(("images", TensorProto.FLOAT, [1, 192])), r"four sides .* got images \[1, 192\]"),
        (network_of_inputs(("images", TensorProto.FLOAT, [1, 1, 64, 64])), "expected three channels"),
        (
            network_of_inputs(("images", TensorProto.INT64, [1, 3, 64, 64])),
            r"expected an input of float or .*, got images \[1, 3, 64, 64\] int64",
        ),
        (strange.not_a_number(), r"numbers that are not finite \(output\)"),
        (strange.unknown_operator(), "OkapiStripes"),
    ],
    ids=["two inputs", "rank", "grey", "type", "nan", "operator"],
)
def test_what_no_picture_fits_or_does_not_run_is_refused(watch: Watch, network: bytes, fact: str) -> None:
    with pytest.raises(ModelError, match=rf"My Okapis v2\.onnx.*{fact}"):
        watch(network, {})
