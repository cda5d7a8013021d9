"""A manifest of the zoo becomes the card that it means."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from okapia.domain.errors import ModelDamaged, ModelError
from okapia.models.card import CropResize, ModelCard, View
from okapia.models.weights.zoo.cards import read_folder
from tests.unit.models.weights.zoo.folders import (
    BRIGHT_BOX,
    CLASSIFIER,
    DETECTOR,
    LABELS,
    LETTERBOX,
    MEAN_COLOUR,
    RESIZE,
    SOFTMAX,
    YOLO,
    classifier,
    detector,
    manifest,
    write_folder,
)


def card_of(tmp_path: Path, text: str, *, model_id: str = DETECTOR, labels: bytes = LABELS) -> ModelCard:
    """Read a folder whose manifest is `text`."""
    files = {"manifest.toml": text.encode(), "model.onnx": BRIGHT_BOX, "labels.txt": labels}
    return read_folder(write_folder(tmp_path, model_id, files)).card


def detector_text(*, preprocessing: str = LETTERBOX, postprocessing: str = YOLO) -> str:
    return manifest(DETECTOR, BRIGHT_BOX, preprocessing=preprocessing, postprocessing=postprocessing)


def classifier_text(*, preprocessing: str = RESIZE, postprocessing: str = SOFTMAX) -> str:
    return manifest(DETECTOR, BRIGHT_BOX, preprocessing=preprocessing, postprocessing=postprocessing)


def changed(old: str, new: str, text: str | None = None) -> str:
    text = detector_text() if text is None else text
    assert old in text
    return text.replace(old, new)


# --- pixels ---------------------------------------------------------------------------


def test_letterbox_is_centred_and_padded_in_the_range_after_normalisation(tmp_path: Path) -> None:
    card = card_of(tmp_path, detector_text())

    assert (card.preprocessing.resize, card.preprocessing.placement) == ("letterbox", "centre")
    assert card.preprocessing.pad_value == pytest.approx((113.985,) * 3)
    assert card.preprocessing.std == (255.0, 255.0, 255.0)
    assert card.preprocessing.interpolation == "bilinear"
    assert card.canvas == (640, 640)


def test_padding_is_grey_114_where_the_manifest_says_nothing(tmp_path: Path) -> None:
    card = card_of(tmp_path, changed("pad_value = 0.447", ""))

    assert card.preprocessing.pad_value == pytest.approx((114.0,) * 3)


def test_imagenet_normalisation_turns_round_with_the_channels(tmp_path: Path) -> None:
    text = changed('"unit"', '"imagenet"\nchannel_order = "bgr"')

    pixels = card_of(tmp_path, text).preprocessing

    assert pixels.channels == "bgr"
    assert pixels.mean == pytest.approx((0.406 * 255, 0.456 * 255, 0.485 * 255))
    assert pixels.std == pytest.approx((0.225 * 255, 0.224 * 255, 0.229 * 255))
    # 0.447 after normalisation, back in each channel's pixels
    assert pixels.pad_value == pytest.approx(
        (0.447 * 57.375 + 103.53, 0.447 * 57.12 + 116.28, 0.447 * 58.395 + 123.675)
    )


def test_no_normalisation_leaves_pixels_as_they_are(tmp_path: Path) -> None:
    pixels = card_of(tmp_path, changed('"unit"', '"none"')).preprocessing

    assert (pixels.mean, pixels.std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.mark.parametrize("name", ["bilinear", "bicubic", "lanczos", "cv2_bilinear"])
def test_every_interpolation_is_understood(tmp_path: Path, name: str) -> None:
    card = card_of(tmp_path, changed('"unit"', f'"unit"\ninterpolation = "{name}"'))

    assert card.preprocessing.interpolation == name


def test_resize_distorts(tmp_path: Path) -> None:
    text = detector_text(preprocessing=RESIZE, postprocessing='method = "rtdetr_topk"')

    card = card_of(tmp_path, text)

    assert card.preprocessing.resize == "stretch"


def test_resize_min_max_keeps_both_sides_as_the_canvas(tmp_path: Path) -> None:
    pixels = 'method = "resize_min_max"\ninput_size = [800, 1333]\nnormalization = "imagenet"'

    card = card_of(tmp_path, detector_text(preprocessing=pixels, postprocessing='method = "megadet_v5a"'))

    assert (card.preprocessing.resize, card.canvas) == ("min_max", (800, 1333))
    assert card.input_shape(card.canvas) == (1, 3, None, None)


CROP = 'method = "resize_crop"\ninput_size = [224, 224]\nnormalization = "imagenet"\n'


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", CropResize(resize_size=(224, 224))),
        ("pre_crop_square = true", CropResize(pre_crop_square=True, resize_size=(224, 224))),
        (
            'resize_size = [256, 256]\nresize_mode = "shorter_side"\ncenter_crop = true',
            CropResize(resize_size=(256, 256), resize_mode="shorter_side", center_crop=(224, 224)),
        ),
        (
            "resize_size = [256, 256]\ncenter_crop = [224, 224]",
            CropResize(resize_size=(256, 256), center_crop=(224, 224)),
        ),
    ],
)
def test_resize_crop_becomes_its_steps(tmp_path: Path, keys: str, expected: CropResize) -> None:
    card = card_of(tmp_path, classifier_text(preprocessing=CROP + keys))

    assert card.preprocessing.crop == expected


def test_a_crop_that_does_not_give_the_input_is_refused(tmp_path: Path) -> None:
    text = classifier_text(preprocessing=f"{CROP}resize_size = [256, 256]")

    with pytest.raises(ModelError, match=r"crop gives \(256, 256\), the canvas is \(224, 224\)"):
        card_of(tmp_path, text)


# --- answers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "family", "preprocessing"),
    [
        ("yolo_e2e", "yolo_e2e", LETTERBOX),
        ("megadet_v5a", "yolov5", LETTERBOX),
        ("rtdetr_topk", "rtdetr_topk", RESIZE),
        ("softmax", "classifier", RESIZE),
    ],
)
def test_every_method_has_its_family(tmp_path: Path, method: str, family: str, preprocessing: str) -> None:
    text = detector_text(preprocessing=preprocessing, postprocessing=f'method = "{method}"')

    card = card_of(tmp_path, text)

    assert card.family == family


def test_megadetector_v5_merges_at_its_own_overlap(tmp_path: Path) -> None:
    default = card_of(tmp_path / "a", detector_text(postprocessing='method = "megadet_v5a"'))
    own = card_of(
        tmp_path / "b",
        detector_text(postprocessing='method = "megadet_v5a"\niou_threshold = 0.6\nmax_detections = 100'),
    )

    assert (default.nms_iou, default.max_detections) == (0.45, 300)
    assert (own.nms_iou, own.max_detections) == (0.6, 100)


def test_rtdetr_keeps_its_top_k(tmp_path: Path) -> None:
    post = 'method = "rtdetr_topk"\ntopk = 50\nconfidence_threshold = 0.25'

    card = card_of(tmp_path, detector_text(preprocessing=RESIZE, postprocessing=post))

    assert (card.max_detections, card.confidence_threshold) == (50, 0.25)


def test_a_classifier_sees_the_box_as_it_is(tmp_path: Path) -> None:
    card = read_folder(write_folder(tmp_path, CLASSIFIER, classifier())).card

    assert (card.task, card.activation, card.view) == ("classifier", "softmax", View(shape="box", margin=0))
    assert card.labels == ("red deer", "", "badger")


def test_sigmoid_reports_from_its_threshold(tmp_path: Path) -> None:
    text = classifier_text(postprocessing='method = "sigmoid"\nconfidence_threshold = 0.3')

    card = card_of(tmp_path, text)

    assert (card.activation, card.confidence_threshold) == ("sigmoid", 0.3)


def test_sigmoid_without_a_threshold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="needs a confidence_threshold"):
        card_of(tmp_path, classifier_text(postprocessing='method = "sigmoid"'))


def test_the_usual_labels_are_categories_in_any_case(tmp_path: Path) -> None:
    card = card_of(tmp_path, detector_text(), labels=b"Animal\nHUMAN\nvehicle\n")

    assert card.categories == {"Animal": "animal", "HUMAN": "person", "vehicle": "vehicle"}
    assert (card.names_species, card.default_category) == (False, "other")


def test_a_detector_of_species_says_so_and_its_labels_are_animals(tmp_path: Path) -> None:
    by_labels = card_of(tmp_path / "a", detector_text(), labels=b"badger\nperson\n")
    by_manifest = card_of(
        tmp_path / "b", changed("[preprocessing]", "species_direct = true\n[preprocessing]")
    )

    assert (by_labels.names_species, by_labels.default_category) == (True, "animal")
    assert by_labels.categories == {"person": "person"}
    assert by_manifest.names_species is True


# --- words ----------------------------------------------------------------------------


def test_the_card_says_where_a_model_comes_from_and_what_it_was_made_for(tmp_path: Path) -> None:
    text = changed(
        "[preprocessing]",
        'display_name = "Badger finder"\nversion = "1.2"\ngeo_scope = "regional"\ngeo_regions = ["Wales"]\n'
        'geo_locality = "Gower"\ndescription = "Finds badgers."\n[preprocessing]',
    )
    text += '[provenance]\ndeveloper = "Dr. Brock"\nowner = "Meles Trust"\nsurprise = 1\n'

    card = card_of(tmp_path, text)

    assert (card.title, card.version, card.area) == ("Badger finder", "1.2", "Gower, Wales")
    assert card.citation == "Dr. Brock; Meles Trust"
    assert card.notes == "Finds badgers. MegaDetector v6, YOLOv9 compact"
    assert card.licence == "MIT"


def test_the_catalogue_says_the_place_where_the_manifest_does_not(tmp_path: Path) -> None:
    model_id = "Deepfaune-Europe"
    text = manifest(model_id, BRIGHT_BOX, preprocessing=RESIZE, postprocessing=SOFTMAX)

    card = card_of(tmp_path, text, model_id=model_id)

    assert (card.area, card.licence) == ("Europe", "CC-BY-SA-4.0")


# --- what is refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            '"yolo_e2e"',
            '"retinanet_soft_nms"',
            "'retinanet_soft_nms' is not supported; supported: megadet_v5a",
        ),
        ('"yolo_e2e"', '"heatmap_peaks"', "'heatmap_peaks' is not supported: .*overhead pictures"),
        ('"yolo_e2e"', '"embedding"', "'embedding' is not supported: .*a vector"),
        ('"single"', '"tiled"\ntile_size = [512, 512]', "'tiled' is not supported: .*overhead pictures"),
        ('"letterbox"', '"mel_spectrogram"', "'mel_spectrogram' is not supported: .*sound"),
        ('"nchw"', '"nhwc"', "layout = 'nhwc' is not supported"),
        ('"onnx"', '"tflite"', "format = 'tflite' is not supported"),
        ('"letterbox"', '"resize"', "yolo_e2e needs the preprocessing method letterbox, got resize"),
        ('"unit"', '"centred"', "preprocessing.normalization"),
        ("[640, 640]", "[640]", "preprocessing.input_size"),
        ("[640, 640]", '"640"', "preprocessing.input_size"),
        ("[640, 640]", "[640, 9]", "canvas"),
        ("confidence_threshold = 0.1", "confidence_threshold = 1.5", "postprocessing.confidence_threshold"),
        ("confidence_threshold = 0.1", "confidence_threshold = nan", "postprocessing.confidence_threshold"),
        ('strategy = "single"', 'strategy = "single"\nprecision = "fp16"', "'fp16' needs model.file_fp16"),
        (f'id = "{DETECTOR}"', 'id = "MDV5b"', f"expected the id '{DETECTOR}', as the folder, got 'MDV5b'"),
        ('"one_per_line"', '"json"', "labels.format"),
        ('file = "labels.txt"', "", "labels.file: Field required"),
        ("[postprocessing]", "[afterthoughts]", "postprocessing: Field required"),
    ],
)
def test_what_okapia_does_not_do_is_refused_by_name(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    with pytest.raises(ModelError, match=sentence):
        card_of(tmp_path, changed(old, new))


@pytest.mark.parametrize(
    "name", ["../model.onnx", "/model.onnx", "C:\\\\model.onnx", "a/../../model.onnx", ""]
)
def test_a_file_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match=r"model\.file"):
        card_of(tmp_path, changed('"model.onnx"', f'"{name}"'))


def test_what_is_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"{DETECTOR}/manifest\.toml is not TOML"):
        card_of(tmp_path, "okapi")


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"manifest\.toml cannot be read"):
        read_folder(write_folder(tmp_path, DETECTOR, {"model.onnx": BRIGHT_BOX}))


@pytest.mark.parametrize("missing", ["model.onnx", "labels.txt"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    files = detector()
    del files[missing]

    with pytest.raises(ModelError, match=f"names {missing}, which is not there"):
        read_folder(write_folder(tmp_path, DETECTOR, files))


def test_keys_that_a_newer_zoo_adds_are_logged_and_let_through(tmp_path: Path) -> None:
    text = changed('strategy = "single"', 'strategy = "single"\nspeed = "fast"')
    text += "[drift_reference]\nanything = 1\n[moon]\nphase = 3\n"

    with capture_logs() as logs:
        card_of(tmp_path, text)

    assert [(log["event"], log["keys"]) for log in logs] == [
        ("zoo_manifest_unknown_keys", ["inference.speed", "moon"])
    ]


# --- half precision -------------------------------------------------------------------


def half(tmp_path: Path, network: bytes) -> Path:
    text = changed('"single"', '"single"\nprecision = "fp16"')
    text = changed('file = "model.onnx"', 'file = "model.onnx"\nfile_fp16 = "half.onnx"', text)
    files = {"manifest.toml": text.encode(), "labels.txt": LABELS, "model.onnx": network}
    return write_folder(tmp_path, DETECTOR, files | {"half.onnx": MEAN_COLOUR})


def test_half_precision_runs_its_own_file(tmp_path: Path) -> None:
    folder = half(tmp_path, BRIGHT_BOX)

    assert read_folder(folder).network == folder / "half.onnx"


def test_the_checksum_is_that_of_the_full_file_also_where_the_half_one_runs(tmp_path: Path) -> None:
    with pytest.raises(ModelDamaged, match=r"model\.onnx: expected sha256"):
        read_folder(half(tmp_path, BRIGHT_BOX[:-1] + b"!"))
