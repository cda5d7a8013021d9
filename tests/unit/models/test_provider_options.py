"""What ONNX Runtime's execution providers are told."""

from pathlib import Path

import pytest

from okapia.models.devices import CPU, Device
from okapia.models.engine import Plan
from okapia.models.onnx_file import read_onnx
from okapia.models.onnx_runtime import provider_options, trial
from tests.unit.models.odd_networks import ROW, means


def test_the_cpu_passes_its_trial() -> None:
    trial(CPU)


def test_the_cpu_is_told_nothing() -> None:
    assert provider_options(Plan(CPU)) == [("CPUExecutionProvider", {})]


def test_directml_gets_its_number() -> None:
    assert provider_options(Plan(Device("directml", (1,)))) == [("DmlExecutionProvider", {"device_id": "1"})]


def test_cuda_gets_its_number() -> None:
    ((name, options),) = provider_options(Plan(Device("cuda", (2,))))

    assert (name, options["device_id"]) == ("CUDAExecutionProvider", "2")


def test_tensorrt_keeps_its_engines_and_leaves_the_rest_to_cuda(tmp_path: Path) -> None:
    file = read_onnx(means(tmp_path / "means.onnx"))
    plan = Plan(Device("tensorrt", (1,)), max_rows=32, cache=tmp_path)

    (first, options), (second, _) = provider_options(plan, file=file, row=ROW)

    assert (first, second) == ("TensorrtExecutionProvider", "CUDAExecutionProvider")
    assert options == {
        "device_id": "1",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(tmp_path / "tensorrt"),
        "trt_profile_min_shapes": "images:1x3x8x8",
        "trt_profile_opt_shapes": "images:8x3x8x8",
        "trt_profile_max_shapes": "images:32x3x8x8",
    }


@pytest.mark.parametrize("sides", [(1, 3, 8, 8), ("N", 3, None, None)])
def test_tensorrt_gets_no_profile_where_nothing_or_everything_is_open(
    tmp_path: Path, sides: tuple[int | str | None, ...]
) -> None:
    file = read_onnx(means(tmp_path / "means.onnx", sides=sides))
    row = ROW if sides[0] == 1 else (1, 3, None, None)

    (_, options), _ = provider_options(Plan(Device("tensorrt", (0,))), file=file, row=row)

    assert options == {"device_id": "0"}


def test_tensorrt_computes_in_float16_only_when_asked() -> None:
    asked, unasked = (
        provider_options(Plan(Device("tensorrt", (0,)), precision))[0][1] for precision in ("f16", "f32")
    )

    assert asked["trt_fp16_enable"] == "1"
    assert "trt_fp16_enable" not in unasked
