"""The fingerprint of models changes with whatever may change their answers, and with nothing else."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from okapia import __version__
from okapia.app import build_service
from okapia.domain.errors import ModelNotInstalled
from okapia.domain.models import ModelChoice
from okapia.models.weights.store import ModelStore
from okapia.settings import Settings
from tests import networks
from tests.unit.dialects.bright import card

CHOICE = ModelChoice("stoat", "namer")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a detector of brightness and a classifier of colours."""
    link_detector(tmp_path, winner="animal")
    (tmp_path / "namer.onnx").write_bytes(networks.mean_colour(shape=["N", 3, 64, 64], gain=20.0))
    store(tmp_path).link(card("namer", task="classifier"), tmp_path / "namer.onnx", source="a test")
    return tmp_path


def store(home: Path) -> ModelStore:
    return ModelStore(home / "models")


def link_detector(home: Path, *, winner: str, companions: bytes = b"", shape: int = 64) -> None:
    network = home / "stoat.onnx"
    network.write_bytes(
        networks.bright_box(networks.yolo_e2e_layout(winner=0), ["n", 6], shape=[1, 3, shape, shape])
    )
    beside = home / "stoat.onnx.data"
    beside.write_bytes(companions)
    store(home).link(card("stoat", winner=winner), network, companions=[beside], source="a test")


def fingerprint(home: Path, choice: ModelChoice = CHOICE, *, settings: Mapping[str, object] = {}) -> str:
    """Give the fingerprint of a new process."""
    service = build_service(Settings.model_validate({"home": home, "device": "cpu"} | dict(settings)))
    try:
        return service.models.fingerprint(choice)
    finally:
        service.close()


def test_it_is_the_same_in_every_process(home: Path) -> None:
    assert fingerprint(home) == fingerprint(home, settings={"workers": 1, "deadline_s": 5, "threshold": 0.5})


def test_another_choice_is_another(home: Path) -> None:
    choices = [CHOICE, replace(CHOICE, classifier=None), replace(CHOICE, tiles=2)]

    assert len({fingerprint(home, choice) for choice in choices}) == 3


def test_another_card_or_file_beside_the_network_is_another(home: Path) -> None:
    before = fingerprint(home)

    link_detector(home, winner="person")
    other_card = fingerprint(home)
    link_detector(home, winner="animal", companions=b"other weights")
    other_weights = fingerprint(home)

    assert len({before, other_card, other_weights}) == 3


def test_another_network_is_another(home: Path) -> None:
    before = fingerprint(home)
    (home / "stoat.onnx").write_bytes(
        networks.bright_box(networks.yolo_e2e_layout(winner=0), ["rows", 6], shape=[1, 3, 64, 64])
    )
    store(home).link(card("stoat"), home / "stoat.onnx", source="a test")

    assert fingerprint(home) != before


@pytest.mark.parametrize(
    "settings",
    [{"scaling": "exact"}, {"truncated": "refuse"}, {"max_pixels": 1_000_000}, {"engine": "openvino"}],
)
def test_another_decoder_or_engine_is_another(home: Path, settings: dict[str, object]) -> None:
    if settings.get("engine") == "openvino":
        pytest.importorskip("openvino")

    assert fingerprint(home, settings=settings) != fingerprint(home)


def test_it_goes_by_what_the_files_of_ranges_say(home: Path) -> None:
    rules, listed = home / "rules.csv", home / "list.csv"
    fox = "mammalia;carnivora;canidae;vulpes;vulpes"
    rules.write_text(f"species,rule,country_code,admin1_region_code\n{fox},block,KEN,\n", encoding="utf-8")
    listed.write_text("latin,common\nVulpes vulpes,\n", encoding="utf-8")
    before = [
        fingerprint(home),
        fingerprint(home, settings={"geofence": rules}),
        fingerprint(home, settings={"species_list": listed}),
    ]

    listed.write_text("# of the valley\nlatin,common\nVulpes vulpes,\n", encoding="utf-8")
    with_comment = fingerprint(home, settings={"species_list": listed})
    rules.write_text(f"species,rule,country_code,admin1_region_code\n{fox},block,FRA,\n", encoding="utf-8")

    assert len({*before, fingerprint(home, settings={"geofence": rules})}) == 4
    assert with_comment == before[2]


def test_another_okapia_is_another(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(home)
    monkeypatch.setattr("okapia.pipeline.fingerprint.__version__", f"{__version__}.1")

    assert fingerprint(home) != before


def test_models_that_are_not_there_have_none(home: Path) -> None:
    with pytest.raises(ModelNotInstalled):
        fingerprint(home, ModelChoice("megadetector-lite", None))
