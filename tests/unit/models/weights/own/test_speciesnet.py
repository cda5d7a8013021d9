"""SpeciesNet's model folder is added as it lies: classifier, detector, and both under one name."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from okapia.domain.errors import ClientMissing, InvalidRequest, ModelError
from okapia.domain.models import ModelChoice
from okapia.models.catalog import Catalog
from okapia.models.weights.check import checker
from okapia.models.weights.own.speciesnet import AddedFolder, Convert, add_speciesnet_folder
from okapia.models.weights.own.torch_classifier import converter
from okapia.models.weights.pull import OpenSession
from tests.networks import constant, mean_colour
from tests.unit.models.weights.own import strange

LABELS = (
    "uuid-1;mammalia;artiodactyla;giraffidae;okapia;johnstoni;okapi  ",
    "uuid-2;mammalia;artiodactyla;bovidae;tragelaphus;eurycerus;bongo",
    "uuid-3;;;;;;blank",
)
INFO = {
    "version": "4.0.2a",
    "type": "always_crop",
    "classifier": "crop.onnx",
    "classifier_labels": "crop.labels.txt",
    "detector": "md.onnx",
    "taxonomy": "taxonomy.txt",
    "geofence": "geofence.json",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "speciesnet"
    folder.mkdir()
    (folder / "crop.onnx").write_bytes(mean_colour(shape=(1, 480, 480, 3)))
    (folder / "crop.labels.txt").write_text("\n".join(LABELS) + "\n")
    (folder / "md.onnx").write_bytes(megadetector())
    (folder / "taxonomy.txt").write_text("\n".join(LABELS) + "\n")
    (folder / "geofence.json").write_text("{}")
    say(folder)
    return folder


def megadetector() -> bytes:
    """MegaDetector v5's shapes, `[1, N, 8]` with all sides open."""
    return constant(np.full((1, 12, 8), 0.25, dtype=np.float32), shape=("N", 3, "H", "W"))


def say(folder: Path, **changes: str) -> None:
    (folder / "info.json").write_text(json.dumps(INFO | changes))


def add(
    folder: Path,
    catalog: Catalog,
    open_session: OpenSession,
    *,
    convert: Convert | None = None,
    licence: str | None = None,
) -> AddedFolder:
    return add_speciesnet_folder(
        folder, catalog=catalog, check=checker(open_session), convert=convert, licence=licence
    )


def test_both_parts_are_added_where_they_lie(
    folder: Path, catalog: Catalog, open_session: OpenSession
) -> None:
    added = add(folder, catalog, open_session)

    assert [installed.path for installed in added.installed] == [folder / "md.onnx", folder / "crop.onnx"]
    assert (added.pipeline, added.missing) == ("speciesnet-4.0.2a", "")
    assert catalog.profiles()["speciesnet-4.0.2a"] == ModelChoice(
        "speciesnet-4.0.2a-detector", "speciesnet-4.0.2a"
    )


def test_the_classifier_is_run_as_speciesnet_runs_it(
    folder: Path, catalog: Catalog, open_session: OpenSession
) -> None:
    add(folder, catalog, open_session)

    card = catalog.card("speciesnet-4.0.2a")
    recipe = card.preprocessing
    assert card.labels == tuple(label.rstrip() for label in LABELS)
    assert (card.canvas, card.activation, card.view.shape) == ((480, 480), "softmax", "box")
    assert (recipe.layout, recipe.resize, recipe.interpolation, recipe.std) == (
        "nhwc",
        "stretch",
        "cv2_bilinear",
        (255, 255, 255),
    )


def test_the_detector_is_run_as_speciesnet_runs_it(
    folder: Path, catalog: Catalog, open_session: OpenSession
) -> None:
    add(folder, catalog, open_session)

    card = catalog.card("speciesnet-4.0.2a-detector")
    recipe = card.preprocessing
    assert card.categories == {"animal": "animal", "person": "person", "vehicle": "vehicle"}
    assert (card.family, card.canvas, card.nms_iou) == ("yolov5", (1280, 1280), 0.45)
    assert (recipe.layout, recipe.resize, recipe.placement, recipe.pad_value) == (
        "nchw",
        "letterbox",
        "centre",
        (114, 114, 114),
    )


def test_a_full_image_classifier_sees_the_middle_strip(
    folder: Path, catalog: Catalog, open_session: OpenSession
) -> None:
    (folder / "crop.onnx").write_bytes(mean_colour(shape=("N", 3, 480, 480)))
    say(folder, type="full_image", version="4.0.2b")

    add(folder, catalog, open_session)

    card = catalog.card("speciesnet-4.0.2b")
    assert (card.view.shape, card.preprocessing.layout) == ("strip", "nchw")


