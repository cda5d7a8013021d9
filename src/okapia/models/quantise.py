"""Networks in 8 bits, by NNCF's post-training quantisation: the only file that knows it.

NNCF shows a network the calibration rows, and where its layers compute it puts steps of 8 bits into the graph
that span what it saw. OpenVINO then computes those layers in whole numbers.
"""

import logging
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from okapia.domain.errors import ModelError, OkapiaError
from okapia.models.base import Tensor
from okapia.models.rows import Shape

if TYPE_CHECKING:
    import openvino


@dataclass(frozen=True, slots=True)
class Recipe:
    """How much of a network becomes 8 bits.

    Attributes:
        name: what people read after "8 bits in".
        first: layers with weights, counted from the input, that keep their precision.
        last: the same, counted from every output.
        is_thorough: biases are corrected layer by layer on the real data; takes five times as long.
    """

    name: str
    first: int = 0
    last: int = 0
    is_thorough: bool = False


LADDER: Final = (
    Recipe("all layers"),
    Recipe("all but the last layers", last=1),
    Recipe("all but the first and the last layers", first=1, last=1),
    Recipe("all but the first and the last two layers, biases corrected one by one", 1, 2, is_thorough=True),
)
"""From the fastest to the safest.

A detector's last layers give log sizes, offsets and scores of very different ranges: in 8 bits they alone
moved YOLOX-tiny's boxes from a mean IoU of 0.98 to 0.93 (14 camera-trap pictures, November 2026).
"""

_FLOAT_TYPES: Final = ["Sigmoid", "Multiply"]
"""Operations that never become 8 bits. NNCF does not see the activation `x * sigmoid(x)` in a graph that
OpenVINO read from ONNX, and would put steps before, within and behind it: mean IoU 0.94 in place of 0.98,
mean change of confidence 0.017 in place of 0.008, and a fifth slower (the same network and pictures)."""

_WEIGHTED: Final = {
    "Convolution",
    "GroupConvolution",
    "ConvolutionBackpropData",
    "GroupConvolutionBackpropData",
    "MatMul",
}

_MISSING: Final = "optimising needs NNCF and OpenVINO: pip install okapia[optimise]"


def quantise(network: Path, shape: Shape, *, rows: Collection[Tensor], recipe: Recipe, target: Path) -> None:
    """Write an OpenVINO network, `target` (.xml) and its `.bin`, in 8 bits.

    What NNCF says about its progress goes to standard error.

    Args:
        network: ONNX or OpenVINO's own, in floating point.
        shape: of one row; the written network takes rows of this shape only.
        rows: what calibrates; gone through several times.

    Raises:
        ModelError: NNCF or OpenVINO is missing, cannot read the network, or fails.
    """
    openvino, nncf = _toolkit()
    with redirect_stdout(sys.stderr), _as_model_error(network):
        model = _read(openvino, network, shape)
        _check_float(model, network)
        kind = model.inputs[0].get_element_type().to_dtype()
        quantised = nncf.quantize(
            model,
            nncf.Dataset(rows, lambda row: row.astype(kind, copy=False)),
            # SiLU's values lie on one side of zero: symmetric steps would waste half of the range.
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(rows),
            fast_bias_correction=not recipe.is_thorough,
            ignored_scope=nncf.IgnoredScope(
                names=sorted(_kept_layers(model, recipe)), types=_FLOAT_TYPES, validate=False
            ),
        )
        openvino.save_model(quantised, target, compress_to_fp16=False)


def toolkit_versions() -> str:
    """Name what `quantise` computes with, e.g. `NNCF 3.4.0 and OpenVINO 2026.4.1`.

    Raises:
        ModelError: it is not installed.
    """
    _toolkit()
    return f"NNCF {version('nncf')} and OpenVINO {version('openvino')}"


