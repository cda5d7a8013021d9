"""Which engine is taken, and when a stored choice counts."""

from pathlib import Path

import orjson
import pytest

from okapia.models.runtime import EngineChoice
from okapia.models.tuning import Measurement, choose, load_choice, store_choice

ORT = EngineChoice("onnxruntime", "f32")
BF16 = EngineChoice("openvino", "bf16")


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(50.0, BF16), (95.0, ORT), (200.0, ORT)],
    ids=["clearly faster", "hardly faster", "slower"],
)
def test_another_engine_is_taken_only_when_it_is_clearly_faster(
    milliseconds: float, expected: EngineChoice
) -> None:
    assert choose([Measurement(ORT, 100.0), Measurement(BF16, milliseconds)]) == expected


def test_a_stored_choice_is_read_back(tmp_path: Path) -> None:
    store_choice(tmp_path, BF16, [Measurement(BF16, 50.0)])

    assert load_choice(tmp_path) == BF16


def test_nothing_stored_is_no_choice(tmp_path: Path) -> None:
    assert load_choice(tmp_path) is None


@pytest.mark.parametrize(
    ("key", "value"), [("machine", "another processor"), ("versions", {"onnxruntime": "0.1"})]
)
def test_a_choice_made_elsewhere_does_not_count(tmp_path: Path, key: str, value: object) -> None:
    path = store_choice(tmp_path, BF16, [Measurement(BF16, 50.0)])
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | {key: value}))

    assert load_choice(tmp_path) is None


def test_a_damaged_file_is_no_choice(tmp_path: Path) -> None:
    (tmp_path / "engine.json").write_text("{", encoding="utf-8")

    assert load_choice(tmp_path) is None