def test_the_files_of_the_rules_are_remembered(
    folder: Path, catalog: Catalog, open_session: OpenSession
) -> None:
    add(folder, catalog, open_session)

    card = catalog.card("speciesnet-4.0.2a")
    assert card.taxonomy == str(folder / "taxonomy.txt")
    assert card.geofence == str(folder / "geofence.json")


def test_a_file_of_the_rules_that_is_missing_is_said(
    folder: Path, catalog: Catalog, open_session: OpenSession
) -> None:
    (folder / "geofence.json").unlink()

    with pytest.raises(ModelError, match=r"`geofence` names 'geofence\.json'"):
        add(folder, catalog, open_session)


@pytest.mark.parametrize("detector", ["", "https://models.example/md_v5a.pt", "md_v5a.0.0.pt"])
def test_without_a_detector_in_onnx_the_classifier_is_added_alone(
    folder: Path, catalog: Catalog, open_session: OpenSession, detector: str
) -> None:
    say(folder, detector=detector)

    added = add(folder, catalog, open_session)

    assert [installed.model_id for installed in added.installed] == ["speciesnet-4.0.2a"]
    assert added.pipeline == ""
    assert "not added: expected an ONNX file beside info.json" in added.missing
    assert catalog.store.pipelines() == {}


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("{", "is not JSON"),
        ("[]", "info.json"),
        ("{}", "version: Field required; type: Field required; classifier: Field required"),
        (json.dumps(INFO | {"type": "sometimes"}), "type: Input should be 'always_crop' or 'full_image'"),
        (
            json.dumps(INFO | {"classifier": "none.onnx"}),
            "`classifier` names 'none.onnx', which is not",
        ),
        (
            json.dumps(INFO | {"classifier_labels": "../labels.txt"}),
            "`classifier_labels` names '../",
        ),
        (json.dumps(INFO | {"detector": "none.onnx"}), "`detector` names 'none.onnx', which is not"),
    ],
)
def test_an_info_file_that_does_not_hold_is_refused_and_nothing_is_installed(
    folder: Path, catalog: Catalog, open_session: OpenSession, text: str, fact: str
) -> None:
    (folder / "info.json").write_text(text)

    with pytest.raises(ModelError, match=rf"info\.json.*{fact}" if fact != "info.json" else "info"):
        add(folder, catalog, open_session)

    assert catalog.store.ids() == []


def test_labels_of_another_number_than_the_outputs_are_refused(
    folder: Path, catalog: Catalog, open_session: OpenSession
) -> None:
    (folder / "crop.labels.txt").write_text("\n".join(LABELS[:2]))

    with pytest.raises(ModelError, match="each of 2 labels"):
        add(folder, catalog, open_session)

    assert catalog.store.ids() == []


def test_a_detector_that_does_not_run_leaves_no_classifier_behind(
    folder: Path, catalog: Catalog, open_session: OpenSession
) -> None:
    (folder / "md.onnx").write_bytes(strange.unknown_operator())

    with pytest.raises(ModelError, match="OkapiStripes"):
        add(folder, catalog, open_session)

    assert catalog.store.ids() == []


def test_a_version_is_added_once(folder: Path, catalog: Catalog, open_session: OpenSession) -> None:
    add(folder, catalog, open_session)

    with pytest.raises(InvalidRequest, match=r"speciesnet-4\.0\.2a is installed already"):
        add(folder, catalog, open_session)


def test_a_pytorch_classifier_is_not_run_unasked(
    folder: Path, catalog: Catalog, open_session: OpenSession
) -> None:
    (folder / "crop.pt").write_bytes(b"a pickle")
    say(folder, classifier="crop.pt")

    with pytest.raises(ModelError, match=r"crop\.pt .* runs the code .* okapia\[torch\] and give --run-code"):
        add(folder, catalog, open_session)

    assert catalog.store.ids() == []


def test_a_converted_classifier_is_kept_as_a_copy(
    folder: Path, catalog: Catalog, open_session: OpenSession
) -> None:
    network = (folder / "crop.onnx").rename(folder / "crop.pt").read_bytes()
    say(folder, classifier="crop.pt")

    added = add(folder, catalog, open_session, convert=_copy, licence="MIT")

    classifier = added.installed[-1]
    assert classifier.path.is_relative_to(catalog.store.root)
    assert classifier.path.read_bytes() == network
    assert classifier.licence == "MIT"


@pytest.mark.skipif(bool(find_spec("torch")) and bool(find_spec("onnx2torch")), reason="the extra is there")
def test_the_converter_needs_the_extra_and_names_it() -> None:
    with pytest.raises(ClientMissing, match=r"torch .*pip install okapia\[torch\]"):
        converter(print)


def _copy(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes())