def _toolkit() -> tuple[ModuleType, ModuleType]:
    try:
        import openvino.passes  # noqa: PLC0415 - optional outside Linux x86-64

        with redirect_stdout(sys.stderr), _without("openvino_telemetry"):
            import nncf  # noqa: PLC0415 - optional, and takes seconds
    except ImportError as error:
        raise ModelError(f"{_MISSING} ({error})") from error
    nncf.set_log_level(logging.ERROR)
    return openvino, nncf


@contextmanager
def _without(package: str) -> Iterator[None]:
    """Hide a package: NNCF reports its use to its makers unless this one is missing when it is imported."""
    hidden = sys.modules.get(package)
    # What Python's import system takes for "not there".
    sys.modules[package] = None  # type: ignore[assignment] # typeshed does not know of it
    try:
        yield
    finally:
        del sys.modules[package]
        if hidden is not None:
            sys.modules[package] = hidden


@contextmanager
def _as_model_error(network: Path) -> Iterator[None]:
    """Translate what NNCF and OpenVINO raise: their errors share no base. A row's own error stays itself."""
    try:
        yield
    except OkapiaError:
        raise
    except Exception as error:
        line = str(error).strip().split("\n", 1)[0][:300]
        raise ModelError(f"cannot quantise {network}: {line or type(error).__name__}") from error


def _read(openvino: ModuleType, network: Path, shape: Shape) -> "openvino.Model":
    """Read a network and compute what does not depend on the picture: biases have to be plain constants."""
    model = openvino.Core().read_model(network)
    model.reshape([-1 if side is None else side for side in shape])
    passes = openvino.passes.Manager()
    passes.register_pass(openvino.passes.ConstantFolding())
    passes.run_passes(model)
    return model


def _check_float(model: "openvino.Model", network: Path) -> None:
    if any(node.get_type_name() == "FakeQuantize" for node in model.get_ops()):
        raise ModelError(f"{network} is quantised already; optimise the original")


# --- the layers at both ends of a graph -------------------------------------------------


def _kept_layers(model: "openvino.Model", recipe: Recipe) -> set[str]:
    first = _layers(model.get_parameters(), _behind, depth=recipe.first)
    return first | _layers(model.get_results(), _before, depth=recipe.last)


def _layers(
    ends: Iterable["openvino.Node"],
    step: Callable[["openvino.Node"], list["openvino.Node"]],
    *,
    depth: int,
) -> set[str]:
    """Names of the layers with weights that are reached over fewer than `depth` others."""
    names: set[str] = set()
    frontier = list(ends)
    for _ in range(depth):
        frontier = _next_layers(frontier, step)
        names |= {layer.get_friendly_name() for layer in frontier}
    return names


def _next_layers(
    nodes: Iterable["openvino.Node"], step: Callable[["openvino.Node"], list["openvino.Node"]]
) -> list["openvino.Node"]:
    """Go on from each node until the first layer with weights on every path."""
    pending = [neighbour for node in nodes for neighbour in step(node)]
    seen: set[str] = set()
    found = []
    while pending:
        node = pending.pop()
        if node.get_friendly_name() in seen:
            continue
        seen.add(node.get_friendly_name())
        if _has_weights(node):
            found.append(node)
        else:
            pending.extend(step(node))
    return found


def _has_weights(node: "openvino.Node") -> bool:
    if node.get_type_name() not in _WEIGHTED:
        return False
    # The attention of a transformer multiplies activations with each other.
    return any(_is_constant(parent) for parent in _before(node))


def _is_constant(node: "openvino.Node") -> bool:
    """Weights of 16 bits stand behind a conversion."""
    parents = _before(node)
    return node.get_type_name() == "Constant" or (bool(parents) and all(map(_is_constant, parents)))


def _before(node: "openvino.Node") -> list["openvino.Node"]:
    return [value.get_node() for value in node.input_values()]


def _behind(node: "openvino.Node") -> list["openvino.Node"]:
    return [entry.get_node() for output in node.outputs() for entry in output.get_target_inputs()]
