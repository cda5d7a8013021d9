"""ONNX Runtime: the only file that knows it."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from okapia.domain.errors import DeviceUnavailable, ModelError
from okapia.models.devices import PROVIDERS, Device
from okapia.models.engine import Plan, inference_error, load_error
from okapia.models.onnx_file import OnnxFile, read_onnx
from okapia.models.rows import Call, Port, RowSession, Shape, Values, sign

if TYPE_CHECKING:
    import onnxruntime

_SMALL: Final = Path("a small network")

Provider = tuple[str, dict[str, str]]

_TYPES: Final = {
    "float": "f32",
    "float16": "f16",
    "double": "f64",
    "bool": "boolean",
    **{f"{sign}int{bits}": f"{sign or 'i'}{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
"""ONNX Runtime's names of element types, and ours."""


def open_network(network: Path, row: Shape, *, plan: Plan) -> RowSession:
    """Open an ONNX file; calls from several threads run side by side by themselves.

    It computes in the file's own precision; TensorRT in float16 when the plan says so. Convolutions of
    float32 networks on recent NVIDIA GPUs use TF32, as they do in PyTorch.

    Raises:
        ModelError: the file is no network that this engine reads, or it takes other rows.
        DeviceUnavailable: the device or the precision is not to be had.
    """
    check_precision(plan)
    file = read_onnx(network)
    session = _session(str(network), network=network, plan=plan, file=file, row=row)
    signature = sign(network, *_ports(session), row=row)
    return RowSession(
        signature,
        _call(session, network=network, device=plan.device),
        engine=_engine(),
        device=str(plan.device),
        precision="f16" if plan.precision == "f16" else file.precision,
    )


def check_precision(plan: Plan) -> None:
    """Refuse what ONNX Runtime does not compute in.

    Raises:
        DeviceUnavailable: bf16 anywhere, f16 without TensorRT.
    """
    if plan.precision == "f32" or (plan.precision == "f16" and plan.device.kind == "tensorrt"):
        return
    raise DeviceUnavailable(
        f"on {plan.device} ONNX Runtime computes in a network's own precision, not in {plan.precision} at "
        "will; set OKAPIA_PRECISION=f32, and install the network's file of that precision if there is one"
    )


def providers() -> tuple[str, ...]:
    """Name the execution providers that this ONNX Runtime was built with."""
    import onnxruntime  # noqa: PLC0415 - engines load with the first model, not with the command

    return tuple(onnxruntime.get_available_providers())


@cache
def trial(device: Device) -> None:
    """Compute something small on a device; it is asked once.

    Raises:
        DeviceUnavailable: it does not compute: drivers or libraries are missing, or there is no such GPU.
    """
    if device.kind in {"cuda", "tensorrt"}:
        _load_cuda()
    try:
        session = _session(_small_network(), network=_SMALL, plan=Plan(device))
        _call(session, network=_SMALL, device=device)(np.ones(1, dtype=np.float32))
    except ModelError as error:
        raise DeviceUnavailable(f"{device} does not work: {error}") from error


def _load_cuda() -> None:
    """Load the CUDA libraries that were installed with pip: the dynamic linker does not look there."""
    import onnxruntime  # noqa: PLC0415 - engines load with the first model, not with the command

    if hasattr(onnxruntime, "preload_dlls"):
        # It prints what it misses; standard output belongs to the commands.
        with redirect_stdout(sys.stderr):
            onnxruntime.preload_dlls()


