"""Where settings come from, and that wrong ones are refused by name."""

from pathlib import Path

import pytest

from okapia.app import engine_choice
from okapia.domain.errors import DeviceUnavailable, InvalidSettings
from okapia.models.devices import CPU, Device, Hardware
from okapia.models.runtime import EngineChoice
from okapia.models.tuning import Measurement, store_choice
from okapia.settings import Settings, load_settings

ONE_GPU = Hardware(
    packages=lambda: {"onnxruntime-gpu": "1"},
    providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    count_gpus=lambda: 1,
    trial=lambda _: None,
)
BF16 = EngineChoice("openvino", "bf16")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder without settings, and none in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"OKAPIA_{name.upper()}", raising=False)
    return tmp_path


def test_the_environment_sets() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OKAPIA_PORT", "8100")
        patch.setenv("OKAPIA_CANVASES", '{"megadetector-lite": 640}')
        settings = load_settings()

    assert (settings.port, settings.canvases) == (8100, {"megadetector-lite": 640})


def test_a_file_sets_and_the_environment_wins(empty_folder: Path) -> None:
    (empty_folder / "okapia.toml").write_text("port = 8200\nthreshold = 0.4\n", encoding="utf-8")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OKAPIA_PORT", "8100")
        settings = load_settings()

    assert (settings.port, settings.threshold) == (8100, 0.4)


def test_an_option_wins_over_everything_and_a_missing_one_does_not() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OKAPIA_PORT", "8100")
        patch.setenv("OKAPIA_THRESHOLD", "0.5")
        settings = load_settings(port=8300, threshold=None)

    assert (settings.port, settings.threshold) == (8300, 0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 70000),
        ("threshold", float("nan")),
        ("threshold", 0.0),
        ("device", "gpu"),
        ("engine", "torch"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(InvalidSettings, match=name):
        load_settings(**{name: value})


def test_a_file_that_is_no_toml_is_refused(empty_folder: Path) -> None:
    (empty_folder / "okapia.toml").write_text("port = ", encoding="utf-8")

    with pytest.raises(InvalidSettings, match=r"okapia\.toml"):
        load_settings()


def test_a_table_in_the_environment_that_is_no_json_is_refused() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OKAPIA_CANVASES", "{")

        with pytest.raises(InvalidSettings, match="environment"):
            load_settings()


def test_without_a_measurement_the_engine_is_onnx_runtime(empty_folder: Path) -> None:
    assert engine_choice(Settings(home=empty_folder)) == EngineChoice("onnxruntime", "f32")


def test_a_measurement_decides_the_engine(empty_folder: Path) -> None:
    store_choice(empty_folder, BF16, [Measurement(BF16, 50.0)])

    assert engine_choice(Settings(home=empty_folder)) == BF16


def test_what_is_set_wins_over_the_measurement(empty_folder: Path) -> None:
    store_choice(empty_folder, BF16, [Measurement(BF16, 50.0)])

    chosen = engine_choice(Settings(home=empty_folder, engine="onnxruntime"))
    forced = engine_choice(Settings(home=empty_folder, precision="f32"))

    assert chosen == EngineChoice("onnxruntime", "f32")
    assert forced == EngineChoice("openvino", "f32")


def test_a_measurement_on_the_cpu_says_nothing_of_a_gpu(empty_folder: Path) -> None:
    store_choice(empty_folder, BF16, [Measurement(BF16, 50.0)])

    chosen = engine_choice(Settings(home=empty_folder, device="cuda:0"), hardware=ONE_GPU)

    assert chosen == EngineChoice(device=Device("cuda", (0,)))


def test_auto_is_the_gpu_where_there_is_one_and_openvino_where_that_is_set(empty_folder: Path) -> None:
    chosen = engine_choice(Settings(home=empty_folder), hardware=ONE_GPU)
    on_cpu = engine_choice(Settings(home=empty_folder, engine="openvino"), hardware=ONE_GPU)

    assert chosen.device == Device("cuda", (0,))
    assert on_cpu == EngineChoice("openvino", "f32", CPU)


def test_a_gpu_that_is_not_there_is_an_error_and_no_cpu(empty_folder: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="CUDAExecutionProvider"):
        engine_choice(Settings(home=empty_folder, device="cuda:0"))
