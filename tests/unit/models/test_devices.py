"""How a device is written, and which one is taken."""

from collections.abc import Mapping, Sequence

import pytest
from structlog.testing import capture_logs

from okapia.domain.errors import DeviceUnavailable, InvalidSettings
from okapia.models.devices import (
    CPU,
    Device,
    Hardware,
    package_conflict,
    parse_device,
    take_device,
    visible_gpus,
)

CUDA = "CUDAExecutionProvider"
DML = "DmlExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"


def machine(
    *providers: str,
    gpus: int | None = None,
    working: Sequence[str] = (),
    packages: Mapping[str, str] | None = None,
) -> Hardware:
    """A machine whose `working` devices compute and whose others do not."""

    def trial(device: Device) -> None:
        if str(device) not in working:
            raise DeviceUnavailable(f"{device} does not work: no driver")

    return Hardware(
        lambda: packages or {"onnxruntime": "1.31.1"},
        lambda: (*providers, "CPUExecutionProvider"),
        lambda: gpus,
        trial,
    )


# --- words ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auto", Device("auto")),
        ("cpu", CPU),
        ("cuda", Device("cuda")),
        ("cuda:1", Device("cuda", (1,))),
        ("cuda:2,0,2", Device("cuda", (0, 2))),
        ("directml", Device("directml")),
        ("directml:0", Device("directml", (0,))),
        ("tensorrt:3", Device("tensorrt", (3,))),
    ],
)
def test_a_device_is_read(text: str, expected: Device) -> None:
    assert parse_device(text) == expected


@pytest.mark.parametrize(
    "text", ["", "gpu", "tpu:0", "cpu:0", "auto:1", "cuda:", "cuda:a", "cuda:1,", "CUDA"]
)
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(InvalidSettings, match="device: expected auto, cpu"):
        parse_device(text)


@pytest.mark.parametrize("text", ["auto", "cpu", "cuda", "cuda:1", "cuda:0,2", "directml:0", "tensorrt:1"])
def test_a_device_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_device(text)) == text


def test_several_gpus_are_given_one_by_one() -> None:
    assert [str(device) for device in parse_device("cuda:0,2").each()] == ["cuda:0", "cuda:2"]


# --- auto -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hardware", "expected"),
    [
        (machine(), "cpu"),
        (machine(gpus=2), "cpu"),
        (machine(CUDA, gpus=2, working=["cuda:0", "cuda:1"]), "cuda:0,1"),
        (machine(CUDA, gpus=None, working=["cuda:0"]), "cuda:0"),
        (machine(CUDA, gpus=3, working=["cuda:0", "cuda:2"]), "cuda:0,2"),
        (machine(CUDA, gpus=1), "cpu"),
        (machine(CUDA, gpus=0), "cpu"),
        (machine(TENSORRT, CUDA, gpus=1, working=["cuda:0", "tensorrt:0"]), "cuda:0"),
        (machine(DML, working=["directml:0"]), "directml:0"),
        (machine(CUDA, DML, gpus=1, working=["directml:0"]), "directml:0"),
    ],
    ids=[
        "no gpu",
        "gpus without a provider",
        "two gpus",
        "a gpu that nobody counted",
        "one of three is broken",
        "a provider without its libraries",
        "a provider without a gpu",
        "tensorrt has to be asked for",
        "directml",
        "directml where cuda is broken",
    ],
)
def test_auto_takes_the_gpus_that_work_else_the_cpu(hardware: Hardware, expected: str) -> None:
    assert str(take_device(Device("auto"), hardware=hardware)) == expected


def test_auto_says_what_it_took_and_what_it_left_out() -> None:
    with capture_logs() as events:
        take_device(Device("auto"), hardware=machine(CUDA, gpus=2, working=["cuda:1"]))

    assert [(event["event"], event["device"]) for event in events] == [
        ("device_left_out", "cuda:0"),
        ("device_taken", "cuda:1"),
    ]


# --- a device that was asked for ------------------------------------------------------


