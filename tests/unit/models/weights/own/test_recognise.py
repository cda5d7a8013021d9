"""A network's family, input and labels are recognised by its shapes and answers; the rest is asked."""

import numpy as np
import pytest

from okapia.domain.errors import ModelError
from okapia.models.weights.own.labels import coco
from okapia.models.weights.own.partial import part
from okapia.models.weights.own.recognise import Proposal, build_card
from tests.networks import constant
from tests.unit.models.weights.own import strange
from tests.unit.models.weights.own.conftest import Propose

NAMED = {"labels": ["okapi", "bongo"], "licence": "MIT"}


def keys_asked(proposal: Proposal) -> list[str]:
    return [question.key for question in proposal.questions]


@pytest.mark.parametrize(
    ("network", "family"),
    [
        (strange.yolov5(classes=2), "yolov5"),
        (strange.yolo(classes=2), "yolo"),
        (strange.raw_yolox(classes=2), "yolox"),
        (strange.decoded_yolox(classes=2), "yolov5"),
        (strange.finished_boxes(scale=64), "yolo_e2e"),
        (strange.finished_boxes(scale=1), "rtdetr_topk"),
        (strange.rtdetr(classes=2), "rtdetr"),
    ],
)
def test_a_detector_is_recognised_and_nothing_is_asked(propose: Propose, network: bytes, family: str) -> None:
    proposal = propose(network, NAMED)

    card = build_card(proposal)
    assert (card.family, card.task, card.canvas) == (family, "detector", (64, 64))
    assert any(reason.startswith(f"family {family}: ") for reason in proposal.reasons)


def test_pre_processing_goes_with_the_family(propose: Propose) -> None:
    recipes = {
        name: build_card(propose(network, NAMED)).preprocessing
        for name, network in {
            "yolo": strange.yolo(classes=2),
            "rtdetr": strange.rtdetr(classes=2),
            "raw": strange.raw_yolox(classes=2),
            "decoded": strange.decoded_yolox(classes=2),
        }.items()
    }

    assert (recipes["yolo"].resize, recipes["yolo"].placement) == ("letterbox", "centre")
    assert (recipes["yolo"].std, recipes["yolo"].pad_value) == ((255, 255, 255), (114, 114, 114))
    assert (recipes["rtdetr"].resize, recipes["rtdetr"].std) == ("stretch", (255, 255, 255))
    assert recipes["raw"] == recipes["decoded"]
    assert (recipes["raw"].placement, recipes["raw"].channels, recipes["raw"].std) == (
        "top_left",
        "bgr",
        (1, 1, 1),
    )


def test_what_ultralytics_wrote_into_the_file_answers_everything(propose: Propose) -> None:
    written = {
        "names": "{0: 'okapi', 1: 'bongo'}",
        "imgsz": "[64, 96]",
        "task": "detect",
        "license": "AGPL-3.0 License (https://ultralytics.com/license)",
        "description": "Ultralytics YOLO11n model",
    }
    network = strange.with_metadata(strange.yolo(classes=2), written)

    card = build_card(propose(network, {}))

    assert card.labels == ("okapi", "bongo")
    assert (card.licence, card.title) == ("AGPL-3.0", "Ultralytics YOLO11n model")
    assert card.id == "My-Okapis-v2"
    assert (card.names_species, card.default_category) == (True, "animal")


def test_a_network_with_open_sides_is_run_at_what_it_was_exported_for(propose: Propose) -> None:
    network = strange.yolo(classes=2, shape=("N", 3, "H", "W"), declared=("N", "rows", "boxes"))

    known = propose(strange.with_metadata(network, {"imgsz": "[64, 64]"}), NAMED)
    said = propose(network, {**NAMED, "canvas": 64})

    assert build_card(known).canvas == build_card(said).canvas == (64, 64)
    assert build_card(known).family == "yolo"


def test_the_canvas_of_a_network_with_open_sides_is_asked(propose: Propose) -> None:
    network = strange.scores(0.5, 9, shape=("N", 3, "H", "W"))

    proposal = propose(network, NAMED)

    (question,) = (question for question in proposal.questions if question.key == "canvas")
    assert question.default == "224"
    assert question.read("640x480") == {"canvas": (640, 480)}
    with pytest.raises(ModelError, match="expected pixels such as 640"):
        question.read("large")


def test_everything_that_no_file_tells_of_a_classifier_is_asked_at_once(propose: Propose) -> None:
    proposal = propose(strange.scores(-3, 0.5, 9), {})

    assert keys_asked(proposal) == ["labels", "preprocessing.std", "activation", "licence"]
    with pytest.raises(ModelError, match=r"needs `labels`, `preprocessing\.std`, `activation`, `licence`"):
        build_card(proposal)


@pytest.mark.parametrize(
    ("values", "default"), [((-3.0, 9.0), "softmax"), ((0.5, 0.9), "none")], ids=["logits", "sigmoids"]
)
def test_the_activation_is_asked_where_it_cannot_be_seen(
    propose: Propose, values: tuple[float, float], default: str
) -> None:
    proposal = propose(strange.scores(*values), NAMED)

    (question,) = (question for question in proposal.questions if question.key == "activation")
    assert question.default == default


