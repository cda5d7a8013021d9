"""`okapia models add`: says what it recognised, asks only what is open, and what to do next."""

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from okapia.cli.model_add import add
from okapia.domain.errors import InvalidRequest, ModelError
from okapia.models.card import ModelCard
from okapia.models.catalog import Catalog
from okapia.models.weights.store import ModelStore
from tests.networks import constant, mean_colour
from tests.unit.models.weights.own import strange


class Terminal(io.StringIO):
    """A person who has typed already."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """The catalogue of the home that the command finds."""
    monkeypatch.setenv("OKAPIA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return Catalog(ModelStore(tmp_path / "home" / "models"))


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("okapi\nbongo\nkudu\n")
    return path


def write(folder: Path, network: bytes) -> Path:
    path = folder / "okapis.onnx"
    path.write_bytes(network)
    return path


def no_zoo(folder: Path, *, accept_licence: bool) -> Sequence[str]:
    raise AssertionError(folder, accept_licence)


def run(
    path: Path,
    *,
    card_file: Path | None = None,
    labels_file: Path | None = None,
    model_id: str | None = None,
    licence: str | None = None,
    in_place: bool = False,
    replace: bool = False,
    run_code: bool = False,
    assume_defaults: bool = False,
) -> None:
    add(
        path,
        card_file=card_file,
        labels_file=labels_file,
        model_id=model_id,
        licence=licence,
        in_place=in_place,
        replace=replace,
        run_code=run_code,
        accept_licence=False,
        assume_defaults=assume_defaults,
        add_zoo_folder=no_zoo,
    )


def test_a_detector_that_tells_everything_is_added_without_a_question(
    tmp_path: Path, catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = {"names": "{0: 'okapi', 1: 'bongo'}", "license": "AGPL-3.0 License (https://example.org)"}
    path = write(tmp_path, strange.with_metadata(strange.yolo(classes=2), entries))

    run(path)

    text = capsys.readouterr().out
    assert catalog.card("okapis").family == "yolo"
    assert "family yolo: its answer [1, 6, 84] is 4 + 2 columns" in text
    assert "okapia models check okapis --on FOLDER" in text
    assert "okapia run FOLDER --detector okapis" in text


def test_only_what_is_open_is_asked(
    tmp_path: Path,
    catalog: Catalog,
    labels: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write(tmp_path, mean_colour(shape=(1, 3, 64, 64), gain=8))
    typed = ["nowhere.txt", str(labels), "lab", "unit", "", "CC0-1.0"]
    monkeypatch.setattr(sys, "stdin", Terminal("\n".join(typed) + "\n"))

    run(path)

    card = catalog.card("okapis")
    assert card.labels == ("okapi", "bongo", "kudu")
    assert card.licence == "CC0-1.0"
    assert card.activation == "softmax"
    assert list(card.preprocessing.std) == [255, 255, 255]
    captured = capsys.readouterr()
    assert "cannot read nowhere.txt" in captured.err
    assert "expected one of unit, imagenet, none, got 'lab'" in captured.err


def test_without_a_terminal_every_open_question_is_named_with_what_answers_it(
    tmp_path: Path, catalog: Catalog
) -> None:
    path = write(tmp_path, strange.scores(-3, 0.5, 9))

    with pytest.raises(InvalidRequest) as caught:
        run(path)

    text = str(caught.value)
    assert "labels (--labels FILE)" in text
    assert "preprocessing.std (the keys `mean` and `std` of the section `preprocessing` in --card)" in text
    assert "activation (the key `activation` in --card; --yes takes softmax)" in text
    assert "licence (--licence NAME)" in text
    assert catalog.store.ids() == []


def test_likely_answers_are_taken_on_demand(tmp_path: Path, catalog: Catalog) -> None:
    path = write(tmp_path, strange.yolov5(classes=3))

    run(path, licence="AGPL-3.0", model_id="md", assume_defaults=True)

    card = catalog.card("md")
    assert card.labels == ("animal", "person", "vehicle")
    assert card.licence == "AGPL-3.0"


def test_what_has_no_likely_answer_is_named_all_the_same(tmp_path: Path, catalog: Catalog) -> None:
    path = write(tmp_path, strange.scores(-3, 0.5, 9))

    with pytest.raises(InvalidRequest, match=r"open are labels .*, preprocessing\.std .*, licence"):
        run(path, assume_defaults=True)

    assert catalog.store.ids() == []


def test_a_card_answers_everything_and_options_win_over_it(
    tmp_path: Path, catalog: Catalog, labels: Path
) -> None:
    path = write(tmp_path, strange.scores(-3, 0.5, 9))
    card_file = tmp_path / "card.toml"
    card_file.write_text('id = "a"\nlicence = "MIT"\nactivation = "softmax"\n[preprocessing]\nstd = 255\n')

    run(path, card_file=card_file, labels_file=labels, licence="CC0-1.0")

    assert catalog.card("a").licence == "CC0-1.0"


def test_a_network_may_stay_where_it_is(tmp_path: Path, catalog: Catalog) -> None:
    path = write(tmp_path, strange.yolov5(classes=3))

    run(path, licence="MIT", in_place=True, assume_defaults=True)

    installed = catalog.store.find("okapis")
    assert installed is not None
    assert installed.path == path


@pytest.mark.usefixtures("catalog")
def test_an_id_that_is_taken_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    path = write(tmp_path, strange.yolov5(classes=3))

    with pytest.raises(InvalidRequest, match="nanodet-coco is a model that comes with Okapia"):
        run(path, model_id="nanodet-coco")


def test_a_model_is_replaced_on_demand(tmp_path: Path, catalog: Catalog) -> None:
    path = write(tmp_path, strange.yolov5(classes=3))
    run(path, licence="MIT", assume_defaults=True)

    run(path, licence="CC0-1.0", assume_defaults=True, replace=True)

    assert catalog.card("okapis").licence == "CC0-1.0"


def speciesnet_folder(folder: Path, *, detector: str) -> Path:
    folder.mkdir()
    (folder / "crop.onnx").write_bytes(mean_colour(shape=(1, 480, 480, 3)))
    (folder / "labels.txt").write_text("a;;;;;;okapi\nb;;;;;;bongo\nc;;;;;;kudu\n")
    (folder / "md.onnx").write_bytes(constant(np.full((1, 9, 8), 0.25, np.float32), shape=(1, 3, 640, 640)))
    info = {"version": "4.0.2a", "type": "always_crop", "classifier": "crop.onnx", "detector": detector}
    (folder / "info.json").write_text(json.dumps(info | {"classifier_labels": "labels.txt"}))
    return folder


def test_a_speciesnet_folder_is_added_whole(
    tmp_path: Path, catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    run(speciesnet_folder(tmp_path / "speciesnet", detector="md.onnx"))

    assert catalog.store.ids() == ["speciesnet-4.0.2a", "speciesnet-4.0.2a-detector"]
    assert (
        "okapia run FOLDER --detector speciesnet-4.0.2a-detector --classifier speciesnet-4.0.2a"
        in capsys.readouterr().out
    )


def test_what_a_speciesnet_folder_lacks_is_said(
    tmp_path: Path, catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    run(speciesnet_folder(tmp_path / "speciesnet", detector="md_v5a.pt"))

    assert catalog.store.ids() == ["speciesnet-4.0.2a"]
    assert "warning: the detector (md_v5a.pt) was not added" in capsys.readouterr().err


def test_a_folder_in_the_zoos_layout_is_the_zoos_to_add(tmp_path: Path, catalog: Catalog) -> None:
    folder = tmp_path / "MDV6"
    folder.mkdir()
    (folder / "manifest.toml").touch()
    asked = []

    def zoo(folder: Path, *, accept_licence: bool) -> Sequence[str]:
        asked.append((folder, accept_licence))
        run(write(tmp_path, strange.yolov5(classes=3)), licence="MIT", assume_defaults=True)
        return ["okapis"]

    add(
        folder,
        card_file=None,
        labels_file=None,
        model_id=None,
        licence=None,
        in_place=False,
        replace=False,
        run_code=False,
        accept_licence=True,
        assume_defaults=False,
        add_zoo_folder=zoo,
    )

    assert asked == [(folder, True)]
    assert isinstance(catalog.card("okapis"), ModelCard)


@pytest.mark.usefixtures("catalog")
def test_a_folder_of_something_else_is_refused_with_advice(tmp_path: Path) -> None:
    folder = tmp_path / "networks"
    folder.mkdir()
    write(folder, strange.yolov5(classes=3))

    with pytest.raises(InvalidRequest, match=r"manifest\.toml, .*info\.json .*its files: okapis\.onnx"):
        run(folder)


@pytest.mark.usefixtures("catalog")
def test_options_of_a_file_are_refused_for_a_folder(tmp_path: Path, labels: Path) -> None:
    with pytest.raises(InvalidRequest, match="--labels: expected with a single ONNX file, got a folder"):
        run(tmp_path, labels_file=labels)


@pytest.mark.usefixtures("catalog")
def test_a_pytorch_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    path.write_bytes(b"PK")

    with pytest.raises(ModelError, match=r"best\.pt is a PyTorch file; export it to ONNX first"):
        run(path)
