"""OpenVINO: the only file that knows it."""

import queue
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from okapia.domain.errors import DeviceUnavailable, ModelError
from okapia.models.devices import CPU, installed_engines
from okapia.models.engine import Plan, inference_error, load_error
from okapia.models.onnx_file import read_onnx
from okapia.models.rows import Call, Port, RowSession, Shape, Signature, Values, sign

if TYPE_CHECKING:
    import openvino

IR_SUFFIX: Final = ".xml"
"""Of OpenVINO's own networks; their weights are in a file beside it that ends in `.bin`."""

_CAPABILITIES: Final = {"bf16": "BF16", "f16": "FP16"}
_SAYS: Final = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
_WEIGHTED: Final = {"Convolution", "FullyConnected", "MatMul", "Deconvolution"}
"""Layers of OpenVINO's compiled CPU graph that have weights."""


def open_network(network: Path, row: Shape, *, plan: Plan) -> RowSession:
    """Open an ONNX file or OpenVINO's own; each stream has its own infer request.

    Rows are run one by one unless the file has a fixed batch: on a CPU a batch gains nothing, and a fixed
    shape compiles better. The precision is `int8` where weighted layers compute in it.

    Raises:
        ModelError: the file is no network that this engine reads, or it takes other rows.
        DeviceUnavailable: OpenVINO is not installed, or the device or the precision is not to be had.
    """
    core = _core(plan)
    names = _output_names(network)
    try:
        model = core.read_model(network)
        signature = sign(network, *_ports(model, names), row=row)
        _fix_shape(model, signature)
        compiled = core.compile_model(model, "CPU", _limits(plan))
    except RuntimeError as error:
        raise load_error(error, network=network, engine=_engine(), device=CPU) from error
    return RowSession(
        signature,
        _call(compiled, network=network, streams=plan.streams),
        engine=_engine(),
        device="cpu",
        precision=_precision(compiled),
    )


def _core(plan: Plan) -> "openvino.Core":
    try:
        import openvino  # noqa: PLC0415 - optional outside Linux x86-64
    except ImportError as error:
        raise DeviceUnavailable(
            "OpenVINO is not installed; install okapia[openvino] or set OKAPIA_ENGINE=onnxruntime"
        ) from error
    openvino.Type.f32.to_dtype()  # two threads that take this step first wait for each other for ever
    if plan.device != CPU:
        raise DeviceUnavailable(f"OpenVINO runs on the cpu here, not on {plan.device}")
    core = openvino.Core()
    needed = _CAPABILITIES.get(plan.precision)
    if needed and needed not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise DeviceUnavailable(f"this CPU has no {plan.precision} instructions; set OKAPIA_PRECISION=f32")
    return core


def _output_names(network: Path) -> tuple[str, ...]:
    """Give what an ONNX file calls its outputs, none for OpenVINO's own files: those name tensors freely.

    Says in plain words what OpenVINO's readers do not.
    """
    if network.suffix != IR_SUFFIX:
        return read_onnx(network).outputs
    try:
        with network.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise ModelError(f"cannot read {network}: {error.strerror}") from error
    if b"<net" not in head:
        raise ModelError(f"cannot load {network}: expected an OpenVINO network, it has no <net>")
    weights = network.with_suffix(".bin")
    if not weights.is_file():
        raise ModelError(f"{network} keeps its weights in {weights.name}, which is missing beside it")
    return ()


def _limits(plan: Plan) -> dict[str, str | int]:
    return {
        "INFERENCE_PRECISION_HINT": plan.precision,
        "INFERENCE_NUM_THREADS": max(plan.threads, plan.streams),
        "NUM_STREAMS": plan.streams,
    }


def _ports(model: "openvino.Model", names: Sequence[str]) -> tuple[list[Port], list[Port]]:
    """Give what the network declares: inputs and outputs. Open sides have no names here.

    Args:
        names: of the outputs; OpenVINO adds those of the tensors that it merged with them.
    """
    known = dict(enumerate(names)) if len(names) == len(model.outputs) else {}
    inputs = [_port(entry, min(entry.get_names(), default="input")) for entry in model.inputs]
    outputs = [
        _port(entry, known.get(place) or min(entry.get_names(), default=f"output{place}"))
        for place, entry in enumerate(model.outputs)
    ]
    return inputs, outputs


def _port(entry: "openvino.Output", name: str) -> Port:
    return Port(name, entry.element_type.get_type_name(), _sides(entry.partial_shape))


def _sides(shape: "openvino.PartialShape") -> tuple[int | None, ...] | None:
    if shape.rank.is_dynamic:
        return None
    return tuple(None if side.is_dynamic else int(side.get_length()) for side in shape)


def _fix_shape(model: "openvino.Model", signature: Signature) -> None:
    """Close the open sides that the rows know."""
    if model.inputs[0].partial_shape.is_dynamic:
        model.reshape([-1 if side is None else side for side in signature.shape])


def _call(compiled: "openvino.CompiledModel", *, network: Path, streams: int) -> Call:
    idle: queue.SimpleQueue[openvino.InferRequest] = queue.SimpleQueue()
    for _ in range(streams):
        idle.put(compiled.create_infer_request())
    places = range(len(compiled.outputs))

    def call(rows: Values) -> Sequence[Values]:
        request = idle.get()
        try:
            request.infer({0: rows}, share_inputs=True)
            # The request's own memory is used again by the next caller.
            return [np.array(request.get_output_tensor(place).data) for place in places]
        except RuntimeError as error:
            raise inference_error(error, network=network, device=CPU) from error
        finally:
            idle.put(request)

    return call


def _precision(compiled: "openvino.CompiledModel") -> str:
    """Read what the compiled graph computes in: 8 bits if any weighted layer does, else the hint's answer."""
    layers = (operator.get_rt_info() for operator in compiled.get_runtime_model().get_ops())
    used = {
        layer["runtimePrecision"].astype(str)
        for layer in layers
        if layer["layerType"].astype(str) in _WEIGHTED
    }
    if used & {"i8", "u8"}:
        return "int8"
    hint: str = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    return _SAYS.get(hint, hint)


def _engine() -> str:
    return f"openvino {installed_engines()['openvino']}"