def test_scores_that_sum_to_one_need_nothing(propose: Propose) -> None:
    proposal = propose(strange.scores(0.25, 0.75), {**NAMED, "preprocessing": {"std": 255}})

    assert build_card(proposal).activation == "none"
    assert proposal.questions == ()


def test_a_channels_last_classifier_is_recognised_by_where_the_three_is(propose: Propose) -> None:
    network = strange.scores(0.25, 0.75, shape=(1, 48, 64, 3))

    card = build_card(propose(network, {**NAMED, "preprocessing": {"std": 255}}))

    assert card.preprocessing.layout == "nhwc"
    assert card.canvas == (64, 48)


def test_an_ultralytics_classifier_is_cut_as_it_was_trained(propose: Propose) -> None:
    network = strange.with_metadata(
        strange.scores(0.25, 0.75), {"task": "classify", "names": "['okapi', 'bongo']"}
    )

    recipe = build_card(propose(network, {"licence": "MIT"})).preprocessing

    assert recipe.crop is not None
    assert (recipe.resize, recipe.crop.result, recipe.std) == ("crop", (64, 64), (255, 255, 255))


def test_a_sigmoid_gets_a_threshold(propose: Propose) -> None:
    given = {**NAMED, "activation": "sigmoid", "preprocessing": {"std": 255}}

    assert build_card(propose(strange.scores(-3, 9), given)).confidence_threshold == 0.5


@pytest.mark.parametrize(
    ("classes", "labels"), [(1, ("animal",)), (3, ("animal", "person", "vehicle")), (80, coco())]
)
def test_nameless_classes_are_offered_names_that_go_with_their_number(
    propose: Propose, classes: int, labels: tuple[str, ...]
) -> None:
    network, given = strange.yolov5(classes=classes), {"licence": "MIT"}
    (question,) = propose(network, given).questions
    assert question.default is not None

    card = build_card(propose(network, {**given, **question.read(question.default)}))

    assert card.labels == labels
    assert card.categories["animal" if classes < 80 else "zebra"] == "animal"
    assert not card.names_species


@pytest.mark.parametrize(
    "network",
    [
        strange.yolov5(classes=3),
        strange.yolo(classes=1),
        strange.rtdetr(classes=80),
        strange.scores(0.5, 9, 3),
    ],
)
def test_labels_of_another_number_than_the_outputs_are_refused(propose: Propose, network: bytes) -> None:
    with pytest.raises(ModelError, match=r"tells (3|1|80) classes apart, got 2 labels"):
        propose(network, NAMED)


def test_a_list_of_boxes_that_is_empty_for_the_test_picture_is_asked_for(propose: Propose) -> None:
    network = strange.finished_boxes(scale=64, is_empty=True)

    unsure = propose(network, NAMED)
    sure = propose(strange.with_metadata(network, {"args": "{'nms': True}"}), NAMED)

    assert keys_asked(unsure) == ["family"]
    assert unsure.questions[0].default == "yolo_e2e"
    assert build_card(sure).family == "yolo_e2e"


@pytest.mark.parametrize(
    ("answer", "family"), [((1, 5, 7), "yolov5"), ((1, 6, 5), "yolo"), ((1, 5, 9), "")], ids=str
)
def test_labels_tell_what_the_shape_alone_does_not(
    propose: Propose, answer: tuple[int, int, int], family: str
) -> None:
    network = constant(np.full(answer, 20, dtype=np.float32), shape=strange.SQUARE)

    proposal = propose(network, NAMED)

    assert proposal.known.get("family", "") == family
    assert keys_asked(proposal) == ([] if family else ["family"])


def test_an_answer_to_one_question_may_raise_others(propose: Propose) -> None:
    network = strange.scores(-3, 0.5, 9, 1, 2, 4, shape=(1, 3, 64, 64))

    proposal = propose(network, {"family": "classifier", "licence": "MIT"})

    assert keys_asked(proposal) == ["labels", "preprocessing.std", "activation"]


def test_what_a_person_says_wins_over_what_was_read(propose: Propose) -> None:
    given = {**NAMED, "id": "okapis", "family": "yolo", "preprocessing": {"channels": "bgr"}, "nms_iou": 0.6}

    proposal = propose(strange.yolo(classes=2), given)

    card = build_card(proposal)
    assert (card.id, card.nms_iou, card.preprocessing.channels) == ("okapis", 0.6, "bgr")
    assert part(proposal.known, "preprocessing")["resize"] == "letterbox"


def test_a_family_that_does_not_fit_the_answer_is_refused(propose: Propose) -> None:
    with pytest.raises(ModelError, match=r"answers output \[1, 2\]; the family yolov5 answers \[1, N, 5"):
        propose(strange.scores(0.5, 9), {**NAMED, "family": "yolov5"})


def test_a_segmentation_network_is_refused_by_name(propose: Propose) -> None:
    network = strange.with_metadata(strange.yolo(classes=34), {"task": "segment"})

    with pytest.raises(ModelError, match="made for the task segment; expected detect or classify"):
        propose(network, NAMED)


def test_values_out_of_range_are_refused_with_their_key(propose: Propose) -> None:
    with pytest.raises(ModelError, match=r"My Okapis v2\.onnx: nms_iou: .*less than or equal to 1"):
        build_card(propose(strange.yolo(classes=2), {**NAMED, "nms_iou": 45}))