def _session(
    source: str | bytes, *, network: Path, plan: Plan, file: OnnxFile | None = None, row: Shape = ()
) -> "onnxruntime.InferenceSession":
    import onnxruntime  # noqa: PLC0415 - engines load with the first model, not with the command

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = plan.threads
    settings.inter_op_num_threads = 1
    settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    settings.log_severity_level = 3
    # DirectML refuses memory patterns: its documentation says so.
    settings.enable_mem_pattern = plan.device.kind != "directml"
    # Spinning threads would steal the cores that decode the next picture.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for name, length in (file.named_sides(row) if file else {}).items():
        settings.add_free_dimension_override_by_name(name, length)
    chosen = provider_options(plan, file=file, row=row)
    if plan.device.kind == "tensorrt" and plan.cache is not None:
        plan.cache.mkdir(parents=True, exist_ok=True)
    try:
        # Without `enable_fallback=0` a failing GPU is replaced by the CPU, with a print.
        session = onnxruntime.InferenceSession(source, settings, providers=chosen, enable_fallback=0)
    except Exception as error:  # the engine's exceptions share no base of their own
        raise load_error(error, network=network, engine=_engine(), device=plan.device) from error
    if (used := session.get_providers()[0]) != chosen[0][0]:
        raise DeviceUnavailable(
            f"asked for {plan.device}, ONNX Runtime took {used}: the driver or the libraries that "
            f"{chosen[0][0]} needs are missing "
            '(CUDA\'s come with `pip install "onnxruntime-gpu[cuda,cudnn]"`)'
        )
    return session


def provider_options(plan: Plan, *, file: OnnxFile | None = None, row: Shape = ()) -> list[Provider]:
    """Choose the execution providers of a plan, the wanted one first, with their options."""
    kind = plan.device.kind
    if kind == "cpu":
        return [(PROVIDERS[kind], {})]
    number = {"device_id": str(plan.device.indices[0])}
    # The default search times every algorithm anew for each size of batch: seconds, with greedy batches.
    cuda = (PROVIDERS["cuda"], {**number, "cudnn_conv_algo_search": "HEURISTIC"})
    if kind == "tensorrt":
        # What TensorRT has no operator for is computed by CUDA on the same GPU.
        return [(PROVIDERS[kind], {**number, **_tensorrt_options(plan, file, row)}), cuda]
    return [cuda if kind == "cuda" else (PROVIDERS[kind], number)]


def _tensorrt_options(plan: Plan, file: OnnxFile | None, row: Shape) -> dict[str, str]:
    """Keep engines, which take minutes to build, and build one for every size of batch."""
    options = {"trt_fp16_enable": "1"} if plan.precision == "f16" else {}
    if plan.cache is not None:
        options |= {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(plan.cache / "tensorrt")}
    if file is None or None in row or not file.sides or isinstance(file.sides[0], int):
        return options
    sides = "x".join(str(side) for side in row[1:])
    counts = {"min": 1, "opt": max(plan.max_rows // 4, 1), "max": plan.max_rows}
    return options | {f"trt_profile_{name}_shapes": f"{file.input}:{n}x{sides}" for name, n in counts.items()}


def _ports(session: "onnxruntime.InferenceSession") -> tuple[list[Port], list[Port]]:
    """Give what the network declares: inputs and outputs."""
    inputs, outputs = (
        [Port(entry.name, _type(entry.type), tuple(entry.shape) or None) for entry in entries]
        for entries in (session.get_inputs(), session.get_outputs())
    )
    return inputs, outputs


def _type(declared: str) -> str:
    """Translate `tensor(float)`; other words are kept for the message."""
    return _TYPES.get(declared.removeprefix("tensor(").removesuffix(")"), declared)


def _call(session: "onnxruntime.InferenceSession", *, network: Path, device: Device) -> Call:
    name: str = session.get_inputs()[0].name

    def call(rows: Values) -> Sequence[Values]:
        try:
            values: list[Values] = session.run(None, {name: rows})
        except Exception as error:  # the engine's exceptions share no base of their own
            raise inference_error(error, network=network, device=device) from error
        return values

    return call


def _engine() -> str:
    import onnxruntime  # noqa: PLC0415 - engines load with the first model, not with the command

    return f"onnxruntime {onnxruntime.__version__}"


def _small_network() -> bytes:
    """Make a network that adds a number to itself."""
    from onnx import TensorProto, helper  # noqa: PLC0415 - only a GPU is tried

    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "small", ports[:1], ports[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())