def test_cuda_means_all_gpus() -> None:
    hardware = machine(CUDA, gpus=3, working=["cuda:0", "cuda:1", "cuda:2"])

    assert str(take_device(parse_device("cuda"), hardware=hardware)) == "cuda:0,1,2"


@pytest.mark.parametrize("text", ["directml", "tensorrt"])
def test_other_kinds_alone_mean_the_first_gpu(text: str) -> None:
    hardware = machine(DML, TENSORRT, gpus=4, working=[f"{text}:0"])

    assert str(take_device(parse_device(text), hardware=hardware)) == f"{text}:0"


def test_a_gpu_that_does_not_compute_stops_the_start() -> None:
    hardware = machine(CUDA, gpus=2, working=["cuda:0"])

    with pytest.raises(DeviceUnavailable, match="cuda:1 does not work: no driver"):
        take_device(parse_device("cuda:0,1"), hardware=hardware)


def test_cuda_without_a_visible_gpu_stops_the_start() -> None:
    with pytest.raises(DeviceUnavailable, match=r"none is visible.*CUDA_VISIBLE_DEVICES"):
        take_device(parse_device("cuda"), hardware=machine(CUDA, gpus=0))


@pytest.mark.parametrize(
    ("text", "provider", "package"),
    [
        ("cuda:0", CUDA, "onnxruntime-gpu[cuda,cudnn]"),
        ("tensorrt:0", TENSORRT, "onnxruntime-gpu[cuda,cudnn]"),
        ("directml", DML, "onnxruntime-directml"),
    ],
)
def test_a_missing_provider_stops_the_start_with_the_lines_that_mend_it(
    text: str, provider: str, package: str
) -> None:
    with pytest.raises(DeviceUnavailable) as caught:
        take_device(parse_device(text), hardware=machine())

    assert f"device {text} needs {provider}, this ONNX Runtime has CPUExecutionProvider" in str(caught.value)
    assert "`pip uninstall -y onnxruntime onnxruntime-gpu onnxruntime-directml`" in str(caught.value)
    assert str(caught.value).endswith(f'and then `pip install "{package}"`')


# --- packages -------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["auto", "cpu", "cuda:0"])
def test_two_onnx_runtimes_stop_the_start_on_every_device(text: str) -> None:
    packages = {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1", "openvino": "2026.4"}
    hardware = machine(CUDA, gpus=1, working=["cuda:0"], packages=packages)

    with pytest.raises(DeviceUnavailable, match=r"onnxruntime and onnxruntime-gpu are installed together"):
        take_device(parse_device(text), hardware=hardware)


def test_the_one_for_gpus_is_advised() -> None:
    conflict = package_conflict({"onnxruntime": "1", "onnxruntime-directml": "1"})

    assert conflict is not None
    assert conflict.endswith(
        "run `pip uninstall -y onnxruntime onnxruntime-gpu onnxruntime-directml` and then "
        '`pip install "onnxruntime-directml"`'
    )


@pytest.mark.parametrize("names", [[], ["onnxruntime"], ["onnxruntime-gpu", "openvino"]])
def test_one_onnx_runtime_is_no_conflict(names: list[str]) -> None:
    assert package_conflict(dict.fromkeys(names, "1")) is None


# --- NVIDIA GPUs ----------------------------------------------------------------------

LISTING = """GPU 0: NVIDIA A100 (UUID: GPU-aa)
  MIG 1g.10gb     Device  0: (UUID: MIG-bb)
GPU 1: NVIDIA A100 (UUID: GPU-cc)
GPU 2: NVIDIA A100 (UUID: GPU-dd)
"""


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (None, 3),
        ("0,1,2", 3),
        ("1", 1),
        ("2,0", 2),
        ("GPU-aa,GPU-dd", 2),
        ("", 0),
        ("-1", 0),
        ("0,-1,1", 1),
        ("0,7,1", 1),
    ],
)
def test_gpus_are_counted_as_cuda_shows_them(mask: str | None, expected: int) -> None:
    assert visible_gpus(LISTING, mask=mask) == expected
